"""Tensors of the Open Inference Protocol, to columns and from answers.

Bytes are little-endian, row-major, without padding; BOOL is one byte, a BYTES element its uint32 length and its bytes.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any, Self

import msgspec
import numpy as np

from flaskship.errors import BadInput, PredictionFailed, Problem
from flaskship.predict.answers import label, plain
from flaskship.predict.arguments import NOUNS_OF_ARGUMENTS
from flaskship.predict.codec import Codec
from flaskship.predict.columns import from_array, from_values
from flaskship.predict.rules import Rule, nearest, refused
from flaskship.schema import LEFT_OUT, Answer, AnswerType, Array, Columns, Field, FieldType, Signature, Task
from flaskship.web.subject import Subject

DTYPES = {"BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}
DTYPES |= {f"INT{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)}
DTYPES |= {f"UINT{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)}
DATATYPES = {
    FieldType.NUMBER: "FP64",
    FieldType.INTEGER: "INT64",
    FieldType.BOOLEAN: "BOOL",
    FieldType.TEXT: "BYTES",
    FieldType.DATE: "BYTES",
    FieldType.DATETIME: "BYTES",
    FieldType.TIME: "BYTES",
    FieldType.ARRAY: "FP64",
}
KINDS = {"i": "INT64", "f": "FP64", "b": "BOOL"}
NAMES = {np.dtype(dtype).name: name for name, dtype in DTYPES.items()}


def unfit(signature: Signature) -> str:
    """Why a function cannot be asked with tensors; nothing where it can."""
    if not signature.inputs:
        return "The function takes no arguments, so that a tensor has nothing for it. Use GET or POST /predict."
    odd = next((each for each in signature.inputs if each.type not in DATATYPES), None)
    if odd is not None:
        return f"{odd.name!r} takes {NOUNS_OF_ARGUMENTS[odd.type]}, which is no tensor. Use POST /predict."
    if signature.answers is AnswerType.STREAM:
        return "The function answers as a stream, which is no tensor. Use POST /predict."
    return ""


def check(signature: Signature) -> None:
    """Raises `BadInput` where tensors cannot say what the function takes or answers."""
    if why := unfit(signature):
        raise BadInput(why)


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input: values of shape `shape`, of the dtype that `datatype` says; BYTES is object, of `str`."""

    name: str
    datatype: str
    values: Array

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> Self:
        name, datatype, shape = _head(told)
        if not isinstance(told.get("data"), list):
            raise BadInput(f"Input {name!r} has no 'data'. Send an array, flat or nested.")
        flat = _flat(told["data"])
        _check_size(name, len(flat), shape)
        kinds = set(map(type, flat))
        wanted = _types(datatype)
        if kinds <= wanted and datatype != "BYTES":
            values = _array(flat, datatype, name)
        elif kinds <= {*wanted, type(None)} or (datatype[:2] != "FP" and kinds <= {*wanted, type(None), float}):
            values = np.array([*flat, None], dtype=object)[:-1]  # nulls, or 1.0 for an integer: the field decides
        else:
            odd = next(each for each in flat if type(each) not in wanted and each is not None)
            raise BadInput(f"Input {name!r} is {datatype} and holds {type(odd).__name__} {str(odd)[:40]!r}.")
        return cls(name, datatype, values.reshape(shape))

    @classmethod
    def of_bytes(cls, told: dict[str, Any], raw: bytes) -> Self:
        name, datatype, shape = _head(told)
        if datatype == "BYTES":
            values = texts(raw, name)
            _check_size(name, len(values), shape)
        else:
            dtype = np.dtype(DTYPES[datatype])
            if len(raw) != math.prod(shape) * dtype.itemsize:
                due = math.prod(shape) * dtype.itemsize
                raise BadInput(f"Input {name!r} of shape {shape} and {datatype} takes {due} bytes, not {len(raw)}.")
            values = np.frombuffer(raw, "u1") != 0 if datatype == "BOOL" else np.frombuffer(raw, dtype)
        return cls(name, datatype, values.reshape(shape))


