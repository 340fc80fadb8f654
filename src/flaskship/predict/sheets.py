"""How far a spreadsheet reaches, before it is read: calamine keeps every cell up to the last one in memory.

A file of a kilobyte may name a cell in row 1,048,576, and the process would end for want of memory. Told of Excel's
xlsx, and of what all that are ZIP archives unpack to; the last cell of xlsb and ods is not looked for.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable
from functools import partial, reduce

from flaskship.errors import BadInput, TooLarge

CELLS = 2**25  # of a sheet, empty ones between others too: a gigabyte
UNPACKED = 2**30  # bytes of all that is in a file
CELL = re.compile(rb"""<(?:\w+:)?(?:c|row)\b[^<>]*?\br\s*=\s*["']([A-Z]{0,3})([0-9]{1,7})["']""", re.IGNORECASE)
PART = 2**20  # bytes
LONGEST = 2**12  # of a tag


def check(content: bytes) -> None:
    """Raises `TooLarge` for what is not to be read, `BadInput` for an archive that is damaged."""
    if not content.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            if sum(each.file_size for each in file.infolist()) > UNPACKED:
                raise TooLarge(f"The spreadsheet unpacks to more than the {UNPACKED:,} bytes that are read.")
            for name in file.namelist():
                with file.open(name) as stream:
                    rows, columns = _extent(iter(partial(stream.read, PART), b""))
                if rows * columns > CELLS:
                    raise TooLarge(f"A sheet has {rows:,} × {columns:,} cells, and {CELLS:,} are read at most.")
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise BadInput(f"The spreadsheet cannot be read: {error}.") from error


def _extent(parts: Iterable[bytes]) -> tuple[int, int]:
    """The last row and the last column that a sheet's XML names."""
    last, columns, rest = 1, {b"A"}, b""
    for part in parts:
        found = CELL.findall(rest + part)
        columns.update(column.upper() for column, _ in found)
        last = max(last, max((int(row) for _, row in found), default=1))
        rest = part[-LONGEST:]
    widest = max(columns, key=lambda each: (len(each), each))
    return last, reduce(lambda number, letter: number * 26 + letter - 64, widest, 0)
