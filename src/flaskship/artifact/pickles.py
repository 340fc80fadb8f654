"""Pickles: what a file names and calls, whether that is safe, who made it; and loading it by the same rule.

A scan runs the pickle's opcodes on symbols (`walk`). Loading then names nothing but what the scan saw and finds arrays
nowhere but where it saw them, so that the two cannot disagree (`shim.unpickle`).
"""

from __future__ import annotations

import importlib.metadata
import io
import pickle
import re
import sys
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from flaskship.artifact.allowed import packages
from flaskship.artifact.shim import streams, unpickle
from flaskship.artifact.symbols import Bomb, Damaged, Findings, Made
from flaskship.artifact.walk import Walk
from flaskship.errors import MissingExtra, NotRecognised, UnsafePickle, VersionMismatch

LIMIT = 16 * 10**9  # bytes that a compressed file may unpack to
MOST_PICKLES = 64  # one after another in a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What is in a pickle, found without loading it."""

    path: Path
    kind: str  # "joblib", "pickle", "dill", "cloudpickle"
    protocol: int
    compression: str  # "", "zlib", "gzip", "bz2", "xz", "lzma", "lz4"
    globals: tuple[str, ...]  # every name, in the file's order
    unsafe: tuple[str, ...]  # those among them, and those calls, that no model file needs
    versions: dict[str, str]  # distribution -> version that wrote the file, where the bytes say so
    requires: tuple[str, ...]  # what else the bytes tell: "numpy>=2"
    root: str  # the class of the pickled object, "" for a plain tuple, list or dict
    pickles: int  # how many stand one after another
    names: frozenset[tuple[str, str]]
    arrays: dict[int, int]  # position -> bytes, of the arrays in a joblib file
    identity: tuple[int, ...]  # of the file as it was scanned


def scan(path: Path, *, limit: int = LIMIT) -> Scan:
    """What is in the pickle at `path`. Nothing is imported and nothing run.

    Raises `NotRecognised` for what is no pickle or is damaged, `UnsafePickle` for what would exhaust the machine.
    """
    with Path(path).open("rb") as file:
        identity = streams.identity(file.fileno())
    return _scan(Path(path), limit, identity)


@lru_cache(maxsize=4)
def _scan(path: Path, limit: int, identity: tuple[int, ...]) -> Scan:
    findings = Findings()
    try:
        stream, packed = _opened(path, limit)
        with stream:
            root = Walk(stream, findings, joblib=True, seekable=not packed).run()
            count = 1 + _following(stream, findings, seekable=not packed)
    except (Damaged, *streams.BROKEN) as error:
        raise NotRecognised(f"{path.name!r} is no complete pickle: {error}. Copy or save it again.") from error
    except (Bomb, streams.TooLong, MemoryError) as error:
        raise UnsafePickle(f"{path.name!r} is not loaded, since no model looks like this: it {error}.") from error
    _look_into(findings)
    names = frozenset(findings.globals)
    return Scan(
        path=path,
        kind=_kind(findings),
        protocol=findings.protocol,
        compression=packed,
        globals=tuple(str(each) for each in findings.globals.values()),
        unsafe=tuple(findings.unsafe),
        versions=_versions(findings),
        requires=_requires(names),
        root=str(root.callee) if isinstance(root, Made) else "",
        pickles=count,
        names=names,
        arrays=findings.arrays,
        identity=identity,
    )


def _opened(path: Path, limit: int) -> tuple[io.BufferedReader, str]:
    try:
        return streams.opened(path, limit)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"Reading {path.name!r} needs {error.name}: pip install {error.name}") from error


def _following(stream: io.BufferedReader, findings: Findings, *, seekable: bool) -> int:
    """How many more pickles stand behind the first. Their names count too; what is no pickle is never read."""
    count = 0
    while stream.peek(1) and count < MOST_PICKLES:
        try:
            Walk(stream, findings, joblib=True, seekable=seekable).run()
        except Damaged:
            break
        count += 1
    return count


def _look_into(findings: Findings) -> None:
    """Scans bytes objects that are pickles themselves."""
    for data in findings.nested:
        inner = Findings()
        try:
            Walk(io.BufferedReader(io.BytesIO(data)), inner, joblib=True, seekable=True).run()
        except (Damaged, Bomb):
            continue
        findings.unsafe.update(inner.unsafe)


def _kind(findings: Findings) -> str:
    modules = {module.partition(".")[0] for module, _ in findings.globals}
    if findings.arrays or "joblib" in modules:
        return "joblib"
    return next((name for name in ("dill", "cloudpickle") if name in modules), "pickle")


def _versions(findings: Findings) -> dict[str, str]:
    found = {"scikit-learn": findings.sklearn} if findings.sklearn else {}
    modules = {module.partition(".")[0] for module, _ in findings.globals}
    if "xgboost" in modules:
        versions = [xgboost_version(part) for blob in findings.blobs for part in (blob.tail, blob.head)]
        if told := [each for each in versions if each]:
            found["xgboost"] = told[-1]
    return found


