"""Files are recognised by content; what is none says what it seems to be."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import joblib
import numpy as np
import onnx
import pytest
import skl2onnx
import sklearn
import skops.io
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression

from flaskship.artifact.sniff import Format, sniff
from flaskship.errors import NotRecognised, UnsafePickle

X = np.random.default_rng(0).random((60, 3))
Y = (X[:, 0] > 0.5).astype(int)


def model() -> LogisticRegression:
    return LogisticRegression().fit(X, Y)


def written(tmp_path: Path, data: bytes, name: str = "file") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def archive(tmp_path: Path, **members: bytes | str) -> Path:
    path = tmp_path / "archive"
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return path


# Recognised


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["model.pkl", "model.csv", "model"])
def test_a_pickle_is_recognised_whatever_its_ending(tmp_path, protocol, name):
    found = sniff(written(tmp_path, pickle.dumps(model(), protocol), name))
    assert (found.format, found.made_with) == (Format.PICKLE, {"scikit-learn": sklearn.__version__})
    assert "sklearn.linear_model._logistic.LogisticRegression" in found.globals


@pytest.mark.parametrize("value", [{"a": 1}, [1], (1, "a"), np.float64(1), {}, [], ()])
@pytest.mark.parametrize("protocol", [0, 1, 2, 5])
def test_a_pickle_of_anything_is_a_pickle(tmp_path, value, protocol):
    assert sniff(written(tmp_path, pickle.dumps(value, protocol))).format is Format.PICKLE


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)])
def test_joblib_is_recognised_through_its_compression(tmp_path, compress):
    joblib.dump(model(), tmp_path / "m", compress=compress)
    found = sniff(tmp_path / "m")
    assert found.format is Format.JOBLIB
    assert found.detail == "protocol 4" + (f", {compress[0]}" if compress else "")


def test_skops_tells_its_versions(tmp_path):
    skops.io.dump(model(), tmp_path / "m")
    found = sniff(tmp_path / "m")
    assert (found.format, found.made_with) == (
        Format.SKOPS,
        {"skops": skops.__version__, "scikit-learn": sklearn.__version__},
    )


def test_onnx_tells_its_producer_and_opset(tmp_path):
    proto = skl2onnx.to_onnx(model(), X[:1].astype(np.float32), target_opset={"": 17, "ai.onnx.ml": 3})
    found = sniff(written(tmp_path, proto.SerializeToString()))
    assert (found.format, found.made_with) == (Format.ONNX, {"skl2onnx": skl2onnx.__version__})
    assert found.detail.startswith("opset ai.onnx ")


def test_onnx_without_a_producer_is_recognised(tmp_path):
    shape = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [shape], [shape])
    proto = helper.make_model(graph)
    proto.producer_name = ""
    assert sniff(written(tmp_path, onnx.ModelProto.SerializeToString(proto))).format is Format.ONNX


@pytest.mark.parametrize("ending", ["json", "ubj"])
def test_xgboost_tells_its_version(tmp_path, ending):
    xgboost = pytest.importorskip("xgboost")
    booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, Y), 2)
    found = sniff(written(tmp_path, bytes(booster.save_raw(ending))))
    assert (found.format, found.made_with) == (Format.XGBOOST, {"xgboost": xgboost.__version__})


def test_lightgbm_and_catboost_are_recognised(tmp_path):
    lightgbm, catboost = pytest.importorskip("lightgbm"), pytest.importorskip("catboost")
    quiet = {"verbose": -1, "objective": "binary", "min_data_in_leaf": 1}
    lightgbm.train(quiet, lightgbm.Dataset(X, Y), 2).save_model(str(tmp_path / "l"))
    catboost.CatBoostClassifier(iterations=2, verbose=0, allow_writing_files=False).fit(X, Y).save_model(
        str(tmp_path / "c")
    )
    assert (sniff(tmp_path / "l").format, sniff(tmp_path / "l").detail) == (Format.LIGHTGBM, "format v4")
    assert sniff(tmp_path / "c").format is Format.CATBOOST


ARCHIVES = {
    Format.TORCHSCRIPT: {"m__data_dot_pkl": b"", "m__code____torch___dot_py": b"", "m__version": b"3"},
    Format.STATE_DICT: {"m__data_dot_pkl": b"", "m__version": b"3"},
    Format.TORCH_EXPORT: {"m__archive_format": b"pt2", "m__models__model_dot_json": b"{}"},
    Format.KERAS: {
        "config_dot_json": "{}",
        "metadata_dot_json": '{"keras_version": "3.4.1"}',
        "model_dot_weights_dot_h5": b"",
    },
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_are_told_apart_by_their_members(tmp_path, kind):
    found = sniff(archive(tmp_path, **ARCHIVES[kind]))
    assert found.format is kind
    assert found.made_with == ({"keras": "3.4.1"} if kind is Format.KERAS else {})


def test_keras_in_hdf5_is_recognised(tmp_path):
    found = sniff(written(tmp_path, b"\x89HDF\r\n\x1a\n" + bytes(100) + b"keras_version 2.15.0 model_config {}"))
    assert (found.format, found.made_with) == (Format.KERAS, {"keras": "2.15.0"})


def test_safetensors_and_a_hugging_face_directory_are_recognised(tmp_path):
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    weights = written(tmp_path, struct.pack("<Q", len(header)) + header + bytes(4), "model.safetensors")
    assert sniff(weights).format is Format.SAFETENSORS
    (tmp_path / "config.json").write_text('{"architectures": ["BertModel"], "transformers_version": "4.40.0"}')
    found = sniff(tmp_path)
    assert (found.format, found.detail) == (Format.HUGGINGFACE, "BertModel")
    assert found.made_with == {"transformers": "4.40.0"}


def test_a_bundle_is_recognised_by_its_manifest(tmp_path):
    (tmp_path / "manifest.json").write_text('{"flaskship": "0.1.0"}')
    assert sniff(tmp_path).format is Format.BUNDLE


# Not recognised


def packed(value: bytes) -> bytes:
    return gzip.compress(value)


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=X)
    return buffer.getvalue()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, X)
    return buffer.getvalue()


MISTAKEN = {
    "empty": (b"", "is empty"),
    "CSV": (b"age,new_user,pages\n25,1,3\n30,0,5\n" * 10, r"table \(CSV\).*--sample"),
    "semicolon CSV": ("å;b\n1;2\n3;4\n".encode() * 600, "table"),
    "CSV of one line": (b"age,new_user,pages\n", "table"),
    "UTF-16 CSV": ("a,b\n1,2\n3,4\n".encode("utf-16"), "table"),
    "text": (b"hello there, this is\nnothing\n", "is a text that begins with 'hello there"),
    "HTML": (b"<!DOCTYPE html><html><body>404</body>", "HTML page: the download"),
    "XML": (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "XML"),
    "PMML": (b'<?xml version="1.0"?>\n<PMML version="4.4">', "PMML"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
    "notebook": (b'{\n "cells": [],\n "metadata": {}}', "notebook.*joblib.dump"),
    "JSON": (b'{"a": 1}', "JSON"),
    "list": (b"[1, 2, 3]", "JSON"),
    "Python": (b'"""A model."""\n\nimport os\n\ndef f():\n    pass\n', "Python source"),
    "Parquet": (b"PAR1\x15\x04", "Parquet.*--sample"),
    "npy": (npy(), "NumPy array"),
    "npz": (npz(), "NumPy archive"),
    "PNG": (b"\x89PNG\r\n\x1a\n\x00\x00", "PNG"),
    "PDF": (b"%PDF-1.4", "PDF"),
    "GGUF": (b"GGUF\x03\x00\x00\x00", "GGUF"),
    "TFLite": (b"\x1c\x00\x00\x00TFL3\x14\x00", "TensorFlow Lite"),
    "tar": (b"model.pkl".ljust(257, b"\0") + b"ustar\x0000", "tar archive"),
    "gzip of CSV": (packed(b"a,b\n1,2\n3,4\n"), "gzip; unpacked it is a table"),
    "gzip of HTML": (packed(b"<html></html>"), "unpacked it is an HTML"),
    "zstd": (b"\x28\xb5\x2f\xfd\x24\x01", "zstd"),
    "weights of Keras": (b"\x89HDF\r\n\x1a\n" + bytes(100) + b"layers vars", r"model\.save\('model\.keras'\)"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5 file without a Keras model"),
    "old joblib": (b"ZF0x1f                x\x9c", "joblib before 0.10"),
    "old torch": (pickle.dumps(0x1950A86A20F9469CFC6C, 2), "torch before 1.6"),
    "old XGBoost": (
        b"\0\0\0?\x03\0\0\0" + bytes(120) + b"\x0f\0\0\0\0\0\0\0binary:logistic\x06\0\0\0\0\0\0\0gbtree",
        "old binary format",
    ),
    "random": (bytes(range(128, 256)) * 20, "begins with b'"),
    "zeros": (bytes(5000), "begins with b'"),
    "a zip cut off": (npz()[:200], "zip archive.*truncated or damaged"),
    "a gzip cut off": (packed(pickle.dumps(X))[:100], "is damaged"),
    "a pickle cut off": (pickle.dumps(X)[:100], "complete pickle"),
    "an old pickle cut off": (pickle.dumps(model(), 0)[:100], "complete pickle"),
    "a huge safetensors header": (struct.pack("<Q", 1 << 60) + b'{"data_offsets"', "begins with"),
}


@pytest.mark.parametrize("name", MISTAKEN)
def test_a_file_given_by_mistake_says_what_it_seems_to_be(tmp_path, name):
    data, expected = MISTAKEN[name]
    with pytest.raises(NotRecognised, match=f"(?s){expected}") as refused:
        sniff(written(tmp_path, data))
    assert "'file'" in refused.value.detail
    if "complete pickle" not in expected:
        assert "joblib, pickle" in refused.value.detail


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"[Content_Types]_dot_xml": b""}, "Office document"),
        ({"readme_dot_txt": b"x"}, "zip archive that holds readme.txt"),
        ({}, "zip archive|begins with"),
    ],
)
def test_an_archive_of_something_else_says_so(tmp_path, members, expected):
    with pytest.raises(NotRecognised, match=expected):
        sniff(archive(tmp_path, **members))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("MLmodel", "MLflow.*model.pkl"), ("saved_model.pb", "SavedModel"), ("train.py", "directory that holds train.py")],
)
def test_a_directory_without_a_model_says_what_is_in_it(tmp_path, name, expected):
    (tmp_path / name).write_text("x")
    with pytest.raises(NotRecognised, match=expected):
        sniff(tmp_path)


def test_what_is_not_there_says_so(tmp_path):
    with pytest.raises(NotRecognised, match=r"No file or directory '.*nothing\.pkl'"):
        sniff(tmp_path / "nothing.pkl")


def test_a_large_file_of_text_is_not_read_whole(tmp_path):
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.write(b"a,b\n" * 10_000)
        file.truncate(20 * 10**9)
    with pytest.raises(NotRecognised, match="table"):
        sniff(path)


def test_a_bomb_of_a_pickle_is_refused_while_sniffing(tmp_path):
    with pytest.raises(UnsafePickle):
        sniff(written(tmp_path, b"\x80\x04\x8b" + struct.pack("<I", 1 << 20) + bytes(1 << 20) + b"."))


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_a_truncated_onnx_file_is_not_recognised(tmp_path, share):
    data = skl2onnx.to_onnx(model(), X[:1].astype(np.float32)).SerializeToString()
    with pytest.raises(NotRecognised):  # the last byte alone is missed too, wherever the fields end
        sniff(written(tmp_path, data[: int(len(data) * share) - 1]))
