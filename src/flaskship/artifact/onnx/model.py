"""Graphs in ONNX Runtime. A compiled one says in its own metadata how its inputs and outputs are used:

{"inputs": [{"name": "X", "fields": [0, 1, 2], "dtype": "float64"}],
 "outputs": [{"name": "label", "role": "label"}, {"name": "p", "role": "probabilities"}]}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as state

from flaskship.errors import BundleError, PredictionFailed
from flaskship.schema import Answer, Array, Columns, Facts, Scalar, Signature

METADATA: Final = "flaskship"  # the key of the bindings in a compiled file's metadata
CHUNK: Final = 32_768  # rows run at once: bounds memory, and stays in the processor's cache
ERRORS: Final = (
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NoModel,
    state.NotImplemented,
    state.RuntimeException,
)
DTYPES: Final = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int16)": "int16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


class Role(StrEnum):
    """What one output of a graph is. A label is an index into the classes; a value is the answer itself."""

    LABEL = "label"
    VALUE = "value"
    PROBABILITIES = "probabilities"
    SCORE = "score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of the graph: the fields (by position) that are its columns, and its dtype.

    `null` stands for a missing text, since ONNX has none. A `whole` input is one field as it is, of any rank.
    """

    name: str
    fields: tuple[int, ...]
    dtype: str = "float64"
    null: str = ""
    lower: bool = False  # texts are made lower case
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One output of the graph, or one `column` of it; `classes` where a label has its own (several outputs)."""

    name: str
    role: Role
    classes: tuple[Scalar, ...] = ()
    column: int | None = None
    flat: bool = False  # (N, 1) that is wanted as (N,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    inputs: tuple[Input, ...]
    results: tuple[Result, ...]
    batch: int = CHUNK  # rows that the graph takes at once

    def to_json(self) -> str:
        plain = {
            "inputs": [{name: getattr(each, name) for name in each.__slots__} for each in self.inputs],
            "outputs": [{name: getattr(each, name) for name in each.__slots__} for each in self.results],
            "batch": self.batch,
        }
        return json.dumps(plain, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Bindings:
        plain = json.loads(text)
        inputs = [each | {"fields": tuple(each["fields"])} for each in plain["inputs"]]
        results = [each | {"role": Role(each["role"]), "classes": tuple(each["classes"])} for each in plain["outputs"]]
        return cls(
            inputs=tuple(Input(**each) for each in inputs),
            results=tuple(Result(**each) for each in results),
            batch=int(plain["batch"]),
        )


Feed = Callable[[Columns], dict[str, Array]]
Decode = Callable[[list[Any]], Answer]


@dataclass(slots=True, kw_only=True)
class OnnxModel:
    """A graph in ONNX Runtime under a signature. One row takes one call and no copies beyond the input's own."""

    session: ort.InferenceSession
    signature: Signature
    facts: Facts
    bindings: Bindings
    threads: int = 1  # over the chunks of a large batch; the graph itself runs on one
    native: None = None
    thresholds: MappingProxyType[str, Array] = field(default_factory=lambda: MappingProxyType({}))
    _feed: Feed = field(init=False)
    _decode: Decode = field(init=False)
    _names: list[str] = field(init=False)
    _run: Callable[[list[str], dict[str, Array]], list[Any]] = field(init=False)

    def __post_init__(self) -> None:
        self._feed = feeder(self.bindings.inputs, self.signature)
        self._decode = decoder(self.bindings.results, self.signature)
        self._names = list(dict.fromkeys(each.name for each in self.bindings.results))
        self._run = self.session.run

    def predict(self, columns: Columns) -> Answer:
        """Raises `PredictionFailed` where the graph does not take these values."""
        rows = len(next(iter(columns.values())))
        try:
            if rows <= self.bindings.batch:
                return self._decode(self._run(self._names, self._feed(columns)))
            return self._chunked(columns, rows)
        except ERRORS as error:
            raise PredictionFailed(f"ONNX Runtime: {error}") from error

    def _chunked(self, columns: Columns, rows: int) -> Answer:
        starts = range(0, rows, self.bindings.batch)
        feeds = (
            self._feed({name: column[start : start + self.bindings.batch] for name, column in columns.items()})
            for start in starts
        )
        if self.threads == 1:
            parts = [self._run(self._names, feed) for feed in feeds]
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                parts = list(pool.map(lambda feed: self._run(self._names, feed), feeds))
        return self._decode([_joined(pieces) for pieces in zip(*parts, strict=True)])


def _joined(pieces: Sequence[Any]) -> Any:
    if isinstance(pieces[0], list):  # a sequence of maps
        return [each for piece in pieces for each in piece]
    return np.concatenate(pieces)


def feeder(inputs: Sequence[Input], signature: Signature) -> Feed:
    """From columns to the graph's inputs; the way is chosen here, once."""
    if len(inputs) == 1 and not inputs[0].whole and inputs[0].dtype != "object":
        return _matrix_feed(inputs[0], signature)
    builders = [(each.name, _builder(each, signature)) for each in inputs]
    return lambda columns: {name: build(columns) for name, build in builders}


