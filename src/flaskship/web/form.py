"""A model's form: one entry a field, each with the control that suits it, and what was entered."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from flaskship.errors import Problem
from flaskship.predict.uploads import Given
from flaskship.schema import Field, FieldType, Scalar, Signature
from flaskship.web.examples import FILES, example

MOST_FIELDS = 300  # of a form; models with more take a row as JSON
MOST_CHOICES = 200  # of a drop-down list
LONG = 40  # characters of a text that wants more than a line
PAGE = 1000  # that make a page
SHORT, TALL = 4, 12  # lines of a text area
LONG_NAMES = frozenset({"text", "texts", "prompt", "document", "article", "body", "content", "message", "question"})
STEPS = 200  # of a slider
ROW = "row"  # the name of the sole entry of a form with too many fields
MOMENTS = {FieldType.DATE: "date", FieldType.DATETIME: "datetime-local", FieldType.TIME: "time"}
ACCEPTED = {
    FieldType.IMAGE: "image/*",
    FieldType.TABLE: ".csv,.tsv,.txt,.jsonl,.ndjson,.json,.parquet,.xlsx,.xls,.ods,text/csv",
    FieldType.ARRAY: ".npy",
    FieldType.FILE: "",
}  # what a browser offers to choose of what travels as files


class Entry:
    """A field as a form shows it.

    `control` is number, switch, select, line, text (several lines), json, file, date, datetime-local or time. `low`,
    `high` and `step` are those of the slider beside a number; both ends are None where there is none. `attributes` are
    the control's own: what the browser holds against what is entered. `nothing` is said where it may be left out.
    """

    def __init__(self, field: Field, given: str | None = None, problem: str = "", alone: bool = False) -> None:
        self.name = field.name
        self.help = field.help
        self.seen = "" if field.choices else limits(field) or seen(field)
        self.problem = problem
        self.optional = field.nullable or not field.required
        self.nothing = "no value" if field.required or field.default is None else "default"
        self.whole = field.type is FieldType.INTEGER
        self.picture = field.type is FieldType.IMAGE
        self.sample = FILES.get(field.type, "")
        self.schema = schema(field)
        self.choices = choices(field)
        self.value = given if given is not None else start(field)
        self.control = control(field, self.choices, alone or long(field, self.value))
        if self.control == "select" and self.value not in self.choices and (self.value or not self.optional):
            self.choices = [*self.choices, self.value]
        self.known = [text(each) for each in field.choices] if self.control == "line" else []
        self.unusual = bool(given) and not problem and outside(field, given or "")
        self.low, self.high, self.step = slider(field) if self.control == "number" else (None, None, 1.0)
        self.range = (field.low, field.high) if self.control == "number" else (None, None)
        self.rows = TALL if self.control == "text" and roomy(field) else SHORT
        self.required = needed(field, self.control)
        self.attributes = attributes(field, self.control)

    @property
    def described(self) -> bool:
        return bool(self.help or self.seen)


def start(field: Field) -> str:
    """What a form begins with: the default, else an example; nothing where it may be left out."""
    if field.type in FILES:
        return ""
    if field.default == "" and field.example is not None:
        return text(field.example)
    if field.default is not None:
        return text(field.default)
    return text(example(field)) if field.required else ""


def long(field: Field, value: str) -> bool:
    """Whether a text wants several lines."""
    most = field.limits.max_length
    named = field.name.lower().rpartition("_")[2] in LONG_NAMES and (most is None or most > LONG)
    return named or len(value) > LONG or len(text(field.example or "")) > LONG or (most is not None and most > 5 * LONG)


def roomy(field: Field) -> bool:
    """Whether a text may have pages."""
    return field.limits.max_length is None or field.limits.max_length >= PAGE


def schema(field: Field) -> str:
    """The JSON Schema of a value that is written as JSON."""
    return json.dumps(field.schema, indent=2, ensure_ascii=False) if field.type is FieldType.OBJECT else ""


def attributes(field: Field, control: str) -> dict[str, str]:
    """What the browser checks itself, and what it offers."""
    limits, found = field.limits, dict[str, Any]()
    if control == "number":
        whole = field.type is FieldType.INTEGER
        low = first(limits.ge, math.floor(limits.gt) + 1 if whole and limits.gt is not None else limits.gt)
        high = first(limits.le, math.ceil(limits.lt) - 1 if whole and limits.lt is not None else limits.lt)
        step = limits.multiple_of if limits.multiple_of and not (low or 0) % limits.multiple_of else None
        found = {"inputmode": "numeric" if whole else "decimal", "step": step or (1 if whole else "any")}
        found |= {"min": low, "max": high}
    elif control in ("line", "text"):
        longest = "maxlength" if control == "line" else "data-most"  # of a text area the browser cuts what is pasted
        found = {"minlength": limits.min_length or None, longest: limits.max_length}
        found["pattern"] = within(limits.pattern) if limits.pattern and control == "line" else None
    elif control == "file":
        found = {"accept": ACCEPTED[field.type] or None}
    elif control in ("datetime-local", "time"):
        found = {"step": 1}  # seconds too
    return {name: text(value) for name, value in found.items() if value is not None}


def needed(field: Field, control: str) -> bool:
    """Whether the browser asks for a value: not where an empty one is a text, or chosen."""
    if not field.required or field.nullable or control in ("switch", "select"):
        return False
    return field.type is not FieldType.TEXT or bool(field.limits.min_length)


def first(*values: float | None) -> float | None:
    return next((each for each in values if each is not None), None)


def within(pattern: str) -> str:
    """A pattern that is looked for anywhere as one that matches the whole text, as HTML has it."""
    return f"{'' if pattern.startswith('^') else '.*'}(?:{pattern}){'' if pattern.endswith('$') else '.*'}"


def entries(
    signature: Signature, given: Mapping[str, Given] | None = None, problems: Iterable[Problem] = ()
) -> list[Entry]:
    """The form's entries; none for a model with more fields than a form can show."""
    if len(signature.inputs) > MOST_FIELDS:
        return []
    told = {of_field(each.at): each.message for each in reversed([*problems])}
    texts = {name: value for name, value in (given or {}).items() if isinstance(value, str)}
    alone = len(signature.inputs) == 1
    return [Entry(field, texts.get(field.name), told.get(field.name, ""), alone) for field in signature.inputs]


