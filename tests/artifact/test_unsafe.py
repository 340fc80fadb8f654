"""Pickles that would run code are refused before anything of them runs, however it is hidden."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pickle
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from dataclasses import replace

import joblib
import numpy as np
import pytest
from pickled import named, opened, proto, text, written
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from flaskship import artifact
from flaskship.artifact import pickles
from flaskship.artifact.shim import streams
from flaskship.errors import NotRecognised, UnsafePickle

X = np.random.default_rng(0).random((60, 3))


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function: object, *args: object) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.function, self.args


COMMAND = text("touch MARKER")
CALLED = COMMAND + b"\x85R"
SYSTEM = named("os", "system") + CALLED
FAKE_STATE = b"}" + text("extend") + named("os", "system") + b"s"
RAW: dict[str, tuple[str, bytes]] = {
    "protocol 0": ("os.system", b"cos\nsystem\n(S'touch MARKER'\ntR."),
    "protocol 0 through Python 2's name": ("posix.system", b"cposix\nsystem\n(S'touch MARKER'\ntR."),
    "Windows": ("nt.system", proto(named("nt", "system"), CALLED)),
    "Python 2's builtins": ("builtins.eval", b"c__builtin__\neval\n(S'1'\ntR."),
    "Python 2's commands": ("subprocess.getoutput", b"ccommands\ngetoutput\n(S'touch MARKER'\ntR."),
    "INST": ("os.system", b"(S'touch MARKER'\nios\nsystem\n."),
    "OBJ": ("os.system", b"(cos\nsystem\nS'touch MARKER'\no."),
    "STACK_GLOBAL": ("os.system", proto(SYSTEM)),
    "names from the memo": (
        "os.system",
        proto(text("system"), b"q\x000", text("os"), b"q\x010h\x01h\x00\x93", CALLED),
    ),
    "a name put together at run time": (
        "cannot be told",
        proto(named("builtins", "str"), text("os"), b"\x85R", text("system"), b"\x93", CALLED),
    ),
    "an escaped name": ("os.system", b"S'\\x6fs'\nS'sys\\x74em'\n\x93(S'touch MARKER'\ntR."),
    "a raw unicode name": ("os.system", b"V\\u006fs\nVsystem\n\x93(S'touch MARKER'\ntR."),
    "a duplicate of the name": ("os.system", proto(text("os"), text("system"), b"2", b"0\x93", CALLED)),
    "a second pickle": ("os.system", pickle.dumps(1) + proto(SYSTEM)),
    "a third pickle": ("os.system", pickle.dumps(1) + pickle.dumps([2]) + proto(SYSTEM)),
    "a value that is dropped": ("os.system", proto(SYSTEM, b"0N")),
    "an unused mark": ("os.system", proto(b"(", SYSTEM, b"1N")),
    "a key of a dictionary": ("os.system", proto(b"}", SYSTEM, b"Ns")),
    "a set": ("os.system", proto(b"\x8f(", SYSTEM, b"\x90")),
    "steps of a dict": ("os.system", proto(b"}(", text("scaler"), b"N", text("model"), SYSTEM, b"u")),
    "a frozen set": ("os.system", proto(b"(", SYSTEM, b"\x91")),
    "a list of lists": ("os.system", proto(b"]](", SYSTEM, b"ea")),
    "NEWOBJ": ("subprocess.Popen", proto(named("subprocess", "Popen"), COMMAND, b"\x85\x81")),
    "NEWOBJ_EX": ("subprocess.Popen", proto(named("subprocess", "Popen"), COMMAND, b"\x85}\x92")),
    "a dotted name": ("sklearn.utils.os.system", proto(named("sklearn.utils", "os.system"), CALLED)),
    "a dotted name of an allowed class": (
        "sklearn.linear_model._logistic.LogisticRegression.fit.__globals__",
        proto(named("sklearn.linear_model._logistic", "LogisticRegression.fit.__globals__")),
    ),
    "a module's own imports": ("sklearn.base.os", proto(named("sklearn.base", "os"))),
    "a re-export": ("joblib.load", proto(named("joblib", "load"), CALLED)),
    "numpy.load": ("numpy.load", proto(named("numpy", "load"), CALLED)),
    "numpy f2py": ("numpy.f2py.crackfortran.myeval", proto(named("numpy.f2py.crackfortran", "myeval"), CALLED)),
    "numpy testing": (
        "numpy.testing._private.utils.runstring",
        proto(named("numpy.testing._private.utils", "runstring")),
    ),
    "a download": ("sklearn.datasets._openml.fetch_openml", proto(named("sklearn.datasets._openml", "fetch_openml"))),
    "pandas": ("pandas.read_pickle", proto(named("pandas", "read_pickle"), CALLED)),
    "pandas eval": ("pandas.core.computation.eval.eval", proto(named("pandas.core.computation.eval", "eval"), CALLED)),
    "scipy distributions": (
        "scipy.stats._continuous_distns.norm_gen",
        proto(named("scipy.stats._continuous_distns", "norm_gen")),
    ),
    "operator": ("operator.attrgetter", proto(named("operator", "attrgetter"), text("system"), b"\x85R")),
    "map": ("builtins.map", proto(named("builtins", "map"), named("os", "system"), b"](", COMMAND, b"e\x86R")),
    "vectorize": ("numpy.vectorize", proto(named("numpy", "vectorize"), named("os", "system"), b"\x85R")),
    "a function that numpy reconstructs": (
        "os.system",
        proto(named("numpy.core", "_ufunc_reconstruct"), text("os"), text("system"), b"\x86R", CALLED),
    ),
    "a function named by a computed text": (
        "_ufunc_reconstruct (called)",
        proto(named("numpy.core", "_ufunc_reconstruct"), named("builtins", "str"), b")R", text("system"), b"\x86R"),
    ),
    "the call of a partial": (
        "a call of what functools.partial makes",
        proto(named("functools", "partial"), named("builtins", "sorted"), b"\x85R", b"]\x85R"),
    ),
    "a partial of a computed function": (
        "functools.partial (called)",
        proto(named("functools", "partial"), named("collections", "deque"), b")R\x85R"),
    ),
    "a method set on an instance": (
        "'extend'",
        proto(named("sklearn.utils._bunch", "Bunch"), b")\x81", FAKE_STATE, b"b(", COMMAND, b"e"),
    ),
    "a method set through slots": (
        "'extend'",
        proto(named("sklearn.utils._bunch", "Bunch"), b")\x81N", FAKE_STATE, b"\x86b(", COMMAND, b"e"),
    ),
    "a method set after the state was given": (
        "'extend'",
        proto(
            named("sklearn.utils._bunch", "Bunch"), b")\x81}q\x05b0h\x05", text("extend"), named("os", "system"), b"s"
        ),
    ),
    "an attribute named by a computed text": (
        "(computed)",
        proto(named("sklearn.utils._bunch", "Bunch"), b")\x81}", named("builtins", "bytes"), b")RNsb"),
    ),
    "a state set on a class": (
        "changing sklearn.linear_model._logistic.LogisticRegression itself",
        proto(named("sklearn.linear_model._logistic", "LogisticRegression"), b"N}", text("x"), b"Ns\x86b"),
    ),
    "__setstate__": (
        "__setstate__",
        proto(
            named("builtins", "object"), b")\x81}", text("__setstate__"), named("os", "system"), b"sb", COMMAND, b"b"
        ),
    ),
    "an append to a global": ("appending to os.environ", proto(named("os", "environ"), b"Na")),
    "an item set on a global": ("setting items of os.environ", proto(named("os", "environ"), text("PATH"), b"Ns")),
    "EXT1": ("extension registry", proto(b"\x82\x01")),
    "EXT2": ("extension registry", proto(b"\x83\x01\x00")),
    "EXT4": ("extension registry", proto(b"\x84\x01\x00\x00\x00")),
    "PERSID": ("persistent id", b"Pos.system\n."),
    "BINPERSID": ("persistent id", proto(text("x"), b"Q")),
    "a pickle in bytes for an allowed caller": (
        "os.system",
        pickle.dumps(LogisticRegression())[:-1] + b"0B" + struct.pack("<I", len(proto(SYSTEM))) + proto(SYSTEM) + b".",
    ),
    "pickle in pickle": (
        "_pickle.loads",
        proto(named("_pickle", "loads"), b"B", struct.pack("<I", len(proto(SYSTEM))), proto(SYSTEM), b"\x85R"),
    ),
    "__main__": ("__main__.clean", proto(named("__main__", "clean"))),
    "an own module": ("mylib.features.Encoder", proto(named("mylib.features", "Encoder"), b")\x81")),
    "a memory map": (
        "numpy.memmap (called)",
        proto(named("numpy", "memmap"), text("MARKER"), text("u1"), text("w+"), b"\x87R"),
    ),
    "a list of all numbers": (
        "builtins.range (called)",
        proto(named("collections", "deque"), named("builtins", "range"), b"\x8a\x06\x00\x00\x00\x00\x00\x10\x85R\x85R"),
    ),
    "joblib's file of another name": (
        "joblib.numpy_pickle.NDArrayWrapper",
        proto(named("joblib.numpy_pickle", "NDArrayWrapper")),
    ),
}
ADDRESS = b"C\x08" + struct.pack("<Q", 0x4141414141414141)
RECONSTRUCT = named("numpy.core.multiarray", "_reconstruct")
ONE = b"K\x01"


def dtype(kind: str, state: bytes = b"") -> bytes:
    """A dtype, given `state` if any."""
    return named("numpy", "dtype") + text(kind) + b"\x89\x88\x87R" + (state + b"b" if state else b"")


def dtype_state(size: int, flags: int, fields: bytes = b"NN", base: bytes = b"N") -> bytes:
    """(3, '|', base, names, fields, size, 1, flags)"""
    return b"(K\x03" + text("|") + base + fields + b"J" + struct.pack("<i", size) + ONE + b"K" + bytes([flags]) + b"t"


def field(inner: bytes, at: int = 0) -> bytes:
    """('a',), {'a': (inner, at)}"""
    return text("a") + b"\x85}" + text("a") + inner + b"K" + bytes([at]) + b"\x86s"


def array(made: bytes) -> bytes:
    """Of one element of the dtype `made`, whose bytes are an address."""
    empty = RECONSTRUCT + named("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
    return empty + b"(" + ONE + ONE + b"\x85" + made + b"\x89" + ADDRESS + b"tb"


PARTIAL = named("functools", "partial")
POINTERS: dict[str, tuple[str, bytes]] = {  # bytes that numpy would take for pointers to Python objects
    "an array over bytes": (
        "numpy.ndarray (called)",
        proto(named("numpy", "ndarray"), ONE, b"\x85", text("O"), ADDRESS, b"\x87R"),
    ),
    "an array over bytes, made by pandas": (
        "_new_Index (called)",
        proto(
            named("pandas.core.indexes.base", "_new_Index"),
            named("numpy", "ndarray"),
            b"}",
            text("dtype"),
            text("O"),
            b"s\x86R",
        ),
    ),
    "an array over bytes, made later": (
        "functools.partial (called)",
        proto(PARTIAL, b"(", named("numpy", "ndarray"), ONE, b"\x85", text("O"), ADDRESS, b"tR"),
    ),
    "an array over bytes, by a partial's state": (
        "numpy.ndarray (kept)",
        proto(PARTIAL, named("builtins", "list"), b"\x85R(", named("numpy", "ndarray"), b")}Ntb"),
    ),
    "an array over bytes, as a function": (
        "numpy.ndarray (kept)",
        proto(named("sklearn.utils._bunch", "Bunch"), b")\x81}", text("func"), named("numpy", "ndarray"), b"sb"),
    ),
    "an array over bytes, made by a random generator": (
        "__generator_ctor (called)",
        proto(named("numpy.random._pickle", "__generator_ctor"), ONE, named("numpy", "ndarray"), b"\x86R"),
    ),
    "a dtype of objects that says it has none": (
        "a dtype that is not what it says",
        proto(array(dtype("O8", dtype_state(-1, 0)))),
    ),
    "a field of objects in a dtype that says it has none": (
        "a dtype that is not what it says",
        proto(array(dtype("V8", dtype_state(8, 16, field(dtype("O8")))))),
    ),
    "a dtype whose base holds objects": (
        "a dtype that is not what it says",
        proto(array(dtype("V8", dtype_state(8, 0, base=dtype("O8") + ONE + b"\x85\x86")))),
    ),
    "a field beyond the element": (
        "a dtype that is not what it says",
        proto(array(dtype("V8", dtype_state(8, 16, field(dtype("i8"), at=200))))),
    ),
    "a dtype that is larger than its elements": (
        "a dtype that is not what it says",
        proto(array(dtype("V8", dtype_state(10_000, 0)))),
    ),
    "a dtype that is changed when an array has it": (
        "numpy.dtype given a state twice",
        proto(dtype("V8"), b"q\x070", array(b"h\x07"), b"0h\x07", dtype_state(8, 27, field(dtype("O8"))), b"b"),
    ),
    "a field that is changed when a dtype has it": (
        "changing the fields of a dtype",
        proto(
            dtype("V8"),
            b"(K\x03",
            text("|"),
            b"N",
            text("a"),
            b"\x85}q\x07",
            text("a"),
            dtype("i8"),
            b"K\x00\x86s",
            b"K\x08K\x01K\x10tbh\x07",
            text("a"),
            dtype("O8"),
            b"K\x00\x86s",
        ),
    ),
    "an array whose memory is replaced under a view": (
        "_frombuffer (called)",
        proto(
            named("numpy.core.numeric", "_frombuffer"),
            b"(",
            array(dtype("i8", dtype_state(-1, 0))),
            dtype("i8"),
            ONE,
            b"\x85",
            text("C"),
            b"tR",
        ),
    ),
    "an array given a state twice": (
        "given a state twice",
        proto(array(dtype("i8", dtype_state(-1, 0))), b"(", ONE, ONE, b"\x85", dtype("i8"), b"\x89", ADDRESS, b"tb"),
    ),
}
RAW |= POINTERS | {
    "a function called by what makes random generators": (
        "__generator_ctor (called)",
        proto(
            named("numpy.random._pickle", "__generator_ctor"),
            COMMAND,
            PARTIAL,
            named("builtins", "sorted"),
            b"\x85R",
            b"\x86R",
        ),
    ),
    "dill's types by name, for later": (
        "dill._dill._load_type (kept)",
        proto(named("collections", "defaultdict"), b")R", text("x"), named("dill._dill", "_load_type"), b"s"),
    ),
    "a million million zero bytes": (
        "builtins.bytearray (called)",
        proto(named("builtins", "bytearray"), named("numpy", "int64"), b"\x8a\x06\x00\x00\x00\x00\x00\x10\x85R\x85R"),
    ),
    "a list of all numbers, made by copyreg": (
        "builtins.range (called)",
        proto(
            named("copyreg", "_reconstructor"),
            named("builtins", "list"),
            named("builtins", "list"),
            named("builtins", "range"),
            b"\x8a\x06\x00\x00\x00\x00\x00\x10\x85R\x87R",
        ),
    ),
    "an array of a million million": (
        "_reconstruct (called)",
        proto(RECONSTRUCT, named("numpy", "ndarray"), b"\x8a\x06\x00\x00\x00\x00\x00\x10\x85", text("b"), b"\x87R"),
    ),
    "a vectoriser that reads files, hidden in a deque": (
        "'input'",
        proto(
            named("collections", "deque"),
            b")R",
            named("sklearn.feature_extraction.text", "CountVectorizer"),
            b")\x81}",
            text("input"),
            text("filename"),
            b"sba",
        ),
    ),
    "a state that is a list of pairs": (
        "no dictionary",
        proto(
            named("lightgbm.sklearn", "LGBMClassifier"),
            b")\x81](",
            text("predict"),
            named("builtins", "sorted"),
            b"\x86eb",
        ),
    ),
}
MILLIONS = b"\x8a\x06\x00\x00\x00\x00\x00\x10"  # 2**44
BUNCH = named("sklearn.utils._bunch", "Bunch")
FUNCTION = named("sklearn.preprocessing._function_transformer", "FunctionTransformer") + b")\x81"
INTERFACE = text("__array_interface__") + b"}" + text("data") + b"K\x08\x89\x86s"  # at address 8
RAW |= {
    "zeros without end, as a scalar": (
        "numpy.void (called)",
        proto(named("numpy", "void"), MILLIONS, b"\x85R"),
    ),
    "zeros without end, as a dtype says": (
        "scalar (called)",
        proto(named("numpy.core.multiarray", "scalar"), dtype("V2147483647"), b"\x85R"),
    ),
    "a number of a thousand million digits": (
        "numpy.int64 (called)",
        proto(named("numpy", "int64"), named("decimal", "Decimal"), text("1e999999999"), b"\x85R\x85R"),
    ),
    "a seed of a million million words": (
        "SeedSequence (called)",
        proto(named("numpy.random.bit_generator", "SeedSequence"), b"(NK\x00)", MILLIONS, b"tR"),
    ),
    "a list of all numbers, made by pandas": (
        "builtins.range (called)",
        proto(
            named("pandas.core.indexes.base", "_new_Index"),
            named("pandas.core.indexes.base", "Index"),
            b"}(",
            text("data"),
            named("builtins", "range"),
            MILLIONS,
            b"\x85R",
            text("dtype"),
            text("f8"),
            b"u\x86R",
        ),
    ),
    "a set of what an object gives, without end": (
        "builtins.set (called)",
        proto(named("builtins", "set"), named("sklearn.pipeline", "Pipeline"), b")\x81\x85R"),
    ),
    "an array at any address": (
        "'__array_interface__'",
        proto(named("scipy.spatial._ckdtree", "cKDTree"), BUNCH, b")\x81", INTERFACE, b"s\x85R"),
    ),
    "an array at any address, of protocol 1": (
        "'__array_interface__'",
        proto(named("copyreg", "_reconstructor"), BUNCH, named("builtins", "dict"), b"}", INTERFACE, b"s\x87R"),
    ),
    "an array at any address, of pairs": (
        "copyreg._reconstructor (called)",
        proto(named("copyreg", "_reconstructor"), BUNCH, named("builtins", "dict"), b"](", INTERFACE, b"\x86e\x87R"),
    ),
    "a method among a bunch's items": (
        "'predict'",
        proto(BUNCH, b")\x81", text("predict"), named("numpy", "max"), b"s"),
    ),
    "an array over bytes, beside what joblib notes": (
        "numpy.ndarray (kept)",
        proto(FUNCTION, b"}(", text("subclass"), b"N", text("func"), named("numpy", "ndarray"), b"ub"),
    ),
    "an array over bytes, as a memory map": (
        "numpy.memmap (kept)",
        proto(FUNCTION, b"}", text("func"), named("numpy", "memmap"), b"sb"),
    ),
    "an array over bytes, as a record array": (
        "numpy.recarray (called)",
        proto(named("numpy", "recarray"), b"(K\x01\x85", text("O"), ADDRESS, b"t\x81"),
    ),
    "an array over bytes, by arguments with names": (
        "numpy.recarray with arguments by name",
        proto(
            named("numpy", "recarray"),
            b")}(",
            text("shape"),
            ONE,
            text("dtype"),
            text("O"),
            text("buf"),
            ADDRESS,
            b"u\x92",
        ),
    ),
    "zeros without end, by an argument with a name": (
        "builtins.bytes with arguments by name",
        proto(named("builtins", "bytes"), b")}", text("source"), MILLIONS, b"s\x92"),
    ),
    "a class whose constructor reads files, as a function": (
        "lightgbm.basic.Booster (kept)",
        proto(FUNCTION, b"}", text("func"), named("lightgbm.basic", "Booster"), b"sb"),
    ),
    "a class, handed on by a scalar": (
        "scalar (called)",
        proto(named("numpy.core.multiarray", "scalar"), dtype("O"), named("lightgbm.basic", "Booster"), b"\x86R"),
    ),
    "a class, in a partial": (
        "functools.partial (called)",
        proto(PARTIAL, named("lightgbm.basic", "Booster"), b"\x85R"),
    ),
    "a function that a table calls with itself": (
        "setting items of what pandas.core.frame.DataFrame makes",
        proto(named("pandas.core.frame", "DataFrame"), b")\x81", named("numpy", "max"), b"Ns"),
    ),
    "a dtype of an object": (
        "numpy.dtype (called)",
        proto(named("numpy", "dtype"), BUNCH, b")\x81\x85R"),
    ),
}
NAMES = """
builtins.exec builtins.eval builtins.__import__ builtins.getattr builtins.setattr builtins.compile builtins.open
builtins.type builtins.globals builtins.breakpoint builtins.input importlib.import_module
importlib._bootstrap._gcd_import runpy.run_path runpy._run_code code.interact code.InteractiveInterpreter pip.main
pip._internal.main ctypes.CDLL marshal.loads types.CodeType types.FunctionType pty.spawn webbrowser.open
socket.socket timeit.timeit cProfile.run pdb.run subprocess.run subprocess.check_output os.execv os.popen os.remove
shutil.rmtree asyncio.run multiprocessing.Process threading.Thread atexit.register functools.reduce
functools.singledispatch operator.methodcaller itertools.starmap pickle.loads dill._dill._create_function
dill._dill._eval_repr dill._dill._import_module cloudpickle.cloudpickle._make_function
cloudpickle.cloudpickle.subimport torch.load torch.hub.load numpy.lib.npyio.load numpy.save numpy.fromfile
numpy.lib.utils.safe_eval numpy.distutils.exec_command.exec_command pandas.read_csv pandas.io.pickle.read_pickle
pandas.eval joblib.load joblib.dump joblib.memory.Memory joblib.numpy_pickle.load
joblib.externals.loky.cloudpickle_wrapper.CloudpickledObjectWrapper sklearn.datasets._base.load_files
sklearn.utils.fixes.parse_version sklearn.utils._testing.assert_run_python_script sklearn.base.warnings
sklearn.pipeline.Parallel scipy.io.loadmat scipy.optimize.minimize xgboost.core.json xgboost.core.os
lightgbm.basic._safe_call catboost.core._load logging.config.fileConfig linecache.getlines
idlelib.pyshell.ModifiedInterpreter test.support.script_helper.assert_python_ok doctest.debug_script trace.Trace
profile.run bdb.Bdb distutils.file_util.write_file tempfile.mktemp uuid._get_command_stdout
_osx_support._find_build_tool http.client.HTTPConnection smtplib.SMTP urllib.request.urlopen sys.exit gc.get_objects
inspect.getattr_static sklearn.utils.Memory sklearn.utils.Parallel sklearn._config.config_context
sklearn.utils._array_api._NumPyAPIWrapper sklearn.tree._export._DOTTreeExporter collections.UserList
sklearn.model_selection._search.ParameterGrid sklearn.tree._utils.Stack
"""


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """Nothing may appear in the working directory, which is where every hidden command would write."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", RAW)
def test_a_hidden_call_is_refused_by_name(tmp_path, marker, name):
    expected, data = RAW[name]
    path = written(tmp_path, data)
    with pytest.raises(UnsafePickle) as refused:
        pickles.refuse_unsafe(pickles.scan(path))
    assert expected in refused.value.detail
    assert "--trust" in refused.value.detail


