"""A function's return hint: what it answers, and whether what it returned is that."""

from __future__ import annotations

import collections.abc
import mimetypes
import numbers
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from flaskship import results
from flaskship.artifact.function.arguments import LISTS, Callee
from flaskship.artifact.function.hints import NONE, POSSIBLE, UNIONS, Reading, Unsuitable, named, read
from flaskship.errors import BadInput, PredictionFailed, TargetError
from flaskship.schema import TABULAR, AnswerType, FieldType, Output

STREAMS = (
    collections.abc.Iterator,
    collections.abc.Generator,
    collections.abc.Iterable,
    collections.abc.AsyncIterator,
    collections.abc.AsyncGenerator,
    collections.abc.AsyncIterable,
)
RESULTS: dict[Any, AnswerType] = {
    results.Labels: AnswerType.LABELS,
    results.Boxes: AnswerType.BOXES,
    results.Segmentation: AnswerType.SEGMENTATION,
}
ALSO = "Labels, Boxes, Segmentation, and an Iterator of any of these, which is streamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a function answers for one row; of a stream, what one item is."""

    function: str  # for messages
    answers: AnswerType
    output: Output
    nullable: bool
    fits: Callable[[Any], bool]
    present: Callable[[Any], Any] | None  # to what encodes
    said: str  # the hint

    def value(self, returned: Any) -> Any:
        """`returned` as it is encoded. Raises `PredictionFailed` where it is not what the hint says."""
        if returned is None and self.nullable:
            return None
        if isinstance(returned, np.generic) or (self.output.type in TABULAR and _single(returned)):
            returned = returned.item()
        elif isinstance(returned, np.ndarray) and not self.fits(returned):
            returned = returned.tolist()
        if not self.fits(returned):
            raise PredictionFailed(f"{self.function} returned {kind(returned)}, but its hint says {self.said}.")
        return returned if self.present is None else self.present(returned)

    def items(self, returned: Any) -> Any:
        """What was returned for a stream, as an iterator. Raises `PredictionFailed` where it is none."""
        if hasattr(returned, "__anext__") or hasattr(returned, "__next__"):
            return returned
        if hasattr(returned, "__aiter__"):
            return aiter(returned)
        if hasattr(returned, "__iter__") and not isinstance(returned, str | bytes | Mapping):
            return iter(returned)
        raise PredictionFailed(f"{self.function} returned {kind(returned)}, but its hint says an iterator.")


def reply(callee: Callee, hints: Mapping[str, Any]) -> Reply:
    """What `callee` answers. Raises `TargetError`."""
    if "return" not in hints:
        raise TargetError(
            f"{callee} does not say what it answers. Write it, as in `-> float`. Possible are {POSSIBLE}, {ALSO}."
        )
    hint = hints["return"]
    try:
        return _reply(callee, hint)
    except Unsuitable as error:
        raise TargetError(f"{callee}: the answer {error}. Possible are {POSSIBLE}, {ALSO}.") from error


def _answered(hint: Any) -> Any:
    """Without the `BadInput` that stands in the place of a row of a batch: `str` of `str | BadInput`."""
    parts = tuple(each for each in typing.get_args(hint) if each is not BadInput)
    return typing.Union[parts] if typing.get_origin(hint) in UNIONS and parts else hint  # noqa: UP007  # of a tuple


def _reply(callee: Callee, hint: Any) -> Reply:
    if callee.batch:
        if hint not in LISTS and typing.get_origin(hint) not in LISTS:
            raise Unsuitable(f"is {named(hint)}, but with `batch=` it is a list as long as the arguments are")
        hint = _answered(next(iter(typing.get_args(hint)), Any))
    streams = typing.get_origin(hint) in STREAMS or hint in STREAMS
    if streams and callee.batch:
        raise Unsuitable("is a list of iterators: what is batched cannot be streamed")
    if streams:
        hint = next(iter(typing.get_args(hint)), Any)
    result, nullable = _result(hint)
    found = AnswerType.STREAM if streams else RESULTS.get(result, AnswerType.VALUE)
    if result is None:
        return _of(callee, found, read(hint, answer=True))
    reading = Reading(hint=hint, type=FieldType.OBJECT, nullable=nullable, schema=results.SCHEMAS[result])
    return _of(callee, found, replace(reading, present=lambda value: value.record()) if streams else reading)


def _result(hint: Any) -> tuple[Any, bool]:
    """Which of `RESULTS` a hint names, None where it is another, and whether it may be null."""
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Annotated:
        return _result(inner[0])
    if typing.get_origin(hint) in UNIONS and NONE in inner and len(inner) == 2:
        return _result(inner[0] if inner[1] is NONE else inner[1])[0], True
    if any(_result(each)[0] is not None for each in inner):
        raise Unsuitable(f"is {named(hint)}. Labels, Boxes and a Segmentation are answered alone, not within another")
    return (hint if hint in tuple(RESULTS) else None), False


def _of(callee: Callee, answers: AnswerType, found: Reading) -> Reply:
    return Reply(
        function=callee.called,
        answers=answers,
        output=Output(name="prediction", type=found.type, schema=found.schema, nullable=found.nullable),
        nullable=found.nullable or found.hint is NONE,
        fits=_fits(found),
        present=_uploaded if found.type is FieldType.FILE and found.convert is None else found.present,
        said=named(found.hint),
    )


def _uploaded(path: Path) -> str:
    """A file that was answered, as an upload would be written in JSON: a data URL."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return results.data_url(path.read_bytes(), kind)


def _fits(found: Reading) -> Callable[[Any], bool]:
    """A cheap look: the outermost type, and the choices."""
    if found.choices and found.present is None:
        return frozenset(found.choices).__contains__
    if found.type is FieldType.NUMBER and found.present is None:
        return lambda value: isinstance(value, numbers.Real) and not isinstance(value, bool)
    if found.type is FieldType.INTEGER and found.present is None:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    kinds = _kinds(found.hint)
    return (lambda value: isinstance(value, kinds)) if kinds else (lambda value: True)


def _kinds(hint: Any) -> tuple[type, ...]:
    """The classes of which a value may be; none where that is not told cheaply."""
    while hasattr(hint, "__supertype__") or hasattr(hint, "__metadata__"):
        hint = getattr(hint, "__supertype__", None) or typing.get_args(hint)[0]
    if type(hint).__name__ == "TypeAliasType":
        return _kinds(hint.__value__)
    origin = typing.get_origin(hint) or hint
    if origin in UNIONS:
        each = [_kinds(inner) for inner in typing.get_args(hint)]
        return tuple(kind for kinds in each for kind in kinds) if all(each) else ()
    if not isinstance(origin, type) or origin in (object, Any):
        return ()
    if origin in (list, tuple):
        return (list, tuple)
    return (dict, Mapping) if typing.is_typeddict(origin) else (origin,)


def _single(value: Any) -> bool:
    """A tensor or an array of one number, without a dimension."""
    return getattr(value, "shape", None) == () and hasattr(value, "item")


def kind(value: Any) -> str:
    return "None" if value is None else f"a value of {type(value).__name__}"
