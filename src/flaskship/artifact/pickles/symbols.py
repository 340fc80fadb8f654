"""What a walk through a pickle has on its stack in place of objects, and what it knows of a few of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from flaskship.artifact.pickles.allowed import Use
from flaskship.artifact.shim.unpickle import WRAPPER, WRAPPERS

DEEPEST_KEY = 64  # hashing a tuple in a tuple in a tuple … overflows the interpreter's stack
DTYPE = re.compile(r"[<>|=]?([?biufcmMSUVO])(\d*)")
DTYPE_FLAG_OBJECT = 1


TOLD = frozenset({"shape", "order", "dtype", "numpy_array_alignment_bytes", "_sklearn_version"})  # kept of a dict
METHODS = frozenset({"append", "extend", "add", "fit", "transform", "decision_function", "score_samples"}) | {
    "predict",
    "predict_proba",
    "predict_log_proba",
}  # as attributes of an instance they would stand in front of its methods


class Damaged(Exception):
    """The bytes are no pickle, or end within one."""


class Bomb(Exception):
    """Loading it would take memory or stack beyond any model's."""


class Opaque:
    """A value of which nothing needs to be known."""

    __slots__ = ()


OPAQUE = Opaque()


class Global:
    """What is found by name."""

    __slots__ = ("made", "module", "name", "use")

    def __init__(self, module: str, name: str, use: Use | None) -> None:
        self.module, self.name, self.use = module, name, use
        self.made = Made(self)

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Made:
    """What a call of a global gave. Arguments and state are kept of dtypes and of joblib's array wrappers only."""

    __slots__ = ("args", "callee", "state")

    def __init__(self, callee: Global, args: tuple[object, ...] = ()) -> None:
        self.callee, self.args = callee, args
        self.state: object = None


class Dict:
    """A dictionary: the entries in `TOLD`, the first key that no object's state may have, and if it became a state."""

    __slots__ = ("forbidden", "known", "used")

    def __init__(self) -> None:
        self.known: dict[str, object] = {}
        self.forbidden = ""
        self.used = False


class Blob:
    """A text or bytes object too long to keep: both its ends."""

    __slots__ = ("head", "size", "tail")

    def __init__(self, head: bytes, tail: bytes, size: int) -> None:
        self.head, self.tail, self.size = head, tail, size


@dataclass(slots=True)
class Findings:
    """What the walks through one file found, in the order of the file."""

    globals: dict[tuple[str, str], Global] = field(default_factory=dict)
    unsafe: dict[str, None] = field(default_factory=dict)
    sklearn: str = ""
    arrays: dict[int, int] = field(default_factory=dict)  # position -> bytes, -1 for a nested pickle
    blobs: list[Blob] = field(default_factory=list)
    nested: list[bytes] = field(default_factory=list)
    protocol: int = 0


ARRAY = Made(Global("numpy", "ndarray", Use.CALL))
LISTS = frozenset({("collections", "deque")})


def told(callee: Global) -> bool:
    """Whether what a call gives must be told from what other calls of `callee` give."""
    return callee.name == "dtype" or (callee.name == WRAPPER and callee.module in WRAPPERS)


def shown(value: object) -> str:
    if isinstance(value, Made):
        return f"what {value.callee} makes"
    return str(value) if isinstance(value, Global) else f"a {type(value).__name__.lower()}"


def risky(argument: object) -> bool:
    """Whether no call may have this argument: a function that may only be named; a range, as of a list of 10**13."""
    if isinstance(argument, Global):
        return argument.use is Use.NAME
    return isinstance(argument, Made) and argument.callee.name == "range"


def forbids(key: str, value: object) -> bool:
    """Whether no object's state may have this entry.

    An object of requests for metadata (scikit-learn's) does have an attribute for each method of an estimator.
    """
    request = isinstance(value, Made) and value.callee.name == "MethodMetadataRequest"
    return (key in METHODS and not request) or (key.startswith("__") and key.endswith("__"))