def _head(told: dict[str, Any]) -> tuple[str, str, list[int]]:
    name, datatype, shape = told.get("name"), told.get("datatype"), told.get("shape")
    if not isinstance(name, str):
        raise BadInput("An input has no 'name'.")
    if not isinstance(datatype, str) or (datatype not in DTYPES and datatype != "BYTES"):
        raise BadInput(
            f"Input {name[:200]!r} has datatype {str(datatype)[:40]!r}, not one of {', '.join(DTYPES)}, BYTES."
        )
    if not isinstance(shape, list) or not shape or not all(type(size) is int and 0 <= size < 2**31 for size in shape):
        raise BadInput(f"Input {name[:200]!r} has no 'shape' of whole numbers, such as [2] or [2, 1].")
    return name[:200], datatype, shape


def _types(datatype: str) -> set[type]:
    """What JSON holds for it."""
    if datatype in ("BOOL", "BYTES"):
        return {bool} if datatype == "BOOL" else {str}
    return {int} if "INT" in datatype else {int, float}


def _flat(data: list[Any]) -> list[Any]:
    """Nested or flat, row-major either way."""
    while data and isinstance(data[0], list):
        if not all(isinstance(each, list) for each in data):
            raise BadInput("'data' mixes arrays and values.")
        data = [value for each in data for value in each]
    if any(isinstance(each, list | dict) for each in data):
        raise BadInput("'data' mixes arrays and values.")
    return data


def _check_size(name: str, size: int, shape: list[int]) -> None:
    if size != math.prod(shape):
        raise BadInput(f"Input {name!r} has {size} values, its shape {shape} takes {math.prod(shape)}.")


def _array(flat: list[Any], datatype: str, name: str) -> Array:
    dtype = np.dtype(DTYPES[datatype])
    if dtype.kind in "iu" and flat:
        bounds = np.iinfo(dtype)
        if min(flat) < bounds.min or max(flat) > bounds.max:
            raise BadInput(f"Input {name!r} holds an integer that {datatype} cannot hold.")
    try:
        return np.array(flat, dtype=np.float64 if dtype.kind == "f" else dtype)
    except OverflowError as error:
        raise BadInput(f"Input {name!r} holds a number that {datatype} cannot hold.") from error


def texts(raw: bytes, name: str) -> Array:
    """BYTES elements as text."""
    found, at = [], 0
    while at < len(raw):
        end = at + 4
        if end <= len(raw):
            end += int(struct.unpack_from("<I", raw, at)[0])
        if end > len(raw) or end < at + 4:
            raise BadInput(f"Input {name!r} ends in the middle of an element of BYTES.")
        found.append(_text(raw[at + 4 : end], name))
        at = end
    return np.array([*found, None], dtype=object)[:-1]


def _text(raw: bytes, name: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"Input {name!r} holds BYTES that are not UTF-8.") from error


def columns(tensors: list[Tensor], codec: Codec) -> Columns:
    """The columns of a request. Raises `BadInput` with all problems."""
    fields = codec.signature.inputs
    if len(tensors) == 1 and _is_matrix(tensors[0], fields):
        matrix = tensors[0].values
        tensors = [Tensor(field.name, tensors[0].datatype, matrix[:, index]) for index, field in enumerate(fields)]
    given: dict[str, Tensor] = {}
    for tensor in tensors:
        if tensor.name in given:
            raise BadInput(f"Input {tensor.name!r} is given more than once. Give it once.")
        if tensor.name not in codec.signature.names:
            near = nearest(tensor.name, codec.signature.names)
            raise BadInput(f"No input {tensor.name!r} in this model.{near or f' It has {_some(codec.signature)}.'}")
        given[tensor.name] = tensor
    rows = {len(tensor.values) for tensor in tensors}
    if len(rows) > 1:
        raise BadInput(f"The inputs have {' and '.join(map(str, sorted(rows)))} rows. Send as many of each.")
    if not rows or rows == {0}:
        raise BadInput("The inputs have no rows.")
    found: Columns = {}
    problems: list[Problem] = []
    for rule in codec.rules:
        if rule.name not in given and not rule.field.required:
            found[rule.name] = rule.array([LEFT_OUT] * max(rows))
            continue
        if rule.name not in given:
            problems.append(Problem(rule.name, f"Input {rule.name!r} is missing."))
            continue
        found[rule.name], faults = _column(given[rule.name], rule)
        problems += [Problem(f"{rule.name}[{row}]", text) for row, text in faults]
    if problems:
        raise refused(problems)
    return found


