"""What a callable of the table may be called with, where that matters, and what may be kept for a later call."""

from __future__ import annotations

from collections.abc import Callable

from flaskship.artifact.pickles.allowed import Use
from flaskship.artifact.pickles.symbols import OPAQUE, Blob, Dict, Global, Guarded, Made


def guarded(value: object) -> bool:
    """Whether `value` is, or is a tuple with, a global that may be kept nowhere, since whoever gets at it may call it.

    Those are the callables that are checked when called, classes, of which any constructor may read files, and
    reconstructors. Functions of numbers, and types as builtins' and dtypes, may be kept.
    """
    if isinstance(value, Global):
        kept = (
            value.use in (Use.NAME, None) or value.module.partition(".")[0] in KEPT or str(value) == "builtins.object"
        )
        return not kept or (value.module, value.name) in GUARDED
    return isinstance(value, Guarded)


def risky(argument: object) -> bool:
    """Whether no unchecked call may have this argument: a function that may only be named, or what is `guarded`."""
    return guarded(argument) or (isinstance(argument, Global) and argument.use is Use.NAME)


def _class(value: object) -> bool:
    """A class, or a reconstructor that takes any arguments; numpy.ndarray is checked when called."""
    return isinstance(value, Global) and value.use is not Use.NAME and (value.module, value.name) not in GUARDED


def _array_class(cls: object) -> bool:
    return _class(cls) or str(cls) == "numpy.ndarray"


def _class_first(args: tuple[object, ...]) -> bool:
    """Cython's __pyx_unpickle_Name(cls, checksum, state) and newObj(cls) make an empty `cls`."""
    return bool(args) and _class(args[0]) and not any(map(risky, args[1:]))


def _reconstructor(args: tuple[object, ...]) -> bool:
    """copyreg._reconstructor(cls, base, state): makes an empty `cls`."""
    if len(args) != 3 or not isinstance(args[0], Global) or str(args[1]) not in {*BASES, "builtins.object"}:
        return False
    if str(args[1]) == "builtins.dict" and not isinstance(args[2], Dict):
        return False
    return (_class(args[0]) or str(args[0]) in BASES) and _plain(args[2:])


def _encoded(args: tuple[object, ...]) -> bool:
    """_codecs.encode(text, 'latin1'): bytes in protocol 2."""
    return len(args) == 2 and args[1] == "latin1"


def _function_first(args: tuple[object, ...]) -> bool:
    """functools.partial(function), collections.defaultdict(factory)."""
    loaded = args and isinstance(args[0], Made) and args[0].callee.name == "_load_type"  # dill's `list`
    if any(guarded(each) for each in args):
        return False
    return not args or args[0] is None or isinstance(args[0], Global) or bool(loaded)


def _content(args: tuple[object, ...]) -> bool:
    """bytes(10**12) would take all memory; numpy's integers count too."""
    return all(each is OPAQUE or isinstance(each, str | Blob) or _is(each, "_codecs.encode") for each in args)


def _is(value: object, callee: str) -> bool:
    return isinstance(value, Made) and str(value.callee) == callee


def _plain(args: tuple[object, ...]) -> bool:
    """set(list): what an object gives when it is iterated over could be without end."""
    return not any(isinstance(each, Made | Global | Guarded) for each in args)


def _range(args: tuple[object, ...]) -> bool:
    """range(start, stop, step): a list of 10**13 would take all memory."""
    numbers = [each for each in args if isinstance(each, int)]
    return (
        len(numbers) == len(args) in (1, 2, 3)
        and 0 not in numbers[2:]
        and len(range(*numbers)[: LONGEST + 1]) <= LONGEST
    )


def _scalar(args: tuple[object, ...]) -> bool:
    """scalar(dtype, bytes); without the bytes it would be as many zeros as the dtype says."""
    return len(args) == 2 and _is(args[0], "numpy.dtype") and not risky(args[1])


def _dtype(args: tuple[object, ...]) -> bool:
    """dtype('V56', False, True)."""
    return all(isinstance(each, str | int) for each in args)


def _empty_array(args: tuple[object, ...]) -> bool:
    """_reconstruct(numpy.ndarray, (0,), b'b'): an array that gets shape and dtype with its state."""
    return len(args) == 3 and _array_class(args[0]) and args[1] == (0,)


def _empty_masked(args: tuple[object, ...]) -> bool:
    """_mareconstruct(MaskedArray, numpy.ndarray, (0,), b'b')."""
    return len(args) == 4 and _empty_array(args[1:]) and _array_class(args[0])


def _filled_array(args: tuple[object, ...]) -> bool:
    """dill's _create_array(numpy's _reconstruct, its arguments, a state)."""
    first, given = args[:2] if len(args) > 2 else (None, None)
    named = isinstance(first, Global) and first.name == "_reconstruct"
    return named and isinstance(given, tuple) and _empty_array(given) and not any(map(risky, args[2:]))


def _own_memory(args: tuple[object, ...]) -> bool:
    """_frombuffer(bytes, dtype, …): of another array's memory, which may be freed, it would be a dangling view."""
    return bool(args) and (args[0] is OPAQUE or isinstance(args[0], Blob)) and not any(map(risky, args))


def _random(args: tuple[object, ...]) -> bool:
    """__generator_ctor(bits, make) calls `make(bits)`."""
    owners = (each.callee if isinstance(each, Made) else each for each in args if not isinstance(each, str))
    return all(isinstance(each, Global) and each.module.startswith("numpy.random.") for each in owners)


def _index(args: tuple[object, ...]) -> bool:
    """pandas' _new_Index(cls, arguments) calls `cls.__new__`."""
    return len(args) == 2 and isinstance(args[0], Global) and args[0].module.partition(".")[0] == "pandas"


def _never(args: tuple[object, ...]) -> bool:
    """numpy.ndarray(shape, 'O', bytes) would take the bytes for pointers."""
    return False


def _plain_type(args: tuple[object, ...]) -> bool:
    """dill's _load_type(name)."""
    return len(args) == 1 and args[0] in PLAIN_TYPES


KEPT = ("builtins", "collections", "datetime", "decimal", "functools", "numpy", "pandas", "pathlib", "pytz")
LONGEST = 1 << 20  # numbers of a range
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
    ("dill._dill", "_create_array"): _filled_array,
    ("dill._dill", "_load_type"): _plain_type,
    ("builtins", "bytes"): _content,
    ("builtins", "range"): _range,
    ("numpy", "dtype"): _dtype,
    ("builtins", "bytearray"): _content,
    ("numpy", "ndarray"): _never,
    ("numpy.ma.core", "_mareconstruct"): _empty_masked,
    ("pandas.core.indexes.base", "_new_Index"): _index,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _empty_array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{("builtins", each): _plain for each in ("set", "frozenset")},
    **{("collections", each): _plain for each in ("Counter", "OrderedDict", "deque")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _own_memory for core in ("core", "_core")},
    **{("numpy.random._pickle", f"__{made}_ctor"): _random for made in ("bit_generator", "generator", "randomstate")},
}
KEPT_TOO = {"partial", "defaultdict", "set", "frozenset", "Counter", "OrderedDict", "deque", "dtype"}
GUARDED = frozenset(each for each in CHECKS if each[1] not in KEPT_TOO) | {("numpy", "memmap")}


def fits(callee: Global, args: tuple[object, ...]) -> bool:
    """Whether `callee`, which may be called, may be called with `args`."""
    if callee.name.startswith("__pyx_unpickle_") or callee.name == "newObj":
        return _class_first(args)
    check = CHECKS.get((callee.module, callee.name))
    return check(args) if check else not any(map(risky, args))
