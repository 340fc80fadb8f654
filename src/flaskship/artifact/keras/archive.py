"""What is in a file of Keras, looked at before Keras opens it.

Its configuration names classes and functions, which Keras makes: they are held to those that models are made of, by
module. Its weights are HDF5, which can point to other files and promise more values than it holds.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import h5py

from flaskship.artifact.sniff import MEMBER_LIMIT, Sniffed
from flaskship.errors import NotRecognised, UnsafePickle

CONFIG, METADATA = "config.json", "metadata.json"
MEMBERS: Final = re.compile(r"metadata\.json|config\.json|model(_\d+)?\.weights\.(h5|json)|assets(/[\w.-]+)*/?")
PARTS: Final = re.compile(
    r"keras(\.src)?(\.(activations|constraints|dtype_policies|initializers|layers|losses|metrics|models|ops|optimizers"
    r"|quantizers|random|regularizers)(\.\w+)*)?|builtins"
)
CODE: Final = ("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")
OF_TENSORFLOW: Final = ("TextVectorization", "StringLookup", "IntegerLookup", "Hashing", "HashedCrossing")
BROKEN: Final = (OSError, KeyError, TypeError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)
DENSEST: Final = 100  # times its bytes that a file may unpack to


def version(found: Sniffed, *, trust: bool = False) -> str:
    """The Keras that wrote the file, where nothing in it could do more than compute.

    Raises `UnsafePickle` unless `trust`, and `NotRecognised` for what is damaged or cannot be served.
    """
    with _readable(found.path):
        read = _of_hdf5 if found.detail == "HDF5" else _of_archive
        config, made = read(found.path, trust)
    if not isinstance(config, dict):
        raise NotRecognised(f"{found.path.name!r} holds no model of Keras: its configuration is no object.")
    for named in _named({key: each for key, each in config.items() if key != "compile_config"}):
        _refuse(found.path, named, trust)
    return made


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        raise NotRecognised(
            f"{path.name!r} is truncated or damaged: {' '.join(str(error).split())[:200]}. Copy or save it anew."
        ) from error


def _of_archive(path: Path, trust: bool) -> tuple[Any, str]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        odd = next((name for name in names if not MEMBERS.fullmatch(name) or ".." in name), None)
        if (odd or len({*names}) < len(names)) and not trust:
            raise _unsafe(path, f"holds {odd!r}" if odd else "has two members of one name")
        for name in names:
            if name.endswith(".h5"):
                with archive.open(name) as member, h5py.File(member) as file:
                    _check(path, file, archive.getinfo(name).file_size, trust)
        if any(archive.getinfo(name).file_size > MEMBER_LIMIT for name in names if name in (CONFIG, METADATA)):
            raise ValueError("its configuration is too large")
        about = json.loads(archive.read(METADATA)) if METADATA in names else {}
        return json.loads(archive.read(CONFIG)), str(about.get("keras_version", ""))


def _of_hdf5(path: Path, trust: bool) -> tuple[Any, str]:
    with h5py.File(path) as file:
        _check(path, file, path.stat().st_size, trust)
        return json.loads(file.attrs["model_config"]), _text(file.attrs.get("keras_version", ""))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _check(path: Path, file: h5py.File, size: int, trust: bool) -> None:
    """Raises `UnsafePickle` for links to other files and for bombs, `NotRecognised` for names of Windows."""
    promised = 0
    for name, link in _links(file):
        if re.search(r"\\vars\b", name):
            raise NotRecognised(
                f"{path.name!r} was saved by Keras on Windows, with backslashes in its weights' names, which no other"
                " system finds. Save it anew, with a newer Keras or on Linux."
            )
        if isinstance(link, h5py.ExternalLink):
            raise _unsafe(path, f"points to the file {link.filename!r}")
        found = file[name]
        if isinstance(found, h5py.Dataset) and not trust:
            if found.external or found.is_virtual:
                raise _unsafe(path, f"keeps {name!r} in another file")
            promised += found.nbytes
    if promised > DENSEST * size + MEMBER_LIMIT and not trust:
        raise _unsafe(path, f"promises {promised / 1e9:.1f} GB of weights in {size / 1e6:.1f} MB")


def _links(group: h5py.Group, place: str = "") -> Iterator[tuple[str, Any]]:
    for name in group:
        link = group.get(name, getlink=True)
        yield f"{place}{name}", link
        if isinstance(link, h5py.HardLink) and isinstance(within := group[name], h5py.Group):
            yield from _links(within, f"{place}{name}/")


def _named(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the configuration that names a class or a function."""
    if isinstance(value, dict):
        if isinstance(value.get("class_name"), str):
            yield value
        for each in value.values():
            yield from _named(each)
    elif isinstance(value, list):
        for each in value:
            yield from _named(each)


def _refuse(path: Path, named: dict[str, Any], trust: bool) -> None:
    name, module = named["class_name"], named.get("module")
    if name in OF_TENSORFLOW:
        raise NotRecognised(
            f"{path.name!r} has a layer {name}, which needs TensorFlow: it is not served. Save the model without that"
            " layer, and do its work in a function that calls the model."
        )
    if name in CODE or name == "__lambda__":
        if not trust:
            raise _unsafe(path, f"has a {name} layer" if name in CODE else "has a lambda")
    elif (module and not PARTS.fullmatch(module)) or ">" in str(named.get("registered_name")):
        raise unknown(path, name)


def unknown(path: Path, name: str) -> NotRecognised:
    return NotRecognised(
        f"{path.name!r} uses {name!r}, a class or function of its author's, whose code is not in the file. Where it was"
        " made, save what it computes: model.export('model.onnx', format='onnx'), or torch.export.save."
    )


def _unsafe(path: Path, what: str) -> UnsafePickle:
    return UnsafePickle(
        f"{path.name!r} is not loaded: it {what}, which no plain model file does, and loading it could run any code or"
        " read any file. If you trust whoever made it: --trust. Else save it with layers of Keras only."
    )
