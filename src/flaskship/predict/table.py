"""Tables in and out, some rows at a time, so that memory is bounded whatever the file's size.

    with table.read(path, codec) as rows:                     CSV, JSON Lines, Parquet, Excel, by their first bytes
        out = writers.writer("csv", rows)
        file.write(out.head())
        for chunk, answer in rows.answers(predictor):         Chunk(columns, rows, first, problems), Answer
            file.write(out.rows(chunk, answer))               the input's own text, then prediction, probability_…
        file.write(out.tail())

    table.load(path)        -> {"age": float64, "new_user": bool_, "city": object}, types as the values have them

All problems are found before `BadInput` is raised, at most 100 of them, each as `row 3, column 'age'`, rows counted
from 1 after the header. With `on_error="null"` the bad rows are answered with nulls instead, and told in
`Chunk.problems`.
"""

from __future__ import annotations

import codecs
import importlib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Protocol, Self, TypeAlias

import numpy as np

from flaskship.errors import MAX_PROBLEMS, BadInput, Problem, UnsupportedContent
from flaskship.predict.codec import Codec
from flaskship.predict.columns import Faults, Read
from flaskship.predict.delimited import After, Delimited
from flaskship.predict.formats import format_of
from flaskship.predict.jsonlines import JSONLines
from flaskship.predict.predictor import Refused
from flaskship.predict.rules import Rule, nearest, refused, shortened
from flaskship.schema import LEFT_OUT, Answer, Array, Columns, Field, FieldType, Signature

Source: TypeAlias = Path | bytes | IO[bytes]
OnError: TypeAlias = Literal["refuse", "null"]
READERS = {  # format -> the library it needs, and where it is imported
    "parquet": ("pyarrow", "flaskship.predict.parquet"),
    "excel": ("python_calamine", "flaskship.predict.excel"),
}


class Block(Protocol):
    """Some rows of a table, as its format has them."""

    @property
    def rows(self) -> int: ...

    @property
    def faults(self) -> Faults:
        """Rows that are none: ragged, not an object."""

    def read(self, index: int, rule: Rule) -> Read:
        """The column at `index` of the header, by a field's rule."""

    def texts(self, index: int) -> list[Any]:
        """The column at `index` as it stands: text in CSV, else values."""

    def lines(self) -> list[bytes] | None:
        """The rows' own text; None where the format has none."""


