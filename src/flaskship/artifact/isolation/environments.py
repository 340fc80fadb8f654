"""Environments with the library versions that made a model, built by uv and kept in the user's cache."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flaskship.artifact.pickles import Scan
from flaskship.errors import VersionMismatch
from flaskship.settings import cache_folder

BUILD_LIMIT = 900  # seconds, for a slow network
LIBRARIES = {"xgboost": "xgboost", "lightgbm": "lightgbm", "catboost": "catboost", "imblearn": "imbalanced-learn"} | {
    "dill": "dill"
}  # import name -> distribution, of what a pickle may name besides scikit-learn


@dataclass(frozen=True, slots=True)
class Era:
    """The Pythons that a scikit-learn has wheels for, newest first, and the libraries of its time."""

    pythons: tuple[str, ...]
    bounds: tuple[str, ...]


ERAS = {  # by minor version; those not listed take what the index has now
    (0, 22): Era(("3.8",), ("numpy<1.19", "scipy<1.5", "pandas<1.1")),
    (0, 23): Era(("3.8",), ("numpy<1.20", "scipy<1.6", "pandas<1.2")),
    (0, 24): Era(("3.9", "3.8"), ("numpy<1.22", "scipy<1.7", "pandas<1.4")),
    (1, 0): Era(("3.10", "3.9", "3.8"), ("numpy<1.23", "scipy<1.9", "pandas<1.5")),
    (1, 1): Era(("3.10", "3.9", "3.8"), ("numpy<1.24", "scipy<1.10", "pandas<1.6")),
    (1, 2): Era(("3.11", "3.10", "3.9"), ("numpy<1.27", "scipy<1.12", "pandas<2.1")),
    (1, 3): Era(("3.11", "3.12", "3.10", "3.9"), ("numpy<1.27", "scipy<1.13", "pandas<2.2")),
    (1, 4): Era(("3.12", "3.11", "3.10", "3.9"), ("numpy<2.1", "scipy<1.14", "pandas<2.3")),
    (1, 5): Era(("3.12", "3.11", "3.10"), ("numpy<2.2", "scipy<1.15", "pandas<2.3")),
    (1, 6): Era(("3.13", "3.12", "3.11", "3.10"), ("numpy<2.3", "scipy<1.16", "pandas<2.3")),
    (1, 7): Era(("3.13", "3.12", "3.11", "3.10"), ("numpy<2.4", "scipy<1.17", "pandas<3")),
}
NOW = Era((f"{sys.version_info[0]}.{sys.version_info[1]}", "3.13", "3.12", "3.11"), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What an environment holds; equal ones share a directory."""

    requirements: tuple[str, ...]
    pythons: tuple[str, ...]
    options: tuple[str, ...] = ("--only-binary", ":all:")  # of `uv pip install`
    more: tuple[str, ...] = ()  # put beside them as it is, without what it asks for

    @property
    def digest(self) -> str:
        facts = [self.requirements, self.pythons, self.options, self.more, platform.machine(), sys.platform]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def recipe(scan: Scan) -> Recipe:
    """The environment that made the pickle, as far as its bytes tell. Raises `VersionMismatch` for one out of reach."""
    version = scan.versions.get("scikit-learn", "")
    minor = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if minor and minor < min(ERAS):
        raise VersionMismatch(
            f"{scan.path.name!r} was made with scikit-learn {version}, which has no wheels for Python 3.8 or later."
            " Load it where it was made, and save it with scikit-learn 0.22 or later."
        )
    era = ERAS.get((minor[0], minor[1]), NOW) if len(minor) == 2 else NOW
    modules = {module for module, _ in scan.names}
    named = {LIBRARIES[top]: top for top in {module.partition(".")[0] for module in modules} if top in LIBRARIES}
    wanted = [f"scikit-learn=={version}" if version else "scikit-learn", "scipy", "joblib", "pandas", "numpy"]
    wanted += [f"{name}=={scan.versions[name]}" if name in scan.versions else name for name in sorted(named)]
    if any(module.startswith("numpy.") for module in modules) and "numpy>=2" not in scan.requires:
        wanted.append("numpy<2")
    return Recipe(requirements=(*wanted, *era.bounds, *scan.requires), pythons=era.pythons)


