"""Which modules an app imports, by reading it from the file that starts it: nothing is run."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from flaskship.source.requirements import pip
from flaskship.source.requirements.names import COVERS, DISTRIBUTIONS, REMOVED, SAME

MISSING = ("ImportError", "ModuleNotFoundError")
CALLS = {  # a method -> the distribution that pandas, FastAPI… import only when it is called
    "read_excel": "openpyxl",
    "to_excel": "openpyxl",
    "read_feather": "pyarrow",
    "read_hdf": "tables",
    "read_html": "lxml",
    "read_parquet": "pyarrow",
    "to_feather": "pyarrow",
    "to_parquet": "pyarrow",
}
NAMES = {  # (module, name) -> the distribution that it wants besides
    ("fastapi", "File"): "python-multipart",
    ("fastapi", "Form"): "python-multipart",
    ("fastapi", "UploadFile"): "python-multipart",
    ("fastapi.responses", "ORJSONResponse"): "orjson",
    ("fastapi.security", "OAuth2PasswordRequestForm"): "python-multipart",
    ("fastapi.templating", "Jinja2Templates"): "jinja2",
    ("pydantic", "EmailStr"): "email-validator",
    ("starlette.templating", "Jinja2Templates"): "jinja2",
    ("wtforms.validators", "Email"): "email-validator",
}
URLS = {  # how a database is named -> its driver
    "mysql+mysqlconnector:": "mysql-connector-python",
    "mysql+pymysql:": "pymysql",
    "postgres:": "psycopg2-binary",
    "postgresql+asyncpg:": "asyncpg",
    "postgresql+psycopg2:": "psycopg2-binary",
    "postgresql+psycopg:": "psycopg-binary",
    "postgresql:": "psycopg2-binary",
    "sqlite+aiosqlite:": "aiosqlite",
}


@dataclass(kw_only=True)
class Imports:
    """By module, where it is first imported: "app.py, line 3"."""

    needed: dict[str, str] = field(default_factory=dict)
    optional: dict[str, str] = field(default_factory=dict)
    implied: dict[str, str] = field(default_factory=dict)  # distribution -> where
    removed: dict[str, str] = field(default_factory=dict)  # of the standard library, no longer there
    warnings: list[str] = field(default_factory=list)


def read(folder: Path, root: str, file: str, files: Collection[str]) -> Imports:
    """All that `file` imports, and the folder's modules that it reaches. `files` are the folder's, as paths."""
    found = Imports()
    reader = _Folder(folder, root, files)
    waiting, seen = [file], {file}
    while waiting:
        path = waiting.pop()
        try:
            tree = ast.parse(pip.text(folder / path))
        except (SyntaxError, ValueError, RecursionError, OSError) as error:
            found.warnings.append(f"{path} cannot be read, and what it imports is not known: {error}.")
            continue
        for each in _of(tree, path, found):
            inner = reader.local(each, path)
            new = [one for one in inner if one not in seen]
            seen.update(new)
            waiting += new
            if not inner:
                _note(found, each, path)
    return found


@dataclass(frozen=True, slots=True)
class _Import:
    module: str  # "a.b"; "" with a level is the package itself
    names: tuple[str, ...] = ()
    level: int = 0
    line: int = 0
    optional: bool = False


def _note(found: Imports, each: _Import, path: str) -> None:
    top, where = each.module.partition(".")[0], f"{path}, line {each.line}"
    if not top or each.level:
        return
    if top in REMOVED:
        (found.optional if each.optional else found.removed).setdefault(top, where)
    elif top in sys.stdlib_module_names or top == "__main__":
        return
    else:
        names = [f"{each.module}.{name}" for name in each.names if f"{each.module}.{name}" in DISTRIBUTIONS]
        for module in names or [each.module]:
            (found.optional if each.optional else found.needed).setdefault(module, where)


def _of(tree: ast.Module, path: str, found: Imports) -> Iterator[_Import]:
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, optional = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (_Import(each.name, (), 0, node.lineno, optional) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(each.name for each in node.names)
            yield _Import(node.module or "", names, node.level, node.lineno, optional)
            for name in names:
                _imply(found, NAMES.get((node.module or "", name)), path, node.lineno)
        elif isinstance(node, ast.Call):
            yield from _called(node, optional)
            _imply(found, _by_call(node), path, node.lineno)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            driver = next((URLS[start] for start in URLS if node.value.startswith(f"{start}//")), None)
            _imply(found, driver, path, node.lineno)
        elif isinstance(node, ast.AsyncFunctionDef) and any(_routes(each) for each in node.decorator_list):
            _imply(found, "asgiref", path, node.lineno)
        waiting += _inside(node, optional)


def _inside(node: ast.AST, optional: bool) -> Iterator[tuple[ast.AST, bool]]:
    """What is in a node, and whether the app does without it."""
    if isinstance(node, ast.Try) and _does_without(node):
        yield from ((each, True) for each in node.body)
        yield from ((each, optional) for each in [*node.handlers, *node.orelse, *node.finalbody])
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        yield from ((each, optional) for each in node.orelse)
    else:
        yield from ((each, optional) for each in ast.iter_child_nodes(node))


def _does_without(node: ast.Try) -> bool:
    """Whether what fails to be imported in it is caught: as such, or with all else where there is nothing else."""
    kinds = [each for handler in node.handlers for each in _kinds(handler)]
    imports = all(isinstance(each, ast.Import | ast.ImportFrom) for each in node.body)
    return any(getattr(each, "id", "") in MISSING for each in kinds) or imports


def _kinds(handler: ast.ExceptHandler) -> list[ast.expr | None]:
    return [*handler.type.elts] if isinstance(handler.type, ast.Tuple) else [handler.type]


def _called(node: ast.Call, optional: bool) -> Iterator[_Import]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    first = node.args[0] if node.args else None
    if name in ("import_module", "__import__") and isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield _Import(first.value, (), 0, node.lineno, optional)


def _by_call(node: ast.Call) -> str | None:
    if not isinstance(node.func, ast.Attribute):
        return None
    wanted = CALLS.get(node.func.attr)
    first = node.args[0] if node.args else None
    old = isinstance(first, ast.Constant) and str(first.value).lower().endswith(".xls")
    return "xlrd" if wanted == "openpyxl" and old else wanted


def _routes(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and getattr(decorator.func, "attr", "") == "route"


def _imply(found: Imports, distribution: str | None, path: str, line: int) -> None:
    if distribution:
        found.implied.setdefault(distribution, f"{path}, line {line}")


@dataclass(frozen=True, slots=True)
class _Folder:
    folder: Path
    root: str
    files: Collection[str]

    def local(self, each: _Import, path: str) -> list[str]:
        """The folder's files that an import in `path` runs; none where it is of another distribution."""
        if each.level:
            place = PurePosixPath(path).parent
            for _ in range(each.level - 1):
                place = place.parent
            return self._modules(place, each.module, each.names)
        places = dict.fromkeys([PurePosixPath(self.root), PurePosixPath(path).parent])
        for place in places:
            if found := self._modules(place, each.module, each.names):
                return found
        top = each.module.partition(".")[0]
        if top in sys.stdlib_module_names or top in DISTRIBUTIONS or top.lower() in SAME:
            return []
        pattern = re.compile(rf"(.*?)/?{re.escape(top)}(\.py|/__init__\.py)")
        elsewhere = [PurePosixPath(match[1]) for name in self.files if (match := pattern.fullmatch(name))]
        return next((found for place in elsewhere if (found := self._modules(place, each.module, each.names))), [])

    def _modules(self, place: PurePosixPath, module: str, names: Sequence[str]) -> list[str]:
        parts = module.split(".") if module else []
        found: list[str] = []
        for count in range(len(parts) + 1):
            inner = place.joinpath(*parts[:count])
            if count:
                step = [one for one in (f"{inner}.py", f"{inner}/__init__.py") if (self.folder / one).is_file()]
                if not step and not (self.folder / inner).is_dir():
                    return found if count > 1 else []
                found += step
        if parts and not found and not any((self.folder / place / parts[0]).glob("**/*.py")):
            return []
        package = place.joinpath(*parts)
        for name in names:
            both = (f"{package}/{name}.py", f"{package}/{name}/__init__.py")
            found += [PurePosixPath(one).as_posix() for one in both if (self.folder / one).is_file()]
        return [PurePosixPath(one).as_posix() for one in found]


def distribution(module: str, installed: Mapping[str, Sequence[str]]) -> tuple[str, bool]:
    """What brings a module, and whether that is sure. `installed` has the distributions here by top-level module."""
    parts = module.split(".")
    top = parts[0]
    here = sorted({canonicalize_name(each) for each in installed.get(top, ())})
    if len(here) == 1 and top not in DISTRIBUTIONS:
        return next((name for name, others in COVERS.items() if here[0] in others), here[0]), True
    for count in range(len(parts), 0, -1):
        if ".".join(parts[:count]) in DISTRIBUTIONS:
            return DISTRIBUTIONS[".".join(parts[:count])], True
    return canonicalize_name(top), top.lower() in SAME or len(here) > 1
