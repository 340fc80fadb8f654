"""ONNX recognised by its outermost fields: a `ModelProto` (onnx/onnx.proto), passing over the graph itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO

VARINT, BYTES = 0, 2  # wire types
FIELDS = {1: VARINT, 2: BYTES, 3: BYTES, 4: BYTES, 5: VARINT, 6: BYTES, 7: BYTES, 8: BYTES, 14: BYTES, 20: BYTES} | {
    25: BYTES,
    26: BYTES,
}
SHORT = 1 << 16  # bytes of a field that is read; longer ones are passed over


class NotProtobuf(Exception):
    """The bytes are no protobuf message."""


@dataclass(slots=True)
class OnnxFile:
    producer: str = ""
    producer_version: str = ""
    opsets: dict[str, int] = field(default_factory=dict)  # domain ("" is ai.onnx) -> version


def onnx(file: BinaryIO, size: int) -> OnnxFile | None:
    """What an ONNX file says of itself, None for a file that is none. `size` is the file's in bytes."""
    found, graphs = OnnxFile(), 0
    try:
        for number, kind, value in fields(file, size):
            if FIELDS.get(number) != kind:
                return None
            graphs += number == 7
            if number == 2:
                found.producer = _text(value)
            elif number == 3:
                found.producer_version = _text(value)
            elif number == 8 and isinstance(value, bytes):
                inner = {key: each for key, _, each in fields(BytesIO(value), len(value))}
                version = inner.get(2, 1)
                found.opsets[_text(inner.get(1, b""))] = version if isinstance(version, int) else 1
    except NotProtobuf:
        return None
    return found if graphs == 1 and found.opsets else None


def fields(file: BinaryIO, size: int) -> Iterator[tuple[int, int, int | bytes]]:
    """(number, wire type, value) of a message up to `size`; a value longer than `SHORT` is given as b""."""
    while file.tell() < size:
        tag = _varint(file)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            yield number, kind, _varint(file)
        elif kind == BYTES:
            length = _varint(file)
            if length > size - file.tell():
                raise NotProtobuf
            if length > SHORT:
                file.seek(length, 1)
            yield number, kind, file.read(length) if length <= SHORT else b""
        else:
            raise NotProtobuf


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise NotProtobuf
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise NotProtobuf


def _text(value: int | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else ""
