"""What a pickle names and calls, and who made it, found without loading it."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flaskship.artifact.pickles.symbols import Bomb, Damaged, Findings, Made
from flaskship.artifact.pickles.walk import Walk
from flaskship.artifact.shim import streams
from flaskship.errors import MissingExtra, NotRecognised, UnsafePickle

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
        stream, packed = opened(path, limit)
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


def opened(path: Path, limit: int) -> tuple[io.BufferedReader, str]:
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
