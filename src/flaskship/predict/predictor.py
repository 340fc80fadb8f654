"""The model at its border: one call, its own errors become ours, and what is odd about the input is said.

predictor = Predictor(model)                     a model of microseconds is called directly
predictor = Predictor(model, fast=False)         a slower one through the batcher
predictor(columns)                               -> Answer
predictor.warnings(columns)                      -> ["'age' is 200, outside the 17 to 123 seen in training."]
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping

import numpy as np

from flaskship import skew
from flaskship.artifact.model import Model
from flaskship.errors import BadInput, FlaskshipError, PredictionFailed, Problem
from flaskship.predict.batcher import Batcher, Observe, Queued
from flaskship.predict.rules import refused, shortened
from flaskship.schema import UNASKED, Answer, AnswerType, Array, Columns, Field, FieldType, Scalar, Task

BATCH = 256  # rows
PART = 16_384  # rows of one large request that go through a slow model at once
ROWS_SHOWN = 3


class Refused(BadInput):
    """A function refused `rows` of several, by their number; `answer` has those of the others, None for these."""

    def __init__(self, rows: Mapping[int, BadInput], answer: Answer) -> None:
        problems = [each for row, error in rows.items() for each in _at(row, error)]
        super().__init__(refused(problems).detail, problems)
        self.rows = rows
        values = answer.values[0].copy()
        values[list(rows)] = None
        self.answer = Answer(values=(values,))


class Predictor:
    """Answers columns, with one thread or many. Raises `BadInput`, `PredictionFailed`, `Overloaded`.

    `fast` chooses the way: directly, or through the batcher with `max_batch` (0: 256), `max_queue` and `timeout`. Of a
    function `max_batch` is the most rows that one call of it takes; what it refuses in an answer's place is raised.
    `observe(rows, requests, seconds)` is called after each call of the model, `queued` when more or fewer wait for it.
    """

    def __init__(
        self,
        model: Model,
        *,
        fast: bool = True,
        max_batch: int = 0,
        max_queue: int = 256,
        timeout: float = 60.0,
        observe: Observe | None = None,
        queued: Queued | None = None,
    ) -> None:
        self.model = model
        self.signature = model.signature
        self.observe = observe
        self._predict = model.predict
        batch = max_batch or BATCH
        called = self.signature.task is Task.FUNCTION
        flat = not called and not any(field.shape for field in self.signature.inputs)
        self.batcher = (
            None
            if fast
            else Batcher(
                self._call,
                max_batch=batch,
                max_alone=PART if flat else batch,
                max_queue=max_queue,
                timeout=timeout,
                again=not called,
                observe=observe,
                queued=queued,
            )
        )
        self._way = self.batcher or (self._call if observe is None else self._observed)
        self._answer = self._of_function if called else self._way
        self._streams = self.signature.answers is AnswerType.STREAM
        self._first = self.signature.inputs[0].name if self.signature.inputs else UNASKED
        splits = {field.name: np.array(field.splits) for field in self.signature.inputs if field.splits}
        self._far = skew.limits(splits or model.thresholds)  # a compiled model knows them by its signature only
        self._ranges = tuple(_ranges(self.signature.inputs, self._far))
        self._choices = tuple((field, frozenset(field.choices)) for field in self.signature.inputs if _soft(field))

    def __call__(self, columns: Columns) -> Answer:
        return self._answer(columns)

    def _of_function(self, columns: Columns) -> Answer:
        """Raises `BadInput` where the function has that in an answer's place; of several rows, naming each."""
        rows = len(columns[self._first])
        if self._streams and rows != 1:
            raise BadInput(f"The function answers as a stream, one row at a time. Send one row, not {rows}.")
        answer = self._way(columns)
        wrong = {row: value for row, value in enumerate(answer.values[0]) if isinstance(value, BadInput)}
        if wrong:
            raise wrong[0] if rows == 1 else Refused(wrong, answer)
        return answer

    def _call(self, columns: Columns) -> Answer:
        try:
            answer = self._predict(columns)
        except FlaskshipError:
            raise
        except Exception as error:  # the border: a model may be anybody's code, and raise what it likes
            raise PredictionFailed("The model could not answer these rows.") from error
        if len(answer.values[0]) != len(columns[self._first]):
            raise PredictionFailed(f"The model answered {answer.rows} rows for {len(columns[self._first])}.")
        return answer

    def _observed(self, columns: Columns) -> Answer:
        started = time.perf_counter()
        answer = self._call(columns)
        if self.observe is not None:
            self.observe(len(columns[self._first]), 1, time.perf_counter() - started)
        return answer

    def warnings(self, columns: Columns) -> list[str]:
        """A sentence for each field with a value outside its range or its choices, or far from a tree's splits.

        Of functions there is none: their limits are hard, and held before.
        """
        if len(columns[self._first]) == 1 and self._usual(columns):
            return []
        found = [_outside(field, columns[field.name]) for field in self.signature.inputs if _ranged(field)]
        found += [_unseen(field, columns[field.name], choices) for field, choices in self._choices]
        return [*filter(None, found), *skew.far(self._far, columns)]

    def _usual(self, columns: Columns) -> bool:
        """Whether nothing is to be said of one row."""
        for name, low, high in self._ranges:
            value = columns[name].item()
            if value < low or value > high:
                return False
        for field, choices in self._choices:
            value = columns[field.name].item()
            if value not in choices and value is not None and value == value:
                return False
        return True