def of_field(at: str) -> str:
    """The field that a problem is of: `points` of `$.points[3].x`."""
    return at if not at.startswith("$.") else re.split(r"[.\[]", at[2:], maxsplit=1)[0]


def completed(signature: Signature, given: list[tuple[str, Given]]) -> list[tuple[str, Given]]:
    """What a browser sends, with the switches that are off: those it leaves out."""
    there = {name for name, _ in given}
    off = [field.name for field in signature.inputs if field.type is FieldType.BOOLEAN and not field.nullable]
    return [*given, *((name, "false") for name in off if name not in there)]


def control(field: Field, choices: list[str], long: bool) -> str:
    if field.type in FILES:
        return "file"
    if field.type in MOMENTS:
        return MOMENTS[field.type]
    if field.shape or (field.type is FieldType.OBJECT and field.schema.get("type") != "string"):
        return "json"
    if field.type is FieldType.BOOLEAN and not field.nullable:
        return "switch"
    if choices:
        return "select"
    if field.type in (FieldType.TEXT, FieldType.OBJECT):  # a UUID, a decimal
        return "text" if long and not field.choices else "line"
    return "number"


def choices(field: Field) -> list[str]:
    """The options of a drop-down list; none where there are too many."""
    if field.type is FieldType.BOOLEAN:
        return ["true", "false"]
    return [text(each) for each in field.choices] if len(field.choices) <= MOST_CHOICES else []


def slider(field: Field) -> tuple[float | None, float | None, float]:
    """The ends and the step of a slider over the range that training saw, or that is allowed."""
    low, high = first(field.low, field.limits.ge), first(field.high, field.limits.le)
    if low is None or high is None or not low < high:
        return None, None, 1.0
    if field.type is FieldType.INTEGER:
        return low, high, field.limits.multiple_of or 1.0
    step = field.limits.multiple_of or 10.0 ** math.floor(math.log10((high - low) / STEPS))
    return math.floor(low / step) * step, math.ceil(high / step) * step, step


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


def limits(field: Field) -> str:
    """`at least 0, at most 120`, or nothing."""
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "multiple_of": "a multiple of"}
    words |= {"min_length": "at least", "max_length": "at most", "pattern": "matches"}
    found = []
    for name, word in words.items():
        limit = getattr(field.limits, name)
        if limit is not None:
            shown = limit if isinstance(limit, str) else text(limit)
            if name.endswith("length"):
                shown = (
                    f"{limit:,} character{'' if limit == 1 else 's'}"
                    if field.type is FieldType.TEXT
                    else f"{shown} long"
                )
            found.append(f"{word} {shown}")
    return ", ".join(found)
