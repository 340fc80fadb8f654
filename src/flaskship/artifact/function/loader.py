"""From a file to the functions in it: which are served, methods bound to the one instance of their class.

load(Path("project"), "shapes.py")                  what `@endpoint` marks, else `predict`, else the only typed function
load(Path("project"), "shop/shapes.py", "Shapes")   a class: what is marked in it, else `predict`, else `__call__`
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

from flaskship.artifact.function import coroutines, model, modules, reading
from flaskship.artifact.function.arguments import Callee, parameters
from flaskship.artifact.function.model import FunctionModel
from flaskship.endpoints import Mark, mark
from flaskship.errors import TargetError

ANEW = "Call it otherwise: @endpoint('/path', name='name')."
HOW = "Mark what is to be served with @endpoint, or name it, as in"
RESERVED = frozenset({
    "apidocs", "assets", "diagram", "healthz", "invocations", "livez", "metrics", "openapi.json", "ping",
    "predict_file", "readyz", "sample.csv", "v2",
})  # fmt: skip

_loading = RLock()
_instances: dict[type, Any] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """Something callable, and what its decorator says."""

    function: Callable[..., Any]
    name: str  # its own
    mark: Mark = Mark()


def load(root: Path, file: str, attribute: str = "") -> dict[str, FunctionModel]:
    """The endpoints of `file`, which is relative to `root` with `/`, by name, in the order of their definition.

    `attribute` names a function or a class (`segment`, `Shapes`, `Shapes.segment`); "" takes what `@endpoint` marks,
    else the function or class `predict`, else the only typed one. The module is run, and a class instantiated, once a
    process. Raises `TargetError`.
    """
    path = (root / file).absolute()
    source = reading.read(path)
    if not attribute and source is not None and not source.marked:
        attribute = reading.choice(source)
        if not attribute:  # said before anything is run
            raise TargetError(f"{path.name!r} has {_listed(source.public)}. {_how(path, source.public)}")
    with _loading, modules.in_place(path):
        module = modules.loaded(path)
        names = (attribute,) if attribute or source is None else source.marked
        found = [each for name in names for each in _named(module, path, name)]
    return _models(found, path)


def _listed(names: Sequence[str]) -> str:
    if len(names) > 1:
        return f"the functions {', '.join(map(repr, names))}"
    return f"one function, {names[0]!r}" if names else "no function"


def _how(path: Path, names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"Give {names[0]!r} arguments with type hints, as in `def {names[0]}(x: float) -> float`."
    return f"{HOW} {path.name}:{names[0] if names else 'name'}."


def _models(found: list[Found], path: Path) -> dict[str, FunctionModel]:
    models: dict[str, FunctionModel] = {}
    for each in found:
        name = each.mark.name or each.name
        made = model.of(Callee(each.function, name, each.mark.batch), each.mark.path or f"/{name}")
        if name in models:
            raise TargetError(f"{path.name!r} has two endpoints named {name!r}. {ANEW}")
        if made.path in [other.path for other in models.values()]:
            raise TargetError(f"{path.name!r} has two endpoints at {made.path!r}. {ANEW}")
        for taken in {name, made.path.split("/")[1]} & RESERVED:
            raise TargetError(f"{each.name!r} in {path.name!r} would be at /{taken}, which every model has. {ANEW}")
        models[name] = made
    return models


def _named(module: ModuleType, path: Path, attribute: str) -> list[Found]:
    """What `attribute` names: a function, or what a class or an instance of one answers with."""
    owner, _, method = attribute.partition(".")
    value = getattr(module, owner, None)
    if value is None:
        names = [name for name, each in vars(module).items() if callable(each) and not name.startswith("_")]
        near = get_close_matches(owner, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" It has {_listed(names)}."
        raise TargetError(f"{path.name!r} has no {owner!r}.{hint}")
    if inspect.isroutine(value) or isinstance(value, functools.partial) or hasattr(value, "__wrapped__"):
        if method:
            raise TargetError(f"{owner!r} in {path.name!r} is a function: it has no {method!r}.")
        return [Found(value, owner, mark(value) or Mark())]
    found = _of_class(owner, value if isinstance(value, type) else type(value), path, method)
    instance = _instance(value, path) if isinstance(value, type) else value
    return [Found(getattr(instance, name), _plain_name(name), said) for name, said in found]


def _of_class(owner: str, kind: type, path: Path, method: str) -> list[tuple[str, Mark]]:
    """The methods that answer, with their marks, in the order of their definition."""
    methods = {name: each for base in reversed(kind.__mro__) for name, each in vars(base).items()}
    marked = {name: said for name, each in methods.items() if (said := mark(getattr(each, "__func__", each)))}
    if method:
        if not callable(getattr(kind, method, None)):
            raise TargetError(f"The class {kind.__name__!r} in {path.name!r} has no method {method!r}.")
        return [(method, marked.get(method, Mark()))]
    if marked:
        return list(marked.items())
    name = next((each for each in reading.METHODS if callable(methods.get(each))), "")
    if not name:
        raise TargetError(
            f"{owner!r} in {path.name!r} is neither a function nor a class with a method that answers. Mark a "
            "method with @endpoint, or call it 'predict' or '__call__'."
        )
    return [(name, Mark())]


def _plain_name(method: str) -> str:
    return "predict" if method == "__call__" else method


def _instance(kind: type, path: Path) -> Any:
    """The one instance of the process."""
    if kind not in _instances:
        needed = [
            each.name
            for each in parameters(kind)
            if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ]
        if needed:
            raise TargetError(
                f"The class {kind.__name__!r} in {path.name!r} is made without arguments, but asks for "
                f"{', '.join(map(repr, needed))}. Give each a default."
            )
        with modules.told(path, f"{kind.__name__}()"):
            _instances[kind] = coroutines.run(_made(kind)) if _is_asynchronous(kind) else kind()
    return _instances[kind]


def _is_asynchronous(kind: type) -> bool:
    """Whether it has coroutines: it may make clients that want the loop on which these will run."""
    return any(map(inspect.iscoroutinefunction, vars(kind).values()))


async def _made(kind: type) -> Any:
    return kind()
