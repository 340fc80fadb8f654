"""Which app objects a module has, found by value: what `Flask(...)` makes, whatever it is called, wherever from."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from flaskship.source import Interface
from flaskship.source.code import Code, Module, in_text

WSGI, ASGI = Interface.WSGI, Interface.ASGI

# What makes an app -> framework and interface.
MAKERS = {
    **dict.fromkeys(("flask.Flask", "flask.app.Flask", "flask_api.FlaskAPI", "eve.Eve"), ("flask", WSGI)),
    **dict.fromkeys(("apiflask.APIFlask", "flask_openapi3.OpenAPI", "flask_lambda.FlaskLambda"), ("flask", WSGI)),
    **dict.fromkeys(("connexion.App", "connexion.FlaskApp", "connexion.apps.flask_app.FlaskApp"), ("connexion", WSGI)),
    **dict.fromkeys(("bottle.Bottle", "bottle.default_app", "bottle.app"), ("bottle", WSGI)),
    **dict.fromkeys(("falcon.App", "falcon.API"), ("falcon", WSGI)),
    "django.core.wsgi.get_wsgi_application": ("django", WSGI),
    "django.core.asgi.get_asgi_application": ("django", ASGI),
    **dict.fromkeys(("fastapi.FastAPI", "fastapi.applications.FastAPI"), ("fastapi", ASGI)),
    **dict.fromkeys(("starlette.applications.Starlette", "starlette.Starlette"), ("starlette", ASGI)),
    **dict.fromkeys(("quart.Quart", "quart.app.Quart"), ("quart", ASGI)),
    **dict.fromkeys(("litestar.Litestar", "litestar.app.Litestar", "starlite.Starlite"), ("litestar", ASGI)),
    **dict.fromkeys(("connexion.AsyncApp", "connexion.AioHttpApp"), ("connexion", ASGI)),
    **dict.fromkeys(("sanic.Sanic", "sanic.app.Sanic"), ("sanic", ASGI)),
    "falcon.asgi.App": ("falcon", ASGI),
    "blacksheep.Application": ("blacksheep", ASGI),
    "responder.API": ("responder", ASGI),
    **dict.fromkeys(("dash.Dash", "dash.dash.Dash", "jupyter_dash.JupyterDash"), ("dash", WSGI)),
}
METHODS = {"make_wsgi_app": "pyramid", "wsgifunc": "web.py"}  # of what makes an app when called
# What takes an app and gives one: interface, or None where it stays what it was.
AROUND = {
    **dict.fromkeys(
        ("DispatcherMiddleware", "WhiteNoise", "ProxyFix", "SharedDataMiddleware", "mount_gradio_app"), None
    ),
    **dict.fromkeys(("SentryWsgiMiddleware", "TestApp", "CORSMiddleware", "TrustedHostMiddleware"), None),
    **dict.fromkeys(("WsgiToAsgi", "WSGIMiddleware"), ASGI),
    "ASGIMiddleware": WSGI,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app object, or what gives one when called. `object` is an expression in the module's own names."""

    object: str  # "" where it is there only while the module runs as `__main__`, or inside a function
    framework: str
    interface: Interface
    made: str  # path of the module that makes it
    line: int = 0
    factory: bool = False


