"""A function of ours as a `FunctionModel`, its arguments' limits and defaults known only when a checkpoint is read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flaskship.artifact.function import model
from flaskship.artifact.function.arguments import Callee
from flaskship.artifact.function.model import FunctionModel
from flaskship.artifact.huggingface.batches import Read
from flaskship.schema import Facts

BATCH = 64  # rows of several callers at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """An endpoint. With a `batch`, `call` is given a list an argument, and returns a list as long."""

    name: str
    call: Callable[..., Any]
    takes: Mapping[str, Any]  # argument -> the type hint of one value
    defaults: Mapping[str, Any] = field(default_factory=dict)  # of one value likewise
    answers: Any  # the type hint of one answer
    help: str
    batch: int = BATCH


def served(way: Way, facts: Facts, read: Read | None = None) -> FunctionModel:
    """`way` as a model of the checkpoint with these `facts`; `read` is counted while it answers."""

    def function(*given: Any, **named: Any) -> Any:
        return way.call(*given, **named)

    hints = {name: list[hint] if way.batch else hint for name, hint in way.takes.items()}  # type: ignore[valid-type]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    answers = list[way.answers] if way.batch else way.answers  # type: ignore[name-defined]
    function.__name__ = function.__qualname__ = way.name
    function.__doc__ = way.help
    function.__annotations__ = {**hints, "return": answers}
    signature = inspect.Signature([inspect.Parameter(name, kind) for name in hints])
    function.__signature__ = signature  # type: ignore[attr-defined]  # which `inspect` asks first
    callee = Callee(function, way.name, way.batch, way.defaults)
    return replace(model.of(callee, f"/{way.name}"), facts=facts, read=read)
