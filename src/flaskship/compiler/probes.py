"""Rows to try a model on: those of a sample, at random in range, at every split, with gaps, and unseen categories."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final

import numpy as np

from flaskship.artifact.model import Model
from flaskship.schema import Array, Columns, Field, FieldType

SEED: Final = 20_240
SAMPLED: Final = 20_000  # rows of the sample, spread evenly
RANDOM: Final = 600
VALUES: Final = 400_000  # at random of all rows, at most: fewer rows of large pictures
SPLITS: Final = 3_000  # thresholds over all fields, spread evenly; each gives up to seven rows
CHOICES: Final = 300  # of a field that are each tried
GAPS: Final = 8  # rows with a gap in one field
WORDS: Final = ("the", "and", "a", "not", "very", "good", "bad", "new", "free", "price", "please", "work", "day")
ODD_TEXTS: Final = (
    "", " ", "a", "I", "don't", "UPPER Case", "x_1 y-2 3.14", "ÜBER straße", "你好 世界", "tab\there\nline",
    "e\u0301té", "😀", "https://example.org/?q=1&r=2", "ﬁne İstanbul", "two  spaces",
)  # fmt: skip


def probes(model: Model, sample: Columns | None) -> Columns:
    """Rows for `compile`, the same for the same model and sample; the sample's come first."""
    random = np.random.default_rng(SEED)
    signature = model.signature
    words = _words(model.native)
    count = _count(signature.inputs)
    base = {
        field.name: _random(field, model.thresholds.get(field.name), words, random, count) for field in signature.inputs
    }
    blocks = [_spread(sample)] if sample else []
    blocks.append(base)
    typical = blocks[0]
    edges = () if model.facts.scaled else signature.inputs  # a net has none, and values far out would hide others
    for field in edges:
        values = _special(field, _picked(model, field), words)
        blocks.append(_with(typical, {field.name: values}, random))
    blocks += _gaps(signature.inputs, typical, random)
    return {
        field.name: np.concatenate([block[field.name] for block in blocks]).astype(field.array_dtype)
        for field in signature.inputs
    }


def _spread(sample: Columns) -> Columns:
    rows = len(next(iter(sample.values())))
    chosen = np.unique(np.linspace(0, rows - 1, min(rows, SAMPLED)).astype(np.int64))
    return {name: column[chosen] for name, column in sample.items()}


def _with(typical: Columns, changed: Columns, random: np.random.Generator) -> Columns:
    """Rows drawn from `typical`, with these columns instead."""
    count = len(next(iter(changed.values())))
    drawn = random.integers(0, len(next(iter(typical.values()))), count)
    return {name: changed.get(name, column[drawn]) for name, column in typical.items()}


