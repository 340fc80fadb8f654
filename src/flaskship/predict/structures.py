"""Arguments that are lists, dictionaries, dataclasses and the like: what msgspec makes of JSON by their type hint.

Structure(Field(name="items", type=OBJECT, …), list[Item]).of_json([{"price": "1"}])
    Inside: 'items[0].price' takes a number, not text.        path: "[0].price"
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from flaskship.predict.arguments import Argument, Inside, figure
from flaskship.predict.nested import bare, check
from flaskship.predict.objects import loads
from flaskship.predict.rules import described
from flaskship.predict.uploads import Given, Upload
from flaskship.schema import Field

SAID = re.compile(r"(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>.*)`)?", re.DOTALL)
STEP = re.compile(r"\[([0-9]+)\]|\[?\.+\]?([^.\[\]]*)")
MISSING = re.compile(r"Object missing required field `(.*)`")
TYPES = re.compile(r"Expected `(.*)`, got `(.*)`")
LENGTH = re.compile(r"Expected `(\w+)` of (?:at least )?length (?:(>=|<=|==) )?([0-9]+)(?:, got .*)?")
BOUND = re.compile(r"Expected `\w+` (>=|>|<=|<) (.+)")
OTHERS = (
    (re.compile(r"Expected `\w+` that's a multiple of (.*)"), "must be a multiple of {}"),
    (re.compile(r"Expected `\w+` matching regex '(.*)'"), "must match '{}'"),
    (re.compile(r"Invalid (?:enum )?value (.*)"), "is {}, none of its choices"),
    (re.compile(r"Invalid RFC3339 encoded datetime"), "takes a date and time, such as 2026-01-31T12:30:00"),
    (re.compile(r"Invalid RFC3339 encoded date"), "takes a date, such as 2026-01-31"),
    (re.compile(r"Invalid RFC3339 encoded time"), "takes a time, such as 12:30:00"),
    (re.compile(r"Invalid base64 encoded string"), "takes base64"),
    (re.compile(r"Invalid (?:ISO8601 )?(\w+)(?: string)?"), "takes a {}"),
)
WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
    "bytes": "base64",
    "datetime": "a date and time",
    "date": "a date",
    "time": "a time",
    "uuid": "a UUID",
}
LIMITS = {">=": "at least ", ">": "more than ", "<=": "at most ", "<": "less than ", "==": ""}
TEXTUAL = (  # as a text has them, they are not to be taken for JSON: 1.10, 2026-01-31
    msgspec.inspect.DecimalType,
    msgspec.inspect.UUIDType,
    msgspec.inspect.TimeDeltaType,
    msgspec.inspect.StrType,
    msgspec.inspect.BytesType,
)
COLLECTIONS = (
    msgspec.inspect.ListType,
    msgspec.inspect.SetType,
    msgspec.inspect.FrozenSetType,
    msgspec.inspect.VarTupleType,
    msgspec.inspect.CollectionType,
)


class Structure(Argument):
    """An OBJECT; `hint` is what the function names, `Any` where it is not known."""

    def __init__(self, field: Field, hint: Any) -> None:
        super().__init__(field)
        self._hint = hint
        self._anything = hint is Any
        self._kind = msgspec.inspect.type_info(hint)
        if isinstance(bare(self._kind), msgspec.inspect.CustomType):  # whose own library converts, in the model
            self._hint, self._kind = Any, msgspec.inspect.AnyType()
        self._many = isinstance(bare(self._kind), COLLECTIONS)
        self._dataclasses = holds_dataclass(self._kind)

    def parsed(self, value: Any, *, strict: bool = True) -> Any:
        try:
            check(value, self._kind, self.name)
            made = msgspec.convert(value, self._hint, strict=strict, str_keys=True)
        except msgspec.ValidationError as error:
            raise told(str(error), self.name, value) from error
        except RecursionError as error:
            raise ValueError(f"{self.name!r} is nested too deeply.") from error
        if self._dataclasses:
            complete(made)
        return made

    def spelled(self, text: str) -> Any:
        """JSON, or where it is none a text that the hint takes; of a list, one value."""
        if isinstance(bare(self._kind), TEXTUAL):
            return self.parsed(text, strict=False)
        try:
            value = loads(text)
        except (ValueError, RecursionError):
            value = text
        if self._many and not isinstance(value, list) and not (value is None and self.field.nullable):
            return self.several([text])
        if isinstance(value, str) and text[:1] in "[{":
            raise ValueError(f"{self.name!r} takes {self.noun}, and its text is no valid JSON.")
        return self.parsed(value, strict=not isinstance(value, str))

    def sent(self, upload: Upload) -> Any:
        return self.spelled(upload.text())

    def several(self, given: Sequence[Given]) -> Any:
        """`tag=a&tag=b`"""
        if not self._many:
            return super().several(given)
        return self.parsed([each if isinstance(each, str) else each.text() for each in given], strict=False)

    def of_value(self, value: Any) -> Any:
        """A cell of a typed table: JSON as text, or what it is already."""
        return self.of_text(value or "") if value is None or isinstance(value, str) else self.of_json(value)

    def _null(self, otherwise: str) -> None:
        if not self._anything:
            super()._null(otherwise)

    @property
    def noun(self) -> str:
        kind = self.field.schema.get("type")
        return f"{WORDS[kind]} as JSON" if kind in ("array", "object") else super().noun


def holds_dataclass(kind: Any, seen: tuple[type, ...] = ()) -> bool:
    """Whether a value of msgspec's type `kind` may be a dataclass, or have one inside."""
    kind = bare(kind)
    if isinstance(kind, msgspec.inspect.DataclassType):
        return True
    if getattr(kind, "cls", None) in seen:  # within itself
        return False
    seen = (*seen, kind.cls) if hasattr(kind, "cls") else seen
    inner = [getattr(kind, name) for name in ("item_type", "value_type") if hasattr(kind, name)]
    inner += [*getattr(kind, "item_types", ()), *getattr(kind, "types", ())]
    return any(holds_dataclass(each, seen) for each in (*inner, *(each.type for each in getattr(kind, "fields", ()))))


