"""What is served: a model under a name, and the site that its routes share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from threading import Semaphore
from typing import Any, Protocol

from flaskship.artifact.model import Model
from flaskship.bundle import Bundle, Recorded
from flaskship.errors import Unavailable
from flaskship.metrics import Calls, Metrics
from flaskship.predict import calibration, recorded
from flaskship.predict.codec import Codec
from flaskship.predict.predictor import BATCH, Predictor
from flaskship.schema import Answer, AnswerType, Columns, FieldType, Signature, Task
from flaskship.settings import Settings

NETWORKS = ("torch", "keras", "transformers")  # whose rate depends much on how many rows they are given
TRIED, QUICK = 6, 100e-6  # calls; seconds
FILES = (FieldType.IMAGE, FieldType.FILE, FieldType.ARRAY, FieldType.TABLE)  # what travels as files
NO_CELLS = (FieldType.FILE, FieldType.TABLE)  # what stands in no cell


class Predict(Protocol):
    """What answers columns: a `Predictor`."""

    def __call__(self, columns: Columns, /) -> Answer: ...
    def warnings(self, columns: Columns, /) -> list[str]: ...


class State(StrEnum):
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class NotLoaded:
    """Stands where the predictor will be."""

    def __call__(self, columns: Columns) -> Answer:
        raise Unavailable("The model is being loaded. Retry in a moment.")

    def warnings(self, columns: Columns) -> list[str]:
        return []


@dataclass(slots=True, kw_only=True, eq=False)
class Subject:
    """A model as it is served; loading until `open` gives it what answers, or `fail` a reason.

    `card` is what people are told of it: framework, compiled or why not, parity, score, digest, …
    """

    name: str
    codec: Codec
    path: str = ""  # a route of its own besides /predict, as a function's author wrote it: "/segmentapi"
    implied: bool = False  # whether `path` is but the function's name, which yields to what else is there
    version: str = ""
    card: dict[str, object] = field(default_factory=dict)
    diagram: bytes = b""  # of the original, as HTML
    predictor: Predict = field(default_factory=NotLoaded)
    state: State = State.LOADING
    reason: str = ""  # why it failed
    max_batch: int = 0  # rows of several requests that are joined; 0 where none are
    direct: bool = False  # so quick that each request's thread calls it by itself
    calls: Calls | None = None  # counts those of the model, where somebody asks
    read: Any = None  # of a network of texts: its `tokens` so far, and the `padding` among them

    @property
    def signature(self) -> Signature:
        return self.codec.signature

    @property
    def label(self) -> str:
        """The name as PATH_INFO has it: WSGI gives UTF-8 as Latin-1."""
        return self.name.encode().decode("latin-1")

    @property
    def streams(self) -> bool:
        """Whether an answer comes bit by bit."""
        return self.signature.answers is AnswerType.STREAM

    @property
    def quick(self) -> bool:
        """Whether an answer is JSON, whatever is accepted, and its options are none."""
        picture = self.signature.outputs[0].type is FieldType.IMAGE
        return not picture and self.signature.answers not in (AnswerType.STREAM, AnswerType.SEGMENTATION)

    @property
    def cells(self) -> bool:
        """Whether a row can be one of a file, each field in a cell, with its answer beside it."""
        fields = self.signature.inputs
        return bool(fields) and not self.streams and not any(each.type in NO_CELLS for each in fields)

    @property
    def takes_files(self) -> bool:
        """Whether a field may be a file of a form: any of a function's, also a text that is a file's content."""
        return self.signature.task is Task.FUNCTION

    @property
    def files(self) -> dict[str, FieldType]:
        """The fields that travel as files."""
        return {each.name: each.type for each in self.signature.inputs if each.type in FILES}

    @property
    def file(self) -> str:
        """The field that a whole body may be: the only one of files, where no other must be given; else ""."""
        needed = {each.name for each in self.signature.inputs if each.required}
        return next(iter(self.files)) if len(self.files) == 1 and needed <= set(self.files) else ""

    def open(self, predictor: Predict) -> None:
        self.predictor, self.state = predictor, State.READY

    def fail(self, reason: str) -> None:
        self.reason, self.state = reason, State.FAILED

    def observe(self, rows: int, requests: int, seconds: float) -> None:
        """Counts one call of the model."""
        if self.calls is not None:
            self.calls.observe(rows, requests, seconds)
            if self.read is not None:
                self.calls.read(self.read.tokens, self.read.padding)

    def queued(self, requests: int) -> None:
        """Counts those that wait for the model."""
        if self.calls is not None:
            self.calls.queued(requests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all routes of an application share."""

    subjects: tuple[Subject, ...]
    settings: Settings
    metrics: Metrics
    draining: Callable[[], bool]  # whether the server is about to stop
    starting: Callable[[], bool]  # whether another process of it is loading its model
    ending: Callable[[], bool]  # whether it stops so soon that what streams must end
    streams: Semaphore  # answers that may be streamed besides those that are

    def of(self, subject: Subject) -> Site:
        """The same site with one model only."""
        return replace(self, subjects=(subject,))


