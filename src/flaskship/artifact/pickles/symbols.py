"""What a walk through a pickle has on its stack in place of objects, and what it knows of a few of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flaskship.artifact.pickles.allowed import Use
from flaskship.artifact.shim.unpickle import WRAPPER, WRAPPERS

DEEPEST_KEY = 64  # hashing a tuple in a tuple in a tuple … overflows the interpreter's stack
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
    """What a call of a global gave. Arguments and state are kept of arrays, dtypes and joblib's array wrappers only."""

    __slots__ = ("args", "callee", "state")

    def __init__(self, callee: Global, args: tuple[object, ...] = ()) -> None:
        self.callee, self.args = callee, args
        self.state: object = None


class Guarded(tuple[object, ...]):
    """A tuple with a global in it that may be called, or handed to a few calls, and kept nowhere."""

    __slots__ = ()


class Dict:
    """A dictionary: the entries in `TOLD`, the first key that no object's state may have, and if it became a state."""

    __slots__ = ("entries", "fields", "forbidden", "known", "used")

    def __init__(self) -> None:
        self.known: dict[str, object] = {}
        self.fields: tuple[tuple[object, ...], ...] = ()  # the values (dtype, offset), as a dtype has them
        self.entries = 0
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


SYMBOLS = frozenset({Global, Guarded, Made})
ARRAY = Made(Global("numpy", "ndarray", Use.CALL))
LISTS = frozenset({("collections", "deque")})


def told(callee: Global) -> bool:
    """Whether what a call gives must be told from what other calls of `callee` give."""
    return callee.name in ("dtype", "_reconstruct") or (callee.name == WRAPPER and callee.module in WRAPPERS)


def finish(items: Sequence[object]) -> bool:
    """Notes that somebody has these: a dtype that is given its state later would surprise them. False for literals."""
    found = [each for each in items if type(each) in SYMBOLS]
    for each in found:
        if isinstance(each, Made) and each.state is None and each.callee.name == "dtype":
            each.state = ()
    return bool(found)


def shown(value: object) -> str:
    if isinstance(value, Made):
        return f"what {value.callee} makes"
    if isinstance(value, Guarded):
        return shown(next(each for each in value if isinstance(each, Global | Guarded)))
    return str(value) if isinstance(value, Global) else f"a {type(value).__name__.lower()}"


def forbids(key: str, value: object) -> bool:
    """Whether no object's state may have this entry.

    An object of requests for metadata (scikit-learn's) does have an attribute for each method of an estimator. A
    text vectoriser whose `input` is not its content reads any file that whoever asks may name.
    """
    if key == "input":
        return value != "content"
    request = isinstance(value, Made) and value.callee.name == "MethodMetadataRequest"
    return (key in METHODS and not request) or (key.startswith("__") and key.endswith("__"))


def check_depth(key: tuple[object, ...]) -> None:
    level, depth = [key], 0
    while level:
        depth += 1
        if depth > DEEPEST_KEY:
            raise Bomb("has a key of tuples within tuples, too deep to be hashed")
        level = [inner for each in level for inner in each if isinstance(inner, tuple)][:4096]