def check_depth(key: tuple[object, ...]) -> None:
    level, depth = [key], 0
    while level:
        depth += 1
        if depth > DEEPEST_KEY:
            raise Bomb("has a key of tuples within tuples, too deep to be hashed")
        level = [inner for each in level for inner in each if isinstance(inner, tuple)][:4096]


def array_length(shape: object, dtype: object) -> int:
    """Bytes of an array, -1 for one of objects. Raises `Damaged` when they cannot be told."""
    size = _itemsize(dtype)
    if not isinstance(shape, tuple) or size is None:
        raise Damaged("has an array whose length cannot be told")
    for each in shape:
        if not isinstance(each, int) or each < 0:
            raise Damaged("has an array whose shape cannot be told")
        size *= each if size > 0 else 1
    return size


def _itemsize(dtype: object) -> int | None:
    """Of one element: bytes, -1 for objects, None where it cannot be told.

    A dtype is pickled as `dtype('V56', False, True)` with the state `(3, '|', None, names, fields, 56, 8, flags)`.
    """
    if not isinstance(dtype, Made) or not dtype.args or not isinstance(dtype.args[0], str):
        return None
    match = DTYPE.fullmatch(dtype.args[0])
    if match is None:
        return None
    kind, digits = match.groups()
    state = dtype.state
    flags = state[7] if isinstance(state, tuple) and len(state) > 7 else 0
    if kind == "O" or (kind == "V" and isinstance(flags, int) and flags & DTYPE_FLAG_OBJECT):
        return -1
    if not digits:
        return 1 if kind == "?" else None
    return int(digits) * (4 if kind == "U" else 1)


def _reconstructor(args: tuple[object, ...]) -> bool:
    """copyreg._reconstructor(cls, base, state): makes an empty `cls`."""
    classes = [each for each in args[:2] if isinstance(each, Global)]
    made = (each.use in (Use.TYPE, Use.CALL) or str(each) in BASES for each in classes)
    return len(classes) == 2 and all(made)


def _encoded(args: tuple[object, ...]) -> bool:
    """_codecs.encode(text, 'latin1'): bytes in protocol 2."""
    return len(args) == 2 and args[1] == "latin1"


def _function_first(args: tuple[object, ...]) -> bool:
    """functools.partial(function), collections.defaultdict(factory)."""
    loaded = args and isinstance(args[0], Made) and args[0].callee.name == "_load_type"  # dill's `list`
    return not args or args[0] is None or isinstance(args[0], Global) or bool(loaded)


def _no_count(args: tuple[object, ...]) -> bool:
    """bytes(10**12) would take all memory."""
    return not any(isinstance(each, int) or risky(each) for each in args)


def _empty_array(args: tuple[object, ...]) -> bool:
    """dill's _create_array(numpy's _reconstruct, its arguments, a state)."""
    return bool(args) and isinstance(args[0], Global) and args[0].name == "_reconstruct"


def _plain_type(args: tuple[object, ...]) -> bool:
    """dill's _load_type(name)."""
    return len(args) == 1 and args[0] in PLAIN_TYPES


BASES = frozenset(f"builtins.{name}" for name in ("dict", "list", "tuple", "int", "float", "str"))
PLAIN_TYPES = frozenset(
    [
        "NoneType",
        "bool",
        "bytes",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "object",
        "set",
        "slice",
        "str",
        "tuple",
    ]
)
CHECKS: dict[tuple[str, str], Callable[[tuple[object, ...]], bool]] = {
    ("copyreg", "_reconstructor"): _reconstructor,
    ("_codecs", "encode"): _encoded,
    ("functools", "partial"): _function_first,
    ("collections", "defaultdict"): _function_first,
    ("dill._dill", "_create_array"): _empty_array,
    ("dill._dill", "_load_type"): _plain_type,
    ("builtins", "bytes"): _no_count,
    ("builtins", "bytearray"): _no_count,
}
