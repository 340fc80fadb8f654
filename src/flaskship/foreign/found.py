"""Which of a program's objects is the app, by value, and which of the two interfaces it has."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType
from typing import Any

from flaskship.errors import AppFailed

NAMES = ("app", "application", "server", "api", "asgi_app", "wsgi_app", "wsgi", "asgi")
FACTORIES = ("create_app", "make_app", "app_factory", "get_app", "build_app", "init_app")
CLASSES = frozenset({  # by the first part of their module and their name
    ("flask", "Flask"), ("fastapi", "FastAPI"), ("starlette", "Starlette"), ("bottle", "Bottle"), ("quart", "Quart"),
    ("sanic", "Sanic"), ("falcon", "App"), ("falcon", "API"), ("dash", "Dash"), ("connexion", "AbstractApp"),
    ("django", "WSGIHandler"), ("django", "ASGIHandler"), ("pyramid", "Router"), ("socketio", "ASGIApp"),
    ("socketio", "WSGIApp"), ("litestar", "Litestar"), ("hug", "API"),
})  # fmt: skip


def app(module: ModuleType, expression: str) -> Any:
    """What `expression` names in the module ("app", "site.app", "create_app()"), else the only app there.

    Raises `AppFailed` where there is none, or several.
    """
    if expression:
        found = evaluated(module, expression)
        return made(found) if inspect.isfunction(found) and not required(found) else found
    values = vars(module)
    apps = {name: value for name, value in values.items() if is_app(value)}
    for name in NAMES:
        if name in apps or (callable(values.get(name)) and len(required(values[name])) in (2, 3)):
            return values[name]
    if len({id(value) for value in apps.values()}) > 1:
        raise AppFailed(f"{place(module)} has several apps: {', '.join(apps)}. Name one: --app {place(module)}:NAME.")
    for value in apps.values():
        return value
    for name in FACTORIES:
        if inspect.isfunction(values.get(name)) and not required(values[name]):
            return made(values[name])
    raise AppFailed(
        f"{place(module)} ended, and neither started a server nor holds an app. Name what makes it: --app FILE:OBJECT."
    )


def is_app(value: Any) -> bool:
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(value).__mro__}
    return bool(kinds & CLASSES)


def evaluated(module: ModuleType, expression: str) -> Any:
    """`site.app` or `make('prod')` in the module: names, attributes, and calls with literal arguments.

    Raises `AppFailed`, or what a call raises.
    """

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return vars(module)[node.id]
        if isinstance(node, ast.Attribute):
            return getattr(value(node.value), node.attr)
        if isinstance(node, ast.Call):
            keywords = {str(each.arg): ast.literal_eval(each.value) for each in node.keywords}
            return value(node.func)(*map(ast.literal_eval, node.args), **keywords)
        raise ValueError("neither a name, an attribute nor a call")

    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        callee = tree.func if isinstance(tree, ast.Call) else tree
        value(callee)
    except (KeyError, AttributeError, ValueError, SyntaxError) as error:
        raise AppFailed(f"{place(module)} has no {expression!r}. Name another object: --app FILE:OBJECT.") from error
    return value(tree)


def made(factory: Any) -> Any:
    return factory()


def required(function: Any) -> list[str]:
    """The names of the arguments that a call must give, by position; none where that cannot be told."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return []
    return [
        each.name
        for each in parameters
        if each.default is each.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]


def unwrapped(app: Any) -> Any:
    """The callable of what some libraries call an app."""
    kinds = {kind.__module__.partition(".")[0] for kind in type(app).__mro__}
    if "dash" in kinds and hasattr(app, "server"):
        return app.server
    if "connexion" in kinds and hasattr(app, "app") and not asynchronous(app):  # version 2
        return app.app
    if not callable(app):
        raise AppFailed(f"The app is {app!r}, which cannot be called. Name another object: --app FILE:OBJECT.")
    return app


def asynchronous(app: Any) -> bool:
    """Whether it is ASGI: a coroutine function, or something that is called as one."""
    call = getattr(app, "__call__", None)  # noqa: B004  # of an object, its method
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(call):
        return True
    return len(required(app)) == 3


def place(module: ModuleType) -> str:
    return str(getattr(module, "__file__", module.__name__)).rpartition("/")[2]
