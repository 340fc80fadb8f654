"""From what an estimator returns to an Answer, and what a Signature says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline

from flaskship.artifact.columns import categories
from flaskship.artifact.sklearn.tags import estimator_type
from flaskship.errors import NotRecognised
from flaskship.schema import Answer, Array, Field, FieldType, Output, Scalar, Signature, Task

BY_PROBABILITY = (RandomForestClassifier, ExtraTreesClassifier, BaggingClassifier)  # whose `predict` is their argmax
MOST_OUTPUTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How an estimator is asked, and what its answers are."""

    head: tuple[Any, ...]  # transformers in turn
    last: Any
    task: Task
    outputs: tuple[Output, ...]
    classes: tuple[Scalar, ...] = ()
    probabilities: bool = False
    labels: Array | None = None  # what the classes stand for, by their index
    argmax: bool = False
    score: str = ""  # the method that scores outliers

    def signature(self, fields: tuple[Field, ...]) -> Signature:
        return Signature(
            task=self.task,
            inputs=fields,
            outputs=self.outputs,
            classes=self.classes,
            probabilities=self.probabilities,
            score=bool(self.score),
        )

    def answer(self, matrix: Any) -> Answer:
        """What the estimator answers for the rows of `matrix`."""
        rows = len(matrix)
        for step in self.head:
            matrix = step.transform(matrix)
        if self.task is Task.TRANSFORM:
            return Answer(values=self._values(dense(self.last.transform(matrix), rows)))
        shares = np.asarray(self.last.predict_proba(matrix), dtype=np.float64) if self.probabilities else None
        if self.argmax and shares is not None:
            found = self.last.classes_.take(np.argmax(shares, axis=1)).reshape(rows, 1)
        else:
            found = dense(self.last.predict(matrix), rows)
        score = np.asarray(getattr(self.last, self.score)(matrix), dtype=np.float64) if self.score else None
        return Answer(values=self._values(found), probabilities=shares, score=score)

    def _values(self, found: Array) -> tuple[Array, ...]:
        if self.labels is not None:
            found = self.labels[found.astype(np.int64)]
        if len(self.outputs) == 1 and self.task not in (Task.MULTIOUTPUT, Task.TRANSFORM):
            return (typed(found[:, 0], self.outputs[0].type),)
        return tuple(typed(found[:, place], output.type) for place, output in enumerate(self.outputs))


def voice(estimator: Any, row: Any, labels: Any, inputs: list[str]) -> Voice:
    """How `estimator` answers, found by asking it for one `row`."""
    head, last = _split(estimator)
    reached = row
    for step in head:
        reached = step.transform(reached)
    decoded = None if labels is None else np.asarray(labels.classes_)
    if not hasattr(last, "predict"):
        return _transformer(estimator, head, last, reached, inputs)
    found = dense(last.predict(reached), 1)
    task, width = _task(last, found), found.shape[1]
    if task is Task.MULTIOUTPUT:
        own = getattr(last, "classes_", None)
        listed = own if isinstance(own, list) and len(own) == width else [found] * width
        kinds = [categories.type_of(np.asarray(each).ravel().tolist(), np.asarray(each).dtype) for each in listed]
        if estimator_type(last) != "classifier":
            kinds = [FieldType.NUMBER] * width
        outputs = tuple(Output(name=f"y{place}", type=kind) for place, kind in enumerate(kinds))
        return Voice(head=head, last=last, task=task, outputs=outputs)
    if task is Task.CLASSIFICATION:
        return _classifier(head, last, reached, decoded, found)
    kind = FieldType.NUMBER if task is Task.REGRESSION else FieldType.INTEGER
    score = next((name for name in ("decision_function", "score_samples") if hasattr(last, name)), "")
    outputs = (Output(name="prediction", type=kind),)
    return Voice(head=head, last=last, task=task, outputs=outputs, score=score if task is Task.OUTLIER else "")


def _split(estimator: Any) -> tuple[tuple[Any, ...], Any]:
    """The transformers of a Pipeline and its last step, so that they run once for labels and probabilities."""
    if type(estimator) is not Pipeline:
        return (), estimator
    steps = [each for _, each in estimator.steps if each is not None and not isinstance(each, str)]
    if isinstance(estimator.steps[-1][1], str) or estimator.steps[-1][1] is None:
        return (), estimator
    inner, last = _split(steps[-1])
    return (*steps[:-1], *inner), last


