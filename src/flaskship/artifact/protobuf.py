"""Protobuf's wire format, as far as ONNX files have it: the `onnx` package is not there to serve."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
SIZES = {FIXED64: 8, FIXED32: 4}  # bytes
LONGEST = 10  # bytes of a varint of 64 bits


class NotProtobuf(Exception):
    """The bytes are no protobuf message."""


def mapped(path: Path) -> memoryview:
    """The file at `path`, which is not empty; read as far as it is looked at, closed when nobody looks any more."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def fields(message: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """(number, wire type, value) of each field; a view of those that are no varint. Raises `NotProtobuf`."""
    place = 0
    while place < len(message):
        tag, place = varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, place = varint(message, place)
            yield number, kind, value
            continue
        size, place = varint(message, place) if kind == BYTES else (SIZES.get(kind, -1), place)
        if not 0 <= size <= len(message) - place:
            raise NotProtobuf
        yield number, kind, message[place : place + size]
        place += size


def varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number at `place`, and the place behind it. Raises `NotProtobuf`."""
    value = 0
    for shift, byte in enumerate(message[place : place + LONGEST]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, place + shift + 1
    raise NotProtobuf
