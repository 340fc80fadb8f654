"""NumPy's dtypes as a pickle makes them: what an array of one takes, and whether one tells the truth about itself.

A dtype is pickled as `dtype('V56', False, True)` with the state `(3, '|', (base, shape), names, fields, 56, 8, flags)`,
where fields is `{name: (dtype, offset)}`. NumPy believes what it says: bytes would become pointers to objects.
"""

from __future__ import annotations

import re
from math import prod

from flaskship.artifact.pickles.symbols import Damaged, Dict, Made

DTYPE = re.compile(r"[<>|=]?([?biufcmMSUVO])(\d*)")
COUNTED, OBJECT_FLAGS = (
    0b1,
    0b11011,
)  # numpy/ndarraytypes.h: counted, pickled as a list, initialised, with Python's interpreter
STATE = 8  # entries, or 9 with those of a datetime


def array_length(shape: object, dtype: object) -> int:
    """Bytes of an array, -1 for one of objects. Raises `Damaged` when they cannot be told."""
    size = _itemsize(dtype)
    if not isinstance(shape, tuple) or size is None:
        raise Damaged("has an array whose length cannot be told")
    for each in shape:
        if not isinstance(each, int) or each < 0:
            raise Damaged("has an array whose shape cannot be told")
        size *= each if size > 0 else 1
    return size


def _itemsize(dtype: object) -> int | None:
    """Of one element: bytes, -1 for objects and what holds them, None where it cannot be told."""
    kind, size = _read(dtype)
    state = dtype.state if isinstance(dtype, Made) else None
    holds = isinstance(state, tuple) and len(state) >= STATE and _flags(state) & COUNTED
    return -1 if kind == "O" or (kind == "V" and holds) else size


def _read(dtype: object) -> tuple[str, int | None]:
    """Kind and bytes of an element, by the text that the dtype was made of."""
    if not isinstance(dtype, Made) or dtype.callee.name != "dtype" or not dtype.args:
        return "", None
    match = DTYPE.fullmatch(dtype.args[0]) if isinstance(dtype.args[0], str) else None
    if match is None:
        return "", None
    kind, digits = match.groups()
    if kind == "O":
        return kind, 8
    if not digits:
        return kind, 1 if kind == "?" else None
    return kind, int(digits) * (4 if kind == "U" else 1)


def _flags(state: tuple[object, ...]) -> int:
    return state[7] if isinstance(state[7], int) else 0


def sound(dtype: Made, state: object) -> bool:
    """Whether `state` fits: parts lie within an element, and where objects are, and only there, the flags say so."""
    kind, size = _read(dtype)
    if size is None or not isinstance(state, tuple) or len(state) < STATE or not isinstance(state[7], int):
        return False
    base, fields = state[2], state[4]
    if not isinstance(base, tuple | None) or not isinstance(fields, Dict | None):
        return False
    if fields and (fields.entries != len(fields.fields) or min(map(len, fields.fields), default=2) < 2):
        return False
    parts: list[tuple[object, object, object]] = [(part, at, ()) for part, at, *_ in (fields.fields if fields else ())]
    if base:
        parts.append((base[0], 0, base[1] if len(base) == 2 else None))
    for part, at, shape in parts:
        inner = _read(part)[1]
        if inner is None or not isinstance(at, int) or not isinstance(shape, tuple):
            return False
        if not all(isinstance(each, int) and each > 0 for each in shape) or not 0 <= at <= size - inner * prod(shape):
            return False
    holds = kind == "O" or any(_itemsize(part) == -1 for part, *_ in parts)
    told = OBJECT_FLAGS if holds else 0
    return state[5] in (-1, size) and _flags(state) & (told or COUNTED) == told
