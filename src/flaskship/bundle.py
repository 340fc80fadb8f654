"""A bundle: the directory that is served and that goes into an image.

    manifest.json    what it is: name, signature, facts, parity, requirements, and the sha256 of every other file
    model.json       (or model.onnx, model.joblib, …) the one file that answers
    golden.json      example rows with the answers of the original model
    diagram.html     scikit-learn's own drawing of the original, where it is scikit-learn's
    code/            in place of a model's file: the folder of a function, as it is, or of Hugging Face's
    link             in place of code/: the absolute path of that folder, served where it lies; no part of the digest
    report.json      what was measured when it was made; no part of the digest, since a clock never repeats itself

Equal input gives equal bytes, so the digest of the manifest names the bundle.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from flaskship import artifact
from flaskship.artifact.model import Model, refined
from flaskship.cache import MANIFEST, sha256
from flaskship.errors import BundleError, CheckFailed
from flaskship.schema import Answer, Array, Columns, Facts, FieldType, Signature

if TYPE_CHECKING:
    from flaskship.artifact.function.model import FunctionModel

GOLDEN, REPORT, DIAGRAM = "golden.json", "report.json", "diagram.html"
CODE, LINK = "code", "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file that the bundle was made from."""

    file: str
    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """Whether the original was compiled, and how its answers compare with the original's.

    `largest_difference` is relative, over probabilities, values and scores.
    """

    compiled: bool
    runtime: str = ""  # the distribution that runs it then: "numpy", "onnxruntime"
    reason: str = ""  # why not
    ways: tuple[str, ...] = ()  # in which a net is computed otherwise than it was: "bfloat16", "channels last"
    rows: int = 0
    label_changes: int = 0
    largest_difference: float = 0.0
    tolerance: float = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The numbers in the sample's target column: their range, and that of the middle half."""

    name: str
    low: float
    quarter: float
    three_quarters: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One of a module's functions. `path` is its own route; a stream's signature says that it is one."""

    name: str
    path: str
    signature: Signature
    batch: int = 0  # most rows that it takes at once; 0 where it takes one a call


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Functions, in place of a model's file. `root` and `file` are relative to the folder, with `/`."""

    root: str  # working directory, and first on sys.path
    file: str
    attribute: str = ""  # what of the module; "" takes all that it marks as endpoints
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A row as JSON has it, and what a function answered it: `{"prediction": …}`."""

    row: dict[str, Any]
    answer: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    flaskship: str  # the version that wrote it
    name: str
    version: str = ""
    model: str  # the file that answers; "" for functions
    signature: Signature  # of several functions: the first one's
    facts: Facts  # of the original
    source: Source
    compilation: Compilation
    requirements: tuple[str, ...] = ()  # of what is served
    score: dict[str, float] = field(default_factory=dict)  # on the sample, by metric
    sample_rows: int = 0
    target: Target | None = None
    warnings: tuple[str, ...] = ()
    trusted: bool = False  # loads only for a user who says so again (`trust`), since its pickle may run any code
    isolated: bool = False  # the original runs in an environment of its own
    code: Code | None = None  # functions in place of a model
    files: dict[str, str] = field(default_factory=dict)  # path -> sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Measured on the machine that made the bundle: seconds for one row."""

    original: float = 0.0
    served: float = 0.0

    @property
    def gain(self) -> float:
        return self.original / self.served if self.served else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """Rows, and what the original answered; `tolerance` is relative."""

    columns: Columns
    answer: Answer
    tolerance: float
    scaled: bool = False  # to the largest value of an output, rather than to each

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as `/predict` takes them; what is missing is None."""
        listed = {name: column.tolist() for name, column in self.columns.items()}
        whole = [dict(zip(listed, row, strict=True)) for row in zip(*listed.values(), strict=True)]
        return [{name: None if value != value else value for name, value in row.items()} for row in whole]

    def check(self, predict: Callable[[Columns], Answer]) -> float:
        """The largest relative difference of `predict` from the original. Raises `CheckFailed` naming the worst row."""
        with np.errstate(all="ignore"):  # of the model's own arithmetic, as when they were recorded
            return compare(self.answer, predict(self.columns), self.tolerance, self.columns, scaled=self.scaled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    path: Path
    digest: str
    manifest: Manifest

    @classmethod
    def read(cls, path: Path) -> Bundle:
        """The bundle at `path`. Raises `BundleError` if it is none, is damaged, or was changed."""
        try:
            raw = (path / MANIFEST).read_bytes()
            manifest = msgspec.json.decode(raw, type=Manifest)
            for name, expected in manifest.files.items():
                if sha256(path / name) != expected:
                    raise BundleError(
                        f"{name!r} in bundle {str(path)!r} was changed: not the manifest's sha256. Build it anew."
                    )
        except FileNotFoundError as error:
            raise BundleError(f"No bundle at {str(path)!r}: {Path(str(error.filename)).name!r} is missing.") from error
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BundleError(f"Cannot read the bundle at {str(path)!r}: {error}.") from error
        return cls(path=path, digest=f"sha256:{hashlib.sha256(raw).hexdigest()}", manifest=manifest)

    def load(self, *, trust: bool = False) -> Model:
        """The model that answers, with the manifest's signature. Raises as `artifact.open`."""
        manifest = self.manifest
        if manifest.code:
            return next(iter(self.functions(trust=trust).values()))
        path = self.path / manifest.model
        if manifest.compilation.compiled:
            return artifact.compiled(path, manifest.signature, manifest.facts)
        if manifest.isolated:
            return refined(artifact.isolated(path, manifest.facts), manifest.signature)
        ways = manifest.compilation.ways
        return refined(artifact.open(path, trust=trust, known=manifest.signature, ways=ways), manifest.signature)

    def functions(self, *, trust: bool = False) -> dict[str, FunctionModel]:
        """The functions by their endpoints' names; none of a model. Raises what its module raises."""
        code = self.manifest.code
        if code is None:
            return {}
        return artifact.functions(self.folder, code.root, code.file, code.attribute, trust=trust)

    @property
    def folder(self) -> Path:
        """Where the files of functions are."""
        link = self.path / LINK
        return Path(link.read_text(encoding="utf-8")) if link.is_file() else self.path / CODE

    @property
    def recorded(self) -> dict[str, Recorded]:
        """Of functions: golden rows by endpoint, of those that have one."""
        place = self.path / GOLDEN
        return msgspec.json.decode(place.read_bytes(), type=dict[str, Recorded]) if place.is_file() else {}

    @property
    def golden(self) -> Golden:
        kept = msgspec.json.decode((self.path / GOLDEN).read_bytes(), type=_Golden)
        return kept.thaw(self.manifest)

    @property
    def diagram(self) -> bytes:
        """HTML; empty where there is none."""
        return (self.path / DIAGRAM).read_bytes() if DIAGRAM in self.manifest.files else b""

    @property
    def report(self) -> Report:
        path = self.path / REPORT
        return msgspec.json.decode(path.read_bytes(), type=Report) if path.is_file() else Report()


