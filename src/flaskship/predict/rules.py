"""What one value of a field may be, strictly from JSON and leniently from text.

Rule(Field(name="age", type=INTEGER)).of_json(45.0)    -> 45
Rule(Field(name="age", type=INTEGER)).of_text(" 45 ")  -> 45
Rule(Field(name="age", type=INTEGER)).of_json("45")    ValueError: 'age' takes a whole number, not text ('45').
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any

import numpy as np

from flaskship.errors import MAX_PROBLEMS, BadInput, Problem
from flaskship.schema import Array, Field, FieldType

NOUNS = {
    FieldType.NUMBER: "a number",
    FieldType.INTEGER: "a whole number",
    FieldType.BOOLEAN: "true or false",
    FieldType.TEXT: "text",
}
BOOLEANS = {"true": True, "1": True, "yes": True, "on": True}
BOOLEANS |= {"false": False, "0": False, "no": False, "off": False}
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"([+-]?[0-9]{1,400})(?:\.0*)?")
NOT_FINITE = frozenset({"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})
CHOICES_SHOWN = 12
COMPARED = 300  # names that are compared with a wrong one: each takes some microseconds
SHOWN = 60  # characters of a value in a message


class Rule:
    """How values of one field are read, checked and stored."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.name = field.name
        self.dtype = field.array_dtype
        self.lowest, self.highest = bounds(field)
        self.allowed = frozenset(field.choices) if field.closed else None
        self._json: Callable[[Rule, Any], Any] = _JSON.get(field.type, _none)
        self._text: Callable[[Rule, Any], Any] = _TEXT.get(field.type, _none)

    def of_json(self, value: Any) -> Any:
        """`value` of parsed JSON as this field's; None for null. Raises `ValueError` with a sentence."""
        if value is None:
            if self.field.nullable:
                return None
            raise ValueError(f"{self.name!r} may not be null: it takes {self.noun}.")
        if self.field.shape:
            return self._nested(value, self.field.shape)
        return self._checked(self._json(self, value))

    def of_text(self, text: str) -> Any:
        """`text` of a form, a query or a table's cell as this field's value. Raises `ValueError` with a sentence."""
        if self.field.shape:
            return self.of_json(_parsed(text, self.name))
        if self.field.type is not FieldType.TEXT:
            text = text.strip()
        if not text:
            if self.field.nullable:
                return None
            if self.field.type is not FieldType.TEXT:
                raise ValueError(f"{self.name!r} is empty: it takes {self.noun}.")
        return self._checked(self._text(self, text))

    def of_value(self, value: Any) -> Any:
        """A cell of a typed table, such as Parquet or Excel. Raises `ValueError` with a sentence."""
        return self.of_json(value)

    def array(self, values: Sequence[Any]) -> Array:
        """The column of values that `of_json` or `of_text` gave. Raises `ValueError` where shapes differ by row."""
        if not len(values):
            return np.empty((0, *(max(size, 0) for size in self.field.shape)), self.dtype)
        try:
            column = np.array(values, dtype=self.dtype)
        except ValueError:  # NumPy on lists of several lengths
            column = np.empty(0)
        shape = self.field.shape
        if column.ndim != 1 + len(shape) or (shape and not fits(column.shape[1:], shape)):
            raise ValueError(f"{self.name!r} has rows of several shapes. Send them in requests of their own.")
        return column

    def count(self) -> Callable[[Any], None] | None:
        """A new count of what values that are read together take; it raises `TooLarge`. None where none is needed."""
        return None

    @property
    def noun(self) -> str:
        """What the field takes, for a message."""
        if self.field.shape:
            sizes = " × ".join("any" if size < 0 else str(size) for size in self.field.shape)
            return f"an array of {sizes} values, each {NOUNS[self.field.type]}"
        return NOUNS[self.field.type]

    def wrong(self, value: Any) -> ValueError:
        return ValueError(f"{self.name!r} takes {self.noun}, not {described(value)}.")

    def _checked(self, value: Any) -> Any:
        if self.lowest is not None and self.highest is not None and not self.lowest <= value <= self.highest:
            stored = (
                "it takes"
                if self.field.limits.le is not None
                else f"it is stored as {self.field.dtype or self.dtype.name},"
            )
            raise ValueError(
                f"{described(value)} is out of reach for {self.name!r}: {stored} from {self.lowest:g} to"
                f" {self.highest:g}."
            )
        if self.allowed is not None and value not in self.allowed:
            raise ValueError(self.not_a_choice(value))
        return value

    def not_a_choice(self, value: Any) -> str:
        """The sentence on a value outside the choices: the first dozen, and the nearest."""
        choices = self.field.choices
        shown = ", ".join(map(shortened, choices[:CHOICES_SHOWN]))
        more = f", … ({len(choices)} in all)" if len(choices) > CHOICES_SHOWN else ""
        near = nearest(str(value), [each for each in choices if isinstance(each, str)])
        return f"{shortened(value)} is none of the choices of {self.name!r}: {shown}{more}.{near}"

    def _nested(self, value: Any, shape: tuple[int, ...]) -> Any:
        if not shape:
            if value is None:
                raise ValueError(f"{self.name!r} holds a null: it takes {self.noun}.")
            return self._checked(self._json(self, value))
        if not isinstance(value, list):
            raise self.wrong(value)
        if shape[0] not in (-1, len(value)):
            raise ValueError(f"{self.name!r} takes {self.noun}, not {len(value)} where {shape[0]} are due.")
        return [self._nested(each, shape[1:]) for each in value]