@pytest.mark.parametrize("name", NAMES.split())
def test_a_dangerous_name_is_refused(tmp_path, marker, name):
    module, _, attribute = name.rpartition(".")
    path = written(tmp_path, proto(named(module, attribute), CALLED))
    with pytest.raises(UnsafePickle, match=name.replace(".", r"\.")):
        pickles.refuse_unsafe(pickles.scan(path))


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_a_packed_call_is_refused(tmp_path, marker, pack):
    path = written(tmp_path, pack(proto(SYSTEM)))
    with pytest.raises(UnsafePickle, match=r"os\.system"):
        artifact.open(path)


HIDING: list[Callable[[object], object]] = [
    lambda call: np.array([1, call, "x"], dtype=object),
    lambda call: {"model": LogisticRegression(C=call), "array": np.arange(3.0)},
    lambda call: make_pipeline(StandardScaler(), FunctionTransformer(kw_args={"a": call})),
    lambda call: [np.arange(4), call, np.asfortranarray(X)],
    lambda call: {"a": [np.array([{"b": np.array([call], dtype=object)}], dtype=object)]},
    lambda call: np.array([(1, call)], dtype=[("a", "i4"), ("b", "O")]),
]


@pytest.mark.parametrize("hide", range(len(HIDING)))
@pytest.mark.parametrize("compress", [0, 3])
def test_a_call_inside_a_joblib_file_is_refused(tmp_path, marker, hide, compress):
    path = tmp_path / "model.joblib"
    joblib.dump(HIDING[hide](Call(os.system, "touch MARKER")), path, compress=compress)
    with pytest.raises(UnsafePickle, match=r"posix\.system"):
        artifact.open(path)


