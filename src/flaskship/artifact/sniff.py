"""What a file is, by its magic bytes and content. Nothing is unpickled, no framework is imported.

A pickle's opcodes are walked to the end, passing over what its arrays hold; of any other file a few kilobytes are read.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from flaskship.artifact import mistaken, pickles
from flaskship.artifact.mistaken import seems
from flaskship.artifact.protobuf import BYTES, VARINT, NotProtobuf, fields, mapped
from flaskship.artifact.shim import streams
from flaskship.errors import MissingExtra, NotRecognised, UnsafePickle

HEAD = 4096  # bytes read of a file to begin with
JSON_LIMIT = 1 << 20  # bytes of a JSON file that is read whole
MEMBER_LIMIT = 1 << 26  # of one in an archive


class Format(StrEnum):
    JOBLIB = "joblib"
    PICKLE = "pickle"
    SKOPS = "skops"
    ONNX = "ONNX"
    XGBOOST = "XGBoost"
    LIGHTGBM = "LightGBM"
    CATBOOST = "CatBoost"
    TORCHSCRIPT = "TorchScript"
    TORCH_EXPORT = "torch.export"
    STATE_DICT = "a file of torch.save"
    SAFETENSORS = "safetensors"
    HUGGINGFACE = "Hugging Face"
    KERAS = "Keras"
    BUNDLE = "Flaskship bundle"


SUPPORTED = (
    "joblib, pickle (also in gzip, zlib, bz2 or xz), skops, ONNX, XGBoost (JSON, UBJ), LightGBM (text), CatBoost (cbm),"
    " TorchScript (pt), torch.export (pt2), Keras (keras, h5)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """A recognised file.

    `made_with` holds exact versions by distribution, where the bytes tell them; `globals` what a pickle names;
    `detail` a few words for people ("protocol 4, zlib", "opset 17, by skl2onnx").
    """

    path: Path
    format: Format
    made_with: dict[str, str] = field(default_factory=dict)
    globals: tuple[str, ...] = ()
    detail: str = ""


def sniff(path: Path) -> Sniffed:
    """What the file or directory at `path` is.

    Raises `NotRecognised` saying what it looks like and what is supported.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _directory(path)
        with path.open("rb") as file:
            head = file.read(HEAD)
        return _file(path, head)
    except FileNotFoundError as error:
        raise NotRecognised(f"No file or directory {str(path)!r}.") from error
    except OSError as error:
        raise NotRecognised(f"Cannot read {str(path)!r}: {error.strerror or error}.") from error


def _file(path: Path, head: bytes) -> Sniffed:
    if not head:
        raise _unknown(path, "is empty")
    for looks_like, read in READERS:
        if looks_like(head) and (found := read(path, head)):
            return found
    raise _unknown(path, seems(head))


def _unknown(path: Path, seems: str) -> NotRecognised:
    return NotRecognised(
        f"{path.name or str(path)!r} {seems}. Flaskship serves: {SUPPORTED}, bundles, Hugging Face folders, functions"
        " (FILE.py), and web apps (a folder)."
    )


def _directory(path: Path) -> Sniffed:
    names = {each.name for each in path.iterdir()}
    if "manifest.json" in names and "flaskship" in _json(path / "manifest.json"):
        return Sniffed(path=path, format=Format.BUNDLE)
    bins = names & {"pytorch_model.bin", "pytorch_model.bin.index.json"}
    safe = [each for each in names if each.endswith(".safetensors") and not each.startswith("adapter_")]
    if "config.json" in names and (safe or bins):
        config = _json(path / "config.json")
        made = {"transformers": str(config["transformers_version"])} if "transformers_version" in config else {}
        kinds = config.get("architectures") or [config.get("model_type", "")]
        return Sniffed(path=path, format=Format.HUGGINGFACE, made_with=made, detail=", ".join(map(str, kinds)))
    if "MLmodel" in names:
        raise _unknown(path, "is an MLflow model directory: name the model file in it (such as model.pkl)")
    if "saved_model.pb" in names:
        raise _unknown(
            path,
            "is a TensorFlow SavedModel, which is not served. Where TensorFlow is: model.save('model.keras'), or"
            f" python -m tf2onnx.convert --saved-model {path.name} --output model.onnx",
        )
    if told := mistaken.folder(names):
        raise _unknown(path, told)
    shown = ", ".join(sorted(names)[:5]) or "nothing"
    raise _unknown(path, f"is a directory that holds {shown}, and no model is recognised by that: name the file itself")


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > JSON_LIMIT:
            return {}
        found = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# One reader for each kind of magic: what the head looks like, and what then is found (None: it is something else)