def bounds(field: Field) -> tuple[float | None, float | None]:
    """What the model's own dtype can hold; None where a float64 is right as it is."""
    if field.type not in (FieldType.NUMBER, FieldType.INTEGER):
        return None, None
    if field.dtype.startswith(("int", "uint")):
        if field.limits.ge is not None and field.limits.le is not None:  # places in a table of vectors
            return int(field.limits.ge), int(field.limits.le)
        whole = np.iinfo(field.dtype)
        return max(int(whole.min), -(2**63)), min(int(whole.max), 2**63 - 1)
    if field.type is FieldType.INTEGER:
        return (None, None) if field.boxed else (-(2**63), 2**63 - 1)
    if field.dtype in ("float16", "float32"):
        most = float(np.finfo(np.float16 if field.dtype == "float16" else np.float32).max)
        return -most, most
    return None, None


def fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether one row's `shape` is as `wanted`, where -1 is any size."""
    return len(shape) == len(wanted) and all(size in (-1, has) for has, size in zip(shape, wanted, strict=True))


def _none(rule: Rule, value: Any) -> Any:
    raise TypeError(f"{rule.name!r} is {rule.field.type}, which is read by a rule of its own.")


def _number(rule: Rule, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise rule.wrong(value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(_not_finite(rule, value))
    return number


def _integer(rule: Rule, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise rule.wrong(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(_not_finite(rule, value))
        if not value.is_integer():
            raise rule.wrong(value)
    return int(value)


def _not_finite(rule: Rule, value: Any) -> str:
    hint = " or null" if rule.field.nullable else ""
    return f"{described(value)} is not finite: {rule.name!r} takes {rule.noun}{hint}."


def _boolean(rule: Rule, value: Any) -> bool:
    if not isinstance(value, bool):
        raise rule.wrong(value)
    return value


def _string(rule: Rule, value: Any) -> str:
    if not isinstance(value, str):
        raise rule.wrong(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{rule.name!r} holds half of a surrogate pair: send valid Unicode.") from None
    return value


def _number_text(rule: Rule, text: str) -> float:
    if NUMBER.fullmatch(text):
        return _number(rule, float(text))
    if text.lower() in NOT_FINITE:
        raise ValueError(_not_finite(rule, float(text)))
    raise rule.wrong(text)


def _integer_text(rule: Rule, text: str) -> int:
    found = INTEGER.fullmatch(text)
    return int(found[1]) if found else _integer(rule, _number_text(rule, text))


def _boolean_text(rule: Rule, text: str) -> bool:
    found = BOOLEANS.get(text.lower())
    if found is None and NUMBER.fullmatch(text):
        found = {0.0: False, 1.0: True}.get(float(text))
    if found is None:
        raise rule.wrong(text)
    return found


_JSON: dict[FieldType, Callable[[Rule, Any], Any]] = {
    FieldType.NUMBER: _number,
    FieldType.INTEGER: _integer,
    FieldType.BOOLEAN: _boolean,
    FieldType.TEXT: _string,
}
_TEXT: dict[FieldType, Callable[[Rule, str], Any]] = {
    FieldType.NUMBER: _number_text,
    FieldType.INTEGER: _integer_text,
    FieldType.BOOLEAN: _boolean_text,
    FieldType.TEXT: _string,
}


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{name!r} takes an array written as JSON, such as [[1, 2], [3, 4]].") from None


def shortened(value: Any) -> str:
    """A value for a message: as JSON writes it, text in Python's quotes, and not longer than a line."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int) and abs(value) >= 10**SHOWN:
        return "an integer of more than 60 digits"
    shown = repr(value[:SHOWN] if isinstance(value, str) else value) if isinstance(value, str | float) else str(value)
    return shown if len(shown) <= 2 * SHOWN else f"{shown[:SHOWN]}…"


def described(value: Any) -> str:
    """A value with its kind: text ('45'), true, an array."""
    if isinstance(value, str):
        return f"text ({shortened(value)})"
    if isinstance(value, list | tuple):
        return f"an array of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "an infinite number"
    return shortened(value)


def nearest(name: str, names: Iterable[str]) -> str:
    """` Did you mean 'age'?`, or nothing where no name is near."""
    names = list(islice(names, COMPARED))
    folded = {each.casefold(): each for each in reversed(names)}
    near = get_close_matches(name[:200].casefold(), folded, n=1, cutoff=0.6)
    return f" Did you mean {folded[near[0]]!r}?" if near else ""


def problem(at: str, error: ValueError) -> Problem:
    """A fault of the value at `at`, or of one within it."""
    return Problem(at + getattr(error, "path", ""), str(error))


def refused(problems: Sequence[Problem]) -> BadInput:
    """One error for all problems; its detail is the first, and how many more there are."""
    more = f" And {len(problems) - 1} more." if len(problems) > 1 else ""
    if len(problems) >= MAX_PROBLEMS:
        more = f" And {MAX_PROBLEMS - 1} more, or further ones: only the first {MAX_PROBLEMS} are told."
    return BadInput(problems[0].message + more, problems)
