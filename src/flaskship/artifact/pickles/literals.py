"""The literals in a pickle: from an opcode's argument to the value that it pushes."""

from __future__ import annotations

import codecs
import re

from flaskship.artifact.pickles.symbols import OPAQUE, Blob, Bomb, Damaged

LONGEST_INTEGER = 4096  # bytes


def text(argument: bytes | Blob) -> object:
    return argument if isinstance(argument, Blob) else _decoded(argument, "utf-8", "surrogatepass")


def line(argument: bytes | Blob) -> object:
    return argument if isinstance(argument, Blob) else _decoded(argument, "raw-unicode-escape", "strict")


def _decoded(argument: bytes, encoding: str, errors: str) -> str:
    try:
        return argument.decode(encoding, errors)
    except UnicodeDecodeError as error:
        raise Damaged("has a text that is not Unicode") from error


def old(argument: bytes | Blob) -> object:
    """Text of Python 2: ASCII. Other bytes raise when loaded, so nothing can be named by them."""
    return argument.decode() if isinstance(argument, bytes) and argument.isascii() else OPAQUE


def quoted(argument: bytes | Blob) -> object:
    if isinstance(argument, Blob):
        return OPAQUE
    if len(argument) < 2 or argument[:1] != argument[-1:] or argument[:1] not in (b"'", b'"'):
        raise Damaged("has a text without its quotes")
    try:
        return old(codecs.escape_decode(argument[1:-1])[0])
    except ValueError as error:
        raise Damaged("has a text with a broken escape") from error


def decimal(argument: bytes | Blob) -> object:
    """`00` and `01` are False and True, since protocol 0 knows no other booleans."""
    if isinstance(argument, Blob) or not re.fullmatch(rb"\s*[+-]?\d+L?\s*", argument):
        raise Damaged("has a number that is none")
    if argument in (b"00", b"01"):
        return argument == b"01"
    return int(argument.strip().rstrip(b"L"))


def signed(argument: bytes | Blob) -> object:
    if isinstance(argument, Blob) or len(argument) > LONGEST_INTEGER:
        raise Bomb("has an integer of thousands of digits")
    return int.from_bytes(argument, "little", signed=True)


def unsigned(argument: bytes | Blob) -> object:
    return int.from_bytes(argument, "little") if isinstance(argument, bytes) else OPAQUE


def opaque(argument: bytes | Blob) -> object:
    return OPAQUE


def index(argument: bytes | Blob) -> int:
    """Of a memo entry, and other small numbers, from 1 to 8 bytes."""
    assert isinstance(argument, bytes)
    return int.from_bytes(argument, "little")


def line_index(argument: bytes | Blob) -> int:
    """Of a memo entry, from a line."""
    if not isinstance(argument, bytes) or not re.fullmatch(rb"\d{1,18}", argument):
        raise Damaged("numbers a memo entry by what is no number")
    return int(argument)
