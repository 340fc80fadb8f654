"""Linear models that Flaskship compiled: a product with a few numbers, for which NumPy is all that is needed.

    {"weights": [[-0.07, -1.7, 0.74]], "bias": [-7.2], "link": "sigmoid"}

One row is computed by Python's own floats: with few numbers that is faster than any call of a library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import exp
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np

from flaskship.errors import BundleError
from flaskship.schema import Answer, Array, Columns, Facts, Signature

FEW = 128  # products: up to so many are computed one by one, more as a matrix
STEEP = 700.0  # exp of more overflows


class Link(StrEnum):
    """From scores to the answer."""

    IDENTITY = "identity"  # a number
    LABEL = "label"  # the label of the highest score, of two classes by the sign; no probabilities
    SIGMOID = "sigmoid"  # two classes
    SOFTMAX = "softmax"


class Coefficients(msgspec.Struct, frozen=True, kw_only=True):
    """Row i of the scores is `weights @ row + bias`: one score for a number or two classes, else one a class."""

    weights: list[list[float]]
    bias: list[float]
    link: Link


@dataclass(slots=True, kw_only=True)
class LinearModel:
    signature: Signature
    facts: Facts
    coefficients: Coefficients
    native: None = None
    thresholds: MappingProxyType[str, Array] = field(default_factory=lambda: MappingProxyType({}))
    _pick: Callable[[Columns], Sequence[Array]] = field(init=False)
    _labels: Array = field(init=False)
    _single: list[Array] = field(init=False)  # each label as the column of one row
    _answer: Callable[[list[float]], Answer] = field(init=False)

    def __post_init__(self) -> None:
        names = self.signature.names
        self._pick = itemgetter(*names) if len(names) > 1 else lambda columns: (columns[names[0]],)
        classes = self.signature.classes
        self._labels = np.array(classes, object if classes and isinstance(classes[0], str) else None)
        self._labels.flags.writeable = False
        self._single = [self._labels[index : index + 1] for index in range(len(classes))]
        ways = {Link.IDENTITY: self._number, Link.LABEL: self._label, Link.SIGMOID: self._sigmoid}
        self._answer = ways.get(self.coefficients.link, self._softmax)

    def predict(self, columns: Columns) -> Answer:
        chosen = self._pick(columns)
        if len(chosen[0]) != 1:
            return self._many(chosen)
        row = [column.item() for column in chosen]
        scores = []
        for weights, score in zip(self.coefficients.weights, self.coefficients.bias, strict=True):
            for weight, value in zip(weights, row, strict=True):
                score += weight * value
            scores.append(score)
        return self._answer(scores)

    def _number(self, scores: list[float]) -> Answer:
        return Answer(values=(np.array(scores),))

    def _label(self, scores: list[float]) -> Answer:
        return Answer(values=(self._single[_highest(scores)],))

    def _sigmoid(self, scores: list[float]) -> Answer:
        (score,) = scores
        share = 1.0 / (1.0 + exp(-score)) if score > -STEEP else exp(score)
        return Answer(values=(self._single[score > 0],), probabilities=np.array([[1.0 - share, share]]))

    def _softmax(self, scores: list[float]) -> Answer:
        best = _highest(scores)
        powers = [exp(score - scores[best]) for score in scores]
        total = sum(powers)
        return Answer(values=(self._single[best],), probabilities=np.array([[power / total for power in powers]]))

    def _many(self, chosen: Sequence[Array]) -> Answer:
        scores, link = self._scores(chosen), self.coefficients.link
        if link is Link.IDENTITY:
            return Answer(values=(scores[0],))
        best = (scores[0] > 0).astype(np.int64) if len(scores) == 1 else np.argmax(scores, axis=0)
        label = self._labels[best]
        if link is Link.LABEL:
            return Answer(values=(label,))
        if link is Link.SIGMOID:
            with np.errstate(over="ignore"):
                share = 1.0 / (1.0 + np.exp(-scores[0]))
            return Answer(values=(label,), probabilities=np.column_stack([1.0 - share, share]))
        powers = np.exp(scores - scores.max(axis=0))
        return Answer(values=(label,), probabilities=np.ascontiguousarray((powers / powers.sum(axis=0)).T))

    def _scores(self, chosen: Sequence[Array]) -> Array:
        """(scores, rows); column by column where that spares the making of a matrix."""
        weights, bias = self.coefficients.weights, self.coefficients.bias
        if len(chosen) * len(bias) > FEW:
            matrix: Array = np.array(weights) @ np.stack(chosen).astype(np.float64) + np.array(bias)[:, None]
            return matrix
        scores = np.empty((len(bias), len(chosen[0])))
        for score, row, start in zip(scores, weights, bias, strict=True):
            score.fill(start)
            for weight, column in zip(row, chosen, strict=True):
                score += weight * column
        return scores


def _highest(scores: list[float]) -> int:
    return int(scores[0] > 0) if len(scores) == 1 else scores.index(max(scores))


def from_bytes(content: bytes, signature: Signature, facts: Facts) -> LinearModel:
    """The model of these coefficients. Raises `BundleError` where they do not fit the signature."""
    try:
        coefficients = msgspec.json.decode(content, type=Coefficients)
    except msgspec.MsgspecError as error:
        raise BundleError(f"The coefficients of the compiled model cannot be read: {error}. Build it anew.") from error
    widths = {len(row) for row in coefficients.weights}
    if widths != {len(signature.inputs)} or len(coefficients.bias) != len(coefficients.weights):
        raise BundleError("The coefficients of the compiled model do not fit its fields. Build it anew.")
    return LinearModel(signature=signature, facts=facts, coefficients=coefficients)


def compiled(path: Path, signature: Signature, facts: Facts) -> LinearModel:
    return from_bytes(path.read_bytes(), signature, facts)
