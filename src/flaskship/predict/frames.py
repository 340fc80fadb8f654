"""Tables for functions that take a pandas DataFrame. Imported only where one does."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import msgspec
import pandas as pd

from flaskship.errors import BadInput, UnsupportedContent
from flaskship.predict import sheets
from flaskship.predict.delimited import DECIMAL_COMMA, decoded, sniff_delimiter
from flaskship.predict.formats import format_of
from flaskship.predict.rules import described
from flaskship.predict.uploads import Upload

SHAPES = 'an array of objects, [{"a": 1}, …], or an object of columns, {"a": [1, …]}'


def of_json(value: Any, name: str) -> pd.DataFrame:
    """Records or columns as a table. Raises `ValueError` with a sentence."""
    if isinstance(value, dict):
        odd = next((key for key, each in value.items() if not isinstance(each, list)), None)
        if odd is not None:
            raise ValueError(f"{name!r} takes {SHAPES}. Its column {odd!r} is {described(value[odd])}.")
        lengths = sorted({len(each) for each in value.values()})
        if len(lengths) > 1:
            raise ValueError(f"{name!r} has columns of {' and '.join(map(str, lengths))} values. Send as many of each.")
        return pd.DataFrame(value)
    if not isinstance(value, list):
        raise ValueError(f"{name!r} takes a table: {SHAPES}. It is {described(value)}.")
    for index, row in enumerate(value):
        if not isinstance(row, dict):
            raise ValueError(f"'{name}[{index}]' takes an object, a row of the table, not {described(row)}.")
    return pd.DataFrame(value)


def of_upload(upload: Upload) -> pd.DataFrame:
    """A CSV, JSON Lines, Parquet or Excel file as pandas reads it. Raises `ValueError`, `UnsupportedContent`."""
    body = bytes(upload.body)
    if not body:
        raise ValueError(f"{upload.name!r} is an empty file. Send a table.")
    format = format_of(upload.filename, body[:64])
    try:
        return _READERS[format](body)
    except ImportError as error:
        raise UnsupportedContent(
            f"Reading {format} files needs a library that is not installed here: pip install 'flaskship[{format}]'"
        ) from error
    except BadInput as error:
        raise ValueError(f"{upload.name!r}: {error.detail}") from error
    except Exception as error:  # the readers' own errors have no common class
        raise ValueError(f"{upload.name!r} is no table that can be read as {format}: {error}.") from error


def _csv(body: bytes) -> pd.DataFrame:
    encoding = "utf-16" if body.startswith((b"\xff\xfe", b"\xfe\xff")) else ""
    text = body.decode(encoding) if encoding else decoded(body.removeprefix(b"\xef\xbb\xbf"))
    delimiter = sniff_delimiter(text[: 2**16].splitlines()[:11])
    comma = delimiter != "," and DECIMAL_COMMA.search(text[: 2**16].encode())
    return pd.read_csv(io.StringIO(text), sep=delimiter, decimal="," if comma else ".")


def _json_lines(body: bytes) -> pd.DataFrame:
    body = body.removeprefix(b"\xef\xbb\xbf")
    is_array = body.lstrip().startswith(b"[")
    return pd.DataFrame(msgspec.json.decode(body) if is_array else msgspec.json.Decoder().decode_lines(body))


def _excel(body: bytes) -> pd.DataFrame:
    sheets.check(body)
    return pd.read_excel(io.BytesIO(body), engine="calamine")


_READERS: dict[str, Callable[[bytes], pd.DataFrame]] = {
    "csv": _csv,
    "jsonl": _json_lines,
    "parquet": lambda body: pd.read_parquet(io.BytesIO(body), engine="pyarrow"),
    "excel": _excel,
}


def records(frame: Any) -> list[dict[str, Any]]:
    """Rows as objects; what is missing is None."""
    known = frame.astype(object).where(frame.notna(), None)
    found: list[dict[str, Any]] = known.to_dict("records")
    return found
