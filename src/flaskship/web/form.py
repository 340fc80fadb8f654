"""A model's form: one entry a field, each with the control that suits it, and what was entered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from flaskship.errors import Problem
from flaskship.schema import Field, FieldType, Scalar, Signature
from flaskship.web.examples import example

MOST_FIELDS = 300  # of a form; models with more take a row as JSON
MOST_CHOICES = 200  # of a drop-down list
LONG = 40  # characters of a text that wants more than a line
STEPS = 200  # of a slider
ROW = "row"  # the name of the sole entry of a form with too many fields


class Entry:
    """A field as a form shows it.

    `control` is number, switch, select, line, text (several lines) or json. `low`, `high` and `step` are those of the
    slider beside a number; both ends are None where there is none.
    """

    def __init__(self, field: Field, given: str | None = None, problem: str = "", alone: bool = False) -> None:
        self.name = field.name
        self.help = field.help
        self.seen = "" if field.choices else seen(field)
        self.problem = problem
        self.nullable = field.nullable
        self.whole = field.type is FieldType.INTEGER
        self.choices = choices(field)
        start: Any = example(field) if field.default is None else field.default
        self.value = given if given is not None else text(start)
        self.control = control(field, self.choices, alone or len(text(start)) > LONG)
        if self.control == "select" and self.value not in self.choices and (self.value or not self.nullable):
            self.choices = [*self.choices, self.value]
        self.known = [text(each) for each in field.choices] if self.control == "line" else []
        self.unusual = bool(given) and not problem and outside(field, given or "")
        self.low, self.high, self.step = slider(field) if self.control == "number" else (None, None, 1.0)
        self.range = (field.low, field.high) if self.control == "number" else (None, None)

    @property
    def described(self) -> bool:
        return bool(self.help or self.seen)


def entries(
    signature: Signature, given: Mapping[str, str] | None = None, problems: Iterable[Problem] = ()
) -> list[Entry]:
    """The form's entries; none for a model with more fields than a form can show."""
    if len(signature.inputs) > MOST_FIELDS:
        return []
    told = {each.at.removeprefix("$."): each.message for each in problems}
    alone = len(signature.inputs) == 1
    return [Entry(field, (given or {}).get(field.name), told.get(field.name, ""), alone) for field in signature.inputs]


def completed(signature: Signature, given: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What a browser sends, with the switches that are off: those it leaves out."""
    there = {name for name, _ in given}
    off = [field.name for field in signature.inputs if field.type is FieldType.BOOLEAN and not field.nullable]
    return [*given, *((name, "false") for name in off if name not in there)]


def control(field: Field, choices: list[str], long: bool) -> str:
    if field.shape:
        return "json"
    if field.type is FieldType.BOOLEAN and not field.nullable:
        return "switch"
    if choices:
        return "select"
    if field.type is FieldType.TEXT:
        return "text" if long and not field.choices else "line"
    return "number"


def choices(field: Field) -> list[str]:
    """The options of a drop-down list; none where there are too many."""
    if field.type is FieldType.BOOLEAN:
        return ["true", "false"]
    return [text(each) for each in field.choices] if len(field.choices) <= MOST_CHOICES else []


def slider(field: Field) -> tuple[float | None, float | None, float]:
    """The ends and the step of a slider over the range that training saw."""
    if field.low is None or field.high is None or not field.low < field.high:
        return None, None, 1.0
    if field.type is FieldType.INTEGER:
        return field.low, field.high, 1.0
    step = 10.0 ** math.floor(math.log10((field.high - field.low) / STEPS))
    return math.floor(field.low / step) * step, math.ceil(field.high / step) * step, step


def outside(field: Field, given: str) -> bool:
    """Whether a number is outside the range that training saw. That is no error."""
    try:
        value = float(given)
    except ValueError:
        return False
    return (field.low is not None and value < field.low) or (field.high is not None and value > field.high)


def text(value: Scalar | list[Any]) -> str:
    """A value as it stands in a form: `8`, also for 8.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def seen(field: Field) -> str:
    """`17 to 123 seen in training`, or nothing."""
    if field.low is None or field.high is None:
        return ""
    return f"{field.low:g} to {field.high:g} {f'seen {field.seen}' if field.seen else 'expected'}"
