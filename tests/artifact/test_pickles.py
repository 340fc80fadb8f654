"""Pickles are scanned without running anything, and loaded by the same rule."""

from __future__ import annotations

import bz2
import collections
import datetime
import functools
import gzip
import io
import lzma
import pickle
import struct
import zlib
from importlib.util import find_spec

import joblib
import numpy as np
import pytest
import sklearn
from pickled import named, opened, proto, written
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils import Bunch

from flaskship import artifact
from flaskship.artifact import pickles
from flaskship.errors import MissingExtra, NotRecognised, VersionMismatch

X = np.random.default_rng(0).random((60, 3))
Y = (X[:, 0] > 0.5).astype(int)


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(4, random_state=0).fit(X, Y)


# What is safe is loaded


@pytest.mark.parametrize("protocol", range(6))
def test_a_forest_of_any_protocol_is_loaded(tmp_path, protocol):
    path = written(tmp_path, pickle.dumps(forest(), protocol))
    scan = pickles.scan(path)
    assert scan.unsafe == ()
    assert scan.root == "sklearn.ensemble._forest.RandomForestClassifier"
    assert scan.versions == {"scikit-learn": sklearn.__version__}
    assert (opened(path).predict(X) == Y).all()


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)])
def test_a_joblib_file_of_any_compression_is_loaded(tmp_path, compress):
    path = tmp_path / "model.joblib"
    joblib.dump(forest(), path, compress=compress)
    scan = pickles.scan(path)
    assert (scan.kind, scan.compression) == ("joblib", compress[0] if compress else "")
    assert (opened(path).predict(X) == Y).all()


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_a_packed_pickle_is_loaded(tmp_path, pack):
    assert (opened(written(tmp_path, pack(pickle.dumps(forest())))).predict(X) == Y).all()


@pytest.mark.parametrize("writer", ["dill", "cloudpickle"])
def test_a_model_saved_by_dill_or_cloudpickle_is_loaded(tmp_path, writer):
    dumps = pytest.importorskip(writer).dumps
    assert (opened(written(tmp_path, dumps(forest()))).predict(X) == Y).all()


def test_a_column_transformer_saved_by_dill_is_loaded(tmp_path):
    dumps = pytest.importorskip("dill").dumps
    parts = ColumnTransformer([("code", OneHotEncoder(), [0]), ("scale", StandardScaler(), [1, 2])])
    model = make_pipeline(parts, LogisticRegression()).fit(X.round(1), Y)
    found = opened(written(tmp_path, dumps(model)))
    assert (found.predict(X.round(1)) == model.predict(X.round(1))).all()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(5, dtype=">i4"),
        np.array(["a", None, 3.5], dtype=object),
        np.array([["a", "bcd"]]),
        np.array([b"a", b"bcd"]),
        np.array(["2020-01-01"], dtype="M8[D]"),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array([(1, "x")], dtype=[("a", "i4"), ("b", "O")]),
        np.zeros((0, 3)),
        np.array(3.0),
        np.array([True, False]),
        np.array([1 + 2j]),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
@pytest.mark.parametrize("protocol", [1, 2, 4])
def test_any_array_in_a_joblib_file_is_passed_over_and_loaded(tmp_path, array, protocol):
    path = tmp_path / "model.joblib"
    joblib.dump([array, {"behind": array}, "end"], path, protocol=protocol)
    assert len(pickles.scan(path).arrays) == 2
    first, second, end = opened(path)
    for each in (first, second["behind"]):
        assert each.dtype == array.dtype.newbyteorder("=")
        assert each.tolist() == array.tolist()
        assert each.flags.f_contiguous == array.flags.f_contiguous
    assert end == "end"


def test_a_memory_mapped_array_is_loaded_as_an_array_and_no_file_is_touched(tmp_path):
    mapped = np.memmap(tmp_path / "raw", "f8", "w+", shape=(3,))
    joblib.dump([mapped], tmp_path / "model.joblib")
    (loaded,) = opened(tmp_path / "model.joblib")
    assert type(loaded) is np.ndarray


def test_arrays_of_joblib_before_1_2_have_no_padding(tmp_path):
    plain = joblib.numpy_pickle.NumpyArrayWrapper.__getattribute__
    path = tmp_path / "model.joblib"
    joblib.dump(["x", np.arange(4.0), "y"], path)
    data = path.read_bytes()
    assert plain
    at, length = next(iter(pickles.scan(path).arrays.items()))
    padding = 1 + data[at]
    start = data.index(b"numpy_array_alignment_bytes")
    old = data[: start + 27] + data[start + 27 : at].replace(b"K\x10", b"N", 1)
    shorter = old + data[at + padding :]
    assert length == 32
    assert opened(written(tmp_path, _reframed(shorter)))[1].tolist() == [0, 1, 2, 3]


def _reframed(data: bytes) -> bytes:
    """The frame that ended before the array is a byte shorter, since `K\\x10` became `N`."""
    assert data[2:3] == b"\x95"
    return data[:3] + struct.pack("<Q", struct.unpack("<Q", data[3:11])[0] - 1) + data[11:]


