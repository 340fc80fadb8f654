"""Whole columns of values or texts into a field's column, quickly where all is well.

Each function answers the column and its faults: (row, sentence). A faulty row holds some value that is not to be used.
What the quick test of a column doubts is read value by value by the field's rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np

from flaskship.predict.cells import Cells
from flaskship.predict.rules import NUMBER, Rule
from flaskship.schema import TABULAR, Array, FieldType

Faults: TypeAlias = list[tuple[int, str]]
Read: TypeAlias = tuple[Array, Faults]
MISSING = frozenset({"", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "null", "NULL", "None", "<NA>", "#N/A"})  # as pandas
REMEMBERED = 4096  # distinct texts whose value is kept


def from_cells(cells: Cells, index: int, rule: Rule, *, decimal: str, decode: Callable[[bytes], str]) -> Read:
    """A column of plain text cells."""
    if rule.field.boxed or rule.field.type is FieldType.TEXT or rule.field.shape:
        return from_texts([decode(cell) for cell in cells.bytes_of(index)], rule, decimal=decimal)
    found = cells.decimals(index)
    if rule.field.type is FieldType.NUMBER:
        values, fine = found.floats()
    else:
        values, fine = found.integers()
        if rule.field.type is FieldType.BOOLEAN:
            fine = fine & ((values == 0) | (values == 1))
    values = values.astype(rule.dtype, copy=False)
    fine = _others(cells, index, decimal, values, fine) if rule.field.type is FieldType.NUMBER else fine
    if rule.field.nullable:
        values[found.empty] = np.nan
        fine = fine | found.empty
    fine = fine & suits(rule, values)
    if fine.all():
        return values, []
    doubtful = np.flatnonzero(~fine)
    return _amended(values, doubtful, list(map(decode, cells.bytes_of(index, doubtful))), of_cell(rule, decimal))


def _others(cells: Cells, index: int, decimal: str, values: Array, fine: Array) -> Array:
    """Fills in the numbers of other forms, such as 1e-5, and says where there is a finite number now."""
    others = np.flatnonzero(~fine)
    if not len(others):
        return fine
    found = [cell.decode("latin-1") for cell in cells.bytes_of(index, others)]
    if decimal == ",":
        found = [cell.replace(",", ".", 1) if "." not in cell else cell for cell in found]
    matches = NUMBER.fullmatch
    values[others] = [float(cell) if matches(cell) else np.nan for cell in found]
    fine = fine.copy()
    fine[others] = np.isfinite(values[others])
    return fine


def from_texts(texts: Sequence[str], rule: Rule, *, decimal: str = ".") -> Read:
    """A column of texts."""
    return from_values(texts, of_cell(rule, decimal), rule)


def from_values(values: Sequence[Any], read: Callable[[Any], Any], rule: Rule) -> Read:
    """A column of values, each through `read`, which raises `ValueError` with the sentence."""
    found: list[Any] = []
    faults: Faults = []
    count = rule.count()
    for row, value in enumerate(values):
        try:
            found.append(read(value))
            if count:
                count(found[-1])
        except ValueError as error:
            faults.append((row, str(error)))
            found.append(_FILLER.get(rule.field.type) if not rule.field.shape else None)
    if rule.field.boxed:
        return rule.array(found), faults
    if rule.field.shape:
        return _nested(found, faults, rule)
    return np.array(found, dtype=rule.dtype), faults


_FILLER: dict[FieldType, Any] = {
    FieldType.NUMBER: 0.0,
    FieldType.INTEGER: 0,
    FieldType.BOOLEAN: False,
    FieldType.TEXT: "",
}


def _nested(found: list[Any], faults: Faults, rule: Rule) -> Read:
    good = next((value for value in found if value is not None), None)
    if good is None:
        return np.empty((len(found), *(max(size, 0) for size in rule.field.shape)), rule.dtype), faults
    try:
        return rule.array([good if value is None else value for value in found]), faults
    except ValueError as error:
        return np.empty((len(found), *np.shape(good)), rule.dtype), [(row, str(error)) for row in range(len(found))]


def from_array(values: Array, rule: Rule) -> Read:
    """A column of typed values, as Parquet or a tensor has it: shape (rows,), or (rows, *field.shape)."""
    kind = rule.field.type
    if rule.field.boxed or kind is FieldType.TEXT or values.dtype.kind not in "iufb" or rule.field.shape:
        return from_values(values.tolist(), of_value(rule), rule)
    with np.errstate(invalid="ignore"):
        column = values.astype(rule.dtype)
    fine = np.isfinite(values) if values.dtype.kind == "f" else np.ones(len(values), bool)
    if kind is FieldType.INTEGER:
        fine &= (column == values) & (values == np.floor(values))
    elif kind is FieldType.BOOLEAN:
        fine &= (values == 0) | (values == 1)
    if rule.field.nullable and values.dtype.kind == "f":
        fine |= np.isnan(values)
    fine &= suits(rule, column)
    if fine.all():
        return column, []
    doubtful = np.flatnonzero(~fine)
    return _amended(column, doubtful, values[doubtful].tolist(), of_value(rule))


_QUICK: dict[FieldType, frozenset[type]] = {
    FieldType.NUMBER: frozenset({int, float}),
    FieldType.INTEGER: frozenset({int}),
    FieldType.BOOLEAN: frozenset({bool}),
    FieldType.TEXT: frozenset({str}),
}


def from_json(values: Sequence[Any], rule: Rule) -> Read:
    """A column of values as JSON has them, strictly: no text for a number."""
    if rule.field.boxed:
        return from_values(values, rule.of_json, rule)
    kinds = set(map(type, values)) - ({type(None)} if rule.field.nullable else set())
    if rule.field.shape or not kinds <= _QUICK[rule.field.type]:
        return from_values(values, rule.of_json, rule)
    if rule.field.type is FieldType.TEXT:
        if rule.allowed is None or rule.allowed.issuperset({value for value in values if value is not None}):
            return np.array(values, dtype=object), []
        return from_values(values, rule.of_json, rule)
    try:
        column = np.array(values, dtype=rule.dtype)
    except OverflowError:
        return from_values(values, rule.of_json, rule)
    fine = suits(rule, column) & np.isfinite(column)  # NaN is null or NaN
    doubtful = np.flatnonzero(~fine)
    return _amended(column, doubtful, [values[row] for row in doubtful.tolist()], rule.of_json)


def suits(rule: Rule, values: Array) -> Any:
    """Where the values are within the field's bounds and closed choices; null is."""
    fine: Any = True
    if rule.lowest is not None and (rule.field.dtype or values.dtype.kind == "f"):
        fine = ~((values < rule.lowest) | (values > rule.highest))
    if rule.allowed is not None:
        known = np.array([float(each) for each in rule.allowed if each is not None])
        fine = fine & (np.isin(values, known) | (values != values))
    return fine