class Reader(Protocol):
    """A table in some format."""

    @property
    def format(self) -> str: ...

    @property
    def header(self) -> list[str]: ...

    def blocks(self) -> Iterator[Block]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Rows `first`, `first` + 1, … of the table; `columns` hold only the good ones of them."""

    columns: Columns
    rows: int
    first: int
    block: Block
    signature: Signature
    good: Array | None = None  # indices of the good rows; None where all are
    problems: tuple[Problem, ...] = ()

    def answer(self, predict: Callable[[Columns], Answer]) -> Answer:
        """What `predict` answers for the good rows; the bad ones get None, or NaN where values are float64."""
        if self.good is None:
            return predict(self.columns)
        answer = predict(self.columns) if len(self.good) else nothing(self.signature)
        return Answer(
            values=tuple(self.spread(each) for each in answer.values),
            probabilities=None if answer.probabilities is None else self.spread(answer.probabilities),
            score=None if answer.score is None else self.spread(answer.score),
        )

    def number(self, row: int) -> int:
        """Which row of the table the good row `row` is, counted from 1."""
        return self.first + (row if self.good is None else int(self.good[row]))

    def spread(self, values: Array) -> Array:
        """Values of the good rows as values of all, with None (NaN in float64) for the bad ones."""
        if self.good is None:
            return values
        shape = (self.rows, *values.shape[1:])
        spread = np.full(shape, np.nan) if values.dtype.kind == "f" else np.full(shape, None, dtype=object)
        spread[self.good] = values
        return spread


class Table:
    """An open table: its `format`, its `header`, and its rows in chunks, once."""

    def __init__(self, reader: Reader, codec: Codec, on_error: OnError, close: Callable[[], None]) -> None:
        self.reader = reader
        self.codec = codec
        self.format = reader.format
        self.header = reader.header
        self.on_error = on_error
        self.problems = 0  # with on_error="null", those met so far
        self.close = close
        _refuse_contents(reader.format, codec)
        self._places = _places(reader.header, codec)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Chunk]:
        """Raises `BadInput` when there is no row, and, unless bad rows answer null, with every problem of the file."""
        first, found = 1, list[Problem]()
        for block in self.reader.blocks():
            chunk = self._chunk(block, first)
            first += block.rows
            found += chunk.problems[: MAX_PROBLEMS - len(found)]
            self.problems += len(chunk.problems)
            if self.on_error == "null" or not found:
                yield chunk
            elif len(found) >= MAX_PROBLEMS:
                break
        if first == 1:
            raise BadInput("The file has no rows after its header.")
        if found and self.on_error == "refuse":
            raise refused(found)

    def answers(self, predict: Callable[[Columns], Answer]) -> Iterator[tuple[Chunk, Answer]]:
        """Each chunk with its answer. A row that a function refuses is a bad row as any. Raises as iterating does."""
        for chunk in self:
            yield chunk, self._answer(chunk, predict)

    def _answer(self, chunk: Chunk, predict: Callable[[Columns], Answer]) -> Answer:
        try:
            return chunk.answer(predict)
        except Refused as error:
            wrong, values = error.rows, error.answer.values[0]
        except BadInput as error:  # of a sole row
            wrong, values = {0: error}, np.full(1, None, object)
        if self.on_error == "refuse":
            raise refused([each for row, error in wrong.items() for each in _said(chunk.number(row), error)])
        self.problems += len(wrong)
        return Answer(values=(chunk.spread(values),))

    def _chunk(self, block: Block, first: int) -> Chunk:
        columns: Columns = {}
        bad = {row for row, _ in block.faults}
        problems = [(row, Problem(f"row {first + row}", text)) for row, text in block.faults]
        for rule, index in self._places:
            if index is None:
                columns[rule.name] = rule.array([LEFT_OUT] * block.rows)
                continue
            columns[rule.name], faults = block.read(index, rule)
            for row, text in faults:
                if row not in bad:
                    problems.append((row, Problem(f"row {first + row}, column {rule.name!r}", text)))
        chunk = Chunk(columns=columns, rows=block.rows, first=first, block=block, signature=self.codec.signature)
        if not problems:
            return chunk
        problems.sort(key=lambda each: each[0])
        good = np.setdiff1d(np.arange(block.rows), [row for row, _ in problems])
        columns = {name: column[good] for name, column in columns.items()}
        return replace(chunk, columns=columns, good=good, problems=tuple(problem for _, problem in problems))


def _said(row: int, error: BadInput) -> list[Problem]:
    """What a function says of a row."""
    return [Problem(f"row {row}, {each.at}", each.message) for each in error.problems] or [
        Problem(f"row {row}", error.detail)
    ]


def nothing(signature: Signature) -> Answer:
    """An answer for no rows."""
    return Answer(
        values=tuple(np.empty((0, *(max(size, 0) for size in each.shape)), object) for each in signature.outputs),
        probabilities=np.empty((0, len(signature.classes))) if signature.probabilities else None,
        score=np.empty(0) if signature.score else None,
    )


def read(source: Source, codec: Codec, *, name: str = "", format: str = "", on_error: OnError = "refuse") -> Table:
    """The table in a file, in bytes or in a stream, whose columns are read by the fields of `codec`.

    `format` is `csv`, `jsonl`, `parquet` or `excel`; where it is not given the first bytes tell, then the ending of
    `name`. Raises `BadInput` for a missing column or header, `UnsupportedContent` where a library is missing.
    """
    stream, close = _opened(source)
    try:
        reader = _reader(stream, name or getattr(source, "name", ""), format, codec.signature.names)
        return Table(reader, codec, on_error, close)
    except BaseException:  # whatever it is goes on up: nobody else has the file yet, to close it
        close()
        raise


def load(path: Path, *, format: str = "") -> Columns:
    """All columns of a file as their values have them: float64, bool_, or object holding `str` and None.

    Missing values are NaN and None; a column of true and false with missing ones is float64.
    """
    stream, close = _opened(path)
    try:
        reader = _reader(stream, path.name, format, ())
        blocks = list(reader.blocks())
        return {name: _typed(blocks, index) for index, name in enumerate(reader.header)}
    finally:
        close()


def _typed(blocks: list[Block], index: int) -> Array:
    """The first type that all values have."""
    for kind in (FieldType.NUMBER, FieldType.BOOLEAN):
        rule = Rule(Field(name="", type=kind, nullable=True))
        parts = []
        for block in blocks:
            column, faults = block.read(index, rule)
            if faults:
                break
            parts.append(column)
        else:
            column = np.concatenate(parts) if parts else np.empty(0)
            return column.astype(bool) if kind is FieldType.BOOLEAN and not np.isnan(column).any() else column
    rule = Rule(Field(name="", type=FieldType.TEXT, nullable=True))
    return np.concatenate([block.read(index, rule)[0] for block in blocks])


def _opened(source: Source) -> tuple[IO[bytes], Callable[[], None]]:
    if isinstance(source, Path):
        stream = source.open("rb")
        return stream, stream.close
    return (io.BytesIO(source) if isinstance(source, bytes) else source), lambda: None


def _reader(stream: IO[bytes], name: str, format: str, known: tuple[str, ...]) -> Reader:
    start = stream.read(64)
    format = format or format_of(str(name), start)
    if format == "csv":
        if b"\0" in start and not start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise UnsupportedContent("The file is no table: it is no text. Send CSV, JSON Lines, Parquet or Excel.")
        return Delimited(After(start, stream), known)
    if format == "jsonl":
        return JSONLines(After(start, stream))
    if format not in READERS:
        raise UnsupportedContent(f"No reader for {format!r}. There are: csv, jsonl, {', '.join(READERS)}.")
    library, module = READERS[format]
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UnsupportedContent(
            f"Reading {format} files needs {library.replace('_', '-')}, which is not installed here: "
            f"pip install 'flaskship[{format}]'"
        ) from error
    if stream.seekable():
        stream.seek(-len(start), io.SEEK_CUR)
    else:
        stream = io.BytesIO(start + stream.read())
    reader: Reader = loaded.Reader(stream)
    return reader


def _refuse_contents(format: str, codec: Codec) -> None:
    """Raises `BadInput` where a field of the function fits in no cell."""
    codec.refuse_files()
    if not codec.rules:
        raise BadInput("The function takes no arguments, so that a file has nothing for it. Use GET or POST /predict.")
    for field in codec.signature.inputs:
        if field.type is FieldType.TABLE and format != "jsonl":
            raise BadInput(f"{field.name!r} takes a table, which no cell of a {format} file can hold. Send JSON Lines.")


def _places(header: list[str], codec: Codec) -> list[tuple[Rule, int | None]]:
    """Where each field's column is, None where it may be left out and is.

    Raises `BadInput` naming those that are missing or there twice.
    """
    problems = []
    counts = Counter(header)
    for rule in codec.rules:
        times = counts[rule.name]
        if times > 1:
            problems.append(Problem("header", f"There are {times} columns {rule.name!r}. Keep one."))
        elif not times and rule.field.required:
            free = [name for name in header if name not in codec.rows.known]
            hint = nearest(rule.name, free) or f" There are {', '.join(map(shortened, header[:12]))}."
            problems.append(Problem("header", f"Column {rule.name!r} is missing.{hint}"))
    if problems:
        raise refused(problems)
    places = {name: index for index, name in enumerate(header)}
    return [(rule, places.get(rule.name)) for rule in codec.rules]
