"""From a path to a model: recognise by content, then one match to one loader."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from flaskship.artifact.huggingface.checkpoint import CONFIG
from flaskship.artifact.model import Model
from flaskship.artifact.sniff import Format, Sniffed, sniff
from flaskship.errors import MissingExtra, NotRecognised
from flaskship.schema import Array, Facts, Signature

if TYPE_CHECKING:
    from flaskship.artifact.function.model import FunctionModel

__all__ = ["Format", "Model", "Sniffed", "open", "sniff"]

PICKLES = (Format.JOBLIB, Format.PICKLE)
PROGRAMS = (Format.TORCHSCRIPT, Format.TORCH_EXPORT)  # of torch
WEIGHTS = (Format.STATE_DICT, Format.SAFETENSORS)  # which nothing is computed with
LOADERS = {
    Format.SKOPS: "sklearn.loader",
    Format.ONNX: "onnx.loader",
    Format.XGBOOST: "booster",
    Format.LIGHTGBM: "booster",
    Format.CATBOOST: "booster",
}
EXTRAS = {"sklearn": "sklearn", "pandas": "sklearn", "skops": "sklearn", "joblib": "sklearn", "scipy": "sklearn"} | {
    name: name for name in ("xgboost", "lightgbm", "catboost", "torch")
}
EXTRAS |= {"keras": "keras", "h5py": "keras"}
EXTRAS |= dict.fromkeys(("transformers", "safetensors", "tokenizers"), "huggingface")


def open(
    path: Path,
    *,
    trust: bool = False,
    like: Array | None = None,
    shapes: Sequence[str] = (),
    known: Signature | None = None,
    ways: Sequence[str] = (),
) -> Model:
    """The model in the file at `path`; a net is computed in these `ways`.

    Of what says no shapes itself, `like` are example rows, `shapes` are as the setting has them, or `known` is the
    signature that its bundle has.
    Raises `NotRecognised`, `UnsafePickle` (unless `trust`), `VersionMismatch` or `MissingExtra`.
    """
    found = sniff(path)
    try:
        if found.format in PICKLES:
            return _unpickled(found, trust)
        if found.format in PROGRAMS:
            program: Model = _loader("torch.loader").load(
                found, like=like, shapes=shapes, known=known, ways=ways, trust=trust
            )
            return program
        if found.format is Format.KERAS:
            net: Model = _loader("keras.loader").load(found, known=known, trust=trust)
            return net
        if found.format in WEIGHTS:
            _loader("torch.exporting").refuse(found)
        if found.format not in LOADERS:
            raise NotRecognised(
                f"{str(path)!r} is {found.format.value}, which this version of Flaskship does not serve."
            )
        model: Model = _loader(LOADERS[found.format]).load(found)
        return model
    except ModuleNotFoundError as error:
        raise missing(error, str(path)) from error


def compiled(path: Path, signature: Signature, facts: Facts) -> Model:
    """The model that Flaskship compiled into the file at `path`."""
    model: Model = _loader("linear_model" if path.suffix == ".json" else "onnx.model").compiled(path, signature, facts)
    return model


def exported(
    weights: Path,
    into: Path,
    *,
    file: Path | None,
    name: str = "",
    like: Array | None = None,
    shapes: Sequence[str] = (),
    trust: bool = False,
) -> bool:
    """Writes `into` the program of a class of torch in `file` with these weights, of Keras, or of a pickled module.

    False where the file at `weights` is none of those. `like` and `shapes` are as in `open`. Raises as that, and
    `TargetError`.
    """
    found, rows = sniff(weights), (like, shapes)
    try:
        if file is not None:
            _loader("torch.exporting").of_class(file.resolve(), name, found, rows, into, trust=trust)
        elif found.format is Format.KERAS:
            made: bool = _loader("keras.exporting").export(found, into, trust=trust)
            return made
        elif found.format is Format.STATE_DICT and trust:
            _loader("torch.exporting").of_pickle(weights, rows, into)
        else:
            return False
    except ModuleNotFoundError as error:
        raise missing(error, str(weights)) from error
    return True


def isolated(path: Path, facts: Facts | None = None) -> Model:
    """The model in the file at `path`, in an environment of its own with the versions that made it.

    `facts` are what an earlier look at the file found out.
    """
    model: Model = _loader("isolation.loader").open(path, facts)
    return model


def functions(
    folder: Path, root: str, file: str, attribute: str = "", *, trust: bool = False
) -> dict[str, FunctionModel]:
    """The functions of a module, each as a model, by its endpoint's name. `root` and `file` are relative to `folder`.

    Those of a Hugging Face folder are its tasks; its `file` is config.json, and with `trust` its own code may run.
    Raises what importing the module raises as a `TargetError`, and for a type hint that cannot be a field.
    """
    found: dict[str, FunctionModel]
    if file == CONFIG:
        try:
            found = _loader("huggingface.loader").load(folder / root, trust=trust)
        except ModuleNotFoundError as error:
            raise missing(error, folder.name) from error
        return found
    found = _loader("function.loader").load(folder / root, file, attribute)
    return found


def drawn(model: Model) -> bytes:
    """scikit-learn's own drawing of `model`, as HTML that runs nothing; empty for models of other frameworks."""
    if model.facts.framework != "scikit-learn" or model.native is None:
        return b""
    page: bytes = _loader("sklearn.drawing").of(model.native)
    return page


def missing(error: ModuleNotFoundError, what: str) -> MissingExtra:
    """What to say when `what` needs a library that is not installed."""
    package = (error.name or "").partition(".")[0]
    command = f"'flaskship[{EXTRAS[package]}]'" if package in EXTRAS else package
    return MissingExtra(f"Reading {what!r} needs {package}, which is not installed: pip install {command}")


def _loader(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")


def _unpickled(found: Sniffed, trust: bool) -> Model:
    pickles = _loader("pickles")
    scan = pickles.scan(found.path)
    if not trust:
        pickles.refuse_unsafe(scan)
    value = pickles.load(found.path, scan)
    raw = type(value).__name__ == "Booster" and type(value).__module__.partition(".")[0] in ("xgboost", "lightgbm")
    model: Model = _loader("booster" if raw else "sklearn.loader").wrap(value, found)
    return model
