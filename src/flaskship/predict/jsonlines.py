"""JSON Lines, one object a line, and a JSON array of objects, as blocks of rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from flaskship.errors import BadInput, NotJSON
from flaskship.predict.columns import Faults, Read, from_json
from flaskship.predict.delimited import Readable, utf8, whole_lines
from flaskship.predict.objects import parse
from flaskship.predict.rules import Rule, described

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
            (row, str(value) if isinstance(value, ValueError) else f"A row is an object, not {described(value)}.")
            for row, value in enumerate(values)
            if not isinstance(value, dict)
        ]
        self.objects: list[dict[str, Any]] = [value if isinstance(value, dict) else {} for value in values]

    def read(self, index: int, rule: Rule) -> Read:
        name = self.header[index]
        values = [row.get(name, ABSENT) for row in self.objects]
        if ABSENT not in values:
            return from_json(values, rule)
        absent = [row for row, value in enumerate(values) if value is ABSENT]
        known = next((value for value in values if value is not ABSENT and value is not None), None)
        column, faults = from_json([known if value is ABSENT else value for value in values], rule)
        told = dict(faults) | dict.fromkeys(absent, f"Field {name!r} is missing.")
        return column, sorted(told.items())

    def texts(self, index: int) -> list[Any]:
        name = self.header[index]
        return [row.get(name) for row in self.objects]

    def lines(self) -> None:
        """There is no delimited text."""


def _lines(text: bytes) -> Objects:
    try:
        return Objects(msgspec.json.Decoder().decode_lines(text))
    except (ValueError, RecursionError):
        return Objects([_value(line) for line in text.split(b"\n") if line.strip()])


def _array(text: bytes) -> Iterator[Objects]:
    try:
        rows: Any = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        rows = _thoroughly(text)
    if not isinstance(rows, list):
        raise BadInput("The file holds no array of objects.")
    return (Objects(rows[start : start + ROWS]) for start in range(0, max(len(rows), 1), ROWS))


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