def _is_matrix(tensor: Tensor, fields: tuple[Field, ...]) -> bool:
    """Whether it has a column for each of several scalar fields, or is the only field's under another name."""
    if any(field.shape or field.type is FieldType.ARRAY for field in fields):
        return False
    if tensor.name in {field.name for field in fields} and len(fields) > 1 and tensor.values.ndim == 1:
        return False
    return tensor.values.ndim == 2 and tensor.values.shape[1] == len(fields)


def _column(tensor: Tensor, rule: Rule) -> tuple[Array, list[tuple[int, str]]]:
    """The field's column, and its faults."""
    values, shape = tensor.values, tensor.values.shape[1:]
    if rule.field.type is FieldType.ARRAY:
        return from_values(list(values), rule.of_value, rule)
    if not rule.field.shape and shape == (1,):
        values, shape = values[:, 0], ()
    wanted = rule.field.shape
    if len(shape) != len(wanted) or any(due not in (-1, has) for has, due in zip(shape, wanted, strict=True)):
        due = [-1, *wanted]
        raise BadInput(f"Input {rule.name!r} has shape {list(tensor.values.shape)}, and {due} is due.")
    is_text = DATATYPES[rule.field.type] == "BYTES"
    if is_text != (tensor.datatype == "BYTES"):
        raise BadInput(f"Input {rule.name!r} is {tensor.datatype}, and {DATATYPES[rule.field.type]} is due.")
    if tensor.datatype == "BOOL" and rule.field.type is not FieldType.BOOLEAN:
        raise BadInput(f"Input {rule.name!r} is BOOL, and {DATATYPES[rule.field.type]} is due.")
    if values.dtype == object or rule.field.shape:
        return from_values(_nested(values), rule.of_json, rule)
    return from_array(values, rule)


def _nested(values: Array) -> list[Any]:
    """Row by row, NaN as null."""
    return plain(values) if values.dtype.kind == "f" else list(values.tolist())


def raw(body: bytes, codec: Codec) -> Columns:
    """The column of a model with one field, whose bytes are the whole body; of text it is one element."""
    if len(codec.rules) != 1 or codec.rules[0].field.shape or codec.rules[0].field.type is FieldType.ARRAY:
        raise BadInput("A raw request needs a model with one input. Send JSON, or tensors behind it.")
    rule = codec.rules[0]
    datatype = DATATYPES[rule.field.type]
    if datatype == "BYTES":
        values = np.array([_text(body, rule.name), None], dtype=object)[:-1]
        return columns([Tensor(rule.name, datatype, values)], codec)
    size = np.dtype(DTYPES[datatype]).itemsize
    told = {"name": rule.name, "datatype": datatype, "shape": [len(body) // size]}
    return columns([Tensor.of_bytes(told, body)], codec)


def _some(signature: Signature) -> str:
    names = signature.names
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")


@dataclass(frozen=True, slots=True)
class Output:
    name: str
    datatype: str
    values: Array

    def described(self) -> dict[str, object]:
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.values.shape)}

    def plain(self) -> list[Any]:
        """Row-major and flat."""
        return plain(self.values.reshape(-1))

    def raw(self) -> bytes:
        if self.datatype != "BYTES":
            return self.values.astype(DTYPES[self.datatype], copy=False).tobytes()
        parts = [element(each) for each in self.values.reshape(-1).tolist()]
        return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def element(value: object) -> bytes:
    return b"" if value is None else str(value).encode()


def outputs(signature: Signature, answer: Answer) -> dict[str, Output]:
    """What a model answers, as tensors by name, in the order of the metadata. A function's answer is `flat`."""
    if signature.task is Task.FUNCTION:
        return _returned(signature, answer)
    pairs = zip(signature.outputs, answer.values, strict=True)
    found = {output.name: _output(output.name, values) for output, values in pairs}
    if answer.probabilities is not None:
        found["probabilities"] = Output("probabilities", "FP64", answer.probabilities)
    if answer.score is not None:
        found["score"] = Output("score", "FP64", answer.score)
    return found


