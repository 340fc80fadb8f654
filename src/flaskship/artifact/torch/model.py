"""A program under a signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType
from typing import Final

import numpy as np
import torch

from flaskship.artifact.torch import inputs
from flaskship.artifact.torch.program import DEVICE, ERRORS, Given, Named, Program
from flaskship.errors import NotRecognised, PredictionFailed
from flaskship.schema import Answer, Array, Columns, Facts, Field, FieldType, Output, Signature, Task

CHUNK: Final = 1 << 22  # values put through at once: bounds memory
MOST_ROWS: Final = 16_384  # likewise
FEW_OUTPUTS: Final = 64  # columns of a tensor that become outputs by name; more are one output, a list


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Where an output comes from: a tensor by its place, or one column of it."""

    place: int
    column: int | None = None
    flat: bool = False  # [rows, 1] that is wanted as [rows]


@dataclass(slots=True, kw_only=True)
class TorchModel:
    """Rows are put through in inference mode, as many at once as memory is meant for."""

    program: Program
    given: tuple[Given, ...]
    results: tuple[Result, ...]
    signature: Signature
    facts: Facts
    thresholds: Mapping[str, Array] = field(default_factory=lambda: MappingProxyType({}))
    batch: int = field(init=False)

    def __post_init__(self) -> None:
        values = sum(prod(each.usual) for each in self.given)
        self.batch = 1 if self.program.alone else max(1, min(MOST_ROWS, CHUNK // max(1, values)))

    @property
    def native(self) -> TorchModel:
        """For the converter: the program, with what it takes and answers."""
        return self

    def predict(self, columns: Columns) -> Answer:
        """Raises `PredictionFailed` where the program does not take these values."""
        names = self.signature.names
        rows = len(columns[names[0]])
        if rows <= self.batch:
            return self._answer(self._run(columns))
        starts = range(0, rows, self.batch)
        parts = [self._run({name: columns[name][at : at + self.batch] for name in names}) for at in starts]
        return self._answer([np.concatenate(pieces) for pieces in zip(*parts, strict=True)])

    def raw(self, columns: Columns) -> list[Array]:
        """The tensors that the program answers these rows, at most `batch` of them."""
        return self._run({name: column[: self.batch] for name, column in columns.items()})

    def _run(self, columns: Columns) -> list[Array]:
        try:
            given = inputs.tensors(self.given, self.signature.names, columns, DEVICE)
            return [_array(each) for _, each in self.program(given)]
        except ERRORS as error:
            raise PredictionFailed(f"torch: {' '.join(str(error).split())[-300:]}") from error

    def _answer(self, arrays: Sequence[Array]) -> Answer:
        return Answer(values=tuple(_taken(arrays[each.place], each) for each in self.results))


def _array(tensor: torch.Tensor) -> Array:
    """float64, int64 or bool_, as an answer has it."""
    if tensor.is_floating_point():
        tensor = tensor.to("cpu", torch.float64)
    found: Array = tensor.cpu().numpy()
    return found if found.dtype in (np.float64, np.bool_) else found.astype(np.int64, copy=False)


def _taken(values: Array, result: Result) -> Array:
    if result.column is not None:
        return values[:, result.column]
    return values.reshape(-1) if result.flat else values


def outputs(
    program: Program, given: Sequence[Given], fields: tuple[Field, ...], what: str
) -> tuple[Signature, tuple[Result, ...]]:
    """The signature, by what the program answers to rows of zeros. Raises `NotRecognised`."""
    rows = 1 if program.alone else 2
    zeros = [torch.zeros(rows, *each.usual, dtype=each.dtype, device=DEVICE) for each in given]
    try:
        answers = program(zeros)
    except ERRORS as error:
        reason = " ".join(str(error).split())[-300:]
        raise NotRecognised(f"{what} does not answer rows of zeros of its shape: {reason}") from error
    if not answers:
        raise NotRecognised(f"{what} answers no tensor.")
    for name, each in answers:
        if not each.ndim or len(each) != rows:
            called = repr(name) if name else "its answer"
            raise NotRecognised(
                f"{what} was given {rows} rows, and {called} has shape {list(each.shape)}. Each row needs its own"
                " answer."
            )
    varies = any(-1 in each.shape for each in given)
    return _named([(name, _array(each)) for name, each in answers], fields, varies=varies)


def _named(
    answers: Sequence[tuple[str, Array]], fields: tuple[Field, ...], *, varies: bool
) -> tuple[Signature, tuple[Result, ...]]:
    """A sole number a row is a regression; a few columns are outputs by number; else arrays by name."""
    if len(answers) == 1:
        only = answers[0][1]
        width = 1 if only.ndim == 1 else only.shape[1]
        if only.ndim <= 2 and 1 <= width <= FEW_OUTPUTS:
            kind = _type(only)
            names = ["prediction"] if width == 1 else [f"y{column}" for column in range(width)]
            task = Task.MULTIOUTPUT if width > 1 else Task.REGRESSION if kind is FieldType.NUMBER else Task.CLUSTERING
            found = tuple(Result(place=0, column=None if width == 1 else at, flat=width == 1) for at in range(width))
            outputs = tuple(Output(name=name, type=kind) for name in names)
            return Signature(task=task, inputs=fields, outputs=outputs), found
    arrays = tuple(
        Output(name=name or "y", type=_type(each), shape=tuple(-1 if varies else size for size in each.shape[1:]))
        for name, each in answers
    )
    return (
        Signature(task=Task.MULTIOUTPUT, inputs=fields, outputs=arrays),
        tuple(Result(place=place) for place in range(len(answers))),
    )


def _type(values: Array) -> FieldType:
    return {"f": FieldType.NUMBER, "b": FieldType.BOOLEAN}.get(values.dtype.kind, FieldType.INTEGER)


def mixes_rows(model: TorchModel) -> bool:
    """Whether a row's answer depends on the rows that it is put through with, as that of a recurrent net's steps."""
    if model.program.alone:
        return False
    random = torch.Generator().manual_seed(0)
    drawn = [torch.randn(3, *each.usual, generator=random) for each in model.given]
    rows = [
        value.to(DEVICE, each.dtype) if each.dtype.is_floating_point else torch.zeros_like(value).to(DEVICE, each.dtype)
        for value, each in zip(drawn, model.given, strict=True)
    ]
    try:
        together = model.program(rows)
        alone = [model.program([each[at : at + 1] for each in rows]) for at in range(3)]
    except ERRORS:
        return True
    return any(not _close(name, whole, alone) for name, whole in together)


def _close(name: str, whole: torch.Tensor, alone: Sequence[Named]) -> bool:
    parts = torch.cat([dict(each)[name] for each in alone])
    return parts.shape == whole.shape and bool(torch.allclose(parts.double(), whole.double(), rtol=1e-3, atol=1e-4))