def harmless() -> dict[str, object]:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0] * 30, "c": ["u", "v"] * 30})
    columns = ColumnTransformer([("n", StandardScaler(), ["a"]), ("c", OneHotEncoder(), ["c"])])
    return {
        "columns": make_pipeline(columns, LogisticRegression()).fit(frame, Y),
        "log": make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(X, Y),
        "text": make_pipeline(CountVectorizer(dtype=np.float32), LogisticRegression()).fit(["a word"] * 60, Y),
        "best": make_pipeline(SelectKBest(f_classif, k=2), KNeighborsClassifier(algorithm="kd_tree")).fit(X, Y),
        "grid": GridSearchCV(LogisticRegression(), {"C": range(1, 3)}, cv=3, scoring="roc_auc").fit(X, Y),
        "dict": {
            "model": LogisticRegression(),
            "at": datetime.datetime(2020, 1, 1),
            "n": np.float64(1),
            "frame": frame,
            "bunch": Bunch(data=X, index=collections.defaultdict(list, a=[{1}, frozenset("b")])),
        },
        "tuple": (StandardScaler(), np.random.RandomState(1), np.random.default_rng(0), collections.Counter("aab")),
        "vocabulary": {"fit": 1, "__class__": 2, "predict": 3, "extend": 4},
        "partial": functools.partial(np.clip, a_min=0, a_max=1),
    }


@pytest.mark.parametrize("name", ["columns", "log", "text", "best", "grid", "dict", "tuple", "vocabulary", "partial"])
def test_what_models_hold_is_harmless(tmp_path, name):
    value = harmless()[name]
    joblib.dump(value, tmp_path / "a")
    for path in (
        tmp_path / "a",
        written(tmp_path, pickle.dumps(value)),
        written(tmp_path, pickle.dumps(value, 0), "0"),
    ):
        assert pickles.scan(path).unsafe == ()
        assert type(opened(path)) is type(value)


def test_several_pickles_one_after_another_are_a_tuple(tmp_path):
    data = pickle.dumps(StandardScaler().fit(X)) + pickle.dumps(forest())
    scaler, model = opened(written(tmp_path, data))
    assert type(scaler) is StandardScaler
    assert type(model) is RandomForestClassifier


# Damage


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_pickle_says_so(tmp_path, protocol, share):
    data = pickle.dumps(forest(), protocol)
    with pytest.raises(NotRecognised, match="complete pickle"):
        pickles.scan(written(tmp_path, data[: int(len(data) * share)]))


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("xz", 3), ("bz2", 3)])
def test_a_truncated_joblib_file_says_so(tmp_path, compress):
    path = tmp_path / "model.joblib"
    joblib.dump(forest(), path, compress=compress)
    data = path.read_bytes()
    with pytest.raises(NotRecognised, match="complete pickle"):
        pickles.scan(written(tmp_path, data[: len(data) // 2]))


# Versions


def _of_version(version: str) -> bytes:
    data = pickle.dumps(forest(), 4)
    here = sklearn.__version__.encode()
    assert len(here) == len(version)
    return data.replace(here, version.encode())


def test_another_version_is_read_and_its_warning_is_not_repeated(tmp_path):
    path = written(tmp_path, _of_version("1.3.2"))
    assert pickles.scan(path).versions == {"scikit-learn": "1.3.2"}
    assert (opened(path).predict(X) == Y).all()


def test_a_pickle_that_does_not_load_says_what_made_it_and_what_to_do(tmp_path):
    data = _of_version("0.2.2").replace(b"\x18sklearn.ensemble._forest", b"\x17sklearn.ensemble.forest")
    data = data[:3] + struct.pack("<Q", struct.unpack("<Q", data[3:11])[0] - 1) + data[11:]
    path = written(tmp_path, data)
    with pytest.raises(
        VersionMismatch, match=r"scikit-learn 0\.2\.2.*pip install scikit-learn==0\.2\.2, or --isolated"
    ):
        opened(path)


def test_a_missing_library_is_named_with_its_command(tmp_path):
    path = written(tmp_path, proto(named("imblearn.pipeline", "Pipeline"), b")\x81"))
    if find_spec("imblearn"):
        pytest.skip("imbalanced-learn is installed here")
    with pytest.raises(MissingExtra, match="pip install"):
        artifact.open(path)


@pytest.mark.parametrize("ending", ["json", "ubj"])
def test_the_version_of_xgboost_is_read_from_its_buffer(ending):
    xgboost = pytest.importorskip("xgboost")
    booster = xgboost.train({"max_depth": 1}, xgboost.DMatrix(X, Y), 1)
    assert pickles.xgboost_version(bytes(booster.save_raw(ending))) == xgboost.__version__


def test_xgboost_in_a_pickle_tells_its_version(tmp_path):
    xgboost = pytest.importorskip("xgboost")
    path = written(tmp_path, pickle.dumps(xgboost.XGBClassifier(n_estimators=2).fit(X, Y)))
    assert pickles.scan(path).versions["xgboost"] == xgboost.__version__
    assert opened(path).predict(X).shape == (60,)


def test_a_stream_of_several_megabytes_is_passed_over_not_read(tmp_path):
    buffer = io.BytesIO()
    joblib.dump([np.zeros(10_000_000), "end"], buffer)
    path = written(tmp_path, buffer.getvalue())
    assert max(pickles.scan(path).arrays.values()) == 80_000_000
