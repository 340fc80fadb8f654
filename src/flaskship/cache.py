"""Bundles that were made before, found by what they were made of.

Imports next to nothing, so that a start from here is fast.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from flaskship.errors import FileError, NotRecognised
from flaskship.settings import Settings, cache_folder
from flaskship.target import Target

MANIFEST = "manifest.json"  # what makes a directory a bundle
KEPT = 32  # bundles
KEYED = (
    "target_column",
    "name",
    "model_version",
    "compile",
    "trust",
    "isolated",
    "sample",
    "weights",
    "shape",
    "gpu",
)  # settings that matter
CODED = ("app", "exclude", "env", "secret", "requirement", "server")  # likewise, of functions and apps
PASSED = ("__pycache__", ".git", "node_modules", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache")
WRITTEN = (".pyc", ".py.lock", "flaskship.lock")  # by running it, and by building its image
OF_APP = b'"wanted":'  # in a lock: an app's, from which its bundle is made anew; a function's bundle is made without
LIBRARIES = (
    *("numpy", "onnxruntime", "onnx", "scikit-learn", "skl2onnx", "pandas", "xgboost", "lightgbm", "catboost"),
    *("torch", "onnxscript", "keras"),
)


def find(target: Target, settings: Settings, *, linked: bool = False) -> Path | None:
    """The bundle of `target`, if it is one itself or was made before. Raises `NotRecognised` where nothing is there.

    A `linked` bundle of code names its folder, any other holds a copy of it.
    """
    path = target.path
    if is_bundle(path):
        return path
    if not path.exists():
        near = get_close_matches(path.name, (each.name for each in path.parent.glob("*")), n=1)
        hint = f" Did you mean {str(path.with_name(near[0]))!r}?" if near else ""
        raise NotRecognised(f"No file or directory {str(path)!r}.{hint}")
    place = folder() / key(target, settings, linked=linked)
    if not (place / MANIFEST).is_file():
        return None
    place.touch()
    return place


def is_bundle(path: Path) -> bool:
    """Whether there is a manifest of ours; one that cannot be read counts, since somebody broke it."""
    try:
        return "flaskship" in json.loads((path / MANIFEST).read_bytes())
    except OSError:
        return False
    except (ValueError, TypeError):
        return True


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


def key(target: Target, settings: Settings, *, linked: bool = False) -> str:
    """Equal for equal input: files, settings that matter, Flaskship itself, and the libraries here."""
    package = Path(__file__).parent
    own = sorted((str(each.relative_to(package)), each.stat().st_mtime_ns) for each in package.rglob("*.py"))
    path = target.path
    facts = {
        "target": _code(target, linked) if target.is_code else [path.name, sha256(path) if path.is_file() else ""],
        "sample": [sha256(each) if each and each.is_file() else None for each in (settings.sample, settings.weights)],
        "settings": [str(getattr(settings, name)) for name in (*KEYED, *(CODED if target.is_code else ()))],
        "flaskship": own,
        "libraries": _installed() if target.is_code else [_version(name) for name in LIBRARIES],
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _code(target: Target, linked: bool) -> list[object]:
    """What is told from the outside: where it lies, and the names, sizes and times of all files beside it."""
    place = lock(target)
    content = place.read_bytes() if place.is_file() else b""
    locked = hashlib.sha256(content).hexdigest() if OF_APP in content else ""
    return [str(target.path.resolve()), target.attribute, linked, locked, sorted(listing(target.folder))]


def lock(target: Target) -> Path:
    """Where the lock of a target is: inside a folder of code, else beside."""
    path = target.path
    if path.is_dir() and not is_bundle(path):
        return path / "flaskship.lock"
    return path.with_name(f"{path.resolve().name}.lock")


def listing(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Path, size in bytes and time of change in ns of each file; of what is installed or made, nothing."""
    for place, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if each not in PASSED and not _stat(Path(place, each, "pyvenv.cfg"))]
        for name in files:
            path = Path(place, name)
            if not name.endswith(WRITTEN) and (found := _stat(path)):
                yield str(path.relative_to(folder)), found.st_size, found.st_mtime_ns


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # gone meanwhile, a symlink to nowhere, or in a folder that cannot be read
        return None


def _installed() -> list[str]:
    """Each distribution in this environment, as `name-1.0.dist-info`."""
    places = [Path(each) for each in sys.path if each.endswith(("site-packages", "dist-packages"))]
    return sorted({each.name for place in places for each in place.glob("*.dist-info")})


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