def _pickle(path: Path, head: bytes) -> Sniffed | None:
    scan = pickles.scan(path)
    kind = "" if scan.kind in ("pickle", "joblib") else f"{scan.kind}, "
    return Sniffed(
        path=path,
        format=Format.JOBLIB if scan.kind == "joblib" else Format.PICKLE,
        made_with=scan.versions,
        globals=scan.globals,
        detail=f"{kind}protocol {scan.protocol}" + (f", {scan.compression}" if scan.compression else ""),
    )


def _plain_pickle(path: Path, head: bytes) -> Sniffed | None:
    """A pickle of protocol 0 or 1 has no magic: it begins with one of a few opcodes, as a text may."""
    try:
        return _pickle(path, head)
    except (NotRecognised, UnsafePickle):
        if OLD_PICKLE.match(head):
            raise
        return None


def _packed(path: Path, head: bytes) -> Sniffed | None:
    packed = streams.compression(head)
    try:
        stream, _ = streams.opened(path, 1 << 20)
        with stream:
            inner = stream.read(256)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"Reading {path.name!r} needs {error.name}: pip install {error.name}") from error
    except streams.BROKEN as error:
        raise _unknown(path, f"begins as {packed} does, and is damaged ({error})") from error
    if inner[:1] == b"\x80" or OLD_PICKLE.match(inner):
        return _pickle(path, head)
    raise _unknown(path, f"is packed with {packed}; unpacked it {seems(inner)}")


def _old_joblib(path: Path, head: bytes) -> Sniffed:
    raise _unknown(path, "was written by joblib before 0.10: load it where it was made and joblib.dump it anew")


def _old_torch(path: Path, head: bytes) -> Sniffed:
    raise _unknown(
        path, "was saved by torch before 1.6: load it with torch and export it with torch.export or torch.onnx"
    )


def _old_xgboost(path: Path, head: bytes) -> Sniffed:
    raise _unknown(
        path,
        "is in XGBoost's old binary format, which XGBoost 3 does not read: load it with xgboost<3.1 and"
        " save_model('model.ubj')",
    )


def _xgboost(path: Path, head: bytes) -> Sniffed:
    with path.open("rb") as file:
        file.seek(-min(HEAD, path.stat().st_size), 2)
        version = pickles.xgboost_version(file.read()) or pickles.xgboost_version(head)
    made = {"xgboost": version} if version else {}
    return Sniffed(path=path, format=Format.XGBOOST, made_with=made, detail="UBJ" if head[1:2] == b"L" else "JSON")


def _lightgbm(path: Path, head: bytes) -> Sniffed | None:
    match = re.search(rb"^version=(\w+)$", head, re.MULTILINE)
    return Sniffed(path=path, format=Format.LIGHTGBM, detail=f"format {match[1].decode()}") if match else None


def _catboost(path: Path, head: bytes) -> Sniffed:
    return Sniffed(path=path, format=Format.CATBOOST)


def _safetensors(path: Path, head: bytes) -> Sniffed | None:
    length = int.from_bytes(head[:8], "little")
    if 2 <= length <= path.stat().st_size - 8 and (b'"data_offsets"' in head or b'"__metadata__"' in head):
        return Sniffed(path=path, format=Format.SAFETENSORS)
    return None


def _hdf5(path: Path, head: bytes) -> Sniffed:
    with path.open("rb") as file:
        more = file.read(1 << 18)
    if b"model_config" in more:
        version = re.search(rb"keras_version.{0,400}?(\d\.\d{1,2}\.\d{1,2})", more, re.DOTALL)
        made = {"keras": version[1].decode()} if version else {}
        return Sniffed(path=path, format=Format.KERAS, made_with=made, detail="HDF5")
    if any(each in more for each in (b"keras_version", b"layer_names", b"vars")):
        raise _unknown(
            path, "holds weights of Keras alone. Where it was made, save the whole model: model.save('model.keras')"
        )
    raise _unknown(path, "is an HDF5 file without a Keras model in it")


