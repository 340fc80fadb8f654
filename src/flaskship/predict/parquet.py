"""Parquet, in and out, with pyarrow, which streams both ways.

arro3 is a fifth of its size, but aborts the whole process on some damaged files; duckdb reads from disk only.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from flaskship.errors import BadInput
from flaskship.predict.columns import Faults, Read, from_array, from_values, of_value
from flaskship.predict.rules import Rule

ROWS = 65_536


class Reader:
    format = "parquet"

    def __init__(self, stream: IO[bytes]) -> None:
        try:
            self._file = pq.ParquetFile(stream)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise BadInput(f"The Parquet file cannot be read: {error}.") from error
        self.header = list(self._file.schema_arrow.names)

    def blocks(self) -> Iterator[Batch]:
        try:
            for batch in self._file.iter_batches(ROWS):
                yield Batch(batch)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise BadInput(f"The Parquet file is damaged: {error}.") from error


class Batch:
    """Rows as Arrow has them."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.rows = batch.num_rows
        self.faults: Faults = []
        self._batch = batch

    def read(self, index: int, rule: Rule) -> Read:
        column = self._batch.column(index)
        kind = column.type
        if (
            pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or (pa.types.is_boolean(kind) and not column.null_count)
        ):
            return from_array(np.asarray(column.to_numpy(zero_copy_only=False)), rule)
        return from_values(_values(column), of_value(rule), rule)

    def texts(self, index: int) -> list[Any]:
        return _values(self._batch.column(index))

    def lines(self) -> None:
        """There is no delimited text."""


def _values(column: pa.Array) -> list[Any]:
    try:
        found: list[Any] = column.to_pylist()
    except ValueError:  # Python's own times have no nanoseconds; pandas' have, where it is installed
        found = column.cast(pa.string()).to_pylist()
    return found


class Output:
    """Rows as Parquet bytes, as far as they are known."""

    def __init__(self) -> None:
        self._sink = _Drained()
        self._writer: pq.ParquetWriter | None = None

    def rows(self, columns: dict[str, Any]) -> bytes:
        """One row group; the first one's types hold for all."""
        table = pa.table({name: _array(values) for name, values in columns.items()})
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._sink, table.schema)
        self._writer.write_table(table.cast(self._writer.schema))
        return self._sink.taken()

    def tail(self) -> bytes:
        if self._writer is not None:
            self._writer.close()
        return self._sink.taken()


class _Drained(io.RawIOBase):
    """A file whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._parts.append(bytes(content))
        return len(content)

    def taken(self) -> bytes:
        content = b"".join(self._parts)
        self._parts.clear()
        return content


def _array(values: Any) -> pa.Array:
    if isinstance(values, np.ndarray) and values.ndim > 1:
        values = values.tolist()
    array = pa.array(values)
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array
