"""ONNX files: those of other tools, whose signature is read off the graph, and those that Flaskship compiled.

X: tensor(float) [None, 3]     ->  fields x0, x1, x2
age: tensor(int64) [None, 1]   ->  field age, an integer
output_probability: seq(map)   ->  a classifier's probabilities (skl2onnx's ZipMap)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from flaskship.artifact import facts
from flaskship.artifact.onnx import graph
from flaskship.artifact.onnx.model import (
    CHUNK,
    DTYPES,
    ERRORS,
    Bindings,
    Input,
    OnnxModel,
    Result,
    Role,
    feeder,
    open_session,
)
from flaskship.artifact.sniff import Sniffed
from flaskship.errors import NotRecognised
from flaskship.schema import Array, Facts, Field, FieldType, Output, Signature, Task

MOST_COLUMNS: Final = 10_000  # of a matrix that becomes fields, or outputs
FEW_OUTPUTS: Final = 64  # columns of a tensor that become outputs by name; more are one output, a list


def load(sniffed: Sniffed) -> OnnxModel:
    """The model in an ONNX file of another tool. Raises `NotRecognised` for one that cannot be served."""
    what = repr(sniffed.path.name)
    try:
        session = open_session(str(sniffed.path))
    except ERRORS as error:
        raise NotRecognised(f"{what} cannot be loaded by ONNX Runtime {ort.__version__}: {error}") from error
    known = graph.read(sniffed.path)
    fields, inputs, batch = _inputs(session.get_inputs(), known.gaps, what)
    signature = Signature(task=Task.MULTIOUTPUT, inputs=tuple(fields))
    tried = _tried(session, inputs, signature, what)
    signature, results = _outputs(session.get_outputs(), tried, known.classes, signature.inputs)
    about = Facts(
        framework="onnx",
        kind=f"ONNX graph ({sniffed.detail})" if sniffed.detail else "ONNX graph",
        version=ort.__version__,
        made_with=dict(sniffed.made_with),
        requirements=facts.pins(["numpy", "onnxruntime"]),
        float32=any(each.dtype in ("float32", "float16") for each in inputs),
    )
    bindings = Bindings(inputs=tuple(inputs), results=tuple(results), batch=batch)
    return OnnxModel(session=session, signature=signature, facts=about, bindings=bindings)


def _inputs(given: Sequence[Any], gaps: bool, what: str) -> tuple[list[Field], list[Input], int]:
    """Fields, how they become the graph's inputs, and how many rows it takes at once."""
    fields: list[Field] = []
    inputs: list[Input] = []
    for each in given:
        if each.type not in DTYPES:
            raise NotRecognised(f"{what} has an input {each.name!r} of type {each.type}, which is not served.")
        rows = each.shape[0] if each.shape else None
        if not each.shape or (isinstance(rows, int) and rows > 1):
            shape = list(each.shape)
            raise NotRecognised(
                f"{what} has an input {each.name!r} of fixed shape {shape}. Export it with a dynamic batch dimension."
            )
        made = _fields(each, gaps, alone=len(given) == 1)
        whole = len(each.shape) != 2 or bool(made[0].shape)
        places = tuple(range(len(fields), len(fields) + len(made)))
        inputs.append(Input(name=each.name, fields=places, dtype=DTYPES[each.type], whole=whole))
        fields += made
    fixed = any(isinstance(each.shape[0], int) for each in given)
    return fields, inputs, 1 if fixed else CHUNK


def _fields(given: Any, gaps: bool, *, alone: bool) -> list[Field]:
    dtype = DTYPES[given.type]
    kind = _type(np.dtype(dtype))
    nullable = gaps and kind is FieldType.NUMBER
    shape = tuple(size if isinstance(size, int) and size > 0 else -1 for size in given.shape[1:])
    own = "" if dtype in ("float64", "int64", "bool", "object") else dtype
    if len(shape) == 1 and 1 <= shape[0] <= MOST_COLUMNS:
        names = [given.name] if shape[0] == 1 else [f"{'x' if alone else given.name + '_'}{i}" for i in range(shape[0])]
        return [Field(name=name, type=kind, dtype=own, nullable=nullable) for name in names]
    return [Field(name=given.name, type=kind, dtype=own, shape=shape)]


def _type(dtype: np.dtype[Any]) -> FieldType:
    kinds = {"f": FieldType.NUMBER, "b": FieldType.BOOLEAN, "O": FieldType.TEXT, "U": FieldType.TEXT}
    return kinds.get(dtype.kind, FieldType.INTEGER)