def _task(last: Any, found: Array) -> Task:
    told = estimator_type(last)
    if found.shape[1] > 1:
        return Task.MULTIOUTPUT
    if told == "classifier":
        return Task.CLASSIFICATION
    if told == "outlier_detector" or (hasattr(last, "offset_") and hasattr(last, "decision_function")):
        return Task.OUTLIER
    return Task.REGRESSION if told == "regressor" or found.dtype.kind == "f" else Task.CLUSTERING


def _classifier(head: tuple[Any, ...], last: Any, row: Any, decoded: Array | None, found: Array) -> Voice:
    own = np.asarray(getattr(last, "classes_", ()))
    known = own if decoded is None else decoded[own.astype(np.int64)]
    known = known if known.ndim == 1 and len(known) else np.empty(0, dtype=found.dtype)
    kind = categories.type_of(known.tolist(), known.dtype if len(known) else found.dtype)
    classes = tuple(categories.plain(value, kind) for value in known.tolist())
    shares: Array | None = np.asarray(last.predict_proba(row)) if hasattr(last, "predict_proba") and classes else None
    probabilities = shares is not None and shares.shape == (1, len(classes))
    return Voice(
        head=head,
        last=last,
        task=Task.CLASSIFICATION,
        outputs=(Output(name="prediction", type=kind),),
        classes=classes,
        probabilities=probabilities,
        labels=decoded,
        argmax=probabilities and type(last) in BY_PROBABILITY,
    )


def _transformer(estimator: Any, head: tuple[Any, ...], last: Any, row: Any, inputs: list[str]) -> Voice:
    name = type(last).__name__
    if not hasattr(last, "transform"):
        can = [each for each in ("fit_predict", "fit_transform", "kneighbors", "score_samples") if hasattr(last, each)]
        raise NotRecognised(
            f"{name} has neither 'predict' nor 'transform' for new rows, only {', '.join(map(repr, can or ['fit']))}."
            " Save a model that answers rows which it has not seen."
        )
    found = dense(last.transform(row), 1)
    width = found.shape[1]
    if not width:
        raise NotRecognised(f"{name} gives no column: its fit kept none. Fit it again, then save it.")
    if width > MOST_OUTPUTS:
        raise NotRecognised(
            f"{name} answers {width} columns a row; at most {MOST_OUTPUTS} are served. Save it with its model."
        )
    kinds = [
        FieldType.TEXT if found.dtype.kind in "OUS" and isinstance(value, str) else FieldType.NUMBER
        for value in found.reshape(len(found), -1)[0].tolist()
    ]
    names = _names_out(estimator, width, inputs)
    outputs = tuple(Output(name=each, type=kind) for each, kind in zip(names, kinds, strict=True))
    return Voice(head=head, last=last, task=Task.TRANSFORM, outputs=outputs)


def _names_out(estimator: Any, width: int, inputs: list[str]) -> list[str]:
    plain = [f"y{place}" for place in range(width)]
    ask: Callable[..., Any] | None = getattr(estimator, "get_feature_names_out", None)
    if ask is None:
        return plain
    for given in ((inputs,), ()):
        try:
            found = [str(each) for each in ask(*given)]
        except (AttributeError, ValueError, TypeError, NotImplementedError):
            continue
        if len(found) == len(set(found)) == width:
            return found
    return plain


def dense(found: Any, rows: int) -> Array:
    """An array of (rows, values), whatever the estimator returned."""
    return np.asarray(found.toarray() if hasattr(found, "toarray") else found).reshape(rows, -1)


def typed(values: Array, kind: FieldType) -> Array:
    """`values` in the dtype of their field type; text as `str`, nothing as None."""
    if kind is FieldType.TEXT:
        found = np.empty(len(values), dtype=object)
        found[:] = [None if categories.absent(value) else str(value) for value in values.tolist()]
        return found
    return values.astype({FieldType.NUMBER: np.float64, FieldType.INTEGER: np.int64, FieldType.BOOLEAN: np.bool_}[kind])