class _Golden(msgspec.Struct):
    """Golden rows as JSON: NaN is null, which NumPy makes NaN again; floats are exact by their shortest form."""

    columns: dict[str, list[Any]]
    values: list[list[Any]]
    probabilities: list[list[float | None]] | None = None
    score: list[float | None] | None = None

    @classmethod
    def freeze(cls, columns: Columns, answer: Answer) -> _Golden:
        return cls(
            columns={name: column.tolist() for name, column in columns.items()},
            values=[value.tolist() for value in answer.values],
            probabilities=None if answer.probabilities is None else answer.probabilities.tolist(),
            score=None if answer.score is None else answer.score.tolist(),
        )

    def thaw(self, manifest: Manifest) -> Golden:
        signature = manifest.signature
        values = zip(signature.outputs, self.values, strict=True)
        return Golden(
            columns={each.name: np.array(self.columns[each.name], each.array_dtype) for each in signature.inputs},
            answer=Answer(
                values=tuple(
                    np.array(value, float if output.type is FieldType.NUMBER else object) for output, value in values
                ),
                probabilities=None if self.probabilities is None else np.array(self.probabilities, float),
                score=None if self.score is None else np.array(self.score, float),
            ),
            tolerance=manifest.compilation.tolerance,
            scaled=manifest.facts.scaled,
        )


