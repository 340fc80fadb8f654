"""Bytes to columns and answers to bytes, built once from a signature.

    codec = Codec(signature)
    codec.decode(b'{"age":45,"new_user":0,"total_pages_visited":5}')
        -> Request(columns={"age": array([45]), …}, rows=1, single=True)
    codec.encode(answer, single=True)
        -> b'{"prediction":0,"probabilities":{"0":0.97,"1":0.03}}'

The fast way is msgspec with a struct of the fields; whatever it refuses, and whatever might repeat a key, goes the
thorough way (objects.py), which either accepts it after all (1.0 for an integer) or says all that is wrong. What a
function takes always goes the thorough way, each argument by a rule of its own (arguments.py).
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, cast
from urllib.parse import unquote_to_bytes

import msgspec
import numpy as np

from flaskship.errors import MAX_PROBLEMS, BadInput, NotJSON, Problem, TooLarge
from flaskship.predict.answers import UNQUICK, Encoder
from flaskship.predict.arguments import Argument, Moment
from flaskship.predict.contents import File, Frame, Matrix, Picture
from flaskship.predict.objects import Rows, parse
from flaskship.predict.rules import Rule, problem, refused
from flaskship.predict.structures import Structure
from flaskship.predict.uploads import Files, Given, Upload
from flaskship.predict.values import Results
from flaskship.schema import LEFT_OUT, UNASKED, Array, Columns, Field, FieldType, Signature, Task

ROW_SHAPES = "Send an object, an array of objects, or an array of arrays in the order of the fields"
NO_HINTS: Mapping[str, Any] = MappingProxyType({})


class Request(msgspec.Struct, frozen=True):
    """What a caller asks: columns of `rows` rows; `single` where it is answered as one object.

    `close` when it is answered: it deletes the files that came with it.
    """

    columns: Columns
    rows: int
    single: bool
    files: Files | None = None

    def close(self) -> None:
        if self.files is not None:
            self.files.close()


class Codec:
    """Decodes what callers send and encodes what they are answered. Raises `BadInput` and those below it.

    `hints` are the types of a function's OBJECT arguments by name, as its author wrote them.
    """

    def __init__(
        self, signature: Signature, *, max_rows: int | None = None, hints: Mapping[str, Any] = NO_HINTS
    ) -> None:
        self.signature = signature
        self.max_rows = max_rows
        self.rules = tuple(rule_of(field, hints.get(field.name, Any)) for field in signature.inputs)
        self.rows = Rows(self.rules)
        self._encoder = Results(signature) if signature.task is Task.FUNCTION else Encoder(signature)
        self.encode, self.results = self._encoder.encode, self._encoder.results
        self.encode_values, self.flat = self._encoder.encode_values, self._encoder.flat
        self.encode_item = self._encoder.encode_item
        self.boxed = not signature.inputs or any(field.boxed for field in signature.inputs)
        # One row of names and texts (of a function: and files), as a query or a form has them.
        self.decode_pairs: Callable[[Iterable[tuple[str, Any]]], Request]
        self.decode_pairs = self._decode_given if self.boxed else self._decode_texts
        self._files = [field.name for field in signature.inputs if field.type is FieldType.FILE]
        self._struct, self._decode = _quick(signature.inputs)
        self._texts = [index for index, field in enumerate(signature.inputs) if field.type is FieldType.TEXT]
        self._quotes = 2 * len(self.rules) + 2 * len(self._texts)  # of one object without escapes and nulls
        self._storage = tuple((rule.name, rule.dtype) for rule in self.rules)
        self._plain = not any(field.shape or field.closed for field in signature.inputs)
        self._checkable = not any(field.shape and field.type is FieldType.TEXT for field in signature.inputs)

    def decode(self, body: bytes) -> Request:
        """A JSON body: an object, an array of objects, or an array of arrays in the order of the fields."""
        try:
            found: Any = self._decode(body)
            single = found.__class__ is self._struct
            if single:
                if not self._plain or body.count(b'"') != self._quotes:
                    return self._many([found], body, single=True)
                row = msgspec.structs.astuple(found)
            elif self._plain and len(found) == 1 and found[0].__class__ is tuple:
                row = found[0]
            else:
                return self._many(found, body)
            columns: Columns = {}
            for (name, dtype), value in zip(self._storage, row, strict=True):
                columns[name] = column = np.empty(1, dtype)
                column[0] = value
            return Request(columns, 1, single)
        except (ValueError, OverflowError, RecursionError):
            return self._thoroughly(parse(body) if body or self.rules else {})

    def _many(self, found: list[Any], body: bytes, single: bool = False) -> Request:
        """Raises `ValueError` where only the thorough way can tell."""
        self._admit(len(found))
        objects = _count(found, self._struct)
        rows = found
        if objects:
            rows = [msgspec.structs.astuple(row) if row.__class__ is self._struct else row for row in found]
        values = list(zip(*rows, strict=True))
        if objects and not self._all_quotes_told(values, body, objects):
            raise ValueError("perhaps a repeated key")
        columns: Columns = {}
        for rule, column in zip(self.rules, values, strict=True):
            if rule.allowed is not None and not rule.field.shape and not rule.allowed.issuperset(column):
                raise ValueError("perhaps outside the choices")
            columns[rule.name] = rule.array(column)
        return Request(columns, len(found), single)

    def _all_quotes_told(self, values: list[tuple[Any, ...]], body: bytes, objects: int) -> bool:
        """Whether the keys, once each, and the text values explain all quote characters: then no key is repeated.

        A repeated key adds at least two. A quote inside a text counts as it is in the body, unless written \\u0022.
        """
        texts = [text for index in self._texts for text in values[index] if text is not None]
        told = 2 * len(self.rules) * objects + 2 * len(texts)
        quotes = body.count(b'"')
        if quotes == told or not self._checkable:
            return self._checkable
        return b"\\u0022" not in body and quotes == told + sum(text.count('"') for text in texts)

    def _admit(self, rows: int) -> None:
        if not rows:
            raise BadInput(f"The array holds no rows. {ROW_SHAPES}.", [Problem("$", "The array holds no rows.")])
        if self.max_rows is not None and rows > self.max_rows:
            raise TooLarge(f"{rows} rows are more than the {self.max_rows} that one request may have.")

    def _thoroughly(self, value: Any) -> Request:
        if isinstance(value, dict):
            return self._with_files(self.rows.columns([value], ["$"]), 1, True)
        if not isinstance(value, list):
            raise BadInput(f"{ROW_SHAPES}.", [Problem("$", f"{ROW_SHAPES}.")])
        self._admit(len(value))
        return self._with_files(self.rows.columns(value), len(value), False)

    def _with_files(self, columns: Columns, rows: int, single: bool) -> Request:
        """The request, with uploads as paths where the function wants these."""
        if not any(isinstance(each, Upload) for name in self._files for each in columns[name]):
            return Request(columns, rows, single)
        files = Files()
        try:
            for name in self._files:
                columns[name] = self.rows.rule(name).array(
                    [files.put(each) if isinstance(each, Upload) else each for each in columns[name]]
                )
        except BaseException:  # whatever it is goes on up: the files written so far are removed first
            files.close()
            raise
        return Request(columns, rows, single, files)

    def decode_objects(self, rows: Sequence[Any], at: str = "$") -> Columns:
        """Rows of JSON that is parsed already: objects, or lists in the order of the fields; row i is at `at[i]`."""
        self.refuse_files()
        return self.rows.columns(rows, at=at)

    def refuse_files(self) -> None:
        """Raises `BadInput` where a field takes a file: for ways in that have no place for one."""
        if self._files:
            name = self._files[0]
            raise BadInput(f"{name!r} takes a file, which cannot be sent this way. Send a form to /predict.")

    def decode_query(self, query: str) -> Request:
        """One row of a URL's query: `age=45&new_user=0`, percent-encoded UTF-8."""
        return self.decode_pairs(pairs(query))

    def _decode_given(self, given_pairs: Iterable[tuple[str, Given]]) -> Request:
        """Texts and files for a function; an empty text is what was left out, where it has a default."""
        given: dict[str, list[Given]] = {}
        for name, each in given_pairs:
            given.setdefault(name, []).append(each)
        problems = [Problem(name[:200], "") for name in given if name not in self.rows.known]
        columns: Columns = {}
        for rule in cast("tuple[Argument, ...]", self.rules):
            try:
                if rule.name in given:
                    columns[rule.name] = rule.array([rule.of_given(given[rule.name])])
                elif rule.field.required:
                    problems.append(Problem(rule.name, self.rows.missing(rule)))
                else:
                    columns[rule.name] = rule.array([LEFT_OUT])
            except ValueError as error:
                problems.append(problem(rule.name, error))
        if problems:
            raise self._told(problems, given)
        return self._with_files(columns or {UNASKED: np.empty(1, object)}, 1, True)

    def _decode_texts(self, given_pairs: Iterable[tuple[str, str]]) -> Request:
        """An empty text is null where that is allowed."""
        given: dict[str, str] = {}
        problems: list[Problem] = []
        for name, given_text in given_pairs:
            if name not in self.rows.known:
                problems.append(Problem(name[:200], ""))
            elif name in given:
                problems.append(Problem(name, f"{name!r} is given more than once. Give it once."))
            given[name] = given_text
        columns: Columns = {}
        for rule in self.rules:
            text = given.get(rule.name)
            if text is None:
                problems.append(Problem(rule.name, self.rows.missing(rule)))
                continue
            try:
                value = rule.of_text(text)
                columns[rule.name] = rule.array([value]) if rule.field.shape else _column(value, rule.dtype)
            except ValueError as error:
                problems.append(Problem(rule.name, str(error)))
        if problems:
            raise self._told(problems, given)
        return Request(columns, 1, True)

    def _told(self, problems: list[Problem], given: Mapping[str, Any]) -> BadInput:
        free = [name for name in self.rows.names if name not in given] or self.rows.names
        first = problems[:MAX_PROBLEMS]
        return refused([each if each.message else Problem(each.at, self.rows.unknown(each.at, free)) for each in first])