def _amended(column: Array, doubtful: Array, values: Sequence[Any], read: Callable[[Any], Any]) -> Read:
    faults: Faults = []
    for row, value in zip(doubtful.tolist(), values, strict=True):
        try:
            column[row] = read(value)
        except ValueError as error:
            faults.append((row, str(error)))
    return column, faults


def of_cell(rule: Rule, decimal: str) -> Callable[[str], Any]:
    """Reads a table's cell: missing in the usual words, a comma as the decimal point; remembers distinct texts."""
    field = rule.field
    missing = MISSING - set(map(str, field.choices)) if field.nullable else frozenset[str]()
    comma = decimal == "," and field.type in (FieldType.NUMBER, FieldType.INTEGER) and not field.shape
    memory: dict[str, Any] = {}
    remembered = REMEMBERED if field.type in TABULAR else 0  # no two rows share a list

    def read(text: str) -> Any:
        value = memory.get(text, memory)
        if value is memory:
            if text.strip() in missing:
                value = None
            else:
                value = rule.of_text(text.replace(",", ".", 1) if comma and "." not in text else text)
            if len(memory) < remembered:
                memory[text] = value
        return value

    return read


def of_value(rule: Rule) -> Callable[[Any], Any]:
    """Reads a value of a typed table: NaN is missing, a number may be a text field's, 0 and 1 may be booleans.

    Bytes are text, as some writers of Parquet have it; a decimal number is read by its digits.
    """
    kind = rule.field.type
    if kind not in TABULAR:
        return rule.of_value

    def read(value: Any) -> Any:
        if value is None or value != value or value == "":
            return rule.of_text("") if not rule.field.shape else rule.of_json(None)
        if isinstance(value, bytes | Decimal):
            return rule.of_text(value.decode(errors="replace") if isinstance(value, bytes) else str(value))
        if rule.field.shape or isinstance(value, list | dict):
            return rule.of_json(value)
        if kind is FieldType.TEXT and not isinstance(value, str):
            value = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        if isinstance(value, str):
            return rule.of_text(value)
        if kind is FieldType.BOOLEAN:
            return rule.of_text(str(value))
        return rule.of_json(int(value) if isinstance(value, bool) else value)

    return read