def test_bytes_of_an_array_are_not_read_as_opcodes(tmp_path):
    """Arrays hold any bytes, also those of a malicious pickle."""
    path = tmp_path / "model.joblib"
    joblib.dump([np.frombuffer(proto(SYSTEM) * 100, np.uint8), "end"], path)
    assert pickles.scan(path).unsafe == ()
    assert opened(path)[1] == "end"


def test_a_frame_around_an_array_is_refused(tmp_path):
    """The unpickler would read on in its frame while the array is taken from behind it."""
    path = tmp_path / "model.joblib"
    joblib.dump([np.arange(4.0), "end"], path)
    data = path.read_bytes()
    longer = data[:3] + struct.pack("<Q", struct.unpack("<Q", data[3:11])[0] + 40) + data[11:]
    with pytest.raises(NotRecognised, match="within a frame"):
        pickles.scan(written(tmp_path, longer))


def test_what_numpy_reconstructs_as_a_function_is_one(tmp_path):
    data = proto(named("numpy.core", "_ufunc_reconstruct"), text("numpy"), text("memmap"), b"\x86R")
    with pytest.raises(UnsafePickle, match=r"numpy\.memmap"):
        opened(written(tmp_path, data))


def test_loading_names_nothing_that_the_scan_did_not_see(tmp_path, marker):
    """Should the scan ever overlook something, the loader stops at it."""
    path = written(tmp_path, proto(SYSTEM))
    scan = pickles.scan(path)
    blind = replace(scan, unsafe=(), names=frozenset())
    with pytest.raises(UnsafePickle, match=r"os\.system"):
        pickles.load(path, blind)