def _at(row: int, error: BadInput) -> list[Problem]:
    """What a function found wrong with one row of several."""
    if not error.problems:
        return [Problem(f"$[{row}]", error.detail)]
    return [Problem(f"$[{row}]{each.at.removeprefix('$')}", each.message) for each in error.problems]


def _ranged(field: Field) -> bool:
    numeric = field.type in (FieldType.NUMBER, FieldType.INTEGER) and not field.shape and not field.boxed
    return numeric and (field.low is not None or field.high is not None)


def _soft(field: Field) -> bool:
    return bool(field.choices) and not field.closed and not field.shape and not field.boxed


def _ranges(fields: Iterable[Field], far: skew.Limits) -> Iterable[tuple[str, float, float]]:
    """The narrowest range of each field outside which there is something to say."""
    for field in fields:
        if _ranged(field) or (field.name in far and not field.shape and field.type is not FieldType.TEXT):
            _, _, lowest, highest = far.get(field.name, (0.0, 0.0, -math.inf, math.inf))
            low = lowest if field.low is None else max(field.low, lowest)
            high = highest if field.high is None else min(field.high, highest)
            yield field.name, low, high


def _outside(field: Field, column: Array) -> str:
    """The sentence on values below or above the range; NaN is neither."""
    low = -math.inf if field.low is None else field.low
    high = math.inf if field.high is None else field.high
    if not len(column) or (low <= column.min() and column.max() <= high):
        return ""
    odd = np.flatnonzero((column < low) | (column > high))
    if not len(odd):
        return ""
    seen = f" seen {field.seen}" if field.seen else " expected"
    if field.high is None:
        limit = f"below the {low:g}{seen}"
    elif field.low is None:
        limit = f"above the {high:g}{seen}"
    else:
        limit = f"outside the {low:g} to {high:g}{seen}"
    return _sentence(field.name, column, odd, limit)


def _unseen(field: Field, column: Array, choices: frozenset[Scalar]) -> str:
    if column.dtype == object:
        odd = [row for row, value in enumerate(column) if value not in choices and value is not None]
    else:
        known = np.array([float(each) for each in choices if each is not None])
        odd = np.flatnonzero(~np.isin(column, known) & (column == column)).tolist()
    seen = f"not among the {len(choices)} choices seen {field.seen}".rstrip() if odd else ""
    return _sentence(field.name, column, np.array(odd), seen) if odd else ""


def _sentence(name: str, column: Array, odd: Array, what: str) -> str:
    value = column[odd[:1]].tolist()[0]
    shown = shortened(int(value) if isinstance(value, float) and value.is_integer() else value)
    if len(column) == 1:
        return f"{name!r} is {shown}, {what}."
    rows = ", ".join(str(row + 1) for row in odd[:ROWS_SHOWN].tolist()) + (", …" if len(odd) > ROWS_SHOWN else "")
    return f"{name!r} is {what} in {len(odd)} of {len(column)} rows (row {rows}; the first is {shown})."
