"""Rows of parsed JSON into columns, finding every problem: the slow and thorough way.

The fast way (codec.py) decides only that something is wrong; what, and where, is said here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from flaskship.errors import MAX_PROBLEMS, NotJSON, Problem
from flaskship.predict.rules import Rule, described, nearest, problem, refused
from flaskship.schema import LEFT_OUT, UNASKED, Columns

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
DOUBT = object()
DIGITS = 400  # an integer of more is beyond every float


class Repeating(dict[str, Any]):
    """An object of JSON text in which keys came more than once."""

    repeated: tuple[str, ...] = ()


def parse(body: bytes) -> Any:
    """JSON with repeated keys kept in mind and NaN, Infinity and 1e400 as floats. Raises `NotJSON`."""
    found = _quickly(body)
    if found is not DOUBT:
        return found
    if not body.strip():
        raise NotJSON("The body is empty. Send an object with a value for each field.")
    if body.startswith(b"\xef\xbb\xbf"):
        raise NotJSON("The body begins with a byte order mark. Send UTF-8 without one.")
    try:
        return _DECODER.decode(body.decode())
    except UnicodeDecodeError as error:
        raise NotJSON(f"The body is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}.") from error
    except json.JSONDecodeError as error:
        raise NotJSON(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise NotJSON("The body is nested too deeply.") from error


def loads(text: str) -> Any:
    """The JSON in a field's text, as `parse` has it. Raises `ValueError`, `RecursionError`."""
    found = _quickly(text.encode("utf-8", "surrogatepass"))
    return _DECODER.decode(text) if found is DOUBT else found


def _quickly(body: bytes) -> Any:
    """The value, where it is plain and no key is repeated; else `DOUBT`.

    No key is, where all keys and texts that were found explain all quote characters: a repeated one leaves two or more.
    """
    try:
        value = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return DOUBT
    if b'\\"' in body or b"\\u0022" in body:  # a quote inside a text
        return DOUBT
    quotes = body.count(b'"')
    waiting: list[Any] = [[value]]
    while quotes and waiting:
        holder = waiting.pop()
        if holder.__class__ is dict:
            quotes -= 2 * len(holder)
            holder = holder.values()
        for each in holder:
            if each.__class__ is str:
                quotes -= 2
            elif each.__class__ is list or each.__class__ is dict:
                waiting.append(each)
    return DOUBT if quotes else value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    repeating = Repeating(found)
    repeating.repeated = tuple(dict.fromkeys(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]  # add() returns None
    return repeating


def _whole(text: str) -> int | float:
    return int(text) if len(text) <= DIGITS else math.copysign(math.inf, -1 if text.startswith("-") else 1)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole)


def place(at: str, name: str) -> str:
    """JSON path of a member: `$.age`, `$['Licence(%)']`."""
    name = name[:200]
    return f"{at}.{name}" if IDENTIFIER.fullmatch(name) else f"{at}[{name!r}]"


class Rows:
    """Reads rows, which are objects or lists in the signature's order, by the rules of the fields."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.names = [rule.name for rule in rules]
        self.known = frozenset(self.names)
        required = [index for index, rule in enumerate(rules, 1) if rule.field.required]
        self.least = max(required, default=0)  # values of a list

    def rule(self, name: str) -> Rule:
        return self.rules[self.names.index(name)]

    def columns(self, rows: Sequence[Any], places: Sequence[str] | None = None, at: str = "$") -> Columns:
        """The columns of `rows`; row i stands at `places[i]`, else at `at[i]`. Raises `BadInput` with all problems."""
        found: list[list[Any]] = [[] for _ in self.rules]
        problems: list[Problem] = []
        counts = [(count, values) for rule, values in zip(self.rules, found, strict=True) if (count := rule.count())]
        for index, row in enumerate(rows):
            self._row(row, f"{at}[{index}]" if places is None else places[index], found, problems)
            for count, values in counts:
                count(values[-1] if values else None)
            if len(problems) >= MAX_PROBLEMS:
                break
        if problems:
            raise refused(problems[:MAX_PROBLEMS])
        columns: Columns = {}
        for rule, values in zip(self.rules, found, strict=True):
            try:
                columns[rule.name] = rule.array(values)
            except ValueError as error:
                problems.append(Problem(place(at, rule.name), str(error)))
        if problems:
            raise refused(problems)
        return columns if self.rules else {UNASKED: np.empty(len(rows), object)}

    def _row(self, row: Any, at: str, found: list[list[Any]], problems: list[Problem]) -> None:
        if isinstance(row, dict):
            self._object(row, at, found, problems)
        elif isinstance(row, list | tuple):
            self._list(row, at, found, problems)
        else:
            text = f"A row is an object or an array in the order of the fields, not {described(row)}."
            problems.append(Problem(at, text))

    def _object(self, row: dict[str, Any], at: str, found: list[list[Any]], problems: list[Problem]) -> None:
        for name in getattr(row, "repeated", ())[:MAX_PROBLEMS]:
            problems.append(Problem(place(at, name), f"{name[:200]!r} is given more than once. Give it once."))
        unknown = list(islice((name for name in row if name not in self.known), MAX_PROBLEMS))
        free = [name for name in self.names if name not in row]
        for name in unknown:
            problems.append(Problem(place(at, name), self.unknown(name, free or self.names)))
        for rule, values in zip(self.rules, found, strict=True):
            if rule.name not in row:
                if rule.field.required:
                    problems.append(Problem(place(at, rule.name), self.missing(rule)))
                values.append(LEFT_OUT)
                continue
            try:
                values.append(rule.of_json(row[rule.name]))
            except ValueError as error:
                problems.append(problem(place(at, rule.name), error))

    def _list(self, row: Sequence[Any], at: str, found: list[list[Any]], problems: list[Problem]) -> None:
        if not self.least <= len(row) <= len(self.rules):
            order = ", ".join(self.names[:12]) + (", …" if len(self.names) > 12 else "")
            most = str(len(self.rules)) if self.least == len(self.rules) else f"{self.least} to {len(self.rules)}"
            takes = f"{most}: {order}" if self.rules else "none"
            problems.append(Problem(at, f"The row has {len(row)} values, the model takes {takes}."))
            return
        for index, (rule, values) in enumerate(zip(self.rules, found, strict=True)):
            try:
                values.append(rule.of_json(row[index]) if index < len(row) else LEFT_OUT)
            except ValueError as error:
                problems.append(problem(f"{at}[{index}]", error))

    def unknown(self, name: str, among: Sequence[str]) -> str:
        """The sentence on a name that is no field's."""
        near = nearest(name, among)
        has = f"has {', '.join(self.names[:12])}{', …' if len(self.names) > 12 else ''}"
        hint = near or f" It {has if self.names else 'takes none'}."
        return f"No field {name[:200]!r} in this model.{hint}"

    @staticmethod
    def missing(rule: Rule) -> str:
        """The sentence on a field that was not given."""
        return f"Field {rule.name!r} is missing." + (" Send null where it is not known." if rule.field.nullable else "")