def test_a_file_that_changed_after_its_scan_is_not_loaded(tmp_path, marker):
    path = written(tmp_path, pickle.dumps(LogisticRegression()))
    scan = pickles.scan(path)
    path.write_bytes(proto(SYSTEM))
    with pytest.raises(UnsafePickle, match="changed"):
        pickles.load(path, scan)


def test_trust_loads_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, proto(named("os", "mkdir"), text("MARKER"), b"\x85R"))
    pickles.load(path, pickles.scan(path))
    assert (tmp_path / "MARKER").is_dir()


def test_the_trainers_own_code_is_told_apart(tmp_path):
    path = written(tmp_path, proto(named("__main__", "clean")))
    with pytest.raises(UnsafePickle, match="'__main__', the code of whoever trained it"):
        pickles.refuse_unsafe(pickles.scan(path))


BOMBS = {
    "a huge integer": proto(b"\x8b", struct.pack("<I", 1 << 20), bytes(1 << 20)),
    "a huge memo": proto(b"Nr", struct.pack("<I", 1 << 31)),
    "a memo that doubles": proto(b"N", *(b"r" + struct.pack("<I", (1 << 20) * each) for each in range(1, 1000))),
    "deep keys": proto(b"})" + b"\x85" * 100_000 + b"Ns"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(tmp_path, name):
    with pytest.raises(UnsafePickle):
        pickles.scan(written(tmp_path, BOMBS[name]))


def test_a_packed_bomb_is_refused(tmp_path):
    data = gzip.compress(b"\x80\x04B" + struct.pack("<I", 1 << 28) + bytes(1 << 24))
    with pytest.raises(UnsafePickle, match="unpacks to more than"):
        pickles.scan(written(tmp_path, data), limit=1 << 20)


def test_a_small_file_does_not_unpack_to_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "LEAST", 1 << 16)
    path = written(tmp_path, gzip.compress(b"\x80\x04B" + struct.pack("<I", 1 << 24) + bytes(1 << 24) + b"."))
    with pytest.raises(UnsafePickle, match="unpacks to more than"):
        pickles.scan(path)


def test_many_zero_bytes_are_never_made(tmp_path):
    with pytest.raises(UnsafePickle, match="bytes"):
        pickles.refuse_unsafe(
            pickles.scan(written(tmp_path, proto(named("builtins", "bytes"), b"J\xff\xff\xff\x7f\x85R")))
        )


def test_scanning_imports_and_opens_nothing(tmp_path):
    """Watched by an audit hook, in a process of its own, with every malicious pickle at once."""
    for number, (_, data) in enumerate(RAW.values()):
        (tmp_path / f"{number}.pkl").write_bytes(data)
    code = """
        import sys, pathlib
        from flaskship.artifact import pickles
        from flaskship.errors import UnsafePickle
        paths = sorted(pathlib.Path(sys.argv[1]).glob("*.pkl"))
        pickles.scan(paths[0])
        b"x".decode("raw-unicode-escape")  # Python imports a codec when it is first used
        seen = []
        sys.addaudithook(lambda event, args: seen.append((event, args)))
        for path in paths:
            try:
                pickles.refuse_unsafe(pickles.scan(path))
            except UnsafePickle:
                pass
            else:
                sys.exit(f"{path} is let through")
        names = {str(path) for path in paths}
        bad = [each for each in seen if not (each[0] == "open" and str(each[1][0]) in names)]
        sys.exit(str(bad) if any(e in ("import", "exec", "compile", "open", "os.system", "pickle.find_class",
            "subprocess.Popen") for e, _ in bad) else 0)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), tmp_path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
