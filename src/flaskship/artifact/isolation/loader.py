"""Pickles of other library versions, opened in an environment of their own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flaskship.artifact import pickles
from flaskship.artifact.facts import DISTRIBUTIONS
from flaskship.artifact.isolation import environments
from flaskship.artifact.isolation.process import Process
from flaskship.artifact.sniff import Format, sniff
from flaskship.errors import NotRecognised
from flaskship.schema import Answer, Array, Columns, Facts, Field, FieldType, Output, Signature, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedModel:
    """A model whose predictions another process makes."""

    signature: Signature
    facts: Facts
    process: Process
    native: Any = None
    thresholds: Mapping[str, Array] = field(default_factory=dict)

    def predict(self, columns: Columns) -> Answer:
        told, values = self.process.ask({"do": "predict", "names": list(columns)}, list(columns.values()))
        count = len(self.signature.outputs)
        extra = values[count:]
        return Answer(
            values=tuple(values[:count]),
            probabilities=extra.pop(0) if told["shares"] else None,
            score=extra.pop(0) if told["score"] else None,
        )

    def close(self) -> None:
        """Ends the other process; without it, that ends with the model."""
        self.process.close()


def open(path: Path, facts: Facts | None = None) -> IsolatedModel:
    """The model in the pickle at `path`, in an environment with the versions that made it.

    `facts` are what an earlier look found out. Raises `UnsafePickle`; `VersionMismatch` when that environment cannot
    be made, or the model does not load in it.
    """
    found = sniff(path)
    if found.format not in (Format.JOBLIB, Format.PICKLE):
        raise NotRecognised(f"{path.name!r} is {found.format.value}; --isolated is for pickles and joblib files.")
    scan = pickles.scan(path)
    pickles.refuse_unsafe(scan)
    here = facts is not None and environments.installed(facts.requirements)  # as in the model's image
    python = Path(sys.executable) if here else environments.python(environments.recipe(scan))
    process = Process(python, _question(path, scan))
    told = process.start()
    return IsolatedModel(signature=_signature(told), facts=facts or _facts(told, scan), process=process)


def _question(path: Path, scan: pickles.Scan) -> dict[str, Any]:
    return {
        "do": "load",
        "path": str(path.resolve()),
        "limit": pickles.LIMIT,
        "identity": list(scan.identity),
        "allowed": sorted(scan.names),
        "places": scan.arrays,
        "joblib": scan.kind == "joblib",
        "pickles": scan.pickles,
    }


def _signature(told: Mapping[str, Any]) -> Signature:
    return Signature(
        task=Task(told["task"]),
        inputs=tuple(_field(each) for each in told["fields"]),
        outputs=tuple(Output(name=each["name"], type=FieldType(each["type"])) for each in told["outputs"]),
        classes=tuple(told["classes"]),
        probabilities=told["probabilities"],
        score=told["score"],
    )


def _field(told: Mapping[str, Any]) -> Field:
    return Field(
        name=told["name"],
        type=FieldType(told["type"]),
        nullable=told["nullable"],
        choices=tuple(told["choices"]),
        closed=told["closed"],
        default=told["default"],
    )


def _facts(told: Mapping[str, Any], scan: pickles.Scan) -> Facts:
    versions = {DISTRIBUTIONS.get(name, name): version for name, version in told["versions"].items()}
    booster = next((name for name in ("xgboost", "lightgbm", "catboost") if name in versions), "scikit-learn")
    return Facts(
        framework=booster,
        kind=told["kind"],
        version=versions.get(booster, ""),
        made_with=dict(scan.versions),
        requirements=tuple(f"{name}=={version}" for name, version in sorted(versions.items())),
        globals=scan.globals,
        float32=booster == "xgboost",
        warnings=(f"It runs in an environment of its own, on Python {told['python']}.",),
    )