def _zip(path: Path, head: bytes) -> Sniffed:
    try:
        with zipfile.ZipFile(path) as archive:
            return _archive(path, archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _unknown(path, f"begins as a zip archive does, and is truncated or damaged ({error})") from error


def _archive(path: Path, archive: zipfile.ZipFile) -> Sniffed:
    names = archive.namelist()
    inner = {name.partition("/")[2] for name in names}
    if "schema.json" in names:
        return _skops(path, _member(archive, "schema.json"))
    if "config.json" in names and "model.weights.h5" in names:
        version = _member(archive, "metadata.json").get("keras_version")
        return Sniffed(path=path, format=Format.KERAS, made_with={"keras": str(version)} if version else {})
    if "archive_format" in inner | set(names) or "serialized_exported_program.json" in names:
        return Sniffed(path=path, format=Format.TORCH_EXPORT)
    if "data.pkl" in inner and any(name.startswith("code/") for name in inner):
        return Sniffed(path=path, format=Format.TORCHSCRIPT)
    if "data.pkl" in inner:
        return Sniffed(path=path, format=Format.STATE_DICT)
    raise _unknown(path, _seems_archive(names, inner))


def _seems_archive(names: list[str], inner: set[str]) -> str:
    if "[Content_Types].xml" in names:
        return "is an Office document (Excel, Word)"
    if names and all(name.endswith(".npy") for name in names):
        return f"is a NumPy archive of arrays ({', '.join(names[:5])}), and no model"
    return f"is a zip archive that holds {', '.join(names[:5]) or 'nothing'}, and no model is recognised by that"


def _skops(path: Path, schema: dict[str, Any]) -> Sniffed:
    made = {"skops": str(schema["_skops_version"])} if "_skops_version" in schema else {}
    version = re.search(r"\"_sklearn_version\"[^{}]*\{[^{}]*\"content\": *\"\\*\"?(\d[\w.]*)", json.dumps(schema))
    if version:
        made["scikit-learn"] = version[1]
    return Sniffed(path=path, format=Format.SKOPS, made_with=made, detail=f"protocol {schema.get('protocol', '?')}")


def _member(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    """A JSON member, {} where it is none or too large."""
    try:
        with archive.open(name) as file:
            data = file.read(MEMBER_LIMIT + 1)
        found = json.loads(data) if len(data) <= MEMBER_LIMIT else {}
    except (KeyError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _onnx(path: Path, head: bytes) -> Sniffed | None:
    """By the outermost fields, passing over the graph itself."""
    found: dict[int, list[bytes]] = {number: [] for number in ONNX_FIELDS}
    try:
        for number, kind, value in fields(mapped(path)):
            if ONNX_FIELDS.get(number) != kind:
                return None
            found[number].append(b"" if isinstance(value, int) else bytes(value[:HEAD]))
        opsets = dict(map(_opset, found[ONNX_OPSET]))
    except NotProtobuf:
        return None
    if len(found[ONNX_GRAPH]) != 1 or not opsets:
        return None
    producer, version = (b"".join(found[number][-1:]).decode(errors="replace") for number in ONNX_PRODUCER)
    detail = "opset " + ", ".join(f"{domain or 'ai.onnx'} {number}" for domain, number in sorted(opsets.items()))
    return Sniffed(
        path=path,
        format=Format.ONNX,
        made_with={producer: version} if producer and version else {},
        detail=f"{detail}, by {producer}" if producer else detail,
    )


def _opset(entry: bytes) -> tuple[str, int]:
    """Domain ("" is ai.onnx) and version."""
    told = {number: value for number, _, value in fields(memoryview(entry))}
    domain, version = told.get(1), told.get(2)
    name = bytes(domain).decode(errors="replace") if isinstance(domain, memoryview) else ""
    return name, version if isinstance(version, int) else 1


ONNX_FIELDS = {1: VARINT, 5: VARINT} | dict.fromkeys((2, 3, 4, 6, 7, 8, 14, 20, 25, 26), BYTES)  # onnx/onnx.proto
ONNX_PRODUCER, ONNX_GRAPH, ONNX_OPSET = (2, 3), 7, 8
OLD_PICKLE = re.compile(rb"\(?[ci][A-Za-z_][\w.]*\n[A-Za-z_]\w*\n|\((?:lp|dp|c[a-z_.]+\n)|[\]}]q|\(i[a-z]")
OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"  # torch/serialization.py, MAGIC_NUMBER
GBM = re.compile(rb"gbtree|gblinear|dart")
OBJECTIVES = (b"reg:", b"binary:", b"multi:", b"rank:", b"count:", b"survival:")
READERS: tuple[tuple[Callable[[bytes], object], Callable[[Path, bytes], Sniffed | None]], ...] = (
    (lambda head: head.startswith(OLD_TORCH), _old_torch),
    (lambda head: head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"), _pickle),
    (lambda head: head.startswith(b"ZF0x"), _old_joblib),
    (streams.compression, _packed),
    (lambda head: head.startswith(b"PK\x03\x04"), _zip),
    (lambda head: head.startswith(b"CBM1"), _catboost),
    (lambda head: head.startswith(b"tree\n"), _lightgbm),
    (re.compile(rb'\s*\{\s*"(learner"|Config"|version"\s*:\s*\[)|\{L\x00{7}\x07(learner|version)').match, _xgboost),
    (
        lambda head: head.startswith(b"binf") or (GBM.search(head[:512]) and any(each in head for each in OBJECTIVES)),
        _old_xgboost,
    ),
    (lambda head: head.startswith(b"\x89HDF\r\n\x1a\n"), _hdf5),
    (lambda head: head[8:9] == b"{", _safetensors),
    (lambda head: head[:1] in b"c(]})", _plain_pickle),
    (lambda head: head[:1] in b"\x08\x12\x3a\x42", _onnx),
)