def complete(value: Any) -> None:
    """Gives each dataclass inside `value` its defaults as its own: msgspec leaves those to the class.

    Without them `vars` lacks them, and msgspec too when it writes the value. Seen in msgspec 0.22.
    """
    if isinstance(value, list | tuple | set | frozenset):
        inner: Any = value
    elif isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, msgspec.Struct):
        inner = msgspec.structs.astuple(value)
    elif dataclasses.is_dataclass(value):
        inner = [getattr(value, each.name) for each in dataclasses.fields(value) if hasattr(value, each.name)]
        own = getattr(value, "__dict__", {})  # without it there are slots, which are filled
        for each in dataclasses.fields(value):
            if each.name not in own and hasattr(value, each.name):
                own[each.name] = getattr(value, each.name)
    else:
        return
    for each in inner:
        complete(each)


def told(message: str, name: str, value: Any) -> Inside:
    """A message of msgspec's as a sentence of ours, and where it is."""
    found = SAID.fullmatch(message)
    what, path = (found["what"], found["path"] or "") if found else (message, "")
    if found and found["key"]:
        return Inside(f"{name + path!r} has a member whose name is wrong: it {_sentence(what, ABSENT)}.", path)
    if missing := MISSING.fullmatch(what):
        path = f"{path}.{missing[1]}"
        return Inside(f"{name + path!r} is missing.", path)
    return Inside(f"{name + path!r} {_sentence(what, _at(value, path))}.", path)


def _sentence(what: str, value: Any) -> str:
    if found := TYPES.fullmatch(what):
        wanted = " or ".join(WORDS.get(each, each) for each in found[1].split(" | "))
        return f"takes {wanted}, not {WORDS.get(found[2], found[2]) if value is ABSENT else described(value)}"
    if found := LENGTH.fullmatch(what):
        unit = {"str": "character", "array": "value", "object": "member"}.get(found[1], "byte")
        has = f", not {len(value)}" if value is not ABSENT and hasattr(value, "__len__") else ""
        return f"must have {LIMITS[found[2] or '==']}{found[3]} {unit}{'' if found[3] == '1' else 's'}{has}"
    shown = "" if value is ABSENT else f", not {described(value)}"
    if found := BOUND.fullmatch(what):
        return f"must be {LIMITS[found[1]]}{figure(float(found[2]))}{shown}"
    for pattern, words in OTHERS:
        if found := pattern.fullmatch(what):
            return f"{words.format(*found.groups())}{'' if words.startswith('is ') else shown}"
    return f"is wrong: {what}"


ABSENT = object()


def _at(value: Any, path: str) -> Any:
    """What stands at a path of msgspec's; `ABSENT` where that does not tell, as of a dictionary's values."""
    for step in STEP.finditer(path):
        try:
            value = value[int(step[1])] if step[1] else value[step[2]]
        except (LookupError, TypeError, ValueError):
            return ABSENT
    return value
