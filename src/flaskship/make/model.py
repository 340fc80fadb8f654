"""From a model's file to a bundle: one line a step."""

from __future__ import annotations

import importlib.metadata
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from flaskship import __version__, artifact, bundle, cache, compiler
from flaskship import sample as samples
from flaskship.artifact.model import Model, refined
from flaskship.bundle import DIAGRAM, Bundle, Compilation, Manifest, Report, Source
from flaskship.compiler.parity import answered, seconds
from flaskship.errors import FlaskshipError, PredictionFailed, UsageError
from flaskship.make import net
from flaskship.plan import NUMPY
from flaskship.sample import Sample
from flaskship.schema import Answer, Array, Columns, Signature
from flaskship.settings import Settings
from flaskship.target import Target

GOLDEN_ROWS = 16
GOLDEN_VALUES = 100_000  # of all golden rows: fewer rows of large pictures
MADE_UP_ROWS = 256  # of which the golden ones are the first that are answered
ON_GPU = ("torch", "keras")  # frameworks that compute there; graphs are computed on CPUs
FILES = {compiler.Form.COEFFICIENTS: "model.json", compiler.Form.GRAPH: "model.onnx"}
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What answers in the bundle: a file by name, and how it compares with the original."""

    file: str
    content: bytes | Path
    compilation: Compilation
    report: Report
    requirements: tuple[str, ...]


def make(given: Target, settings: Settings, into: Path, say: Say, **of_code: bool) -> Bundle:
    """A bundle of the model file `given`, written to `into`; of a class of torch, with the weights of the settings.

    Raises as `artifact.open`, and `CheckFailed`.
    """
    say(f"Reading {given}")
    with tempfile.TemporaryDirectory() as folder:
        like = net.example(given, settings)
        return _made(given, net.exported(given, settings, like, Path(folder)), like, settings, into, say)


def _made(given: Target, target: Path, like: Array | None, settings: Settings, into: Path, say: Say) -> Bundle:
    """The bundle of `given`, of which the file at `target` answers."""
    trust = settings.trust
    model = _opened(target, like, settings)
    sample = samples.read(settings.sample, model, settings.target_column) if settings.sample else None
    if sample:
        model = refined(model, sample.signature)
    elif settings.target_column:
        raise UsageError("--target-column names a column of the sample: give --sample too.")
    model = refined(model, _with_splits(model))
    with np.errstate(all="ignore"):  # of the model's own arithmetic, on rows as odd as they come
        golden = _golden(model, sample)
        served = _served(model, target, sample, settings, say)
        if not served.report.original:
            served = replace(served, report=Report(original=seconds(model.predict, _first(golden[0], 1))))
    origin = settings.weights or given.path
    source = Source(file=origin.name, sha256=cache.sha256(origin), size=origin.stat().st_size)
    manifest = Manifest(
        flaskship=__version__,
        name=settings.name or given.path.stem,
        version=settings.model_version,
        model=served.file,
        signature=model.signature,
        facts=model.facts,
        source=source,
        compilation=served.compilation,
        requirements=served.requirements,
        score=samples.score(sample, model) if sample else {},
        sample_rows=sample.rows if sample else 0,
        target=samples.target(sample, settings.target_column) if sample else None,
        warnings=tuple(dict.fromkeys([*model.facts.warnings, *(sample.warnings if sample else ())])),
        trusted=trust and not served.compilation.compiled,
        isolated=settings.isolated,
    )
    diagram = artifact.drawn(model)
    files = {served.file: served.content} | ({DIAGRAM: diagram} if diagram else {})
    made = bundle.write(into, manifest, files, golden, served.report)
    _replay(made, settings, say)
    return made


def _opened(target: Path, like: Array | None, settings: Settings) -> Model:
    if settings.isolated:
        return artifact.isolated(target)
    return artifact.open(target, trust=settings.trust, like=like, shapes=settings.shape)


def _with_splits(model: Model) -> Signature:
    """The signature with what a compiled tree model no longer tells: between which values its splits lie."""
    splits = {
        name: (float(values.min()), float(values.max())) for name, values in model.thresholds.items() if len(values)
    }
    fields = tuple(replace(field, splits=splits.get(field.name)) for field in model.signature.inputs)
    return replace(model.signature, inputs=fields)


def _served(model: Model, target: Path, sample: Sample | None, settings: Settings, say: Say) -> Served:
    original = Served(
        file=f"model{target.suffix}" if target.is_file() else "model",
        content=target,
        compilation=Compilation(
            compiled=False, tolerance=compiler.tolerance(model.facts), reason=_unwanted(model, settings)
        ),
        report=Report(),
        requirements=model.facts.requirements,
    )
    if original.compilation.reason:
        return original
    say("Compiling, and comparing with the original")
    rows = compiler.probes(model, sample.columns if sample else None)
    result = compiler.compile(model, rows)
    found = asdict(result.parity) if result.parity else {}
    if isinstance(result, compiler.Refusal):
        return _computed(
            replace(original, compilation=replace(original.compilation, reason=result.reason, **found)), model, rows
        )
    return Served(
        file=FILES[result.form],
        content=result.content,
        compilation=Compilation(compiled=True, runtime=result.form.value, **found),
        report=Report(original=result.seconds_original, served=result.seconds_compiled),
        requirements=_runtime(result.form),
    )


def _computed(original: Served, model: Model, rows: Columns) -> Served:
    """The original; a net, in the way of computing that pays here."""
    quicker = compiler.quicker(model, rows)
    if quicker is None:
        return original
    measured = Report(original=seconds(model.predict, _first(rows, 1)), served=quicker.seconds)
    found = replace(original.compilation, ways=quicker.ways, **asdict(quicker.parity))
    return replace(original, compilation=found, report=measured)


def _runtime(form: compiler.Form) -> tuple[str, ...]:
    """What a compiled model needs: the ONNX Runtime that it was compared with; with NumPy any answers alike.

    The image's Python may be older than this one, and have another NumPy.
    """
    pinned = f"onnxruntime=={importlib.metadata.version('onnxruntime')}"
    return (NUMPY, pinned) if form is compiler.Form.GRAPH else (NUMPY,)


def _unwanted(model: Model, settings: Settings) -> str:
    """Why no compilation is tried, if so."""
    if not settings.compile:
        return "--no-compile was given"
    if settings.isolated:
        return "it runs in an environment of its own"
    if model.facts.framework == "onnx":
        return "it is ONNX already"
    if settings.gpu and model.facts.framework in ON_GPU:
        return "it is for a GPU"
    return ""


def _golden(model: Model, sample: Sample | None) -> tuple[Columns, Answer]:
    """Rows that the model answers: a made-up one may be none of its, as a logarithm's are all above zero."""
    tried = sample.spread(GOLDEN_ROWS) if sample else _first(compiler.probes(model, None), MADE_UP_ROWS)
    kept = [rows for _, rows in answered(model.predict, tried)]
    if not kept:
        raise PredictionFailed(
            f"{model.facts.kind} answers none of {'the sample' if sample else 'the made-up rows'}."
            " Give rows that it does answer: --sample FILE."
        )
    joined = {name: np.concatenate([each[name] for each in kept]) for name in tried}
    values = sum(column[:1].size for column in joined.values())
    rows = _first(joined, max(1, min(GOLDEN_ROWS, GOLDEN_VALUES // values)))
    return rows, model.predict(rows)


def _first(rows: Columns, count: int) -> Columns:
    return {name: column[:count] for name, column in rows.items()}


def _replay(made: Bundle, settings: Settings, say: Say) -> None:
    say("Replaying the golden rows")
    try:
        made.golden.check(made.load(trust=settings.trust).predict)
    except FlaskshipError:
        shutil.rmtree(made.path, ignore_errors=True)
        raise
