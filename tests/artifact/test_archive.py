"""skops files that were put together by hand are refused before anything of them is made."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from flaskship.artifact.shim import streams
from flaskship.artifact.sklearn import loader
from flaskship.artifact.sniff import Format, Sniffed
from flaskship.errors import NotRecognised, UnsafePickle

X = np.random.default_rng(0).random((20, 2))
Y = (X[:, 0] > 0.5).astype(int)


def loaded(path: Path) -> object:
    return loader.load(Sniffed(path=path, format=Format.SKOPS))


def node(how: str, name: str, **more: object) -> dict[str, object]:
    module, _, kind = name.rpartition(".")
    return {"__loader__": how, "__module__": module, "__class__": kind, **more}


def value(content: object) -> dict[str, object]:
    return node("JsonNode", "builtins.str", content=json.dumps(content), is_json=True)


def values(*items: object) -> dict[str, object]:
    return node("TupleNode", "builtins.tuple", content=items)


def attributes(**items: object) -> dict[str, object]:
    return node("DictNode", "builtins.dict", key_types=node("ListNode", "builtins.list", content=[]), content=items)


FUNCTION = "sklearn.preprocessing._function_transformer.FunctionTransformer"
NODES = {
    "a call": (
        "lightgbm.basic.Booster (ConstructorFromReduceNode)",
        node("ConstructorFromReduceNode", "lightgbm.basic.Booster", content=values(value(None), value(None))),
    ),
    "an array over bytes": (
        "numpy.ndarray (ConstructorFromReduceNode)",
        node("ConstructorFromReduceNode", "numpy.ndarray", content=values(value([1]), value("O"), value("12345678"))),
    ),
    "a method": (
        "MethodNode",
        node("MethodNode", FUNCTION, content={"func": "transform", "obj": node("ObjectNode", FUNCTION)}),
    ),
    "an operator": ("operator.attrgetter", node("OperatorFuncNode", "operator.attrgetter", attrs=values(value("x")))),
    "a class as a function": ("xgboost.core.Booster (TypeNode)", node("TypeNode", "xgboost.core.Booster")),
    "a reconstructor as a function": (
        "copyreg._reconstructor (FunctionNode)",
        node("FunctionNode", "copyreg._reconstructor"),
    ),
    "a system call": ("os.system", node("FunctionNode", "os.system")),
    "a partial of one": (
        "os.system",
        node(
            "PartialNode",
            "functools.partial",
            content={
                "func": node("FunctionNode", "os.system"),
                "args": values(value("touch MARKER")),
                "kwds": attributes(),
                "namespace": attributes(),
            },
        ),
    ),
    "zeros without end": (
        "numpy.void (NdArrayNode)",
        node("NdArrayNode", "numpy.void", type="json", content=[], shape=values()),
    ),
    "an array at any address": (
        "the attribute '__array_interface__'",
        node("ObjectNode", FUNCTION, content=attributes(__array_interface__=value({"data": [8, False]}))),
    ),
    "a state in JSON": (
        "no dictionary",
        node("ObjectNode", FUNCTION, content=value({"__array_interface__": {"data": [8, False]}})),
    ),
    "a list of another class": ("numpy.void (ListNode)", node("ListNode", "numpy.void", content=[])),
}


def archive(path: Path, inner: dict[str, object], **members: bytes) -> Path:
    """A pipeline's, with `inner` among its attributes."""
    steps = node("ObjectNode", "sklearn.pipeline.Pipeline", content=attributes(steps=inner))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", json.dumps({**steps, "protocol": 2, "_skops_version": skops.__version__}))
        for name, data in members.items():
            file.writestr(name, data)
    return path


@pytest.mark.parametrize("name", NODES)
def test_a_node_that_no_model_needs_is_refused(tmp_path, monkeypatch, name):
    expected, inner = NODES[name]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafePickle) as refused:
        loaded(archive(tmp_path / "model.skops", inner))
    assert expected in refused.value.detail
    assert [each.name for each in tmp_path.iterdir()] == ["model.skops"]


def test_a_small_archive_does_not_unpack_to_gigabytes(tmp_path, monkeypatch):
    """Also not by one member that is asked for many times."""
    monkeypatch.setattr(streams, "LEAST", 1 << 20)
    array = node("NdArrayNode", "numpy.ndarray", type="numpy", file="zeros")
    many = node("ListNode", "builtins.list", content=[array] * 1000)
    with pytest.raises(UnsafePickle, match="unpacks to more than"):
        loaded(archive(tmp_path / "model.skops", many, zeros=bytes(1 << 16)))


def test_a_member_outside_of_the_archive_is_neither_written_nor_read(tmp_path):
    (tmp_path / "secret").write_bytes(b"x")
    read = node("BytesNode", "builtins.bytes", file="../secret")
    (tmp_path / "inner").mkdir()
    with pytest.raises(NotRecognised, match=r"KeyError.*\.\./secret"):
        loaded(archive(tmp_path / "inner" / "model.skops", read))
    with pytest.raises(NotRecognised):
        loaded(archive(tmp_path / "inner" / "model.skops", value(1), **{"../written": b"x"}))
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("schema", ["[" * 100_000, "{}", "[1]", "nonsense", '{"__loader__": "ObjectNode"}'])
def test_a_schema_that_is_none_is_refused(tmp_path, schema):
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as file:
        file.writestr("schema.json", schema)
    with pytest.raises((NotRecognised, UnsafePickle)):
        loaded(tmp_path / "model.skops")


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), FunctionTransformer(np.tanh), LinearRegression()),
        KNeighborsClassifier(2, algorithm="kd_tree"),
    ],
    ids=["pipeline", "neighbours"],
)
def test_a_plain_file_is_loaded(tmp_path, model):
    skops.io.dump(model.fit(X, Y), tmp_path / "model.skops")
    columns = {"x0": X[:, 0], "x1": X[:, 1]}
    assert loaded(tmp_path / "model.skops").predict(columns).values[0].tolist() == pytest.approx(
        model.predict(X).tolist()
    )
