"""Is this module served by its functions, or is it an app? Read from its source; nothing of it is run.

functions(Path("shapes.py"))                True: `@endpoint` stands in it, or it has a typed function and no app
functions(Path("app.py"))                   False: it imports a web framework
functions(Path("app.py"), "create_app()")   False: a factory's call
functions(Path("app.py"), "score")          True: that one has type hints, and makes no app
home(Path("site/shop/shapes.py"))           (Path("site"), "shop.shapes"), as site/shop/__init__.py exists
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

METHODS = ("predict", "__call__")  # of a class without `@endpoint`, the first that it has
INIT = "__init__.py"
WEB = frozenset({
    "aiohttp.web", "apiflask", "blacksheep", "bottle", "cherrypy", "connexion", "dash", "django", "eve", "falcon",
    "fastapi", "flask", "flaskship.app", "gradio", "gunicorn", "hug", "litestar", "ninja", "pyramid", "quart",
    "responder", "robyn", "sanic", "starlette", "streamlit", "tornado.web", "uvicorn", "waitress", "werkzeug",
})  # fmt: skip
APPS = frozenset({"Flask", "FastAPI", "Starlette", "Quart", "WSGIApplication", "ASGIApplication", "Litestar", "Sanic"})
CALLS = (["environ", "start_response"], ["scope", "receive", "send"])  # WSGI's and ASGI's arguments
ROUTES = frozenset({"route", "get", "post", "put", "delete", "patch", "websocket", "api_route"})

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Source:
    """What stands at a module's top level, by name."""

    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)  # name -> "flaskship.endpoint"
    relative: int = 0  # the most dots of `from .. import`
    web: bool = False  # it has to do with an app

    @property
    def marked(self) -> tuple[str, ...]:
        """What `@endpoint` marks, `segment` and `Shapes.segment`, in the order of their definition."""
        methods = [(f"{name}.{each.name}", each) for name, kind in self.classes.items() for each in _methods(kind)]
        every = sorted([*self.functions.items(), *methods], key=lambda pair: pair[1].lineno)
        return tuple(name for name, each in every if self.is_marked(each))

    @property
    def public(self) -> tuple[str, ...]:
        """Functions, and classes with one of `METHODS`, whose names begin with no underscore."""
        names = (*self.functions, *(name for name, each in self.classes.items() if _method(each) is not None))
        return tuple(name for name in names if not name.startswith("_"))

    @property
    def typed(self) -> tuple[str, ...]:
        """Those of `public` that have type hints."""
        return tuple(name for name in self.public if (each := self.function(name)) is not None and _hints(each))

    def function(self, name: str) -> Function | None:
        """The function of that name, or the method of the class that answers."""
        first, _, method = name.partition(".")
        if first in self.functions:
            return None if method else self.functions[first]
        kind = self.classes.get(first)
        if kind is None:
            return None
        if method:
            return next((each for each in _methods(kind) if each.name == method), None)
        marked = next((each for each in _methods(kind) if self.is_marked(each)), None)
        return marked or _method(kind)

    def is_marked(self, function: Function) -> bool:
        return any(self.full(each) in MARKS for each in function.decorator_list)

    def full(self, expression: ast.expr) -> str:
        """`flaskship.endpoint` of `@endpoint("/x")`, by what was imported."""
        called = expression.func if isinstance(expression, ast.Call) else expression
        first, _, rest = ast.unparse(called).partition(".")
        return ".".join(filter(None, (self.imported.get(first, first), rest)))


MARKS = ("flaskship.endpoint", "flaskship.endpoints.endpoint")


def functions(path: Path, attribute: str = "") -> bool:
    """Whether `path`, or `attribute` in it, is a function or a class to be served, rather than an app.

    A file that cannot be parsed is not. Where neither is to be seen (an attribute that is not there) it is, unless the
    module has to do with an app.
    """
    source = read(path)
    if source is None or "(" in attribute:
        return False
    if not attribute:
        return bool(source.marked) or (not source.web and bool(source.public))
    found = source.function(attribute)
    if found is None and attribute in source.values:
        return _of_class(source, source.values[attribute])
    if found is None:
        return not source.web and attribute not in source.classes
    return source.is_marked(found) or (not _makes_app(found) and (not source.web or _hints(found)))