def _matrix_feed(given: Input, signature: Signature) -> Feed:
    build, name = _builder(given, signature), given.name
    return lambda columns: {name: build(columns)}


def _builder(given: Input, signature: Signature) -> Callable[[Columns], Array]:
    names = [signature.inputs[position].name for position in given.fields]
    dtype = np.dtype(given.dtype)
    if given.whole:
        return lambda columns: _null_as(columns[names[0]], given.null).astype(dtype, copy=False)
    if dtype.kind == "O":
        return lambda columns: _texts([columns[name] for name in names], given)
    pick = itemgetter(*names) if len(names) > 1 else lambda columns: (columns[names[0]],)

    def build(columns: Columns) -> Array:
        chosen = pick(columns)
        rows = len(chosen[0])
        if rows == 1:  # 0.8 µs; np.stack takes 3
            return np.array([[column.item() for column in chosen]], dtype)
        matrix = np.empty((rows, len(chosen)), dtype)
        for position, column in enumerate(chosen):
            matrix[:, position] = column
        return matrix

    return build


def _texts(columns: Sequence[Array], given: Input) -> Array:
    """(rows, columns) of strings."""
    matrix = np.empty((len(columns[0]), len(columns)), object)
    for position, column in enumerate(columns):
        values = column.tolist()
        if given.lower:
            values = [value and value.lower() for value in values]
        matrix[:, position] = [given.null if value is None else value for value in values]
    return matrix


def _null_as(column: Array, null: str) -> Array:
    if column.dtype != object:
        return column
    return np.array([null if value is None else value for value in column.ravel()], object).reshape(column.shape)


def decoder(results: Sequence[Result], signature: Signature) -> Decode:
    """From the graph's outputs to an answer; the way is chosen here, once."""
    order = {name: position for position, name in enumerate(dict.fromkeys(each.name for each in results))}
    places = {each.role: order[each.name] for each in results}
    takers = [_taker(order[each.name], each, signature) for each in results if each.role in (Role.LABEL, Role.VALUE)]
    probabilities, score = places.get(Role.PROBABILITIES), places.get(Role.SCORE)
    if len(takers) == 1 and probabilities is not None and score is None:
        (value,) = takers
        return lambda got: Answer(values=(value(got),), probabilities=_shares(got[probabilities], signature))
    return lambda got: Answer(
        values=tuple(take(got) for take in takers),
        probabilities=None if probabilities is None else _shares(got[probabilities], signature),
        score=None if score is None else _float64(got[score]).reshape(-1),
    )


def _taker(position: int, result: Result, signature: Signature) -> Callable[[list[Any]], Array]:
    classes = result.classes or signature.classes
    counted = all(type(each) is int and each == place for place, each in enumerate(classes))
    if result.role is Role.LABEL and not counted:
        labels = np.array(classes, object if isinstance(classes[0], str) else None)
        return lambda got: labels[got[position]]
    if result.column is not None:
        return lambda got: _plain(got[position][:, result.column])
    if result.flat:
        return lambda got: _plain(got[position].reshape(-1))
    return lambda got: _plain(got[position])


def _plain(values: Array) -> Array:
    """As an answer has it: float64, int64, bool_ or object."""
    if values.dtype.kind == "f":
        return values.astype(np.float64, copy=False)
    return values.astype(np.int64, copy=False) if values.dtype.kind in "iu" else values


def _shares(values: Any, signature: Signature) -> Array:
    """Probabilities, (rows, classes); a ZipMap's are one map a row."""
    if isinstance(values, list):
        return np.array([[row[label] for label in signature.classes] for row in values], np.float64)
    return _float64(values)


def _float64(values: Array) -> Array:
    return values.astype(np.float64, copy=False)


def open_session(source: bytes | str) -> ort.InferenceSession:
    """A session for one row at a time: one thread, no spinning, no arena that keeps what the largest batch took."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def from_bytes(content: bytes, signature: Signature, facts: Facts, *, threads: int = 1) -> OnnxModel:
    """The compiled model in `content`. Raises `BundleError`."""
    return _compiled(content, "the compiled model", signature, facts, threads)


def compiled(path: Path, signature: Signature, facts: Facts, *, threads: int = 1) -> OnnxModel:
    """The model that Flaskship compiled into the file at `path`; `facts` are the original's. Raises `BundleError`."""
    return _compiled(str(path), repr(str(path)), signature, facts, threads)


def _compiled(source: bytes | str, what: str, signature: Signature, facts: Facts, threads: int) -> OnnxModel:
    try:
        session = open_session(source)
        bindings = Bindings.from_json(session.get_modelmeta().custom_metadata_map[METADATA])
    except (*ERRORS, state.NoSuchFile, KeyError, ValueError, TypeError) as error:
        raise BundleError(
            f"{what} cannot be loaded by ONNX Runtime {ort.__version__}: {error}. Build it anew."
        ) from error
    return OnnxModel(session=session, signature=signature, facts=facts, bindings=bindings, threads=threads)
