"""`endpoint` marks a function or a method as one that is served. It changes nothing else about it.

@endpoint                                 # /segment
def segment(image: Image.Image) -> Segmentation: ...

@endpoint("/segmentapi", batch=16)        # a path of its own; lists of up to 16 values an argument
def segment(image: list[Image.Image]) -> list[Segmentation]: ...
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from flaskship.errors import UsageError

MARK = "__flaskship__"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # one segment of a URL
PATH = re.compile(rf"(/{NAME.pattern})+")
MAX_BATCH = 65_536

Marked = TypeVar("Marked", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Mark:
    """What a decorator says. `name` and `path` are "" where the function's own name gives them."""

    path: str = ""  # "/segmentapi"
    name: str = ""
    batch: int = 0  # rows that a call takes at most, each argument a list; 0: one row a call, no lists


@overload
def endpoint(path: Marked, /) -> Marked: ...
@overload
def endpoint(path: str = "", /, *, name: str = "", batch: int = 0) -> Callable[[Marked], Marked]: ...
def endpoint(path: Any = "", /, *, name: str = "", batch: int = 0) -> Any:
    """Marks what it decorates and returns it as it was: `@endpoint`, `@endpoint("/path")`, `@endpoint(batch=16)`.

    `path` is where it answers, beside where every model does; `/` and the function's name unless given. `name` is what
    it is called on pages and in URLs, the function's name unless given. With `batch` every argument arrives as a list
    of up to that many values, and the answer is a list as long. Raises `UsageError` for what none of these can be.
    """
    if not isinstance(path, str):
        return _mark(path, Mark())
    if path and not PATH.fullmatch(path):
        raise UsageError(
            f"{path!r} cannot be an endpoint's path. Begin with '/', and use letters, digits, '-' and '_'."
        )
    if name and not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be an endpoint's name. Use letters, digits, '-' and '_'.")
    if isinstance(batch, bool) or not isinstance(batch, int) or not 0 <= batch <= MAX_BATCH:
        raise UsageError(f"batch={batch!r} cannot be. Give the number of rows that one call takes, up to {MAX_BATCH}.")
    return lambda function: _mark(function, Mark(path=path, name=name, batch=batch))


def mark(function: Any) -> Mark | None:
    """What `endpoint` said of `function`; None where it said nothing."""
    found = getattr(function, MARK, None)
    return found if isinstance(found, Mark) else None


def _mark(function: Any, said: Mark) -> Any:
    inner = getattr(function, "__func__", function)  # of a staticmethod or a classmethod: what a class hands out
    if isinstance(inner, type) or not callable(inner):
        raise UsageError(
            f"@endpoint marks functions and methods, not {function!r}. Put it above a method of the class."
        )
    setattr(inner, MARK, said)
    return function
