"""Excel and OpenDocument sheets (xlsx, xls, xlsb, ods), with python-calamine: the first sheet of the file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, Any

import python_calamine

from flaskship.errors import BadInput
from flaskship.predict import sheets
from flaskship.predict.columns import Faults, Read, from_values, of_value
from flaskship.predict.rules import Rule

ROWS = 8192


class Reader:
    format = "excel"

    def __init__(self, stream: IO[bytes]) -> None:
        content = stream.read()
        sheets.check(content)
        try:
            sheet = python_calamine.load_workbook(io.BytesIO(content)).get_sheet_by_index(0)
        except (python_calamine.CalamineError, OSError, ValueError, IndexError) as error:
            raise BadInput(f"The spreadsheet cannot be read: {error}.") from error
        rows = [row for row in sheet.to_python() if any(cell != "" for cell in row)]
        if not rows:
            raise BadInput("The first sheet is empty. Begin with the columns' names.")
        self.header = [_name(cell) for cell in rows[0]]
        if all(isinstance(cell, float | int) for cell in rows[0]):
            raise BadInput("The header is missing: the first row holds numbers only. Begin with the columns' names.")
        self._rows = rows[1:]

    def blocks(self) -> Iterator[Cells]:
        for start in range(0, len(self._rows), ROWS):
            yield Cells(self._rows[start : start + ROWS])


class Cells:
    """Rows of a sheet; an empty cell is empty text."""

    def __init__(self, rows: list[list[Any]]) -> None:
        self.rows = len(rows)
        self.faults: Faults = []
        self._columns = list(zip(*rows, strict=True))

    def read(self, index: int, rule: Rule) -> Read:
        return from_values(self._columns[index], of_value(rule), rule)

    def texts(self, index: int) -> list[Any]:
        return [_plain(cell) for cell in self._columns[index]]

    def lines(self) -> None:
        """There is no delimited text."""


def _name(cell: Any) -> str:
    return str(_plain(cell) if cell != "" else "").strip()


def _plain(cell: Any) -> Any:
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    return cell if isinstance(cell, str | int | float | bool) else str(cell)