def compare(expected: Answer, got: Answer, tolerance: float, columns: Columns, *, scaled: bool = False) -> float:
    """The largest relative difference. Raises `CheckFailed` when a label differs or that is over `tolerance`."""
    worst = 0.0
    pairs = [
        *zip(expected.values, got.values, strict=True),
        (expected.probabilities, got.probabilities),
        (expected.score, got.score),
    ]
    for want, have in pairs:
        if want is None or have is None:
            continue
        different = differences(want, have, scaled=scaled)
        row = int(np.argmax(different))
        if different[row] > tolerance:
            shown = {name: column[row] for name, column in columns.items()}
            raise CheckFailed(
                f"Golden row {row} ({_shown(shown)}) is answered {have[row]}, the original answered {want[row]}."
            )
        worst = max(worst, float(different[row]))
    return worst


def differences(want: Array, have: Array, *, scaled: bool = False) -> Array:
    """Of each row: the largest relative difference of its numbers (absolute below 1e-9), or inf where labels differ.

    What is `scaled` counts relative to the largest number of all rows.
    """
    if want.dtype.kind != "f" or have.dtype.kind not in "fiu":
        return np.where(want.astype(object) == have.astype(object), 0.0, np.inf)
    both = np.isnan(want) & np.isnan(have)
    with np.errstate(invalid="ignore"):
        size = np.maximum(np.abs(want), np.abs(have))
        least = np.nanmax(size, initial=1e-9) if scaled else 1e-9
        relative = np.abs(have - want) / np.maximum(size, least)
    relative = np.where(both | (want == have), 0.0, np.where(np.isnan(relative), np.inf, relative))
    return relative.reshape(len(want), -1).max(axis=1)  # type: ignore[no-any-return]  # of NumPy's max


def _shown(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in list(row.items())[:8]) + (", …" if len(row) > 8 else "")


def lay(folder: Path, files: Mapping[str, bytes | Path]) -> None:
    """Puts `files` into `folder` by their paths in it: bytes are written, a file is copied, a folder is empty."""
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            place.write_bytes(content)
        elif content.is_dir():
            place.mkdir(exist_ok=True)
        else:
            shutil.copyfile(content, place)
            place.chmod(0o755 if content.stat().st_mode & 0o100 else 0o644)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary directory beside `path` that becomes `path` when all went well, replacing what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield draft
        draft.chmod(0o755)
        _move(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _move(draft: Path, path: Path) -> None:
    """An equal bundle stays where it is: another process may have made it meanwhile, and be reading it."""
    try:
        draft.replace(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if not (path / MANIFEST).is_file():
            raise BundleError(
                f"{str(path)!r} is a directory that holds something else than a bundle. Name another one."
            ) from error
        wanted = {name: digest for name, digest in digests(draft).items() if name != REPORT}
        if wanted.items() <= digests(path).items():
            return
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        path.replace(old / "old")
        draft.replace(path)
        shutil.rmtree(old, ignore_errors=True)


def write(
    path: Path, manifest: Manifest, files: Mapping[str, bytes | Path], golden: tuple[Columns, Answer], report: Report
) -> Bundle:
    """A bundle at `path`: `files` by name (bytes, or a path to copy), complete or not there at all."""
    with writing(path) as draft:
        lay(draft, files)
        (draft / GOLDEN).write_bytes(msgspec.json.encode(_Golden.freeze(*golden)))
        _seal(draft, manifest)
        (draft / REPORT).write_bytes(msgspec.json.encode(report))
    return Bundle.read(path)


def write_code(
    path: Path, manifest: Manifest, folder: Path, files: Iterable[str] | None, recorded: Mapping[str, Recorded]
) -> Bundle:
    """A bundle at `path` of functions: with the named `files` of `folder`; where that is None, served from there."""
    with writing(path) as draft:
        lay(draft, {f"{CODE}/{name}": folder / name for name in files or ()})
        if recorded:
            (draft / GOLDEN).write_bytes(msgspec.json.encode(recorded))
        _seal(draft, manifest)
        if files is None:
            (draft / LINK).write_text(str(folder.resolve()), encoding="utf-8")
    return Bundle.read(path)


def _seal(draft: Path, manifest: Manifest) -> None:
    """Writes the manifest, with the digests of all that lies there."""
    (draft / MANIFEST).write_bytes(
        msgspec.json.format(msgspec.json.encode(replace(manifest, files=digests(draft)))) + b"\n"
    )


def digests(folder: Path) -> dict[str, str]:
    """sha256 by path, of all files in `folder`."""
    names = sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())
    return {name: sha256(folder / name) for name in names}
