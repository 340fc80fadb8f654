"""How far a spreadsheet reaches, before it is read: calamine keeps every cell up to the last one in memory.

A file of a kilobyte may name a cell in row 1,048,576, and the process would end for want of memory. Told of xlsx, xlsb
and ods, and of what these, which are ZIP archives, unpack to; an xls ends at row 65,536 and column 256.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial, reduce
from typing import IO

from flaskship.errors import BadInput, TooLarge

CELLS = 2**25  # of a sheet, empty ones between others too: a gigabyte, of ods two
UNPACKED = 2**30  # bytes of all that is in a file
CELL = re.compile(rb"""<(?:\w+:)?(?:c|row)\b[^<>]*?\br\s*=\s*["']([A-Z]{0,3})([0-9]{1,7})["']""", re.IGNORECASE)
REPEATED = re.compile(rb"""table:number-(?:rows|columns)-repeated\s*=\s*["']([0-9]{1,10})["']""")
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
            names = file.namelist()
            reading = _binary if "xl/workbook.bin" in names else _repeated if "content.xml" in names else _named
            for name in names:
                with file.open(name) as stream:
                    rows, columns = reading(stream)
                if rows * columns > CELLS:
                    raise TooLarge(f"A sheet has {rows:,} × {columns:,} cells, and {CELLS:,} are read at most.")
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError, IndexError) as error:
        raise BadInput(f"The spreadsheet cannot be read: {error}.") from error


def _parts(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(partial(stream.read, PART), b"")


def _named(stream: IO[bytes]) -> tuple[int, int]:
    """The last row and the last column that an xlsx sheet's XML names: `<c r="XFD2000">`."""
    last, columns, rest = 1, {b"A"}, b""
    for part in _parts(stream):
        found = CELL.findall(rest + part)
        columns.update(column.upper() for column, _ in found)
        last = max(last, max((int(row) for _, row in found), default=1))
        rest = part[-LONGEST:]
    widest = max(columns, key=lambda each: (len(each), each))
    return last, reduce(lambda number, letter: number * 26 + letter - 64, widest, 0)


def _repeated(stream: IO[bytes]) -> tuple[int, int]:
    """The rows and the columns of an ods file up to its last values; equal ones are written once, with their number.

    LibreOffice ends a sheet with a million empty rows. Of several sheets, all of which calamine keeps, it is the sum of
    rows and the widest.
    """
    rows = widest = waiting = place = repeats = 0
    filled = False  # the row that is being read has a value
    for tag in _tags(stream):
        times = 1
        if b"-repeated" in tag and (found := REPEATED.search(tag)):
            times = int(found[1])
        if tag.startswith((b"table-cell", b"covered-table-cell")):
            place += times
            if b"value" in tag or not tag.partition(b">")[0].endswith(b"/"):
                widest, filled = max(widest, place), True
        elif tag.startswith((b"table-row", b"table ", b"table>")):
            waiting += repeats
            if filled:
                rows, waiting = rows + waiting, 0
            place, filled, repeats = 0, False, times
            if not tag.startswith(b"table-row"):
                waiting = repeats = 0
    return rows + (waiting + repeats if filled else 0), widest


def _tags(stream: IO[bytes]) -> Iterator[bytes]:
    """What follows each `<table:`, up to the next; a long text may lack its middle."""
    rest = b""
    for part in _parts(stream):
        *whole, rest = (rest + part).split(b"<table:")
        yield from whole
        if len(rest) > LONGEST:
            if b">" not in rest[:LONGEST]:
                raise BadInput(f"The spreadsheet cannot be read: it has a tag of more than {LONGEST} bytes.")
            rest = rest[:LONGEST] + rest[-len(b"<table:") :]
    yield rest


def _binary(stream: IO[bytes]) -> tuple[int, int]:
    """The last row and the last column of an xlsb sheet: of its records BrtRowHdr (0) and those of cells (1 to 11).

    A record is its kind, its length, both in seven bits a byte, and its content ([MS-XLSB] 2.1.4).
    """
    rows = columns = 0
    source = io.BufferedReader(stream, PART)  # type: ignore[type-var]  # it reads as a raw one does
    while first := source.read(1):
        kind = first[0] if first[0] < 0x80 else first[0] & 0x7F | source.read(1)[0] << 7
        size = 0
        for shift in (0, 7, 14, 21):
            byte = source.read(1)[0]
            size |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        content = source.read(size)
        if kind < 12 and size >= 4:
            number = int.from_bytes(content[:4], "little") + 1
            rows, columns = (rows, max(columns, number)) if kind else (max(rows, number), columns)
    return rows, columns
