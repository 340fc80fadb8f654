"""Delimited text (CSV) as blocks of rows: common delimiters, UTF-8, UTF-16, Windows-1252, quotes, decimal commas.

Plain blocks are read by columns (cells.py); from the first quote on, the `csv` module reads row by row. Either way a
row keeps its own text, so that it can be written again as it came.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Protocol

from flaskship.errors import BadInput
from flaskship.predict.cells import Cells, Ragged
from flaskship.predict.columns import Faults, Read, from_cells, from_texts
from flaskship.predict.rules import NUMBER, Rule
from flaskship.schema import FieldType

BLOCK = 2**18  # bytes: the words and masks of a block stay in the processor's cache
QUOTED_ROWS = 8192
LONGEST_LINE = 2**26  # bytes
DELIMITERS = (",", ";", "\t", "|")
REASONS = {"end of data": "a quote is never closed", "new-line": "a carriage return stands in it without quotes"}
DECIMAL_COMMA = re.compile(rb"(?:^|[;\t|\n])\s*[+-]?[0-9]*,[0-9]+\s*(?=[;\t|\r\n]|$)")


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def whole_lines(stream: Readable) -> Iterator[bytes]:
    """The stream's bytes, about `BLOCK` at a time, cut after a newline; the last line gets one where it has none."""
    parts: list[bytes] = []
    size = 0
    while read := stream.read(BLOCK):
        cut = read.rfind(b"\n") + 1
        if cut:
            yield b"".join([*parts, read[:cut]])
            parts, size = [], 0
        parts.append(read[cut:])
        size += len(read) - cut
        if size > LONGEST_LINE:
            raise BadInput("The file has a line of more than 64 MiB. Is it a table?")
    if last := b"".join(parts):
        yield last + b"\n"


class Delimited:
    """A stream of delimited text: `header`, then `blocks()`. Raises `BadInput` where there is no header or no row."""

    format = "csv"

    def __init__(self, stream: Readable, known: Iterable[str] = ()) -> None:
        self._lines = whole_lines(utf8(stream))
        first = next(self._lines, b"")
        while first and not first.strip():
            first = next(self._lines, b"")
        if not first:
            raise BadInput("The file is empty. Send a header with the names of the columns, and rows.")
        if first.find(b"\n") == len(first) - 1 and b"\r" in first[:-2]:  # old Macintosh: the whole file is one line
            first = first.replace(b"\r", b"\n")
        self.newline = b"\r\n" if b"\r\n" in first[: first.find(b"\n") + 1] else b"\n"
        first = first.lstrip(b"\r\n")
        sample = first[: 2**16].decode("utf-8", "replace").split("\n")[:11]
        self.delimiter = sniff_delimiter(sample, known)
        line, first = self._header_line(first)
        self.header_text = decoded(line).rstrip("\r\n").encode()
        self.header = [name.strip() for name in next(self._records([decoded(line)], 0))]
        if all(NUMBER.fullmatch(name) for name in self.header) and not set(self.header) & set(known):
            raise BadInput("The header is missing: the first line holds numbers only. Begin with the columns' names.")
        self.decimal = "," if self.delimiter != "," and DECIMAL_COMMA.search(first[: 2**16]) else "."
        self._first = first

    def _header_line(self, first: bytes) -> tuple[bytes, bytes]:
        """The first record, which may hold newlines in quotes, and what follows."""
        end = first.find(b"\n") + 1
        while first.count(b'"', 0, end) % 2 and end < len(first):
            end = first.find(b"\n", end) + 1
        return first[:end], first[end:]

    def _texts(self) -> Iterator[bytes]:
        return chain([self._first] if self._first else [], self._lines)

    def blocks(self) -> Iterator[Plain | Quoted]:
        """The rows, some at a time."""
        texts = self._texts()
        row = 1
        for text in texts:
            if b'"' in text:
                yield from self._quoted(chain([text], texts), row)
                return
            block = Plain(text.replace(b"\r\n", b"\n") if b"\r" in text else text, self)
            if block.rows:
                row += block.rows
                yield block

    def cells(self, text: bytes) -> Cells:
        """Lines without quotes. Raises `Ragged`."""
        decimal, delimiter = self.decimal.encode(), self.delimiter.encode()
        return Cells(text, columns=len(self.header), delimiter=delimiter, decimal=decimal)

    def _quoted(self, texts: Iterable[bytes], first: int) -> Iterator[Quoted]:
        lines = _Recorded(line for text in texts for line in io.StringIO(decoded(text), newline="\n"))
        records = ((row, taken) for row in self._records(lines, first) if (taken := lines.take()) and row)
        while rows := list(islice(records, QUOTED_ROWS)):
            yield Quoted([row for row, _ in rows], [line for _, line in rows], self)

    def _records(self, lines: Iterable[str], row: int) -> Iterator[list[str]]:
        """The cells of each record, of which the first is of `row`, or 0 for the header."""
        csv.field_size_limit(LONGEST_LINE)  # of the process: the module has no other way
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        try:
            for record in reader:
                yield record
                row += bool(record)
        except csv.Error as error:
            reason = next((said for part, said in REASONS.items() if part in str(error)), str(error))
            raise BadInput(f"{f'Row {row}' if row else 'The header'} cannot be read: {reason}.") from error


