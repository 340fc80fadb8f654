"""A pickle's opcodes, run on symbols: what it names and calls is found out without anything being imported or called.

The stack holds the pickle's own literals (`str`, `int`, `tuple`, None) and stand-ins for the rest. Where the meaning of
an opcode depends on what cannot be told from the bytes, that is unsafe itself. Opcodes: CPython, Lib/pickletools.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BufferedReader

from flaskship.artifact.pickles.allowed import Use, table
from flaskship.artifact.pickles.calls import fits, guarded, risky
from flaskship.artifact.pickles.dtypes import array_length, sound
from flaskship.artifact.pickles.opcodes import OPCODES
from flaskship.artifact.pickles.reader import Reader
from flaskship.artifact.pickles.symbols import (
    ARRAY,
    LISTS,
    OPAQUE,
    TOLD,
    Blob,
    Bomb,
    Damaged,
    Dict,
    Findings,
    Global,
    Guarded,
    Made,
    check_depth,
    finish,
    forbids,
    shown,
    told,
)
from flaskship.artifact.shim.unpickle import WRAPPER, mapped

PROTOCOLS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # how a pickle begins
MOST = 1 << 25  # values on the stack, and entries of the memo: of scan and loading both that takes gigabytes
MOST_NESTED = 1000  # pickles in bytes
MAPPINGS = ("collections", "sklearn")  # libraries whose dictionaries models keep
ARRAYS = ("numpy.ndarray", "numpy.memmap")  # as joblib notes of an array; nothing reads it
MEMO_GAP, SPARSE = 1 << 20, 64  # picklers number their memo in sequence; what is not used may be gone from it


class Walk:
    """A walk through one pickle, from the stream's position to behind its STOP."""

    def __init__(self, stream: BufferedReader, findings: Findings, *, joblib: bool, seekable: bool) -> None:
        self._stream, self._findings, self._joblib, self._seekable = stream, findings, joblib, seekable
        self._reader = Reader(stream, findings.blobs, seekable=seekable)
        self._stack: list[object] = []
        self._marks: list[list[object]] = []
        self._memo: dict[int, object] = {}
        self._protocol = 0
        self._frame_end = 0
        self._table = table()

    def run(self) -> object:
        """The symbol of the pickled object. Raises `Damaged` or `Bomb`."""
        read, variable = self._stream.read, self._reader.variable
        rows = {code: (size, getattr(self, name), decode) for code, (size, name, decode) in OPCODES.items()}
        while (code := read(1)) != b".":
            row = rows.get(code)
            if row is None:
                raise Damaged(self._broken(code))
            size, method, decode = row
            given: bytes | Blob = b""
            if size < 0:
                given = variable(size)
            elif size and len(given := read(size)) < size:
                raise Damaged("ends within an opcode")
            if decode is not None:
                method(decode(given))
            elif size:
                method(given)
            else:
                method()
        return self.pop_one()

    def _broken(self, code: bytes) -> str:
        return f"byte {code!r} at {self._stream.tell() - 1} is no opcode" if code else "ends before its STOP opcode"

    def data(self, argument: bytes | Blob) -> None:
        """Bytes, which may be a pickle themselves, or a booster in JSON."""
        if isinstance(argument, bytes) and argument[:2] in PROTOCOLS and len(self._findings.nested) < MOST_NESTED:
            self._findings.nested.append(argument)
        elif isinstance(argument, bytes) and argument[:1] == b"{":
            self._findings.blobs.append(Blob(argument, b"", len(argument)))
        self._stack.append(argument if isinstance(argument, Blob) else OPAQUE)

    # The stack machine

    def pop_one(self) -> object:
        if not self._stack:
            raise Damaged("takes from an empty stack")
        return self._stack.pop()

    def _top(self) -> object:
        if not self._stack:
            raise Damaged("looks at an empty stack")
        return self._stack[-1]

    def pop_mark(self) -> list[object]:
        if not self._marks:
            raise Damaged("takes up to a mark that is not there")
        items, self._stack = self._stack, self._marks.pop()
        return items

    def push(self, value: object) -> None:
        if len(self._stack) > MOST:
            raise Bomb(f"has more than {MOST:,} values waiting")
        self._stack.append(value)

    def pop(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self.pop_mark()

    def duplicate(self) -> None:
        self.push(self._top())

    def mark(self) -> None:
        if len(self._marks) > MOST:
            raise Bomb(f"has more than {MOST:,} beginnings without an end")
        self._marks.append(self._stack)
        self._stack = []

    def collect(self) -> None:
        self._tuple(self.pop_mark())

    def swallow(self) -> None:
        self._keep(self.pop_mark())
        self._stack.append(OPAQUE)

    def gather(self, count: int) -> None:
        if len(self._stack) < count:
            raise Damaged("takes from an empty stack")
        items = self._stack[-count:]
        del self._stack[-count:]
        self._tuple(items)

    def _tuple(self, items: list[object]) -> None:
        self._stack.append(Guarded(items) if finish(items) and any(map(guarded, items)) else tuple(items))

    def _keep(self, items: Sequence[object]) -> None:
        """What a container or a state takes, and whoever gets at it may call: nothing that is checked when called."""
        if finish(items):
            for each in filter(guarded, items):
                self._refuse(f"{shown(each)} (kept)")

    def protocol(self, number: int) -> None:
        self._protocol = number
        if self._protocol > 5:
            raise Damaged(f"says that its protocol is {self._protocol}")
        self._findings.protocol = max(self._findings.protocol, self._protocol)

    def frame(self, length: int) -> None:
        at = self._stream.tell()
        if at < self._frame_end:
            raise Damaged("begins a frame within a frame")
        self._frame_end = at + length

    # Memo

    def put(self, index: int) -> None:
        if index > min(SPARSE * len(self._memo) + MEMO_GAP, MOST):
            raise Bomb(f"numbers a memo entry {index:,}")
        self._memo[index] = self._top()

    def memoize(self) -> None:
        if not self._stack:
            raise Damaged("notes what is not there")
        if len(self._memo) > MOST:
            raise Bomb(f"has more than {MOST:,} memo entries")
        self._memo[len(self._memo)] = self._stack[-1]

    def get(self, index: int) -> None:
        if index not in self._memo:
            raise Damaged(f"asks for memo entry {index}, which was never made")
        self._stack.append(self._memo[index])

    # Containers

    def append(self) -> None:
        self._keep([self.pop_one()])
        self._extended(LISTS, "appending to")

    def appends(self) -> None:
        self._keep(self.pop_mark())
        self._extended(LISTS, "appending to")

    def additems(self) -> None:
        self._keep(self.pop_mark())
        self._extended(frozenset(), "adding to")

    def _extended(self, types: frozenset[tuple[str, str]], verb: str) -> None:
        """Appending calls a method of the object, by its name: it must be a plain list, set or one of `types`."""
        target = self._top()
        plain = target is OPAQUE
        if not plain and not (isinstance(target, Made) and (target.callee.module, target.callee.name) in types):
            self._refuse(f"{verb} {shown(target)}")

    def setitem(self) -> None:
        value, key = self.pop_one(), self.pop_one()
        self._set([key, value])

    def setitems(self) -> None:
        self._set(self.pop_mark())

    def dict(self) -> None:
        items = self.pop_mark()
        self._stack.append(Dict())
        self._set(items)

    def _set(self, items: list[object]) -> None:
        target = self._top()
        for key, value in zip(items[::2], items[1::2], strict=False):
            self._keep([key] if key == "subclass" and str(value) in ARRAYS else [key, value])
            if isinstance(target, Dict):
                self._entry(target, key, value)
            elif not isinstance(target, Made) or target.callee.module.partition(".")[0] not in MAPPINGS:
                self._refuse(f"setting items of {shown(target)}")  # a DataFrame would call the key
            elif target.callee.use is Use.TYPE and (forbids(key, value) if isinstance(key, str) else key is not OPAQUE):
                self._refuse(f"setting the attribute {key!r}")  # scikit-learn's Bunch gives its items as attributes
            if isinstance(key, tuple):
                check_depth(key)

    def _entry(self, target: Dict, key: object, value: object) -> None:
        if isinstance(key, str):
            if key in TOLD:
                target.known[key] = value
                if key == "_sklearn_version" and isinstance(value, str):
                    self._findings.sklearn = value
            elif forbids(key, value):
                target.forbidden = target.forbidden or key
        elif isinstance(key, Made):
            target.forbidden = target.forbidden or "(computed)"
        target.entries += 1
        if isinstance(value, tuple) and value and isinstance(value[0], Made) and value[0].callee.name == "dtype":
            target.fields = (*target.fields, value)
            if target.used:
                self._refuse("changing the fields of a dtype")
        if target.used and target.forbidden:
            self._refuse(f"setting the attribute {target.forbidden!r}")

    # Names and calls

    def name(self, argument: bytes | Blob) -> None:
        self._stack.append(self._pair(argument))

    def _pair(self, argument: bytes | Blob) -> Global:
        second = self._reader.line()
        if isinstance(argument, Blob) or isinstance(second, Blob):
            raise Bomb("names a global of thousands of letters")
        try:
            return self._find(argument.decode(), second.decode())
        except UnicodeDecodeError as error:
            raise Damaged("names a global in bytes that are not UTF-8") from error

    def stack_global(self) -> None:
        name, module = self.pop_one(), self.pop_one()
        if isinstance(name, str) and isinstance(module, str):
            self._stack.append(self._find(module, name))
        else:
            self._refuse("a global whose name cannot be told from the bytes")
            self._stack.append(Global("?", "?", None))

    def _find(self, module: str, name: str) -> Global:
        module, name = mapped(module, name, self._protocol)
        known = self._findings.globals
        found = known.get((module, name))
        if found is None:
            found = known[module, name] = Global(module, name, self._table.get((module, name)))
            if found.use is None:
                self._refuse(str(found))
        return found

    def _refuse(self, what: str) -> None:
        self._findings.unsafe[what] = None

    def reduce(self) -> None:
        args, callee = self.pop_one(), self.pop_one()
        self._call(callee, args)

    def obj(self) -> None:
        items = self.pop_mark()
        if not items:
            raise Damaged("makes an object of nothing")
        self._make(items[0], tuple(items[1:]))

    def inst(self, argument: bytes | Blob) -> None:
        found = self._pair(argument)
        self._make(found, tuple(self.pop_mark()))

    def newobj(self) -> None:
        args, callee = self.pop_one(), self.pop_one()
        tuples = isinstance(callee, Global) and callee.use is Use.TYPE and callee.module.startswith("sklearn.")
        self._make(callee, () if tuples and isinstance(args, tuple) and not any(map(risky, args)) else args)

    def newobj_ex(self) -> None:
        options, args, callee = self.pop_one(), self.pop_one(), self.pop_one()
        if not isinstance(options, Dict) or options.entries:  # no library's class is pickled with any
            self._refuse(f"making {shown(callee)} with arguments by name")
        self._make(callee, args)

    def _make(self, callee: object, args: object) -> None:
        """An object of a class, made empty: allowed of types too."""
        if isinstance(callee, Global) and callee.use is Use.TYPE and args == ():
            self._stack.append(Made(callee) if told(callee) else callee.made)
        else:
            self._call(callee, args)

    def _call(self, callee: object, args: object) -> None:
        if not isinstance(callee, Global):
            self._refuse(f"a call of {shown(callee)}")
            self._stack.append(Made(Global("?", "?", None)))
            return
        if callee.use in (Use.TYPE, Use.NAME) or not self._fits(callee, args):
            self._refuse(f"{callee} (called)")
        if callee.name == "_reconstructor" and isinstance(args, tuple) and args and isinstance(args[0], Global):
            self._used(args[-1])
            callee, args = args[0], ()  # copyreg._reconstructor(cls, base, state) makes a `cls`
        slices = args == ("slice",) and str(callee) == "dill._dill._load_type"  # as a ColumnTransformer keeps
        made = Made(callee, args if isinstance(args, tuple) else ()) if told(callee) else callee.made
        self._stack.append(self._find("builtins", "slice") if slices else made)

    def _fits(self, callee: Global, args: object) -> bool:
        """Whether a callable that may be called may be called so."""
        if not isinstance(args, tuple):
            return False
        if callee.name == "_ufunc_reconstruct":
            return len(args) == 2 and all(isinstance(each, str) for each in args) and bool(self._find(*map(str, args)))
        return fits(callee, args)

    def _used(self, state: object) -> None:
        """A dictionary that becomes the state of an object."""
        if isinstance(state, Dict):
            state.used = True
            if state.forbidden:
                self._refuse(f"setting the attribute {state.forbidden!r}")

    def build(self) -> None:
        state, target = self.pop_one(), self._top()
        if not isinstance(target, Made):
            self._refuse(f"changing {shown(target)} itself")
            return
        parts = state if isinstance(state, tuple) else (state,)
        self._keep(parts)
        for part in parts:
            self._used(part)
        if target is ARRAY or target.state is not None:
            self._refuse(f"{target.callee} given a state twice")  # whoever has a view of it would see freed memory
        if state is OPAQUE and target.callee.use is Use.TYPE:
            self._refuse(f"a state of {shown(target)} that is no dictionary")
        if isinstance(state, Made):
            self._refuse(f"a state of {shown(target)} that is computed by {shown(state)}")
        if told(target.callee):
            target.state = state
            if target.callee.name == "dtype" and not sound(target, state):
                self._refuse("a dtype that is not what it says")
            if target.callee.name == WRAPPER and self._joblib:
                self._array(target, state)

    # Arrays in between

    def _array(self, wrapper: Made, state: object) -> None:
        """Passes over the bytes of the array that `wrapper` describes, and puts it in its place."""
        known = state.known if isinstance(state, Dict) else {}
        at = self._stream.tell()
        if at < self._frame_end:
            raise Damaged("has an array within a frame")
        self._stack[-1] = ARRAY
        length = array_length(known.get("shape"), known.get("dtype"))
        self._findings.arrays[at] = length
        if length < 0:
            Walk(self._stream, self._findings, joblib=False, seekable=self._seekable).run()
            return
        if known.get("numpy_array_alignment_bytes") is not None:
            self._reader.exact(self._reader.exact(1)[0])
        self._reader.skip(length)

    def binary_persistent(self) -> None:
        self.pop_one()
        self.persistent(b"")

    def persistent(self, _: bytes | Blob) -> None:
        self._refuse("an object kept outside of the file (a persistent id)")
        self._stack.append(OPAQUE)

    def extension(self, code: int) -> None:
        self._refuse(f"number {code} of this process's extension registry")
        self._stack.append(Global("?", "?", None))

    def buffer(self) -> None:
        raise Damaged("keeps buffers outside of the file")
