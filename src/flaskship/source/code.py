"""The Python files of a folder, parsed and never run: what each imports, and which of its own files that means."""

from __future__ import annotations

import ast
import posixpath
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from flaskship.source.tree import Tree

LARGEST = 4 << 20  # bytes of a file of code that is still read
PRINT = re.compile(r"^\s*(print +[\"'\w]|exec +[\"'\w]|except +\w[\w.]*, *\w+ *:)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Import:
    """`from MODULE import NAME as BOUND`; without `name`, `import MODULE as BOUND`."""

    module: str  # with its leading dots: ".models"
    name: str
    bound: str
    line: int


@dataclass(frozen=True)
class Module:
    path: str
    tree: ast.Module

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        found = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for each in node.names:
                    found.append(Import(each.name, "", each.asname or each.name.partition(".")[0], node.lineno))
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                found += [Import(module, each.name, each.asname or each.name, node.lineno) for each in node.names]
        return tuple(found)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        return tuple(node for node in self.nodes if isinstance(node, ast.Call))

    @cached_property
    def origins(self) -> dict[str, str]:
        """A bound name -> what it was imported as: `f` -> "flask", `F` -> "flask.Flask"."""
        found = {}
        for each in self.imports:
            if each.name:
                found[each.bound] = f"{each.module}{'' if each.module.endswith('.') else '.'}{each.name}"
            else:  # `import a.b` binds a
                found[each.bound] = each.bound if each.module.startswith(f"{each.bound}.") else each.module
        return found

    @cached_property
    def stars(self) -> tuple[str, ...]:
        """The modules of which everything is imported."""
        return tuple(each.module for each in self.imports if each.name == "*")

    def dotted(self, node: ast.AST) -> str:
        """The full name of what an expression names: `f.Flask` -> "flask.Flask"; "" where it is not a name."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return f"?.{'.'.join(reversed(parts))}" if parts else ""
        return ".".join([self.origins.get(node.id, node.id), *reversed(parts)])

    @property
    def package(self) -> bool:
        return posixpath.basename(self.path) == "__init__.py"


class Code:
    """The modules of a tree, each parsed once."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.broken: dict[str, str] = {}  # path -> why it cannot be parsed
        self._modules: dict[str, Module | None] = {}

    @cached_property
    def paths(self) -> tuple[str, ...]:
        return tuple(path for path in self.tree.files if path.endswith((".py", ".pyw")))

    def module(self, path: str) -> Module | None:
        """None where there is no such file, or it does not parse."""
        if path not in self._modules:
            self._modules[path] = self._parse(path) if path in self.tree.files else None
        return self._modules[path]

    def _parse(self, path: str) -> Module | None:
        try:
            data = (self.tree.folder / path).read_bytes() if self.tree.files[path] <= LARGEST else b""
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an invalid escape is no matter of ours
                return Module(path, ast.parse(data))
        except OSError as error:
            self.broken[path] = f"cannot be read: {error.strerror}"
        except SyntaxError as error:
            old = PRINT.search(self.tree.read(path))
            said = f"{error.msg}, line {error.lineno}" if error.lineno else error.msg
            self.broken[path] = "is written for Python 2" if old else f"does not parse: {said}"
        except (ValueError, RecursionError) as error:  # null bytes; nested too deep
            self.broken[path] = f"does not parse: {error}"
        return None

    def local(self, dotted: str, importer: str) -> str:
        """The file that `import dotted` means in `importer`; "" where it is none of this folder's.

        Looked for in the importer's folder, then in those above it: one of them is on `sys.path`.
        """
        level = len(dotted) - len(dotted.lstrip("."))
        inside = dotted[level:].replace(".", "/")
        base = posixpath.dirname(importer)
        if level:
            for _ in range(level - 1):
                base = posixpath.dirname(base)
            return self.file(base, inside)
        while True:
            if found := self.file(base, inside):
                return found
            if not base:
                return ""
            base = posixpath.dirname(base)

    def file(self, base: str, inside: str) -> str:
        """The file of a module: a package's `__init__.py` first, as Python has it."""
        stem = posixpath.join(base, inside) if inside else base
        for path in (posixpath.join(stem, "__init__.py"), f"{stem}.py"):
            if path in self.tree.files and (inside or path.endswith("__init__.py")):
                return path
        return ""

    def imported(self, module: Module) -> Iterator[str]:
        """The files of this folder that a module imports, packages before what lies in them."""
        for each in module.imports:
            dots = "." * (len(each.module) - len(each.module.lstrip(".")))
            parts = [part for part in (*each.module.lstrip(".").split("."), each.name) if part]
            for count in range(0 if dots else 1, len(parts) + 1):
                if found := self.local(dots + ".".join(parts[:count]), module.path):
                    yield found

        for dotted, _ in in_text(module):
            if found := self.local(dotted, module.path):
                yield found

    def reach(self, path: str) -> tuple[Module, ...]:
        """A module and those of the folder that it imports, directly or not; nearest first."""
        found: dict[str, Module] = {}
        waiting = [path]
        for each in waiting:
            module = self.module(each) if each not in found else None
            if module:
                found[each] = module
                waiting += dict.fromkeys(self.imported(module))
        return tuple(found.values())


def in_text(module: Module) -> Iterator[tuple[str, str]]:
    """Modules that are named in text, and an object in them: `uvicorn.run("site:app")`, `import_module("site")`."""
    for call in module.calls:
        first = call.args[0] if call.args else None
        last = module.dotted(call.func).rpartition(".")[2]
        if last in ("run", "serve", "Granian", "import_module") and isinstance(first, ast.Constant):
            named = re.fullmatch(r"([\w.]+)(?::(\w+))?", str(first.value))
            if named and (named[2] or last == "import_module"):
                yield named[1], named[2] or ""
