"""The libraries inside a folder's model files, and the versions that wrote them."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from packaging.version import InvalidVersion, Version

from flaskship.artifact import pickles
from flaskship.artifact.sniff import Format, Sniffed, sniff
from flaskship.errors import MissingExtra, NotRecognised, UnsafePickle
from flaskship.source.requirements.imports import distribution

LIBRARIES = {
    Format.SKOPS: ("skops", "scikit-learn"),
    Format.ONNX: ("onnxruntime",),
    Format.XGBOOST: ("xgboost",),
    Format.LIGHTGBM: ("lightgbm",),
    Format.CATBOOST: ("catboost",),
    Format.TORCHSCRIPT: ("torch",),
    Format.TORCH_EXPORT: ("torch",),
    Format.KERAS: ("tensorflow",),
}
OTHERS = re.compile(  # files that hold no model
    r".*\.(py|pyc|html?|css|scss|js|jsx|ts|map|json5?|csv|tsv|md|rst|ipynb|ya?ml|toml|cfg|ini|sql|png|jpe?g|gif|svg|ico|webp"
    r"|bmp|pdf|docx?|xlsx?|pptx?|mp[34]|wav|avi|mov|ttf|woff2?|eot|otf|zip|gz|tar|7z|rar|db|sqlite3?|log|lock|sh|bat)",
    re.IGNORECASE,
)
BOUNDS = (  # a module that is named -> what has it: it moved, or was taken out, later
    ("pandas.core.indexes.numeric", "pandas<2"),
    ("sklearn.externals", "scikit-learn<0.23"),
    ("sklearn.externals.joblib", "scikit-learn<0.23"),
    ("keras_preprocessing", "tensorflow<2.16"),
    ("keras.src.legacy", "keras>=3"),
)
WITH_VERSION = ("scikit-learn", "xgboost", "skops")  # whose version has to be the one that wrote the file


@dataclass(kw_only=True)
class Held:
    """By distribution: the files that hold it, the exact version that wrote one, what else is asked of it."""

    files: dict[str, list[str]] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)  # distribution -> version -> file
    bounds: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, name: str, file: str) -> None:
        if file not in self.files.setdefault(name, []):
            self.files[name].append(file)

    def version(self, name: str) -> str:
        """The newest of those that wrote a file: it reads the older ones' too, more often than the other way round."""
        return max(self.versions.get(name, {}), key=_order, default="")


def read(folder: Path, files: Collection[str], installed: Mapping[str, Sequence[str]]) -> Held:
    """What the model files among `files` hold."""
    held = Held()
    for path in sorted(files):
        if PurePosixPath(path).name == "saved_model.pb":
            held.add("tensorflow", path)
        elif not OTHERS.fullmatch(path) or path.endswith((".json", ".zip", ".gz")):
            _file(held, folder, path, installed)
    return held


def _file(held: Held, folder: Path, path: str, installed: Mapping[str, Sequence[str]]) -> None:
    try:
        found = sniff(folder / path)
    except NotRecognised as error:
        if re.match(r"'.*?' was (written|saved) by torch", error.detail):  # which is not served by itself
            held.add("torch", path)
        return
    except (UnsafePickle, MissingExtra) as error:
        held.warnings.append(f"{path} is not looked into: {error.detail}")
        return
    for name in LIBRARIES.get(found.format, ()):
        held.add(name, path)
    if found.format in (Format.JOBLIB, Format.PICKLE):
        _pickle(held, pickles.scan(folder / path), path, installed)
    if found.format is Format.KERAS:
        _keras(held, folder / path, found, path)
    if found.format not in (Format.XGBOOST, Format.ONNX):  # which any later version reads
        for name, version in found.made_with.items():
            if name in WITH_VERSION and _order(version) is not None:
                held.versions.setdefault(name, {}).setdefault(version, path)


def _pickle(held: Held, scan: pickles.Scan, path: str, installed: Mapping[str, Sequence[str]]) -> None:
    modules = {module for module, _ in scan.names}
    for top in {module.partition(".")[0] for module in modules}:
        known = top in installed or distribution(top, installed)[1]
        if top not in sys.stdlib_module_names and not top.startswith("_") and known:
            held.add(distribution(top, installed)[0], path)
    if scan.kind == "joblib":
        held.add("joblib", path)
    if scan.compression == "lz4":
        held.add("lz4", path)
    bounds = [
        bound for module, bound in BOUNDS if any(each == module or each.startswith(module + ".") for each in modules)
    ]
    for bound in dict.fromkeys([*bounds, *scan.requires]):
        name = re.split(r"[<>=]", bound)[0]
        held.add(name, path)
        held.bounds.setdefault(name, []).append(bound.removeprefix(name))


def _keras(held: Held, file: Path, found: Sniffed, path: str) -> None:
    """Keras 2 came with TensorFlow up to 2.15, Keras 3 after: a file of one is often none of the other's."""
    version = found.made_with.get("keras", "") or _hdf5_version(file)
    if version:
        bound = ">=2.16" if version.startswith("3") else "<2.16"
        held.bounds.setdefault("tensorflow", []).append(bound)


def _hdf5_version(file: Path) -> str:
    with file.open("rb") as stream:
        match = re.search(rb"keras_version.{0,400}?(\d\.\d{1,2}\.\d{1,2})", stream.read(1 << 20), re.DOTALL)
    return match[1].decode() if match else ""


def _order(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        return Version("0")