def rule_of(field: Field, hint: Any = Any) -> Rule:
    """How values of the field are read. Raises `MissingExtra` where that needs a library that is not there."""
    if not field.boxed:
        return Rule(field)
    match field.type:
        case FieldType.DATE | FieldType.DATETIME | FieldType.TIME:
            return Moment(field)
        case FieldType.IMAGE:
            return Picture(field)
        case FieldType.ARRAY:
            return Matrix(field)
        case FieldType.FILE:
            return File(field)
        case FieldType.TABLE:
            return Frame(field)
        case FieldType.OBJECT:
            return Structure(field, hint)
    return Argument(field)


def _column(value: Any, dtype: np.dtype[Any]) -> Array:
    """A column of one row: half the time of `np.array`."""
    column = np.empty(1, dtype)
    column[0] = value
    return column


def _count(found: list[Any], struct: type[Any]) -> int:
    return sum(row.__class__ is struct for row in found)


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """Names and values of a query, or of a form's body: `age=45&new_user=0`, percent-encoded UTF-8."""
    return map(_pair, filter(None, text.split("&")))


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return (_unquoted(name), _unquoted(value)) if "%" in text or "+" in text else (name, value)


def _unquoted(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError as error:
        raise NotJSON(f"{text[:60]!r} in the query is not percent-encoded UTF-8.") from error


def _quick(fields: Sequence[Field]) -> tuple[type[msgspec.Struct], Callable[[bytes], Any]]:
    """A struct of the fields, and what reads one, or an array of such and of tuples.

    Its own attribute names are f0, f1, …, as a field may have any name; but for some, which go the thorough way.
    """
    names = [f"f{index}" for index in range(len(fields))]
    if not fields or any(field.boxed or set(field.name) & UNQUICK for field in fields):
        return msgspec.Struct, _doubt
    struct: Any = msgspec.defstruct(
        "Row",
        [(name, _hint(field)) for name, field in zip(names, fields, strict=True)],
        rename=dict(zip(names, (field.name for field in fields), strict=True)),
        forbid_unknown_fields=True,
        gc=False,
    )
    listed: Any = tuple.__class_getitem__(tuple(_hint(field) for field in fields))
    return struct, msgspec.json.Decoder(struct | list[struct | listed]).decode


def _doubt(body: bytes) -> Any:
    raise ValueError("only the thorough way can tell")


def _hint(field: Field) -> Any:
    """The type by which msgspec reads one value of the field."""
    rule = Rule(field)
    hint: Any = {FieldType.NUMBER: float, FieldType.INTEGER: int, FieldType.BOOLEAN: bool, FieldType.TEXT: str}[
        field.type
    ]
    if rule.lowest is not None:
        hint = Annotated[hint, msgspec.Meta(ge=rule.lowest, le=rule.highest)]
    for _ in field.shape:
        hint = list[hint]
    return typing.Optional[hint] if field.nullable else hint  # noqa: UP045  # the hint is a value, not an annotation