def _tried(session: Any, inputs: Sequence[Input], signature: Signature, what: str) -> list[Any]:
    """What the graph answers to a row of zeros, which shows shapes that it does not declare."""
    row: dict[str, Array] = {}
    for each in signature.inputs:
        shape = (1, *(max(size, 1) for size in each.shape))
        row[each.name] = (
            np.full(shape, "", object) if each.type is FieldType.TEXT else np.zeros(shape, each.array_dtype)
        )
    try:
        answers: list[Any] = session.run(None, feeder(inputs, signature)(row))
    except ERRORS as error:
        raise NotRecognised(f"{what} does not answer a row of zeros: {' '.join(str(error).split())[:300]}") from error
    return answers


def _outputs(
    declared: Sequence[Any], tried: Sequence[Any], classes: tuple[int | str, ...], fields: tuple[Field, ...]
) -> tuple[Signature, list[Result]]:
    maps = [position for position, each in enumerate(tried) if isinstance(each, list)]
    arrays = {position: each for position, each in enumerate(tried) if isinstance(each, np.ndarray)}
    labels = [position for position, each in arrays.items() if each.dtype.kind in "iUO" and each.size == 1]
    numbers = [position for position, each in arrays.items() if each.dtype.kind == "f"]
    names = [each.name for each in declared]
    if maps and labels:
        return _classifier(names[labels[0]], names[maps[0]], tuple(tried[maps[0]][0]), tried[labels[0]], fields)
    if labels and numbers and len(tried) == 2:
        label, other = tried[labels[0]], tried[numbers[0]]
        if other.ndim == 2 and other.shape[1] == len(classes):
            return _classifier(names[labels[0]], names[numbers[0]], classes, label, fields)
        if names[numbers[0]] == "scores" and not classes:
            return _scored(names[labels[0]], names[numbers[0]], other, fields)
    if labels and len(tried) == 1 and classes:
        return _classifier(names[labels[0]], "", classes, tried[labels[0]], fields)
    return _named(names, arrays, fields)


def _classifier(
    label: str, shares: str, classes: tuple[int | str, ...], tried: Array, fields: tuple[Field, ...]
) -> tuple[Signature, list[Result]]:
    signature = Signature(
        task=Task.CLASSIFICATION,
        inputs=fields,
        outputs=(Output(name="prediction", type=_type(tried.dtype)),),
        classes=classes,
        probabilities=bool(shares),
    )
    results = [Result(name=label, role=Role.VALUE, column=0 if tried.ndim == 2 else None)]
    return signature, [*results, Result(name=shares, role=Role.PROBABILITIES)] if shares else results


def _scored(label: str, score: str, tried: Array, fields: tuple[Field, ...]) -> tuple[Signature, list[Result]]:
    """skl2onnx's outlier detectors and clusterings."""
    outlier = tried.size == 1
    outputs = (Output(name="prediction", type=FieldType.INTEGER),)
    task = Task.OUTLIER if outlier else Task.CLUSTERING
    signature = Signature(task=task, inputs=fields, outputs=outputs, score=outlier)
    results = [Result(name=label, role=Role.VALUE, flat=True)]
    return signature, [*results, Result(name=score, role=Role.SCORE)] if outlier else results


def _named(names: Sequence[str], arrays: dict[int, Array], fields: tuple[Field, ...]) -> tuple[Signature, list[Result]]:
    """Tensors by name; a sole number is a regression, a few columns are outputs by number."""
    if len(arrays) == 1:
        ((position, only),) = arrays.items()
        width = 1 if only.ndim == 1 else only.shape[1]
        if only.ndim <= 2 and 1 <= width <= FEW_OUTPUTS:
            kind = _type(only.dtype)
            called = ["prediction"] if width == 1 else [f"y{column}" for column in range(width)]
            task = Task.MULTIOUTPUT if width > 1 else Task.REGRESSION if kind is FieldType.NUMBER else Task.CLUSTERING
            outputs = tuple(Output(name=name, type=kind) for name in called)
            columns = [None] if only.ndim == 1 else range(width)
            results = [Result(name=names[position], role=Role.VALUE, column=column) for column in columns]
            return Signature(task=task, inputs=fields, outputs=outputs), results
    outputs = tuple(
        Output(name=names[position], type=_type(each.dtype), shape=tuple(each.shape[1:]))
        for position, each in arrays.items()
    )
    return (
        Signature(task=Task.MULTIOUTPUT, inputs=fields, outputs=outputs),
        [Result(name=names[position], role=Role.VALUE) for position in arrays],
    )
