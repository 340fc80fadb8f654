"""A function as a model.

    model = load(folder, "shapes.py", "Shapes")["segment"]
    model.signature                  from its type hints; task FUNCTION
    model.hints                      {"points": list[Point]}: what the codec makes of each OBJECT, by msgspec.convert
    model.predict(columns)           -> Answer whose one column holds what the function returned, an object a row

Columns are object arrays (`Field.boxed`): of int, float, bool and str, `datetime`'s types, the *values* of Literal and
Enum (names, where the values are neither text nor numbers), PIL images, arrays, `pathlib.Path` of an upload (for bytes
too), DataFrames, what `msgspec.convert(value, model.hints[name])` made of an OBJECT; None for null, and `LEFT_OUT`
for what is filled by the function's own default.

A row that the function refuses holds the `BadInput` in place of its answer, so that it hits nobody else of a batch:
whoever called `predict` raises it for the caller of that row. Anything else that the function raises is a
`PredictionFailed` of the whole call. Of a stream the object is an iterator with `close` (streams.py).
"""

from __future__ import annotations

import asyncio
import inspect
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flaskship.artifact.function import coroutines, docstring
from flaskship.artifact.function.arguments import Argument, Callee, arguments, hints_of, plain
from flaskship.artifact.function.replies import Reply, kind, reply
from flaskship.artifact.function.streams import Stream, failed
from flaskship.errors import BadInput, FlaskshipError, PredictionFailed
from flaskship.schema import LEFT_OUT, UNASKED, Answer, AnswerType, Array, Columns, Facts, FieldType, Signature, Task

TOGETHER = 64  # rows of one request for which an asynchronous function runs at the same time


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionModel:
    """A function, or a method of an instance, as `artifact.model.Model`; may be called by several threads."""

    name: str  # of the endpoint
    path: str  # its own route, "/segmentapi"
    batch: int  # rows that a call takes at most; 0: one row a call
    signature: Signature
    facts: Facts
    hints: Mapping[str, Any]  # of OBJECT fields, for msgspec
    native: Callable[..., Any]
    arguments: tuple[Argument, ...]
    reply: Reply
    read: Any = None  # what a network of texts counts: `tokens` so far, and `padding` among them

    @property
    def streams(self) -> bool:
        """Whether an answer is an iterator."""
        return self.signature.answers is AnswerType.STREAM

    @property
    def thresholds(self) -> Mapping[str, Array]:
        return {}

    def predict(self, columns: Columns) -> Answer:
        """Raises `PredictionFailed`; a row that the function refuses holds its `BadInput`."""
        if not self.arguments:
            rows = [()] * len(columns[UNASKED])
        else:
            rows = list(zip(*(columns[each.name] for each in self.arguments), strict=True))
        step, size = (self._batch, self.batch) if self.batch else (self._each, TOGETHER)
        values = np.empty(len(rows), object)
        for start in range(0, len(rows), size):
            for index, value in enumerate(step(rows[start : start + size]), start):
                values[index] = value  # one by one: NumPy would unpack lists
        return Answer(values=(values,))

    def _each(self, rows: Sequence[Sequence[Any]]) -> Iterator[Any]:
        """One call a row; what is to be awaited is awaited together."""
        returned = [self._guarded(self._call, self._guarded(self._taken, row)) for row in rows]
        waiting = [each for each in returned if inspect.isawaitable(each)]
        if waiting:
            done = iter(coroutines.run(coroutines.outcomes(waiting)))
            returned = [next(done) if inspect.isawaitable(each) else each for each in returned]
        return (self._guarded(self._answer, each) for each in returned)

    def _batch(self, rows: Sequence[Sequence[Any]]) -> Iterator[Any]:
        """One call for all rows but those that its own types refuse."""
        taken = [self._guarded(self._taken, row) for row in rows]
        good = [each for each in taken if not isinstance(each, BadInput)]
        answers = iter(self._lists(good) if good else ())
        return (each if isinstance(each, BadInput) else self._guarded(self._answer, next(answers)) for each in taken)

    def _lists(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        returned = self._guarded(self._call, [list(column) for column in zip(*rows, strict=True)])
        if inspect.isawaitable(returned):
            returned = self._guarded(_raised, coroutines.run(coroutines.outcomes([returned]))[0])
        if isinstance(returned, BadInput):
            if len(rows) > 1:
                raise PredictionFailed(
                    f"{self.reply.function} refused {len(rows)} rows at once. Let it return a BadInput in the place of "
                    "the row that it refuses."
                ) from returned
            return [returned]
        if not isinstance(returned, list | tuple) and not (isinstance(returned, np.ndarray) and returned.ndim):
            raise PredictionFailed(
                f"{self.reply.function} returned {kind(returned)} for {len(rows)} rows. With `batch=` it is a list."
            )
        if len(returned) != len(rows):
            raise PredictionFailed(f"{self.reply.function} returned {len(returned)} answers for {len(rows)} rows.")
        return list(returned)

    def _taken(self, row: Sequence[Any]) -> list[Any]:
        """The arguments as the function takes them."""
        pairs = zip(self.arguments, row, strict=True)
        return [each.filled() if sent is LEFT_OUT else each.value(sent) for each, sent in pairs]

    def _call(self, values: Any) -> Any:
        if isinstance(values, BadInput):
            return values
        pairs = list(zip(self.arguments, values, strict=True))
        return self.native(
            *(value for each, value in pairs if each.positional),
            **{each.name: value for each, value in pairs if not each.positional},
        )

    def _answer(self, returned: Any) -> Any:
        """What was returned, as it is encoded; an exception that was returned is raised."""
        _raised(returned)
        if self.streams:
            return Stream(self.reply.function, self.reply.items(returned), self.reply.value)
        return self.reply.value(returned)

    def _guarded(self, step: Callable[[Any], Any], value: Any) -> Any:
        try:
            return step(value)
        except BadInput as error:
            return error
        except FlaskshipError:
            raise
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # anybody's code, which raises what it likes
            raise failed(self.reply.function, error) from error


def of(callee: Callee, path: str) -> FunctionModel:
    """The model of `callee`, which answers at `path` too. Raises `TargetError` for hints that cannot be fields."""
    hints = hints_of(callee)
    said = docstring.parse(plain(callee.function).__doc__)
    owner = getattr(callee.function, "__self__", None)
    made_by = owner if isinstance(owner, type) else type(owner)
    taken = arguments(callee, hints, said)
    given = reply(callee, hints)
    signature = Signature(
        task=Task.FUNCTION,
        inputs=tuple(each.field for each in taken),
        outputs=(given.output,),
        answers=given.answers,
        help=said.text or docstring.parse(vars(made_by).get("__doc__")).text,
    )
    return FunctionModel(
        name=callee.name,
        path=path,
        batch=callee.batch,
        signature=signature,
        facts=Facts(
            framework="python",
            kind=callee.kind,
            version=platform.python_version(),
        ),
        hints={each.name: each.reading.codec for each in taken if each.field.type is FieldType.OBJECT},
        native=callee.function,
        arguments=taken,
        reply=given,
    )


def _raised(returned: Any) -> Any:
    if isinstance(returned, BaseException):
        raise returned
    return returned
