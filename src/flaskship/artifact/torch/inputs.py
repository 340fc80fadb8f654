"""What a program takes: from what it says, from example rows, or else from its first layer; and as fields.

x: float32 [rows, 3]             ->  fields x0, x1, x2
image: float32 [rows, 3, h, w]   ->  field image, of shape (3, -1, -1)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np
import torch

from flaskship.artifact.columns.column import unnamed
from flaskship.artifact.torch.program import ERRORS, Given, Program
from flaskship.errors import NotRecognised, UsageError
from flaskship.schema import Array, Columns, Field, FieldType, Limits, Signature

MOST_COLUMNS: Final = 10_000  # of a matrix that becomes fields
USUAL: Final = 32  # values in a dimension that varies, where nothing says more
SHAPE: Final = re.compile(r"((?P<name>\w+)=)?(?P<sizes>(any|[1-9]\d*)(,(any|[1-9]\d*))*)(:(?P<dtype>\w+))?")
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


Rows: TypeAlias = tuple[Array | None, Sequence[str]]  # examples of them; shapes of each input, as the setting has them
UNTOLD: Final[Rows] = (None, ())


def of(program: Program, rows: Rows, known: Signature | None, what: str) -> tuple[Given, ...]:
    """What each input is; `known` is what was found out when its bundle was made.

    Raises `NotRecognised` naming what to give where none of them tells.
    """
    if program.given is not None:
        return program.given
    if known is not None:
        return tuple(_as_known(program.names, known))
    like, shapes = rows
    if shapes:
        return _as_told(program.names, shapes, what)
    if len(program.names) == 1:
        name = program.names[0]
        if like is not None:
            return (_as_sample(name, like, what),)
        if found := next(_guessed(program, name), None):
            return (found,)
    several = f" as {', '.join(map(repr, program.names))}" if len(program.names) > 1 else ""
    sample = (
        "" if several else " Or give rows: --sample FILE, a table of its columns, or an array that numpy.save wrote."
    )
    flags = " ".join(f"--shape {name}=SIZES" for name in program.names)
    raise NotRecognised(
        f"{what} does not say what shapes it takes{several}. Say what a row of it is: {flags}, such as 3,224,224 or"
        f" any:int64.{sample}"
    )


def _as_told(names: Sequence[str], shapes: Sequence[str], what: str) -> tuple[Given, ...]:
    found = dict[str, Given]()
    for text in shapes:
        match = SHAPE.fullmatch(text)
        name = (match["name"] or names[0]) if match else ""
        if match is None or name not in names or (match["dtype"] or "float32") not in TORCH:
            raise UsageError(
                f"{text!r} is no shape of an input of {what}, which takes {', '.join(names)}. Write --shape"
                f" {names[0]}=3,224,224, or {names[0]}=any:int64, with one of {', '.join(TORCH)}."
            )
        shape = tuple(-1 if size == "any" else int(size) for size in match["sizes"].split(","))
        usual = tuple(USUAL if size < 0 else size for size in shape)
        found[name] = Given(name=name, dtype=TORCH[match["dtype"] or "float32"], shape=shape, usual=usual)
    if missing := [name for name in names if name not in found]:
        raise UsageError(f"{what} takes {', '.join(names)}: say --shape {missing[0]}=SIZES too.")
    return tuple(found[name] for name in names)


def _as_sample(name: str, like: Array, what: str) -> Given:
    made = torch.from_numpy(like[:1]).dtype if like.dtype.kind in "fiub" else None
    if made is None or made not in DTYPES or like.ndim < 2:
        raise UsageError(f"The sample for {what} is {like.dtype} of shape {list(like.shape)}; rows of numbers are due.")
    kind = torch.float32 if made.is_floating_point else made
    return Given(name=name, dtype=kind, shape=like.shape[1:], usual=like.shape[1:])


def _as_known(names: Sequence[str], known: Signature) -> Iterator[Given]:
    """A field is a tensor, or with those after it a matrix; alone, a matrix may have names of a sample."""
    left = list(known.inputs)
    for name in names:
        columns = [left.pop(0)]
        while left and not columns[0].shape and (len(names) == 1 or left[0].name == f"{name}_{len(columns)}"):
            columns.append(left.pop(0))
        first = columns[0]
        shape = first.shape or (len(columns),)
        yield Given(name=name, dtype=TORCH[first.dtype], shape=shape, usual=first.usual or shape)


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
        if _answers(program, weights, usual):
            larger = (channels, *(size + USUAL for size in usual[1:]))
            varies = len(usual) > 1 and _answers(program, weights, larger)
            shape = (channels, *[-1] * (weights.ndim - 2)) if varies else usual
            yield Given(name=name, dtype=weights.dtype, shape=shape, usual=usual)


def _answers(program: Program, weights: torch.Tensor, usual: tuple[int, ...]) -> bool:
    """Whether it answers rows of zeros of this shape, each by itself."""
    try:
        answers = program([torch.zeros(ROWS, *usual, dtype=weights.dtype, device=weights.device)])
    except ERRORS:
        return False
    return bool(answers) and all(each.ndim and len(each) == ROWS for _, each in answers)


def placed(program: Program, given: tuple[Given, ...]) -> tuple[Given, ...]:
    """With the spans of whole numbers that are places in a table of weights, as of words: others it cannot answer.

    On a card that is not tried: one wrong place would be the end of the process.
    """
    tables = [each for each in program.weights if each.ndim == 2]
    if any(each.device.type != "cpu" for each in tables):
        return given
    sizes = sorted({len(each) for each in tables})
    return tuple(replace(each, span=each.span or _places(program, given, each, sizes)) for each in given)


def _places(program: Program, given: Sequence[Given], of: Given, sizes: Sequence[int]) -> tuple[float, float] | None:
    """The first and the last place in the table that `of` is for; None where it is for none."""
    if of.dtype not in (torch.int32, torch.int64):
        return None
    ends = (size - 1 for size in sizes if not _takes(program, given, of, size) and _takes(program, given, of, size - 1))
    last = next(ends, None)
    return None if last is None else (0.0, float(last))


def _takes(program: Program, given: Sequence[Given], of: Given, value: int) -> bool:
    """Whether it answers rows of zeros, those of one input of that value."""
    rows = 1 if program.alone else ROWS
    try:
        program([torch.full((rows, *each.usual), value if each is of else 0, dtype=each.dtype) for each in given])
    except ERRORS:
        return False
    return True


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
    limits = Limits(ge=low, le=high) if kind is FieldType.INTEGER else Limits()
    made = Field(name=given.name, type=kind, dtype=dtype, shape=given.shape, usual=usual, low=low, high=high)
    return [replace(made, limits=limits)]


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