def python(wanted: Recipe) -> Path:
    """The interpreter of an environment with what is `wanted`: from the cache, else built now.

    Raises `VersionMismatch` saying what could not be had.
    """
    place = cache_folder() / "environments" / wanted.digest
    found = _interpreter(place)
    if found.exists():
        return found
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft.", dir=place.parent))
    try:
        _build(draft / "environment", wanted)
        try:
            if place.exists() and not found.exists():  # its Python was removed since
                shutil.rmtree(place)
            (draft / "environment").rename(place)
        except OSError:
            if not found.exists():  # else another process was faster, and its environment is as good
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return found


def installed(pins: Sequence[str]) -> bool:
    """True where this very environment has each `name==version`."""
    try:
        return all(importlib.metadata.version(pin.partition("==")[0]) == pin.partition("==")[2] for pin in pins)
    except importlib.metadata.PackageNotFoundError:
        return False


def _interpreter(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _build(place: Path, wanted: Recipe) -> None:
    """An environment at `place`, with the newest Python that this machine has or uv can fetch."""
    here = [found for each in wanted.pythons if (found := interpreter(each))]
    for choice in here or wanted.pythons[:1]:
        failed = _uv("venv", "--quiet", "--relocatable", "--python", str(choice), str(place))
        if not failed:
            break
    else:
        raise _cannot(wanted, failed)
    install = ("pip", "install", "--quiet", "--python", str(_interpreter(place)))
    steps = ((*wanted.options, *wanted.requirements), ("--no-deps", *wanted.more) if wanted.more else ())
    for each in filter(None, steps):
        if failed := _uv(*install, *each):
            raise _cannot(wanted, failed)


@functools.cache
def interpreter(version: str) -> Path | None:
    """A Python of this version: this one, on the path, one of pyenv's, or one that uv fetched earlier."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return Path(sys.executable)
    kept = Path.home() / ".pyenv" / "versions"
    candidates = [shutil.which(f"python{version}"), *sorted(kept.glob(f"{version}.*/bin/python"), reverse=True)]
    found = next((Path(each) for each in candidates if each and _runs(str(each), version)), None)
    return found or _fetched(version)


def _fetched(version: str) -> Path | None:
    try:
        done = uv(["python", "find", "--managed-python", "--no-python-downloads", "--no-project", version])
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return Path(done.stdout.strip()) if done.returncode == 0 else None


def _runs(interpreter: str, version: str) -> bool:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([interpreter, "-I", "-c", code], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == version


def _uv(*arguments: str) -> str:
    """Runs uv; what went wrong, "" where nothing did."""
    try:
        done = uv(arguments)
    except FileNotFoundError:
        return "uv is not installed: pip install uv"
    except subprocess.TimeoutExpired:
        return f"uv took longer than {BUILD_LIMIT} s"
    return "" if done.returncode == 0 else _told(done.stderr) or f"uv ended with {done.returncode}"


def _told(said: str) -> str:
    """What uv says went wrong; of a package that had to be built, the last line of what built it."""
    lines = [each.strip() for each in said.partition("\nhint:")[0].splitlines() if each.strip()]
    if built := re.search(r"Failed to build `([^`]+)`", said):
        return f"{built[1]} has no wheel for it, and building it ended with: {lines[-1]}"
    if "python-build-standalone" in said:
        return "that Python is not on this machine, and cannot be fetched"
    return " ".join(said.split())[-600:]


def uv(arguments: Sequence[str], text: str = "", limit: float = BUILD_LIMIT) -> subprocess.CompletedProcess[str]:
    """uv run to its end, `text` being its input.

    Raises `FileNotFoundError` where there is none, `subprocess.TimeoutExpired` after `limit` seconds.
    """
    from uv import find_uv_bin  # an image has none, and needs none

    from flaskship import indexes

    with tempfile.TemporaryDirectory() as folder:  # elsewhere uv would read the project that it is called in
        told = indexes.options() if arguments[0] in ("pip", "venv") else []
        command = [find_uv_bin(), *arguments, *told, "--color", "never"]
        return subprocess.run(
            command, input=text, capture_output=True, text=True, cwd=folder, env=indexes.environment(),
            timeout=limit, check=False,
        )  # fmt: skip


def _cannot(wanted: Recipe, reason: str) -> VersionMismatch:
    first, *more = wanted.requirements
    others = f" and {len(more)} more" if more else ""
    return VersionMismatch(
        f"Cannot make an environment with {first}{others} on Python {' or '.join(wanted.pythons)}: {reason}."
        " It needs uv, one of these Pythons, and the package index or uv's cache."
    )
