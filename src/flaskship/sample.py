"""Example rows: types, ranges, choices and defaults of the fields, golden rows, and the score on them.

age,new_user,total_pages_visited,converted        Field(name="age", type=INTEGER, low=17, high=123, default=30, …)
25,1,1,0                                    ->    Field(name="new_user", type=INTEGER, choices=(0, 1), …)
…                                                 …
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from flaskship import skew
from flaskship.artifact.model import Model, refined
from flaskship.bundle import Target
from flaskship.errors import FlaskshipError, UsageError
from flaskship.predict import table
from flaskship.schema import Array, Columns, Field, FieldType, Scalar, Signature, Task

MOST_CHOICES = 50  # distinct texts of a column that is a choice rather than free text
SCORED_ROWS = 500_000
ARRAY = ".npy"
EXAMPLES = 256  # rows that tell a net its shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows of a file under the signature that they refine."""

    signature: Signature
    columns: Columns  # every row
    target: Array | None  # (rows,) the right answers: float64, or object holding str
    warnings: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))

    def spread(self, most: int) -> Columns:
        """At most `most` rows: those with each field's extremes, then evenly spaced ones."""
        if self.rows <= most:
            return self.columns
        extremes: list[int] = []
        for column in self.columns.values():
            if column.dtype.kind in "fiub" and column.ndim == 1 and not np.isnan(column.astype(float)).all():
                extremes += [int(np.nanargmin(column)), int(np.nanargmax(column))]
            if column.dtype.kind == "f" and np.isnan(column).any():
                extremes.append(int(np.argmax(np.isnan(column).reshape(self.rows, -1).any(axis=1))))
        even = np.linspace(0, self.rows - 1, most).astype(int).tolist()
        chosen = np.array(sorted(dict.fromkeys([*extremes[: most // 2], *even]))[:most])
        return {name: column[chosen] for name, column in self.columns.items()}


def read(path: Path, model: Model, target_column: str) -> Sample:
    """The rows of `path` for `model`. Raises `UsageError` naming the column that is missing or does not fit."""
    if not path.is_file():
        raise UsageError(f"No sample at {str(path)!r}.")
    # name -> column: float64, bool_, or object holding str and None
    found = _of_array(path, model.signature) if path.suffix == ARRAY else table.load(path)
    target = found.pop(target_column, None) if target_column else None
    if target_column and target is None:
        raise UsageError(f"No column {target_column!r} in {path.name!r}. It has {', '.join(found)}.")
    signature = _named(model.signature, list(found), path)
    fields = [_refined(field, found[field.name], path) for field in signature.inputs]
    columns = {field.name: _column(field, found[field.name]) for field in fields}
    signature = replace(signature, inputs=tuple(fields))
    signature, columns, kept = _missing(model, signature, columns)
    return Sample(
        signature=signature,
        columns=columns,
        target=None if target is None else target[kept],
        warnings=tuple(skew.sentences(refined(model, signature).thresholds, columns)),
    )


def example(path: Path | None, target_column: str) -> Array | None:
    """Some rows for what says no shapes itself: an array, or a table's columns as one matrix of float32.

    Raises `UsageError` for a column of texts.
    """
    if path is None or not path.is_file():
        return None
    if path.suffix == ARRAY:
        return _array(path)[:EXAMPLES]
    found = {name: column for name, column in table.load(path).items() if name != target_column}
    for name, column in found.items():
        if column.dtype == object:
            raise UsageError(f"Column {name!r} of {path.name!r} holds text, the model takes numbers.")
    return np.stack([column[:EXAMPLES] for column in found.values()], axis=1).astype(np.float32)


def _array(path: Path) -> Array:
    try:
        found: Array = np.load(path, allow_pickle=False, mmap_mode="r")
    except (ValueError, OSError, EOFError) as error:
        raise UsageError(f"{path.name!r} is no array that numpy.save wrote: {error}") from error
    if not found.ndim or not len(found):
        raise UsageError(f"{path.name!r} holds no rows: its shape is {list(found.shape)}.")
    return found


def _of_array(path: Path, signature: Signature) -> Columns:
    """A field's column, or one for each column of a matrix."""
    found, fields = _array(path), signature.inputs
    if len(fields) == 1 and fields[0].shape:
        return {fields[0].name: np.array(found)}
    if found.ndim != 2 or found.shape[1] != len(fields):
        raise UsageError(f"{path.name!r} is of shape {list(found.shape)}, and [rows, {len(fields)}] is due.")
    return {field.name: found[:, place].astype(float) for place, field in enumerate(fields)}


def _named(signature: Signature, header: list[str], path: Path) -> Signature:
    """The signature with the file's names where the model knows none."""
    missing = [name for name in signature.names if name not in header]
    if not missing:
        return signature
    unnamed = signature.names == tuple(f"x{index}" for index in range(len(signature.names)))
    if unnamed and len(header) == len(signature.names):
        names = zip(signature.inputs, header, strict=True)
        return replace(signature, inputs=tuple(replace(field, name=name) for field, name in names))
    if unnamed:
        raise UsageError(
            f"The model takes {len(signature.names)} unnamed columns, {path.name!r} has {len(header)}: "
            f"{', '.join(header)}. Name the one to predict with --target-column, and leave out the others."
        )
    near = get_close_matches(missing[0], header, n=1)
    hint = f" Is it {near[0]!r}?" if near else f" It has {', '.join(header)}."
    raise UsageError(f"The model's field {missing[0]!r} is no column of {path.name!r}.{hint}")


def _refined(field: Field, values: Array, path: Path) -> Field:
    """What the values say of the field: type, range, choices, default."""
    if field.type is FieldType.TEXT:
        return _text(field, values)
    if field.shape:
        return replace(field, usual=values.shape[1:]) if -1 in field.shape else field
    if values.dtype == object:
        row = next(index for index, value in enumerate(values) if value is not None)
        raise UsageError(
            f"Column {field.name!r} of {path.name!r} holds text ({values[row]!r}), the model takes numbers."
        )
    if values.dtype.kind == "b" and not field.choices:
        usual = bool(values.mean() > 0.5)
        return replace(field, type=FieldType.BOOLEAN, low=None, high=None, default=usual, example=bool(values[0]))
    known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    if not len(known):
        return replace(field, nullable=True)
    whole = (
        field.type is not FieldType.BOOLEAN and bool(np.all(known == np.round(known))) and np.abs(known).max() < 2**53
    )
    kind = FieldType.INTEGER if whole else field.type
    distinct = np.unique(known)
    plain = (lambda value: int(value)) if whole else float
    choices = field.choices or (tuple(plain(each) for each in distinct) if whole and len(distinct) <= 2 else ())
    middle = float(np.median(known))
    return replace(
        field,
        type=kind,
        choices=choices,
        low=plain(known.min()),
        high=plain(known.max()),
        seen="in the sample",
        default=int(middle) if whole else _rounded(middle),
        example=plain(known[0]),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _text(field: Field, values: Array) -> Field:
    given = [str(value) for value in values if value is not None]
    distinct = sorted(set(given))
    few = len(distinct) <= min(MOST_CHOICES, max(2, len(given) // 4))
    choices: tuple[Scalar, ...] = field.choices or (tuple(distinct) if few else ())
    usual: Scalar = max(distinct, key=given.count) if few and distinct else None
    return replace(field, choices=choices, default=usual, example=given[0] if given else None)


def _column(field: Field, values: Array) -> Array:
    if field.type is FieldType.TEXT:
        return np.array([None if value is None else str(value) for value in values], dtype=object)
    if values.dtype.kind == "f" and np.isnan(values).any():
        return values.astype(np.float64)
    return values.astype(field.array_dtype)


def _missing(model: Model, signature: Signature, columns: Columns) -> tuple[Signature, Columns, Array]:
    """Fields with gaps are nullable if the model answers such rows; else those rows are left out."""
    gaps = {
        name: np.array([value is None or value != value for value in column])
        for name, column in columns.items()
        if column.dtype.kind in "fO"
    }
    gaps = {name: gap for name, gap in gaps.items() if gap.any()}
    kept = np.ones(len(next(iter(columns.values()))), dtype=bool)
    if not gaps:
        return signature, columns, kept
    fields = [replace(field, nullable=field.nullable or field.name in gaps) for field in signature.inputs]
    nullable = replace(signature, inputs=tuple(fields))
    typed = {field.name: columns[field.name].astype(field.array_dtype) for field in fields}
    some = np.flatnonzero(np.any(list(gaps.values()), axis=0))[:16]
    try:
        refined(model, nullable).predict({name: column[some] for name, column in typed.items()})
    except (FlaskshipError, ValueError, TypeError):
        kept = ~np.any(list(gaps.values()), axis=0)
        return (
            signature,
            {field.name: columns[field.name][kept].astype(field.array_dtype) for field in signature.inputs},
            kept,
        )
    return nullable, typed, kept


def score(sample: Sample, model: Model) -> dict[str, float]:
    """Accuracy of labels, or R² and mean absolute error of numbers, over the sample's rows; empty without a target."""
    if (
        sample.target is None
        or model.signature.named
        or model.signature.task not in (Task.CLASSIFICATION, Task.REGRESSION)
    ):
        return {}
    part = slice(0, SCORED_ROWS)
    answer = model.predict({name: column[part] for name, column in sample.columns.items()})
    truth = sample.target[part]
    if model.signature.task is Task.CLASSIFICATION:
        return {"accuracy": float(np.mean(_words(answer.values[0]) == _words(truth)))}
    truth, got = truth.astype(float), answer.values[0].astype(float)
    spread = float(np.sum((truth - truth.mean()) ** 2))
    found = {"mean_absolute_error": float(np.mean(np.abs(truth - got)))}
    return found | ({"r2": 1 - float(np.sum((truth - got) ** 2)) / spread} if spread else {})


def target(sample: Sample, name: str) -> Target | None:
    """Where the numbers of the target column lie; None where there are none, or they are labels."""
    truth = sample.target
    if truth is None or truth.dtype.kind not in "fiu" or sample.signature.task is not Task.REGRESSION:
        return None
    low, quarter, three_quarters, high = np.nanquantile(truth.astype(float), [0, 0.25, 0.75, 1]).tolist()
    return Target(name=name, low=low, quarter=quarter, three_quarters=three_quarters, high=high)


def _words(labels: Array) -> Array:
    """Labels as a file writes them: 1, 1.0 and "1" are the same."""
    return np.array(
        [
            str(int(each)) if isinstance(each, bool | int | float) and each == int(each) else str(each)
            for each in labels.tolist()
        ]
    )