def choice(source: Source) -> str:
    """What is served where nobody says and nothing is marked: `predict`, else the only typed one; "" without such."""
    if "predict" in source.public:
        return "predict"
    return source.typed[0] if len(source.typed) == 1 else ""


def home(path: Path) -> tuple[Path, str]:
    """The folder that `path` is imported from, and the name under which: packages above it count."""
    names = [] if path.name == INIT else [path.stem]
    folder = path.parent
    depth = _depth(path)
    while (folder / INIT).is_file() or len(names) <= depth:
        names.append(folder.name)
        folder = folder.parent
    return folder, ".".join(reversed(names))


def _depth(path: Path) -> int:
    """How many folders above a module it takes for packages, be there an `__init__.py` or not.

    `from ..sizes import SIZE` takes two; so does `import shop.sizes` in shop/models/score.py beside shop/sizes.py.
    """
    source = read(path)
    if source is None:
        return 0
    named = [name.split(".") for name in source.imported.values() if "." in name]
    inside = (
        depth
        for depth, folder in enumerate(path.parents, 1)
        for first, second, *_ in named
        if first == folder.name and ((folder / second).is_dir() or (folder / f"{second}.py").is_file())
    )
    return max(source.relative, *inside, 0)


def read(path: Path) -> Source | None:
    """What stands in the file, None where it cannot be parsed."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError, MemoryError):
        return None
    source = Source()
    for node in _statements(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            source.functions[node.name] = node
        elif isinstance(node, ast.ClassDef):
            source.classes[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            source.values |= {name.id: node.value for name in targets if isinstance(name, ast.Name)}
    everything = list(ast.walk(tree))
    for each in everything:
        source.imported |= dict(_imports(each))
        source.relative = max(source.relative, each.level if isinstance(each, ast.ImportFrom) else 0)
    source.web = any(_is_web(name) for name in source.imported.values()) or any(map(_app_like, everything))
    return source


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Those of the top level, also under `if` and `try`, but not under `if __name__ == "__main__"`."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and "__name__" not in ast.unparse(node.test):
            yield from _statements([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            inner = (each for handler in node.handlers for each in handler.body)
            yield from _statements([*node.body, *inner, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.With):
            yield from _statements(node.body)


def _imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for each in node.names:
            yield (each.asname, each.name) if each.asname else (each.name.partition(".")[0],) * 2
            if not each.asname and "." in each.name:
                yield each.name, each.name
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for each in node.names:
            yield each.asname or each.name, f"{node.module}.{each.name}"


def _is_web(name: str) -> bool:
    parts = name.split(".")
    if parts[0] == "flaskship":
        return parts[1:2] in (["app"], ["create_app"], ["blueprint"])
    return parts[0] in WEB or parts[0].startswith("flask_") or ".".join(parts[:2]) in WEB


def _app_like(node: ast.AST) -> bool:
    """An app by its own shape: a route's decorator, or a callable with WSGI's or ASGI's arguments."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    names = [each.arg for each in node.args.args if each.arg != "self"]
    routed = any(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in ROUTES
        for each in node.decorator_list
    )
    return routed or names in CALLS


def _makes_app(function: Function) -> bool:
    """Whether it is an app, or returns one."""
    said = ast.unparse(function.returns).rpartition(".")[2].strip("'\"") if function.returns else ""
    calls = (each.func for each in ast.walk(function) if isinstance(each, ast.Call))
    made = any(ast.unparse(each).rpartition(".")[2] in APPS for each in calls)
    return said in APPS or made or _app_like(function)


def _of_class(source: Source, value: ast.expr) -> bool:
    """Whether a value is an instance of a class of this module that answers, or a `functools.partial`."""
    if isinstance(value, ast.Call) and source.full(value) == "functools.partial":
        return True
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name):
        return False
    found = source.function(value.func.id) if value.func.id in source.classes else None
    return found is not None and not _app_like(found)


def _methods(kind: ast.ClassDef) -> list[Function]:
    return [each for each in kind.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]


def _method(kind: ast.ClassDef) -> Function | None:
    found = {each.name: each for each in _methods(kind)}
    return next((found[name] for name in METHODS if name in found), None)


def _hints(function: Function) -> bool:
    """Whether it takes something, and says of anything what it is."""
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    taken = [each for each in every if each.arg not in ("self", "cls")]
    return bool(taken) and (function.returns is not None or any(each.annotation is not None for each in taken))