def subject(bundle: Bundle, settings: Settings, shared: Path | None = None) -> Subject:
    """The bundle's model, ready. Raises what loading raises, and `CheckFailed` where golden rows say otherwise.

    `shared` is the directory of this server's processes, of which one finds out how many rows a network likes.
    """
    manifest = bundle.manifest
    model = bundle.load(trust=settings.trust)
    made = Subject(
        name=manifest.name,
        version=settings.model_version or manifest.version,
        codec=Codec(model.signature),
        card=card(bundle),
        diagram=bundle.diagram,
    )
    golden = bundle.golden
    made.direct = manifest.compilation.compiled and (not manifest.facts.scaled or _quick(model, golden.columns))
    if not made.direct:
        made.max_batch = _batch(made, model, golden.columns, settings, shared, BATCH)
    predictor = Predictor(
        model,
        fast=made.direct,
        max_batch=made.max_batch,
        max_queue=settings.max_queue,
        timeout=settings.timeout,
        observe=made.observe,
        queued=made.queued,
    )
    golden.check(predictor)
    made.open(predictor)
    return made


def _quick(model: Model, columns: Columns) -> bool:
    """Whether one row takes so little that joining the rows of several callers would cost more."""
    row = {name: column[:1] for name, column in columns.items()}
    runs = []
    for _ in range(TRIED):
        started = time.perf_counter()
        model.predict(row)
        runs.append(time.perf_counter() - started)
    return min(runs[1:]) < QUICK


def _batch(made: Subject, model: Model, columns: Columns, settings: Settings, shared: Path | None, most: int) -> int:
    """The most rows to join: as set; else what suits a network here, tried on the first of `columns`; else `most`."""
    if settings.max_batch or model.facts.framework not in NETWORKS:
        return settings.max_batch or most
    key = f"{made.name} {made.card['digest']}"
    return calibration.once(shared, key, lambda: calibration.calibrated(model.predict, columns, most=most))


def subjects(bundle: Bundle, settings: Settings, shared: Path | None = None) -> tuple[Subject, ...]:
    """The bundle's model, or each of its functions, ready. The rest is as of `subject`."""
    code = bundle.manifest.code
    if code is None:
        return (subject(bundle, settings, shared),)
    models, rows = bundle.functions(trust=settings.trust), bundle.recorded
    found = []
    for endpoint in code.endpoints:
        name = endpoint.name if len(code.endpoints) > 1 else bundle.manifest.name
        golden = rows.get(endpoint.name)
        made = _function(bundle, name, models[endpoint.name], golden, settings, shared)
        if golden:
            recorded.replay(name, golden, made.codec, made.predictor)
        found.append(made)
    return tuple(found)


def _function(
    bundle: Bundle, name: str, model: Any, golden: Recorded | None, settings: Settings, shared: Path | None
) -> Subject:
    """A function of the bundle under `name`; `model` is a `FunctionModel`."""
    made = Subject(
        name=name,
        version=settings.model_version or bundle.manifest.version,
        codec=Codec(model.signature, hints=model.hints),
        path=model.path,
        implied=model.path == f"/{model.name}",
        card=card(bundle) | {"kind": model.facts.kind},
        read=model.read,
    )
    if model.batch:
        made.max_batch = settings.max_batch or model.batch
        if golden:
            columns = recorded.request(made.codec, golden.row).columns
            made.max_batch = _batch(made, model, columns, settings, shared, model.batch)
        made.max_batch = min(made.max_batch, model.batch)
    made.open(
        Predictor(
            model,
            fast=not model.batch,
            max_batch=made.max_batch,
            max_queue=settings.max_queue,
            timeout=settings.timeout,
            observe=made.observe,
            queued=made.queued,
        )
    )
    return made


def card(bundle: Bundle) -> dict[str, object]:
    """What people are told of the model, besides its signature."""
    manifest, facts = bundle.manifest, bundle.manifest.facts
    parity = asdict(manifest.compilation)
    return {
        "framework": facts.framework,
        "kind": facts.kind,
        "framework_version": facts.version,
        "made_with": facts.made_with,
        "compiled": parity.pop("compiled"),
        "not_compiled_because": parity.pop("reason"),
        "parity": parity if manifest.compilation.compiled else None,
        "score": manifest.score,
        "target": asdict(manifest.target) if manifest.target else None,
        "source": asdict(manifest.source),
        "sample_rows": manifest.sample_rows,
        "digest": bundle.digest,
        "flaskship": manifest.flaskship,
        "warnings": [*facts.warnings, *(each for each in manifest.warnings if each not in facts.warnings)],
    }
