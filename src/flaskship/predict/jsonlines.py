"""JSON Lines, one object a line, and a JSON array of objects, as blocks of rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import msgspec

from flaskship.errors import BadInput, NotJSON
from flaskship.predict.columns import Faults, Read, from_json, from_values
from flaskship.predict.delimited import Readable, utf8, whole_lines
from flaskship.predict.objects import parse
from flaskship.predict.rules import Rule, described
from flaskship.schema import LEFT_OUT

ROWS = 8192
ABSENT = object()


class JSONLines:
    """A stream of objects; the columns are the keys of the first block, in the order in which they come."""

    format = "jsonl"

    def __init__(self, stream: Readable) -> None:
        texts = whole_lines(utf8(stream))
        first = next((text for text in texts if text.strip()), b"")
        if not first:
            raise BadInput("The file is empty. Send one JSON object a line.")
        if first.lstrip().startswith(b"["):
            self._blocks = _array(b"".join([first, *texts]))
        else:
            self._blocks = (_lines(text) for text in chain([first], texts) if text.strip())
        self._first = next(self._blocks)
        self.header = list(dict.fromkeys(name for row in self._first.objects for name in row))
        if not self.header:
            raise BadInput(dict(self._first.faults).get(0, "The first object has no members."))

    def blocks(self) -> Iterator[Objects]:
        """The rows, some at a time."""
        for block in chain([self._first], self._blocks):
            block.header = self.header
            yield block


class Objects:
    """Rows that are objects; what is none stands as an empty one, and is a fault."""

    def __init__(self, values: list[Any]) -> None:
        self.header: list[str] = []
        self.rows = len(values)
        self.faults: Faults = [
            (row, said) for row, value in enumerate(values) if type(value) is not dict and (said := _fault(value))
        ]
        self.objects: list[dict[str, Any]] = [value if isinstance(value, dict) else {} for value in values]

    def read(self, index: int, rule: Rule) -> Read:
        name = self.header[index]
        values = [row.get(name, ABSENT) for row in self.objects]
        if ABSENT not in values:
            return from_json(values, rule)
        absent = [row for row, value in enumerate(values) if value is ABSENT]
        if not rule.field.required:
            return from_values(values, lambda value: LEFT_OUT if value is ABSENT else rule.of_json(value), rule)
        known = next((value for value in values if value is not ABSENT and value is not None), None)
        column, faults = from_json([known if value is ABSENT else value for value in values], rule)
        told = dict(faults) | dict.fromkeys(absent, f"Field {name!r} is missing.")
        return column, sorted(told.items())

    def texts(self, index: int) -> list[Any]:
        name = self.header[index]
        return [row.get(name) for row in self.objects]

    def lines(self) -> None:
        """There is no delimited text."""


def _fault(value: Any) -> str:
    """Why a value is no row; empty where it is one."""
    if isinstance(value, dict):
        repeated = getattr(value, "repeated", ())
        return f"{repeated[0][:200]!r} is given more than once. Give it once." if repeated else ""
    return str(value) if isinstance(value, ValueError) else f"A row is an object, not {described(value)}."


def _lines(text: bytes) -> Objects:
    rows = _quickly(text, msgspec.json.Decoder().decode_lines)
    return Objects([_value(line) for line in text.split(b"\n") if line.strip()] if rows is None else rows)


def _array(text: bytes) -> Iterator[Objects]:
    rows = _quickly(text, msgspec.json.decode)
    if rows is None:
        rows = _thoroughly(text)
    if not isinstance(rows, list):
        raise BadInput("The file holds no array of objects.")
    return (Objects(rows[start : start + ROWS]) for start in range(0, max(len(rows), 1), ROWS))


def _quickly(text: bytes, decode: Callable[[bytes], Any]) -> Any:
    """The decoded text; None where only the thorough way can tell what is wrong, or whether a key is repeated.

    None is, where keys and texts explain all quote characters, as in the codec.
    """
    try:
        rows = decode(text)
        objects = [row for row in rows if isinstance(row, dict)]
    except (ValueError, TypeError, RecursionError):
        return None
    texts = [value for row in objects for value in row.values() if isinstance(value, str)]
    quotes = text.count(b'"') - 2 * sum(map(len, objects)) - 2 * len(texts)
    return rows if not quotes or quotes == sum(value.count('"') for value in texts) else None


def _value(line: bytes) -> Any:
    try:
        return _thoroughly(line)
    except NotJSON as error:
        return ValueError(error.detail.replace("The body", "The line"))


def _thoroughly(text: bytes) -> Any:
    value = parse(text)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise NotJSON("The body holds half of a surrogate pair: send valid Unicode.") from error
    return value
