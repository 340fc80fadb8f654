"""What one argument of a function may be: a rule as any field has, whose values are Python's own objects.

rule(Field(name="day", type=DATE, boxed=True)).of_json("2026-01-31")                     -> datetime.date(2026, 1, 31)
rule(Field(name="age", boxed=True, limits=Limits(ge=0))).of_text("-3")   ValueError: 'age' must be at least 0, not -3.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flaskship.predict.objects import loads
from flaskship.predict.rules import NOUNS, Rule, described, shortened
from flaskship.predict.uploads import Given, Upload
from flaskship.schema import LEFT_OUT, Array, Field, FieldType, Limits

NOUNS_OF_ARGUMENTS = NOUNS | {
    FieldType.DATE: "a date, such as 2026-01-31",
    FieldType.DATETIME: "a date and time, such as 2026-01-31T12:30:00",
    FieldType.TIME: "a time, such as 12:30:00",
    FieldType.IMAGE: "a picture",
    FieldType.ARRAY: "an array of numbers",
    FieldType.FILE: "a file",
    FieldType.TABLE: "a table",
    FieldType.OBJECT: "a value as JSON",
}


class Inside(ValueError):
    """A fault within a value: `path` is where, such as `[2].price`."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path


class Argument(Rule):
    """Reads, checks and stores one argument. Kinds override `parsed`, `spelled` and `sent`."""

    def __init__(self, field: Field) -> None:
        super().__init__(field)
        self._checks = checks(field)

    def of_json(self, value: Any) -> Any:
        if value is None:
            return self._null(f"{self.name!r} may not be null: it takes {self.noun}.")
        return self._checked(self.parsed(value))

    def of_text(self, text: str) -> Any:
        """As any rule; `LEFT_OUT` where the text is empty and the function has a default."""
        text = text if self.field.type is FieldType.TEXT else text.strip()
        if not text and not self.field.required:
            return LEFT_OUT
        if not text and (self.field.nullable or self.field.type is not FieldType.TEXT):
            return self._null(f"{self.name!r} is empty: it takes {self.noun}.")
        return self._checked(self.spelled(text))

    def of_given(self, given: Sequence[Given]) -> Any:
        """What a form or a query has under this name, once or more often. Raises `ValueError` with a sentence."""
        there = [each for each in given if isinstance(each, str) or not each.missing]
        if len(there) > 1:
            return self.several(there)
        if not there:
            return self.of_text("")
        return self.of_text(there[0]) if isinstance(there[0], str) else self._checked(self.sent(there[0]))

    def parsed(self, value: Any) -> Any:
        """A value of JSON, not null."""
        return self._json(self, value)

    def spelled(self, text: str) -> Any:
        """A text that is not empty."""
        return self._text(self, text)

    def sent(self, upload: Upload) -> Any:
        """A file of a form."""
        if self.field.type is FieldType.TEXT:
            return self.spelled(upload.text())
        raise ValueError(f"{self.name!r} takes {self.noun}, not a file.")

    def several(self, given: Sequence[Given]) -> Any:
        """What is given more than once under this name."""
        raise ValueError(f"{self.name!r} is given more than once. Give it once.")

    def array(self, values: Sequence[Any]) -> Array:
        column = np.empty(len(values), object)
        for row, value in enumerate(values):
            column[row] = value
        return column

    @property
    def noun(self) -> str:
        return NOUNS_OF_ARGUMENTS[self.field.type]

    def _null(self, otherwise: str) -> None:
        if not self.field.nullable:
            raise ValueError(otherwise)

    def _checked(self, value: Any) -> Any:
        if self.lowest is not None or self.allowed is not None:
            value = super()._checked(value)
        for check in self._checks:
            if said := check(value):
                raise ValueError(f"{self.name!r} {said}")
        return value


class Moment(Argument):
    """A date, a time, or both, as ISO 8601 has it; also without seconds, as a browser's control sends it."""

    def __init__(self, field: Field) -> None:
        super().__init__(field)
        kinds = {FieldType.DATE: datetime.date, FieldType.TIME: datetime.time, FieldType.DATETIME: datetime.datetime}
        self._kind: Any = kinds[field.type]

    def parsed(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise self.wrong(value)
        return self.spelled(value)

    def spelled(self, text: str) -> Any:
        try:
            return self._kind.fromisoformat(text)
        except ValueError:
            raise self.wrong(text) from None

    def of_value(self, value: Any) -> Any:
        if isinstance(value, str) or value is None or value != value:
            return self.of_text(value or "")
        if self._kind is datetime.date and isinstance(value, datetime.datetime) and value.time() == datetime.time():
            return value.date()
        if self._kind is datetime.datetime and type(value) is datetime.date:
            return datetime.datetime.combine(value, datetime.time())
        if isinstance(value, self._kind) and (self._kind is not datetime.date or type(value) is datetime.date):
            return value
        raise self.wrong(value if isinstance(value, bool | int | float) else str(value))


def checks(field: Field) -> list[Callable[[Any], str]]:
    """What is to be held against a value: each answers what is wrong, or nothing."""
    limits, found = field.limits, []
    if field.type in (FieldType.NUMBER, FieldType.INTEGER):
        found += _of_numbers(limits)
    elif field.type is FieldType.TEXT:
        found += _of_lengths(limits, "character")
        if limits.pattern is not None:
            search, pattern = re.compile(limits.pattern).search, limits.pattern
            found.append(lambda value: "" if search(value) else f"must match {pattern!r}, not {shortened(value)}.")
    return found


def _of_numbers(limits: Limits) -> list[Callable[[Any], str]]:
    def held(good: Callable[[Any], bool], words: str, limit: float) -> Callable[[Any], str]:
        sentence = f"must be {words}{figure(limit)}"
        return lambda value: "" if good(value) else f"{sentence}, not {figure(value)}."

    found = []
    if (ge := limits.ge) is not None:
        found.append(held(lambda value: value >= ge, "at least ", ge))
    if (gt := limits.gt) is not None:
        found.append(held(lambda value: value > gt, "more than ", gt))
    if (le := limits.le) is not None:
        found.append(held(lambda value: value <= le, "at most ", le))
    if (lt := limits.lt) is not None:
        found.append(held(lambda value: value < lt, "less than ", lt))
    if (step := limits.multiple_of) is not None:
        found.append(held(lambda value: _whole(value, step), "a multiple of ", step))
    return found


def _of_lengths(limits: Limits, unit: str) -> list[Callable[[Any], str]]:
    found: list[Callable[[Any], str]] = []
    if (least := limits.min_length) is not None:
        found.append(lambda value: "" if len(value) >= least else _length("at least", least, unit, len(value)))
    if (most := limits.max_length) is not None:
        found.append(lambda value: "" if len(value) <= most else _length("at most", most, unit, len(value)))
    return found


def _length(words: str, limit: int, unit: str, has: int) -> str:
    return f"must have {words} {limit} {unit}{'' if limit == 1 else 's'}, not {has}."


def _whole(value: float, step: float) -> bool:
    if isinstance(value, int) and isinstance(step, int):
        return value % step == 0
    quotient = value / step
    return math.isfinite(quotient) and math.isclose(quotient, round(quotient), rel_tol=1e-12, abs_tol=1e-9)


def figure(number: float) -> str:
    """`120` also for 120.0."""
    return shortened(int(number) if isinstance(number, float) and number.is_integer() else number)


def of_text_as_json(rule: Rule, text: str) -> Any:
    """A text that must be JSON. Raises `ValueError` with a sentence."""
    try:
        return loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{rule.name!r} takes {rule.noun}, written as JSON, not {described(text)}.") from None
