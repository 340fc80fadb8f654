"""Whether two models answer alike, and how long each takes for one row."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from flaskship.bundle import differences
from flaskship.errors import PredictionFailed
from flaskship.schema import Answer, Array, Columns, FieldType, Signature, Task

Predict = Callable[[Columns], Answer]
BATCH: Final = 8_192
LABELS: Final = (Task.CLASSIFICATION, Task.CLUSTERING, Task.OUTLIER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """`largest_difference` is relative (absolute below 1e-9), over probabilities, values and scores."""

    rows: int
    label_changes: int
    largest_difference: float
    tolerance: float

    @property
    def exact(self) -> bool:
        return self.label_changes == 0 and self.largest_difference <= self.tolerance


def measure(
    signature: Signature, original: Predict, other: Predict, rows: Columns, tolerance: float, *, scaled: bool = False
) -> Parity:
    """How `other` answers the rows that `original` answers; those at which the original raises are left out."""
    count, changes, largest = 0, 0, 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a library says of made-up rows is no news
        answers = answered(original, rows)
    for want, kept in answers:
        have = other(kept)
        count += want.rows
        changed, worst = compare(signature, want, have, scaled=scaled)
        changes += changed
        largest = max(largest, worst)
    return Parity(rows=count, label_changes=changes, largest_difference=largest, tolerance=tolerance)


def answered(predict: Predict, rows: Columns) -> list[tuple[Answer, Columns]]:
    """The answers in batches, with their rows: split in halves where one raises, until the rows that do are alone."""
    count = len(next(iter(rows.values())))
    if count > BATCH:
        return [
            each for start in range(0, count, BATCH) for each in answered(predict, _part(rows, start, start + BATCH))
        ]
    try:
        return [(predict(rows), rows)] if count else []
    except PredictionFailed:
        if count == 1:
            return []
        return answered(predict, _part(rows, 0, count // 2)) + answered(predict, _part(rows, count // 2, count))


def _part(rows: Columns, start: int, stop: int) -> Columns:
    return {name: column[start:stop] for name, column in rows.items()}


def compare(signature: Signature, want: Answer, have: Answer, *, scaled: bool = False) -> tuple[int, float]:
    """The number of rows with another label, and the largest relative difference of the numbers."""
    changed = np.zeros(want.rows, bool)
    largest = 0.0
    for output, wanted, got in zip(signature.outputs, want.values, have.values, strict=True):
        if signature.task in LABELS or output.type is not FieldType.NUMBER:
            changed |= (wanted.astype(object) != got.astype(object)) | (wanted.dtype.kind != got.dtype.kind)
        else:
            largest = max(largest, _largest(wanted, got, scaled=scaled))
    for numbers, others in ((want.probabilities, have.probabilities), (want.score, have.score)):
        if numbers is not None:
            largest = max(largest, np.inf if others is None else _largest(numbers, others, scaled=scaled))
    return int(changed.sum()), largest


def _largest(want: Array, have: Array, *, scaled: bool) -> float:
    return float(differences(want, have, scaled=scaled).max()) if want.shape == have.shape else float("inf")


def seconds(predict: Predict, row: Columns, *, most: float = 0.1) -> float:
    """For one row: the median of as many runs as fit in `most` seconds, between 5 and 500 of them."""
    runs: list[float] = []
    end = time.perf_counter() + most
    predict(row)
    while len(runs) < 5 or (len(runs) < 500 and time.perf_counter() < end):
        start = time.perf_counter()
        predict(row)
        runs.append(time.perf_counter() - start)
    return median(runs)
