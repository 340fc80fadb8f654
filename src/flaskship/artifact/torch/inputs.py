"""What a program takes: from what it says, from example rows, or else from its first layer; and as fields.

x: float32 [rows, 3]             ->  fields x0, x1, x2
image: float32 [rows, 3, h, w]   ->  field image, of shape (3, -1, -1)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import torch

from flaskship.artifact.columns.column import unnamed
from flaskship.artifact.torch.program import ERRORS, Given, Program
from flaskship.errors import NotRecognised, UsageError
from flaskship.schema import Array, Columns, Field, FieldType, Signature

MOST_COLUMNS: Final = 10_000  # of a matrix that becomes fields
SIDES: Final = (32, 64, 28, 128, 224, 256)  # pixels, tried on a net of pictures
ROWS: Final = 3  # with which a guess is tried
DTYPES: Final = {
    torch.float32: "float32", torch.float64: "float64", torch.float16: "float32", torch.bfloat16: "float32",
    torch.int64: "int64", torch.int32: "int32", torch.int16: "int16", torch.int8: "int8", torch.uint8: "uint8",
    torch.bool: "bool",
}  # fmt: skip  # as the columns' values become before they are tensors
TORCH: Final = {"float32": torch.float32, "float64": torch.float64} | {
    name: made for made, name in DTYPES.items() if not made.is_floating_point
}


def of(program: Program, like: Array | None, known: Signature | None, what: str) -> tuple[Given, ...]:
    """What each input is. `like` are example rows; `known` is what was found out when its bundle was made.

    Raises `NotRecognised` naming what to give where none of them tells.
    """
    if program.given is not None:
        return program.given
    if known is not None:
        return _as_known(program.names, known)
    if len(program.names) == 1:
        name = program.names[0]
        if like is not None:
            return (_as_sample(name, like, what),)
        if found := next(_guessed(program, name), None):
            return (found,)
    raise NotRecognised(
        f"{what} does not say what shapes it takes"
        + (f" as {', '.join(map(repr, program.names))}. Save it with torch.export" if len(program.names) > 1 else "")
        + ". Give rows that it answers: --sample FILE, a table of its columns, or an array that numpy.save wrote."
    )


def _as_sample(name: str, like: Array, what: str) -> Given:
    made = torch.from_numpy(like[:1]).dtype if like.dtype.kind in "fiub" else None
    if made is None or made not in DTYPES or like.ndim < 2:
        raise UsageError(f"The sample for {what} is {like.dtype} of shape {list(like.shape)}; rows of numbers are due.")
    kind = torch.float32 if made.is_floating_point else made
    return Given(name=name, dtype=kind, shape=like.shape[1:], usual=like.shape[1:])


def _as_known(names: Sequence[str], known: Signature) -> tuple[Given, ...]:
    first = known.inputs[0]
    kind = TORCH[first.dtype]
    if len(names) == 1 and not first.shape:
        width = (len(known.inputs),)
        return (Given(name=names[0], dtype=kind, shape=width, usual=width),)
    return tuple(
        Given(name=name, dtype=TORCH[field.dtype], shape=field.shape, usual=field.usual or field.shape)
        for name, field in zip(names, known.inputs, strict=True)
    )


def _guessed(program: Program, name: str) -> Iterator[Given]:
    """By the first layer's weights, where rows of zeros are answered, each by itself."""
    weights = next((each for each in program.weights if each.ndim >= 2), None)
    if weights is None or not weights.is_floating_point():
        return
    channels = int(weights.shape[1])
    shapes: list[tuple[int, ...]] = [(channels,)]
    if weights.ndim > 2:
        shapes = [(channels, *[side] * (weights.ndim - 2)) for side in SIDES]
    for usual in shapes:
        try:
            answers = program([torch.zeros(ROWS, *usual, dtype=weights.dtype, device=weights.device)])
        except ERRORS:
            continue
        if answers and all(each.ndim and len(each) == ROWS for _, each in answers):
            shape = usual if len(usual) == 1 else (channels, *[-1] * (weights.ndim - 2))
            yield Given(name=name, dtype=weights.dtype, shape=shape, usual=usual)


def fields(given: Sequence[Given]) -> tuple[Field, ...]:
    """A field for each column of a matrix, and for each other tensor."""
    return tuple(field for each in given for field in _fields(each, alone=len(given) == 1))


def is_matrix(given: Given) -> bool:
    """Whether its columns are fields of their own."""
    return len(given.shape) == 1 and 1 <= given.shape[0] <= MOST_COLUMNS and given.dtype.is_floating_point


def _fields(given: Given, *, alone: bool) -> list[Field]:
    dtype = DTYPES.get(given.dtype)
    low, high = given.span or (None, None)
    if dtype is None:
        raise NotRecognised(f"The input {given.name!r} is of type {given.dtype}, which is not served.")
    if is_matrix(given):
        width = given.shape[0]
        names = unnamed(width) if alone else [given.name] if width == 1 else [f"{given.name}_{i}" for i in range(width)]
        return [Field(name=name, dtype=dtype, low=low, high=high) for name in names]
    kind = {"f": FieldType.NUMBER, "b": FieldType.BOOLEAN}.get(np.dtype(dtype).kind, FieldType.INTEGER)
    usual = given.usual if -1 in given.shape else ()
    return [Field(name=given.name, type=kind, dtype=dtype, shape=given.shape, usual=usual, low=low, high=high)]


def tensors(given: Sequence[Given], names: Sequence[str], columns: Columns, device: str) -> list[torch.Tensor]:
    """The program's inputs, of the columns with these names."""
    made, start = [], 0
    for each in given:
        width = each.shape[0] if is_matrix(each) else 1
        made.append(_tensor(each, [columns[name] for name in names[start : start + width]], device))
        start += width
    return made


def _tensor(given: Given, columns: Sequence[Array], device: str) -> torch.Tensor:
    dtype = np.dtype(DTYPES[given.dtype])
    if is_matrix(given):
        values = np.empty((len(columns[0]), len(columns)), dtype)
        for place, column in enumerate(columns):
            values[:, place] = column
    else:
        values = np.ascontiguousarray(columns[0], dtype)
        if not values.flags.writeable:
            values = values.copy()
    return torch.from_numpy(values).to(device, given.dtype)