class _Recorded:
    """Lines, and the text of those taken since last asked: the record that they make."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self._taken.append(line)
            yield line

    def take(self) -> str:
        text = "".join(self._taken)
        self._taken.clear()
        return text


class Plain:
    """Rows without quotes; blank lines are none."""

    def __init__(self, text: bytes, file: Delimited) -> None:
        self.file = file
        self.faults: Faults = []
        self._text = text
        try:
            if len(file.header) == 1 and (text.startswith(b"\n") or b"\n\n" in text):
                raise Ragged  # in more columns a blank line is ragged by itself
            self._cells = file.cells(text)
        except Ragged:
            lines = [line for line in text.split(b"\n") if line]
            self._text = b"".join(line + b"\n" for line in lines)
            self._cells = file.cells(self._mended(lines))
        self.rows = self._cells.rows

    def _mended(self, lines: list[bytes]) -> bytes:
        """The lines, with an empty row where one has too few or too many cells, which is a fault."""
        delimiter, width = self.file.delimiter.encode(), len(self.file.header)
        mended = []
        for row, line in enumerate(lines):
            cells = line.count(delimiter) + 1
            if cells != width:
                self.faults.append((row, ragged(cells, width)))
                line = delimiter * (width - 1)
            mended.append(line + b"\n")
        return b"".join(mended)

    def read(self, index: int, rule: Rule) -> Read:
        return from_cells(self._cells, index, rule, decimal=self.file.decimal, decode=decoded)

    def texts(self, index: int) -> list[str]:
        return [decoded(cell) for cell in self._cells.bytes_of(index)]

    def lines(self) -> list[bytes]:
        """The text of each row, as it came, in UTF-8."""
        text = self._text if self._text.isascii() else decoded(self._text).encode()
        return text.split(b"\n")[:-1]


class Quoted:
    """Rows of which some have quotes."""

    def __init__(self, rows: list[list[str]], records: list[str], file: Delimited) -> None:
        self.file = file
        self.rows = len(rows)
        width = len(file.header)
        self.faults = [(at, ragged(len(row), width)) for at, row in enumerate(rows) if len(row) != width]
        for at, _ in self.faults:
            rows[at] = [""] * width
        self._columns = list(zip(*rows, strict=True))
        self._records = records

    def read(self, index: int, rule: Rule) -> Read:
        column = self._columns[index]
        text = "\n".join([*column, ""])
        if rule.field.boxed or rule.field.type is FieldType.TEXT or rule.field.shape or text.count("\n") != self.rows:
            return from_texts(column, rule, decimal=self.file.decimal)
        cells = Cells(text.encode(), columns=1, delimiter=b"\n", decimal=self.file.decimal.encode())
        return from_cells(cells, 0, rule, decimal=self.file.decimal, decode=bytes.decode)

    def texts(self, index: int) -> list[str]:
        return list(self._columns[index])

    def lines(self) -> list[bytes]:
        return [record.rstrip("\r\n").encode() for record in self._records]


def ragged(cells: int, width: int) -> str:
    return f"The row has {cells} cell{'s' if cells != 1 else ''}, the header {width}."


def decoded(text: bytes) -> str:
    """UTF-8, else Windows-1252, else Latin-1, which every byte is."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return text.decode(encoding)
        except UnicodeDecodeError:
            continue
    return text.decode("latin-1")


def utf8(stream: Readable) -> Readable:
    """The stream without its byte order mark, and in UTF-8 if the mark says that it is UTF-16."""
    start = stream.read(3)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _Transcoded(After(start, stream))
    return After(start.removeprefix(codecs.BOM_UTF8), stream)


class After:
    """A stream some of whose bytes were read already."""

    def __init__(self, start: bytes, stream: Readable) -> None:
        self._start, self._rest = start, stream

    def read(self, size: int = -1) -> bytes:
        start, self._start = self._start, b""
        return start + self._rest.read(size)


class _Transcoded:
    """UTF-16 as UTF-8."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-16")()

    def read(self, size: int = -1) -> bytes:
        while True:
            taken = self._stream.read(size)
            try:
                text = self._decoder.decode(taken, final=not taken)
            except UnicodeDecodeError as error:
                raise BadInput(f"The file begins as UTF-16 but is none: {error.reason}. Save it as UTF-8.") from error
            if text or not taken:
                return text.encode("utf-8", "replace")


def sniff_delimiter(lines: Sequence[str], known: Iterable[str] = ()) -> str:
    """The delimiter that gives the most known names, then the most lines alike, then the most cells.

    Under one name alone it is one that does not stand in the lines: `data:image/png;base64,…` is a cell without quotes.
    """
    names = set(known)

    def score(delimiter: str) -> tuple[int, int, int, int]:
        counts = []
        header: list[str] = []
        try:
            for row in csv.reader(lines, delimiter=delimiter):
                header = header or row
                counts.append(len(row))
        except csv.Error:
            return -1, -1, -1, -1
        alike = sum(count == len(header) for count in counts)
        return len(names & {name.strip() for name in header}), alike if len(header) > 1 else 0, len(header), alike

    return max(DELIMITERS, key=score)