def _returned(signature: Signature, answer: Answer) -> dict[str, Output]:
    """A function's answers as its hint says: numbers, arrays, text; what is none of these as JSON."""
    found = {}
    for told, values in zip(returned(signature), answer.values, strict=True):
        rows = values.tolist()
        if told.datatype == "BYTES":
            texts = [each if isinstance(each, str) else msgspec.json.encode(each).decode() for each in rows]
            found[told.name] = Output(told.name, "BYTES", np.array([*texts, None], dtype=object)[:-1])
            continue
        try:
            made = np.array(rows, dtype=DTYPES[told.datatype])  # None is NaN
        except (ValueError, TypeError, OverflowError) as error:
            raise PredictionFailed(f"What the function answered is no tensor of {told.datatype}.") from error
        found[told.name] = Output(told.name, told.datatype, made)
    return found


def returned(signature: Signature) -> list[Output]:
    """The outputs of a function, without values."""
    output = signature.outputs[0]
    kind = DATATYPES.get(output.type, "BYTES")
    kind = "FP64" if output.nullable and kind in ("INT64", "BOOL") else kind
    found = [Output(output.name, kind, np.empty((0, 0) if output.type is FieldType.ARRAY else 0))]
    if signature.answers is AnswerType.LABELS:
        found.append(Output("probabilities", "BYTES", np.empty(0)))
    return found


def _output(name: str, values: Array) -> Output:
    return Output(name, KINDS.get(values.dtype.kind, "BYTES"), values)


def classified(output: Output, count: object, signature: Signature) -> Output:
    """The `count` highest of each row as `value:index:label`, of the classification extension."""
    if type(count) is not int or count < 1:
        raise BadInput("'classification' takes a whole number from 1 up.")
    values = output.values.reshape(len(output.values), -1)
    if output.datatype == "BYTES":
        raise BadInput(f"Output {output.name!r} is text: 'classification' takes numbers, such as 'probabilities'.")
    best = np.argsort(-values.astype(np.float64), axis=1, kind="stable")[:, :count]
    labels = [""] * values.shape[1]
    if output.name == "probabilities":
        labels = [f":{label(each)}" for each in signature.classes]
    told = [[f"{row[at]:f}:{at}{labels[at]}" for at in places] for row, places in zip(values, best, strict=True)]
    return Output(output.name, "BYTES", np.array(told, dtype=object).reshape(best.shape))


def metadata(subject: Subject) -> dict[str, object]:
    """Raises `BadInput` for a function that takes or answers no tensors."""
    signature = subject.signature
    check(signature)
    inputs = [
        {"name": each.name, "datatype": datatype(each), "shape": [-1, *_shape(each)]} for each in signature.inputs
    ]
    if signature.task is Task.FUNCTION:
        given = [{**each.described(), "shape": [-1] * each.values.ndim} for each in returned(signature)]
    else:
        given = [
            {"name": each.name, "datatype": DATATYPES[each.type], "shape": [-1, *each.shape]}
            for each in signature.outputs
        ]
    if signature.probabilities:
        given.append({"name": "probabilities", "datatype": "FP64", "shape": [-1, len(signature.classes)]})
    if signature.score:
        given.append({"name": "score", "datatype": "FP64", "shape": [-1]})
    platform = f"flaskship_{subject.card.get('framework') or 'model'}"
    versions = {"versions": [subject.version]} if subject.version else {}
    return {"name": subject.name, **versions, "platform": platform, "inputs": inputs, "outputs": given}


def datatype(field: Field) -> str:
    """A nullable number is FP64, where NaN is null."""
    kind = DATATYPES[field.type]
    if field.type is FieldType.ARRAY:
        return NAMES.get(field.dtype, kind)
    return "FP64" if field.nullable and kind != "BYTES" else kind


def _shape(field: Field) -> tuple[int, ...]:
    return field.shape or ((-1,) if field.type is FieldType.ARRAY else ())


def config(subject: Subject) -> dict[str, object]:
    """Triton's model configuration, as its performance tools read it."""
    told: Any = metadata(subject)

    def listed(tensors: list[dict[str, Any]]) -> list[dict[str, object]]:
        return [
            {"name": each["name"], "data_type": _triton(each["datatype"]), "dims": each["shape"]} for each in tensors
        ]

    return {
        "name": subject.name,
        "platform": told["platform"],
        "backend": "flaskship",
        "max_batch_size": 0,
        "input": listed(told["inputs"]),
        "output": listed(told["outputs"]),
    }


def _triton(datatype: str) -> str:
    return "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"
