"""Bundles that were made before, found by what they were made of.

Imports next to nothing, so that a start from here is fast.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
from difflib import get_close_matches
from pathlib import Path

from flaskship.errors import FileError, NotRecognised
from flaskship.settings import Settings, cache_folder

MANIFEST = "manifest.json"  # what makes a directory a bundle
KEPT = 32  # bundles
KEYED = ("target_column", "name", "model_version", "compile", "trust", "isolated", "sample")  # settings that matter
LIBRARIES = ("numpy", "onnxruntime", "onnx", "scikit-learn", "skl2onnx", "pandas", "xgboost", "lightgbm", "catboost")


def find(target: Path, settings: Settings) -> Path | None:
    """The bundle of `target`, if it is one itself or was made before. Raises `NotRecognised` where nothing is there."""
    if (target / MANIFEST).is_file():
        return target
    if not target.exists():
        near = get_close_matches(target.name, (each.name for each in target.parent.glob("*")), n=1)
        hint = f" Did you mean {str(target.with_name(near[0]))!r}?" if near else ""
        raise NotRecognised(f"No file or directory {str(target)!r}.{hint}")
    place = folder() / key(target, settings)
    if not (place / MANIFEST).is_file():
        return None
    place.touch()
    return place


def folder() -> Path:
    return cache_folder() / "bundles"


def made() -> Path:
    """`folder`, which is there. Raises `FileError` where it cannot be."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"No cache can be kept in {str(folder())!r}: {error.strerror}. Name another folder: FLASKSHIP_CACHE=DIR"
        ) from error
    return folder()


def key(target: Path, settings: Settings) -> str:
    """Equal for equal input: files, settings that matter, Flaskship itself, and the libraries here."""
    package = Path(__file__).parent
    own = sorted((str(each.relative_to(package)), each.stat().st_mtime_ns) for each in package.rglob("*.py"))
    sample = settings.sample
    facts = {
        "target": [target.name, sha256(target) if target.is_file() else ""],
        "sample": sha256(sample) if sample and sample.is_file() else None,
        "settings": [str(getattr(settings, name)) for name in KEYED],
        "flaskship": own,
        "libraries": [_version(name) for name in LIBRARIES],
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def prune() -> None:
    """Keep the newest bundles only."""
    for old in sorted(folder().glob("[0-9a-f]*"), key=lambda each: each.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
