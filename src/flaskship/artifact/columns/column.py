"""The columns that a model was fitted on: what is known of each, and the array that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from flaskship.artifact.columns.categories import Known, encode
from flaskship.schema import Array, Columns, Field, FieldType, Scalar

TRAINING, SPLITS = "in training", "by the model's split thresholds"
FEWEST_SPLITS = 3  # distinct ones, before they say anything of a range


@dataclass(slots=True, eq=False)
class Column:
    """One input, as far as the steps walked until now tell of it."""

    name: str
    type: FieldType | None = None
    used: bool = False
    nullable: bool = True  # until a step is found that takes no gaps
    choices: tuple[Scalar, ...] = ()
    closed: bool = False
    low: float | None = None
    high: float | None = None
    default: Scalar = None
    missing: object = np.nan  # what stands for null in a text column
    codes: tuple[Scalar, ...] = ()  # the learner takes a category's place in here
    thresholds: list[Array] = field(default_factory=list)

    def field(self) -> Field:
        low, high, seen = self.low, self.high, TRAINING
        if low is None and high is None and self.type is not FieldType.TEXT:
            low, high = _span(self.splits)
            seen = SPLITS
        whole = self.type is FieldType.INTEGER
        return Field(
            name=self.name,
            type=self.type or FieldType.NUMBER,
            nullable=self.nullable,
            choices=self.choices,
            closed=self.closed,
            low=low,
            high=high,
            seen=seen if low is not None else "",
            default=round(self.default) if whole and isinstance(self.default, float) else self.default,
        )

    def tell(self, known: Known) -> None:
        """Takes over what a boosting library knows."""
        self.type = known.type or self.type
        self.nullable = self.nullable and known.nullable
        if known.choices:
            self.choices, self.closed, self.codes = known.choices, known.closed, known.codes
        if known.low is not None and self.low is None:
            self.low, self.high = known.low, known.high

    def prepare(self, values: Array) -> Array:
        """`values` as in training: categories numbered where the learner numbers them, gaps as it knows them."""
        if self.codes:
            return encode(values, self.codes)
        if values.dtype == object and self.missing is not None:
            gaps = np.array([value is None for value in values.tolist()], dtype=bool)
            if gaps.any():
                values = values.copy()
                values[gaps] = self.missing
        return values

    @property
    def splits(self) -> Array:
        found = np.concatenate(self.thresholds) if self.thresholds else np.empty(0)
        return np.unique(found[np.isfinite(found)])


def _span(splits: Array) -> tuple[float | None, float | None]:
    """Half as far again as the splits reach: values beyond are all treated alike."""
    if len(splits) < FEWEST_SPLITS:
        return None, None
    low, high = float(splits[0]), float(splits[-1])
    margin = (high - low) / 2
    start = max(low - margin, 0.0) if low >= 0 else low - margin
    return float(f"{start:.3g}"), float(f"{high + margin:.3g}")


def unnamed(count: int) -> tuple[str, ...]:
    """`x0`, `x1`, …"""
    return tuple(f"x{index}" for index in range(count))


def thresholds(columns: Sequence[Column]) -> dict[str, Array]:
    """The split thresholds by column, sorted; only of those that have any."""
    found = {column.name: column.splits for column in columns if column.used}
    return {name: values for name, values in found.items() if len(values)}


def matrix(columns: Sequence[Column], given: Columns, order: Literal["C", "F"] = "C") -> Array:
    """(rows, columns) of float64, or of object where a column holds text."""
    prepared = {column.name: column.prepare(given[column.name]) for column in columns if column.used}
    rows = len(next(iter(prepared.values())))
    kind = object if any(each.dtype == object for each in prepared.values()) else np.float64
    found = np.empty((rows, len(columns)), dtype=kind, order=order)
    for index, column in enumerate(columns):
        found[:, index] = prepared[column.name] if column.used else 0.0
    return found