class Apps:
    """Of all modules of a folder, each looked into once."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self._names: dict[str, dict[str, App]] = {}
        self.needing: dict[str, dict[str, App]] = {}  # factories that need arguments: of use to who calls them

    def names(self, path: str) -> dict[str, App]:
        """What a module binds to an app or to a factory of one, imported names included."""
        if path not in self._names:
            self._names[path], self.needing[path] = {}, {}  # modules that import each other see what is known so far
            module = self.code.module(path)
            if module:
                scope = Scope(self, module, self._names[path])
                scope.imports()
                scope.body(unguarded(module.tree.body))
        return self._names[path]

    def of(self, path: str) -> list[App]:
        """The apps to choose from: bound at the top, by a factory that needs nothing, then those inside."""
        module = self.code.module(path)
        if not module:
            return []
        bound = self.names(path)
        found = [app for app in bound.values() if not app.factory and app.object]
        found += [replace(app, object=f"{app.object}()") for app in bound.values() if app.factory]
        return found or self.inside(module)

    def inside(self, module: Module) -> list[App]:
        """Apps made where only running the file as `__main__` makes them."""
        scope = Scope(self, module, dict(self.names(module.path)))
        scope.body(guarded(module.tree.body))
        for node in module.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name not in self.needing[module.path]:
                scope.body(node.body)
        found = {(app.framework, app.made): app for app in scope.bound.values() if not app.factory}
        found |= {(app.framework, app.made): app for named in in_text(module) if (app := self.told(module, *named))}
        return [replace(app, object="") for app in found.values()]

    def told(self, module: Module, dotted: str, name: str) -> App | None:
        """The app that a server is told in text: `uvicorn.run("site.main:app")`."""
        source = self.code.local(dotted, module.path)
        return self.names(source).get(name) if source and source != module.path else None


class Scope:
    """Names as they are bound, statement by statement."""

    def __init__(self, apps: Apps, module: Module, bound: dict[str, App]) -> None:
        self.apps, self.module, self.bound = apps, module, bound
        self.path = module.path

    def imports(self) -> None:
        for each in self.module.imports:
            if not each.name:
                continue
            source = self.apps.code.local(each.module, self.path)
            if not source or source == self.path:
                continue
            there = self.apps.names(source)
            taken = there if each.name == "*" else {each.bound: there[each.name]} if each.name in there else {}
            for name, app in taken.items():
                self.bound.setdefault(name, replace(app, object=name))

    def body(self, statements: Iterable[ast.stmt]) -> None:
        for node in flat(statements):
            match node:
                case ast.Assign(targets=targets, value=value):
                    if app := self.value(value):
                        for target in targets:
                            self.bind(target, app)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    if app := self.value(value):
                        self.bind(target, app)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self.function(node)

    def bind(self, target: ast.expr, app: App) -> None:
        if isinstance(target, ast.Name):
            name = f"{target.id}.server" if app.framework == "dash" else target.id
            self.bound[target.id] = replace(app, object=name)
        elif isinstance(target, ast.Attribute):
            self.bound[ast.unparse(target)] = replace(app, object="")

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """A factory where it returns an app; a callable of the interface itself where its arguments are that one's."""
        names = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
        made = App(object=node.name, framework="", interface=WSGI, made=self.path, line=node.lineno)
        if names == ["environ", "start_response"]:
            self.bound[node.name] = replace(made, framework="wsgi")
        elif names == ["scope", "receive", "send"] and isinstance(node, ast.AsyncFunctionDef):
            self.bound[node.name] = replace(made, framework="asgi", interface=ASGI)
        elif app := self.returned(node):
            if len(names) <= len(node.args.defaults) and all(node.args.kw_defaults) and not node.decorator_list:
                self.bound[node.name] = replace(app, object=node.name, factory=True, line=node.lineno)
            else:
                self.apps.needing[self.path][node.name] = replace(app, object=node.name, factory=True, line=node.lineno)

    def returned(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> App | None:
        inner = Scope(self.apps, self.module, dict(self.bound))
        inner.body(node.body)
        returns = [each for each in flat(node.body) if isinstance(each, ast.Return) and each.value]
        return next((app for each in returns if each.value and (app := inner.value(each.value))), None)

    def value(self, node: ast.expr) -> App | None:
        """The app that an expression is; None where it is none, or it cannot be told."""
        match node:
            case ast.Name(id=name):
                app = self.bound.get(name)
                return app if app and not app.factory else None
            case ast.Await(value=inner):
                return self.value(inner)
            case ast.IfExp(body=body, orelse=orelse):
                return self.value(body) or self.value(orelse)
            case ast.Attribute(value=inner, attr="server" | "app" | "wsgi_app" | "asgi_app" as attr):
                app = self.value(inner)
                return replace(app, framework="flask") if app and attr == "server" else app or self.elsewhere(node)
            case ast.Attribute():
                return self.elsewhere(node)
            case ast.Call():
                return self.call(node)
        return None

    def elsewhere(self, node: ast.Attribute) -> App | None:
        """`site.app`, where `site` is a module of the folder."""
        owner, _, name = self.module.dotted(node).rpartition(".")
        source = self.apps.code.local(owner, self.path) if owner else ""
        if not source or source == self.path:
            return None
        return self.apps.names(source).get(name) or self.apps.needing[source].get(name)

    def call(self, node: ast.Call) -> App | None:
        name = self.module.dotted(node.func)
        last = name.rpartition(".")[2]
        if known := self.known(name) or self.inherited(name):
            return App(object="", framework=known[0], interface=known[1], made=self.path, line=node.lineno)
        if last in METHODS and isinstance(node.func, ast.Attribute):
            return App(object="", framework=METHODS[last], interface=WSGI, made=self.path, line=node.lineno)
        if last in AROUND:
            inner = next((app for each in node.args if (app := self.value(each))), None)
            return replace(inner, interface=AROUND[last] or inner.interface) if inner else None
        if name in ("socketio.ASGIApp", "socketio.WSGIApp"):
            interface = ASGI if last == "ASGIApp" else WSGI
            return App(object="", framework="socketio", interface=interface, made=self.path, line=node.lineno)
        return self.made(node.func)

    def known(self, name: str) -> tuple[str, Interface] | None:
        """What makes an app by that name, `from flask import *` being looked through."""
        names = (name, *(f"{star}.{name}" for star in self.module.stars))
        return next((MAKERS[each] for each in names if each in MAKERS), None)

    def made(self, func: ast.expr) -> App | None:
        """What a call of a function of the folder gives."""
        if isinstance(func, ast.Name):
            app = self.bound.get(func.id) or self.apps.needing[self.path].get(func.id) or self.imported(func.id)
        else:
            app = self.elsewhere(func) if isinstance(func, ast.Attribute) else None
        return replace(app, factory=False) if app and app.factory else None

    def imported(self, name: str) -> App | None:
        """A factory with arguments, in the module of the folder that it comes from."""
        owner, _, original = self.module.origins.get(name, "").rpartition(".")
        source = self.apps.code.local(owner, self.path) if owner else ""
        if not source or source == self.path:
            return None
        self.apps.names(source)
        return self.apps.needing[source].get(original)

    def inherited(self, name: str, depth: int = 0) -> tuple[str, Interface] | None:
        """What a class of the folder is at bottom: `class Site(Flask)`."""
        owner, _, last = name.rpartition(".")
        source = self.apps.code.local(owner, self.path) if owner else self.path
        module = self.apps.code.module(source) if source else None
        if not module or depth > 4:
            return None
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == last:
                names = [module.dotted(base) for base in node.bases]
                scope = Scope(self.apps, module, {})
                found = [MAKERS.get(each) or (scope.inherited(each, depth + 1) if each else None) for each in names]
                return next((each for each in found if each), None)
        return None


def is_guard(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":`"""
    return isinstance(node, ast.If) and "__name__" in (text := ast.unparse(node.test)) and "__main__" in text


def unguarded(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    return (node for node in body if not is_guard(node))


def guarded(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If) and is_guard(node):
            yield from node.body


def flat(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements in order, those in `if`, `try`, `with` and loops too; not those of functions and classes."""
    for node in statements:
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from flat(getattr(node, name, []))
        for handler in getattr(node, "handlers", []):
            yield from flat(handler.body)
