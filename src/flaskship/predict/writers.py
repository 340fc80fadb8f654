"""Answered tables as bytes, chunk by chunk: the input's columns, then those of the answer.

age,new_user,total_pages_visited,prediction,probability_0,probability_1
25,1,1,0,0.998,0.002
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from flaskship.errors import UnsupportedContent
from flaskship.predict.answers import label, plain
from flaskship.predict.delimited import Delimited
from flaskship.predict.table import Chunk, Table
from flaskship.schema import Answer, AnswerType, Array, Signature

FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}
SPECIAL = ('"', "\n", "\r")


class Writer(Protocol):
    """`head()`, then `rows()` of each chunk, then `tail()`: joined they are the file."""

    def head(self) -> bytes: ...

    def rows(self, chunk: Chunk, answer: Answer) -> bytes: ...

    def tail(self) -> bytes: ...


def writer(format: str, table: Table) -> Writer:
    """The writer of one of `FORMATS`."""
    match format:
        case "csv":
            return CSV(table)
        case "jsonl":
            return JSONLines(table)
        case "parquet":
            return Parquet(table)
    raise UnsupportedContent(f"No writer for {format!r}. There are: {', '.join(FORMATS)}.")


def names(signature: Signature, header: Iterable[str] = ()) -> list[str]:
    """The columns of an answer that is `flat`, none of them as one of `header`."""
    taken = set(header)
    outputs = [f"prediction_{output.name}" for output in signature.outputs] if signature.named else ["prediction"]
    if signature.probabilities:
        outputs += [f"probability_{label(each)}" for each in signature.classes]
    if signature.score:
        outputs.append("score")
    if signature.answers is AnswerType.LABELS:
        outputs.append("probabilities")
    return [next(name for name in _variants(output) if name not in taken) for output in outputs]


def _variants(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1


def arrays(answer: Answer) -> list[Array]:
    """The columns of an answer that is `flat`, in the order of `names`."""
    found = [*answer.values]
    if answer.probabilities is not None:
        found += list(answer.probabilities.T)
    return found if answer.score is None else [*found, answer.score]


class CSV:
    """Delimited text as the input has it; commas and points as decimals too."""

    def __init__(self, table: Table) -> None:
        file = table.reader if isinstance(table.reader, Delimited) else None
        self._delimiter = file.delimiter if file else ","
        self._decimal = file.decimal if file else "."
        self._newline = file.newline if file else b"\n"
        self._table = table
        self._own = file.header_text if file else self._line(table.header)

    def _line(self, cells: Sequence[str]) -> bytes:
        return self._delimiter.join(quoted(cell, self._delimiter) for cell in cells).encode()

    def head(self) -> bytes:
        added = self._line(names(self._table.codec.signature, self._table.header))
        return self._own + self._delimiter.encode() + added + self._newline

    def rows(self, chunk: Chunk, answer: Answer) -> bytes:
        flat = self._table.codec.flat(answer)
        columns = [texts(values, self._delimiter, self._decimal) for values in arrays(flat)]
        lines = chunk.block.lines()
        if lines is None:
            own = [_cells(chunk.block.texts(index), self._delimiter) for index in range(len(self._table.header))]
            columns = own + columns
        else:
            columns.insert(0, lines)
        join = self._delimiter.encode().join
        return self._newline.join([*map(join, zip(*columns, strict=True)), b""])

    def tail(self) -> bytes:
        return b""


class JSONLines:
    """One flat object a line."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._encode = msgspec.json.Encoder(enc_hook=str).encode_lines

    def head(self) -> bytes:
        return b""

    def rows(self, chunk: Chunk, answer: Answer) -> bytes:
        columns = {
            name: plain(values) if isinstance(values, np.ndarray) else values
            for name, values in columns_of(self._table, chunk, answer).items()
        }
        keys = list(columns)
        return self._encode([dict(zip(keys, row, strict=True)) for row in zip(*columns.values(), strict=True)])

    def tail(self) -> bytes:
        return b""


class Parquet:
    """A row group for each chunk."""

    def __init__(self, table: Table) -> None:
        self._table = table
        try:
            self._output = importlib.import_module("flaskship.predict.parquet").Output()
        except ModuleNotFoundError as error:
            text = "Writing parquet files needs pyarrow, which is not installed here: pip install 'flaskship[parquet]'"
            raise UnsupportedContent(text) from error

    def head(self) -> bytes:
        return b""

    def rows(self, chunk: Chunk, answer: Answer) -> bytes:
        content: bytes = self._output.rows(columns_of(self._table, chunk, answer))
        return content

    def tail(self) -> bytes:
        content: bytes = self._output.tail()
        return content


def columns_of(table: Table, chunk: Chunk, answer: Answer) -> dict[str, Any]:
    """Every column: fields as they were read, further ones as they stand, then the answer's."""
    found: dict[str, Any] = {}
    codec = table.codec
    for index, name in enumerate(table.header):
        known = None if codec.boxed else chunk.columns.get(name)
        found[name] = chunk.block.texts(index) if known is None else chunk.spread(known)
    return found | dict(zip(names(codec.signature, table.header), arrays(codec.flat(answer)), strict=True))


def texts(values: Array, delimiter: str, decimal: str = ".") -> list[bytes]:
    """A column of an answer as cells. Numbers have the shortest text that reads back the same; null is empty."""
    if values.ndim > 1:
        return _cells([msgspec.json.encode(each).decode() for each in plain(values)], delimiter)
    if values.dtype.kind not in "iufb":
        return _cells(plain(values), delimiter)
    text = msgspec.json.encode(values.tolist())[1:-1]
    if values.dtype.kind == "f":
        text = text.replace(b"null", b"")
        if decimal == ",":
            return text.replace(b",", b"\n").replace(b".", b",").split(b"\n")
    return text.split(b",")


def _cells(values: Sequence[Any], delimiter: str) -> list[bytes]:
    """Values as cells; each distinct text is quoted once."""
    memory = {value: quoted(value, delimiter).encode() for value in {each for each in values if isinstance(each, str)}}
    return [memory[value] if isinstance(value, str) else _cell(value, delimiter) for value in values]


def _cell(value: Any, delimiter: str) -> bytes:
    if value is None or value != value:
        return b""
    if isinstance(value, list | dict):
        return quoted(msgspec.json.encode(value).decode(), delimiter).encode()
    return quoted(label(value), delimiter).encode()


def quoted(text: str, delimiter: str) -> str:
    """In quotes where a reader would need them."""
    if delimiter in text or any(each in text for each in SPECIAL):
        return '"' + text.replace('"', '""') + '"'
    return text