XGBOOST_UBJ = re.compile(rb"version\[#L\x00{7}\x03i(.)i(.)i(.)", re.DOTALL)
XGBOOST_JSON = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]')


def xgboost_version(data: bytes) -> str:
    """The version that wrote a part of a model in JSON or UBJSON, "" where it does not say."""
    if match := XGBOOST_UBJ.search(data):
        return ".".join(str(each[0]) for each in match.groups())
    match = XGBOOST_JSON.search(data)
    return b".".join(match.groups()).decode() if match else ""


def _requires(names: frozenset[tuple[str, str]]) -> tuple[str, ...]:
    modules = {module for module, _ in names}
    found = []
    if any(each.startswith("numpy._core") for each in modules):
        found.append("numpy>=2")
    if any(each.startswith("sklearn.externals.joblib") for each in modules):
        found.append("scikit-learn<0.23")
    return tuple(found)


def refuse_unsafe(scan: Scan) -> None:
    """Raises `UnsafePickle` naming what is unsafe and what to do about it."""
    if not scan.unsafe:
        return
    shown = ", ".join(scan.unsafe[:10]) + (f" and {len(scan.unsafe) - 10} more" if len(scan.unsafe) > 10 else "")
    raise UnsafePickle(
        f"{scan.path.name!r} is not loaded: it uses {shown}, which no plain model file does, and unpickling it could"
        f" run any code. {_whose(scan)}If you trust whoever made it: --trust. Else save the model anew with skops, or"
        " from library classes only."
    )


def _whose(scan: Scan) -> str:
    own = [name for name in scan.unsafe if name.partition(".")[0] not in packages() and "." in name]
    own = [
        name for name in own if name.partition(".")[0] not in sys.stdlib_module_names or name.startswith("__main__.")
    ]
    own = [name for name in own if " " not in name]
    if not own:
        return ""
    home = own[0].rpartition(".")[0]
    return f"{own[0]!r} lives in {home!r}, the code of whoever trained it, which must be importable here too. "


def load(path: Path, scan: Scan) -> Any:
    """The object in the pickle, or a tuple of them when several stand one after another.

    Where the scan found nothing unsafe, nothing but what it saw is named. Raises `UnsafePickle` when the file is not
    what was scanned, `VersionMismatch` when the libraries here cannot make its objects, `MissingExtra`.
    """
    allowed = None if scan.unsafe else scan.names
    stream, _ = _opened(path, LIMIT)
    with stream, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if streams.identity(stream.fileno()) != scan.identity:
            raise UnsafePickle(f"{path.name!r} was changed after it was looked at. Try again.")
        try:
            found = [unpickle.load(stream, allowed, scan.arrays, scan.kind == "joblib") for _ in range(scan.pickles)]
        except unpickle.Refused as error:
            raise UnsafePickle(
                f"{path.name!r} is not loaded: it asks for {error}, which its scan did not see."
            ) from error
        except ModuleNotFoundError as error:
            raise _missing(error, path, scan) from error
        except (MemoryError, RecursionError, OverflowError, EOFError, pickle.UnpicklingError) as error:
            raise NotRecognised(f"{path.name!r} cannot be unpickled: {_plain(error)}.") from error
        except Exception as error:  # a class's own __setstate__ runs here, and raises what it likes
            raise VersionMismatch(_mismatch(error, path, scan)) from error
    for each in caught:
        if each.category.__name__ != "InconsistentVersionWarning" and "unpickle estimator" not in str(each.message):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    return found[0] if len(found) == 1 else tuple(found)


def _missing(error: ModuleNotFoundError, path: Path, scan: Scan) -> Exception:
    """A library that is not here, or a module that it had in another version."""
    package = (error.name or "").partition(".")[0]
    if package in sys.modules or not error.name:
        return VersionMismatch(_mismatch(error, path, scan))
    return error


def _mismatch(error: Exception, path: Path, scan: Scan) -> str:
    differ = [(name, made, _installed(name)) for name, made in scan.versions.items() if made != _installed(name)]
    if differ:
        made = " and ".join(f"{name} {version}" for name, version, _ in differ)
        here = " and ".join(f"{name} {version or 'missing'}" for name, _, version in differ)
        pins = " ".join(f"{name}=={version}" for name, version, _ in differ)
    else:
        pins = " ".join(f"'{each}'" for each in scan.requires)
        made, here = pins or "versions that it does not tell", f"Python {sys.version.split()[0]}"
    advice = f"pip install {pins}, or --isolated" if pins else "load it where it was made and save it anew"
    return f"{path.name!r} was made with {made} and does not load here ({here}): {_plain(error)}. Do: {advice}."


def _installed(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _plain(error: BaseException) -> str:
    first = str(error).splitlines()[0].rstrip(".:") if str(error) else "no more is known"
    return f"{type(error).__name__}: {first}"
