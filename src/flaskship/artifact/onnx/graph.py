"""What an ONNX file says that ONNX Runtime does not tell: a classifier's labels, and whether its trees know gaps.

The few fields that matter, by their numbers in onnx/onnx.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flaskship.artifact.protobuf import NotProtobuf, fields, mapped, varint

MODEL_GRAPH, GRAPH_NODE, GRAPH_INITIALIZER, NODE_ATTRIBUTE = 7, 1, 5, 5
ATTRIBUTE_NAME, ATTRIBUTE_INTS, ATTRIBUTE_STRINGS = 1, 8, 9
TENSOR_STRINGS, TENSOR_INTS, TENSOR_NAME, TENSOR_RAW = 6, 7, 8, 9
LABELS: Final = (b"classlabels_strings", b"classlabels_ints", b"classlabels_int64s")
GAPS: Final = b"nodes_missing_value_tracks_true"


@dataclass(frozen=True, slots=True)
class GraphFacts:
    classes: tuple[int | str, ...] = ()
    gaps: bool = False


def read(path: Path) -> GraphFacts:
    """Facts of the graph in the file at `path`; none where it is not laid out as expected."""
    try:
        return _facts(mapped(path))
    except (NotProtobuf, struct.error, UnicodeDecodeError):
        return GraphFacts()


def _facts(view: memoryview) -> GraphFacts:
    classes: tuple[int | str, ...] = ()
    gaps = False
    for graph in _parts(view, MODEL_GRAPH):
        for node in _parts(graph, GRAPH_NODE):
            for attribute in _parts(node, NODE_ATTRIBUTE):
                name = bytes(next(_parts(attribute, ATTRIBUTE_NAME), b""))
                if name in LABELS:
                    classes = _labels(attribute, ATTRIBUTE_STRINGS, ATTRIBUTE_INTS) or classes
                gaps = gaps or (name == GAPS and any(_labels(attribute, ATTRIBUTE_STRINGS, ATTRIBUTE_INTS)))
        if not classes:
            classes = _named_classes(graph)
    return GraphFacts(classes, gaps)


def _named_classes(graph: memoryview) -> tuple[int | str, ...]:
    """skl2onnx's constant `classes`, of classifiers that are no operator of their own."""
    for tensor in _parts(graph, GRAPH_INITIALIZER):
        if bytes(next(_parts(tensor, TENSOR_NAME), b"")).startswith(b"classes"):
            raw = bytes(next(_parts(tensor, TENSOR_RAW), b""))
            found = _labels(tensor, TENSOR_STRINGS, TENSOR_INTS)
            return found or struct.unpack(f"<{len(raw) // 8}q", raw[: len(raw) // 8 * 8])
    return ()


def _labels(message: memoryview, strings: int, ints: int) -> tuple[int | str, ...]:
    texts = tuple(bytes(part).decode() for part in _parts(message, strings))
    return texts or tuple(_ints(message, ints))


def _ints(message: memoryview, wanted: int) -> Iterator[int]:
    """A repeated int64, packed or not."""
    for number, _, value in fields(message):
        if number == wanted and isinstance(value, int):
            yield _signed(value)
        elif number == wanted and isinstance(value, memoryview):
            place = 0
            while place < len(value):
                packed, place = varint(value, place)
                yield _signed(packed)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _parts(message: memoryview, wanted: int) -> Iterator[memoryview]:
    return (value for number, _, value in fields(message) if number == wanted and isinstance(value, memoryview))
