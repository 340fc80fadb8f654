"""An ONNX graph in the making: nodes in double precision, and the columns that flow between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from flaskship.artifact.onnx.model import CHUNK, Input
from flaskship.schema import Array

OPSET: Final = 19  # Equal on strings
ML_OPSET: Final = 5  # TreeEnsemble in double precision
LIMIT: Final = 2**31 - 2**20  # bytes; protobuf ends at 2 GB
ML: Final = "ai.onnx.ml"
MICROSOFT: Final = "com.microsoft"
WIDEST: Final = 2**22  # values of the widest tensor in a batch: 32 MB
TYPES: Final = {"float64": TensorProto.DOUBLE, "object": TensorProto.STRING}


class Unconvertible(Exception):
    """Why a model cannot become a graph: a finding that becomes a Refusal."""


@dataclass(frozen=True, slots=True)
class Value:
    """Columns, each a (tensor, position in it); a transformer turns one into another."""

    columns: tuple[tuple[str, int], ...]

    def __getitem__(self, positions: Iterable[int]) -> Value:
        return Value(tuple(self.columns[position] for position in positions))

    def __add__(self, other: Value) -> Value:
        return Value(self.columns + other.columns)

    def __len__(self) -> int:
        return len(self.columns)


class Graph:
    """Nodes and constants. Tensors are named by number, so that equal models give equal bytes."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: dict[str, Input] = {}
        self.outputs: dict[str, Any] = {}
        self.widths: dict[str, int] = {}
        self.texts: set[str] = set()
        self.most_rows = CHUNK  # to run at once
        self.names: tuple[str, ...] = ()  # of the estimator's columns
        self._matrices: dict[Value, str] = {}
        self._named = 0

    def name(self) -> str:
        self._named += 1
        return f"t{self._named}"

    def constant(self, value: Any) -> str:
        array = np.asarray(value)
        name = self.name()
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        """A node; its (first) output. An array of integers as attribute is a list, a TensorProto a tensor."""
        names = [self.name() for _ in range(outputs)]
        node = helper.make_node(kind, list(inputs), names, domain=domain)
        for key, value in attributes.items():
            node.attribute.append(_attribute(key, value))
        self.nodes.append(node)
        return names[0]

    def add_input(self, given: Input) -> Value:
        self.inputs[given.name] = given
        return self.value(given.name, len(given.fields), text=given.dtype == "object")

    def lowered(self, value: Value) -> str:
        """A text field in lower case, (N, 1): an input of its own."""
        ((tensor, position),) = value.columns
        if tensor not in self.inputs:
            raise Unconvertible("a text is changed before it is taken apart")
        own = self.inputs[tensor].fields[position]
        name = f"lower{own}"
        if name not in self.inputs:
            self.add_input(Input(name=name, fields=(own,), dtype="object", null="", lower=True))
        return name

    def output(self, tensor: str, kind: int, rank: int) -> str:
        """Notes a tensor as an output of the graph."""
        self.outputs[tensor] = helper.make_tensor_value_info(tensor, kind, ["N", *[None] * (rank - 1)])
        return tensor

    def used_inputs(self) -> tuple[Input, ...]:
        named = {name for node in self.nodes for name in node.input} | set(self.outputs)
        return tuple(given for name, given in self.inputs.items() if name in named)

    def batch(self) -> int:
        """How many rows to run at once, so that the widest tensor stays within `WIDEST` values."""
        return max(1, min(self.most_rows, WIDEST // max(self.widths.values())))

    def value(self, tensor: str, width: int, *, text: bool = False) -> Value:
        """A tensor of shape (N, width) as columns."""
        self.widths[tensor] = width
        if text:
            self.texts.add(tensor)
        return Value(tuple((tensor, position) for position in range(width)))

    def is_text(self, value: Value) -> bool:
        return any(tensor in self.texts for tensor, _ in value.columns)

    def matrix(self, value: Value) -> str:
        """The tensor (N, len(value)) that holds these columns."""
        if value not in self._matrices:
            pieces = [self._piece(tensor, positions) for tensor, positions in _runs(value)]
            if not pieces:
                raise Unconvertible("a step of it has no columns")
            self._matrices[value] = pieces[0] if len(pieces) == 1 else self.op("Concat", *pieces, axis=1)
        return self._matrices[value]

    def _piece(self, tensor: str, positions: list[int]) -> str:
        if positions == list(range(self.widths[tensor])):
            return tensor
        return self.op("Gather", tensor, self.constant(np.array(positions, np.int64)), axis=1)

    def numbers(self, value: Value) -> str:
        """As `matrix`, of numbers only."""
        if self.is_text(value):
            raise Unconvertible("a step of it computes with text columns")
        return self.matrix(value)

    def cast(self, tensor: str, to: int = TensorProto.DOUBLE) -> str:
        return self.op("Cast", tensor, to=to)

    def inline(self, other: Any, inputs: Mapping[str, str]) -> dict[str, str]:
        """Takes another graph's nodes in; its outputs by their names there."""
        own = dict(inputs) | {"": ""}
        for constant in other.initializer:
            own[constant.name] = constant.name = self.name()
            self.constants.append(constant)
        for node in other.node:
            for position, name in enumerate(node.input):
                node.input[position] = own[name]
            for position, name in enumerate(node.output):
                own[name] = node.output[position] = self.name() if name else ""
            node.name = ""
            self.nodes.append(node)
        return {output.name: own[output.name] for output in other.output}

    def to_bytes(self, metadata: Mapping[str, str]) -> bytes:
        """The model as a file."""
        inputs = [
            helper.make_tensor_value_info(each.name, TYPES[each.dtype], ["N", len(each.fields)])
            for each in self.used_inputs()
        ]
        graph = helper.make_graph(self.nodes, "flaskship", inputs, list(self.outputs.values()), self.constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
        if any(node.domain == MICROSOFT for node in self.nodes):
            opsets.append(helper.make_opsetid(MICROSOFT, 1))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="flaskship")
        helper.set_model_props(model, dict(metadata))
        if (size := model.ByteSize()) > LIMIT:
            raise Unconvertible(f"as ONNX it would take {size / 1e9:.1f} GB, over the format's 2 GB")
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def tensor(array: Array) -> Any:
    """An array as a tensor attribute."""
    return numpy_helper.from_array(array, "")


def _attribute(name: str, value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return helper.make_attribute(name, value)
    made = AttributeProto(name=name, type=AttributeProto.INTS)
    made.ints.extend(value.tolist())  # make_attribute checks each of millions
    return made


def _runs(value: Value) -> list[tuple[str, list[int]]]:
    """Columns side by side of one tensor, joined."""
    runs: list[tuple[str, list[int]]] = []
    for name, position in value.columns:
        if not runs or runs[-1][0] != name:
            runs.append((name, []))
        runs[-1][1].append(position)
    return runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a predictor answers, as tensors: a label is an index into its classes."""

    label: str = ""  # int64 (N,)
    classes: Array | None = None
    probabilities: str = ""  # float64 (N, classes)
    decision: str = ""  # float64 (N, classes), or (N, 1) where there are two
    values: str = ""  # float64 (N, outputs), or int64 (N,) of clusters and outliers
    score: str = ""  # float64 (N,) or (N, 1)
    parts: tuple[Outcome, ...] = ()  # several outputs, one each
