"""Every opcode of pickle: the size of its argument, the method of `Walk` that runs it, and how its argument is read."""

from __future__ import annotations

import pickletools
from collections.abc import Callable

from flaskship.artifact.pickles import literals
from flaskship.artifact.pickles.symbols import Blob, Dict

Decode = Callable[[bytes | Blob], object]

_LITERALS: dict[str, tuple[str, Decode]] = {
    "INT": ("push", literals.decimal),
    "LONG": ("push", literals.decimal),
    "BININT": ("push", literals.signed),
    "BININT1": ("push", literals.unsigned),
    "BININT2": ("push", literals.unsigned),
    "LONG1": ("push", literals.signed),
    "LONG4": ("push", literals.signed),
    "STRING": ("push", literals.quoted),
    "BINSTRING": ("push", literals.old),
    "SHORT_BINSTRING": ("push", literals.old),
    "UNICODE": ("push", literals.line),
    "SHORT_BINUNICODE": ("push", literals.text),
    "BINUNICODE": ("push", literals.text),
    "BINUNICODE8": ("push", literals.text),
    "FLOAT": ("push", literals.opaque),
    "BINFLOAT": ("push", literals.opaque),
    "NONE": ("push", lambda _: None),
    "NEWTRUE": ("push", lambda _: True),
    "NEWFALSE": ("push", lambda _: False),
    "EMPTY_TUPLE": ("push", lambda _: ()),
    "EMPTY_LIST": ("push", literals.opaque),
    "EMPTY_SET": ("push", literals.opaque),
    "EMPTY_DICT": ("push", lambda _: Dict()),
    "TUPLE1": ("gather", lambda _: 1),
    "TUPLE2": ("gather", lambda _: 2),
    "TUPLE3": ("gather", lambda _: 3),
    "BINGET": ("get", literals.index),
    "LONG_BINGET": ("get", literals.index),
    "BINPUT": ("put", literals.index),
    "LONG_BINPUT": ("put", literals.index),
    "PROTO": ("protocol", literals.index),
    "FRAME": ("frame", literals.index),
    "EXT1": ("extension", literals.index),
    "EXT2": ("extension", literals.index),
    "EXT4": ("extension", literals.index),
    "GET": ("get", literals.line_index),
    "PUT": ("put", literals.line_index),
}
_METHODS = {
    "BINBYTES": "data",
    "SHORT_BINBYTES": "data",
    "BINBYTES8": "data",
    "BYTEARRAY8": "data",
    "LIST": "swallow",
    "FROZENSET": "swallow",
    "TUPLE": "collect",
    "DICT": "dict",
    "APPEND": "append",
    "APPENDS": "appends",
    "ADDITEMS": "additems",
    "SETITEM": "setitem",
    "SETITEMS": "setitems",
    "POP": "pop",
    "DUP": "duplicate",
    "MARK": "mark",
    "POP_MARK": "pop_mark",
    "MEMOIZE": "memoize",
    "GLOBAL": "name",
    "STACK_GLOBAL": "stack_global",
    "REDUCE": "reduce",
    "BUILD": "build",
    "INST": "inst",
    "OBJ": "obj",
    "NEWOBJ": "newobj",
    "NEWOBJ_EX": "newobj_ex",
    "PERSID": "persistent",
    "BINPERSID": "binary_persistent",
    "NEXT_BUFFER": "buffer",
    "READONLY_BUFFER": "buffer",
}


def _row(opcode: pickletools.OpcodeInfo) -> tuple[int, str, Decode | None]:
    size = opcode.arg.n if opcode.arg else 0
    if opcode.name in _METHODS:
        return size, _METHODS[opcode.name], None
    return size, *_LITERALS[opcode.name]


OPCODES = {each.code.encode("latin1"): _row(each) for each in pickletools.opcodes if each.name != "STOP"}
PREFIXES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}  # bytes of the length in front of an argument
