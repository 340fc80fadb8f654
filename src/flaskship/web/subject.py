"""What is served: a model under a name, and the site that its routes share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from flaskship.bundle import Bundle
from flaskship.errors import Unavailable
from flaskship.predict.codec import Codec
from flaskship.predict.predictor import Predictor
from flaskship.schema import Answer, Columns, Signature
from flaskship.settings import Settings
from flaskship.web.metrics import Metrics


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


def nobody(rows: int, requests: int, seconds: float) -> None:
    """Observes the calls of a model that nobody counts."""


@dataclass(slots=True, kw_only=True, eq=False)
class Subject:
    """A model as it is served; loading until `open` gives it what answers, or `fail` a reason.

    `card` is what people are told of it: framework, compiled or why not, parity, score, digest, …
    """

    name: str
    codec: Codec
    version: str = ""
    card: dict[str, object] = field(default_factory=dict)
    diagram: bytes = b""  # of the original, as HTML
    predictor: Predict = field(default_factory=NotLoaded)
    state: State = State.LOADING
    reason: str = ""  # why it failed
    observer: Callable[[int, int, float], None] = nobody

    @property
    def signature(self) -> Signature:
        return self.codec.signature

    @property
    def label(self) -> str:
        """The name as PATH_INFO has it: WSGI gives UTF-8 as Latin-1."""
        return self.name.encode().decode("latin-1")

    def open(self, predictor: Predict) -> None:
        self.predictor, self.state = predictor, State.READY

    def fail(self, reason: str) -> None:
        self.reason, self.state = reason, State.FAILED

    def observe(self, rows: int, requests: int, seconds: float) -> None:
        """Counts one call of the model."""
        self.observer(rows, requests, seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all routes of an application share."""

    subjects: tuple[Subject, ...]
    settings: Settings
    metrics: Metrics
    draining: Callable[[], bool]  # whether the server is about to stop
    starting: Callable[[], bool]  # whether another process of it is loading its model

    def of(self, subject: Subject) -> Site:
        """The same site with one model only."""
        return replace(self, subjects=(subject,))


def subject(bundle: Bundle, settings: Settings) -> Subject:
    """The bundle's model, ready. Raises what loading raises, and `CheckFailed` where golden rows say otherwise."""
    manifest = bundle.manifest
    model = bundle.load(trust=settings.trust)
    made = Subject(
        name=manifest.name,
        version=settings.model_version or manifest.version,
        codec=Codec(model.signature),
        card=card(bundle),
        diagram=bundle.diagram,
    )
    predictor = Predictor(
        model,
        fast=manifest.compilation.compiled,
        max_batch=settings.max_batch,
        max_queue=settings.max_queue,
        timeout=settings.timeout,
        observe=made.observe,
    )
    bundle.golden.check(predictor)
    made.open(predictor)
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