def _count(fields: Sequence[Field]) -> int:
    """How many rows at random: fewer where one holds many values."""
    values = sum(prod(_shape(field)) for field in fields if field.shape)
    return max(2, min(RANDOM, VALUES // max(values, 1)))


def _shape(field: Field) -> tuple[int, ...]:
    """Of one row's value, with a size for each dimension."""
    return field.usual or tuple(max(size, 1) for size in field.shape)


def _random(field: Field, splits: Array | None, words: Sequence[str], random: np.random.Generator, count: int) -> Array:
    shape = (count, *_shape(field))
    if field.choices:
        return _column(random.choice(np.array(field.choices, object), shape), field)
    if field.type is FieldType.TEXT:
        lengths = random.integers(1, 20, count)
        return _column(np.array([" ".join(random.choice(words, length)) for length in lengths], object), field)
    if field.type is FieldType.BOOLEAN:
        return _column(random.integers(0, 2, shape), field)
    low, high = _range(field, splits)
    drawn = random.uniform(low, high, shape)
    if field.low is None:  # its unit is not known
        drawn *= random.choice([1.0, 1.0, 10.0], shape)
    return _column(np.round(drawn) if field.type is FieldType.INTEGER else drawn, field)


def _range(field: Field, splits: Array | None) -> tuple[float, float]:
    if field.low is not None and field.high is not None and field.low < field.high:
        return field.low, field.high
    if splits is not None and len(splits):
        low, high = float(np.min(splits)), float(np.max(splits))
        margin = (high - low) / 2 or max(abs(low), 1.0)
        return low - margin, high + margin
    return (0.0, 10.0) if field.type is FieldType.INTEGER else (-2.0, 2.0)


def _column(values: Array, field: Field) -> Array:
    made: Array = values.astype(field.array_dtype)
    return made


def _picked(model: Model, field: Field) -> Array:
    """This field's share of the thresholds, spread evenly."""
    every = {name: np.unique(values) for name, values in model.thresholds.items()}
    total = sum(len(values) for values in every.values())
    own: Array = every.get(field.name, np.empty(0))
    own = own[np.isfinite(own)]
    share = int(np.ceil(len(own) * min(1.0, SPLITS / max(total, 1))))
    picked = np.unique(np.linspace(0, len(own) - 1, share).astype(np.int64))
    return np.asarray(own[picked])


def _special(field: Field, splits: Array, words: Sequence[str]) -> Array:
    """Values of one field that could be treated differently."""
    if field.shape:
        return np.empty((0, *_shape(field)), field.array_dtype)
    values: list[Any] = list(field.choices[:CHOICES])
    if not field.closed:
        values += _open(field, splits)
    return np.array(values, object).astype(field.array_dtype)


def _open(field: Field, splits: Array) -> list[Any]:
    if field.type is FieldType.TEXT:
        return ["never seen before", *(() if field.choices else ODD_TEXTS)]
    if field.type is FieldType.BOOLEAN:
        return [False, True]
    low, high = _range(field, splits)
    wide = high - low
    near = np.array([low, high, low - wide, high + wide, low - 100 * wide, high + 100 * wide, 0.0, 1.0, -1.0])
    if field.type is FieldType.INTEGER:
        return [*np.round(near).tolist(), *np.unique(np.concatenate([np.floor(splits), np.ceil(splits)])).tolist()]
    with np.errstate(over="ignore"):
        return [*near.tolist(), *_neighbours(splits).tolist()]


def _neighbours(splits: Array) -> Array:
    """The thresholds and the numbers next to them, in double and in single precision."""
    single = splits.astype(np.float32)
    neighbours = [
        splits,
        np.nextafter(splits, -np.inf),
        np.nextafter(splits, np.inf),
        single.astype(np.float64),
        np.nextafter(single, np.float32(-np.inf)).astype(np.float64),
        np.nextafter(single, np.float32(np.inf)).astype(np.float64),
    ]
    found: Array = np.unique(np.concatenate(neighbours))
    return found[np.isfinite(found)]


def _gaps(fields: Sequence[Field], typical: Columns, random: np.random.Generator) -> list[Columns]:
    """Rows without one nullable field, without some, and without any."""
    nullable = [field for field in fields if field.nullable]
    if not nullable:
        return []
    empty = {
        field.name: np.array([None if field.type is FieldType.TEXT else np.nan], field.array_dtype)
        for field in nullable
    }
    blocks = [_with(typical, {name: np.repeat(gap, GAPS)}, random) for name, gap in empty.items()]
    some = _with(typical, {nullable[0].name: np.repeat(empty[nullable[0].name], 100)}, random)
    for name, gap in empty.items():
        some[name] = np.where(random.random(100) < 0.5, gap, some[name]).astype(gap.dtype)
    return [*blocks, some, _with(typical, empty, random)]


def _words(native: Any) -> list[str]:
    """Some that a vectoriser in the model knows, and some that it need not."""
    known = sorted(str(word) for vocabulary in _vocabularies(native) for word in vocabulary)
    picked = known[:: max(len(known) // 500, 1)][:500]
    return [*WORDS, *picked]


def _vocabularies(value: Any) -> list[Any]:
    found = getattr(value, "vocabulary_", None)
    if isinstance(found, dict):
        return [found]
    steps = [
        *getattr(value, "steps", ()),
        *getattr(value, "transformer_list", ()),
        *getattr(value, "transformers_", ()),
    ]
    return [vocabulary for step in steps for vocabulary in _vocabularies(step[1])]
