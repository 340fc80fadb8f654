"""Categories: what type they are, and those that the boosting libraries know inside a fitted model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flaskship.artifact.columns import trees
from flaskship.errors import NotRecognised
from flaskship.schema import Array, FieldType, Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a boosting library knows of one column."""

    type: FieldType | None = None
    choices: tuple[Scalar, ...] = ()
    closed: bool = False
    nullable: bool = True
    codes: tuple[Scalar, ...] = ()  # the model takes a category's place in here rather than the category
    low: float | None = None
    high: float | None = None


def absent(value: object) -> bool:
    """Whether `value` stands for nothing: None, NaN, pandas' NA or NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def type_of(values: Sequence[object], dtype: np.dtype[Any]) -> FieldType:
    """The field type of categories or labels, those in an object array by what they are."""
    if dtype.kind in "US":
        return FieldType.TEXT
    if dtype.kind == "b" or (values and all(isinstance(value, bool | np.bool_) for value in values)):
        return FieldType.BOOLEAN
    if not values or not all(isinstance(value, int | float | np.number) for value in values):
        return FieldType.TEXT if dtype.kind == "O" else FieldType.NUMBER
    whole = all(isinstance(value, int | np.integer) for value in values)
    return FieldType.INTEGER if whole else FieldType.NUMBER


def plain(value: Any, kind: FieldType) -> Scalar:
    """A category or label as plain Python."""
    if kind is FieldType.TEXT:
        return str(value)
    if kind is FieldType.BOOLEAN:
        return bool(value)
    return int(value) if kind is FieldType.INTEGER else float(value)


def encode(column: Array, codes: tuple[Scalar, ...]) -> Array:
    """Each value's place in `codes` as float64; NaN for a null and for one that is not among them."""
    places = {value: float(place) for place, value in enumerate(codes)}
    return np.array([places.get(value, np.nan) for value in column.tolist()], dtype=np.float64)


def of(model: Any) -> dict[int, Known]:
    """What an XGBoost, LightGBM or CatBoost model knows of its columns, by index; empty for any other."""
    library = type(model).__module__.partition(".")[0]
    if library == "lightgbm":
        booster = getattr(model, "booster_", model)
        return lightgbm(booster.model_to_string(num_iteration=1), booster.pandas_categorical)
    if library == "xgboost":
        booster = model.get_booster() if hasattr(model, "get_booster") else model
        types = booster.feature_types or []
        return xgboost(types, trees.learner(booster) if "c" in types else {"gradient_booster": {}})
    if library == "catboost":
        texts = [*model.get_cat_feature_indices(), *model.get_text_feature_indices()]
        return {int(index): Known(type=FieldType.TEXT, nullable=False) for index in texts}
    return {}


def _coded(values: Sequence[object], *, closed: bool) -> Known:
    kind = type_of(values, np.dtype(object))
    choices = tuple(plain(value, kind) for value in values)
    return Known(type=kind, choices=choices, closed=closed, codes=choices)


def lightgbm(text: str, pandas: Sequence[Sequence[object]] | None) -> dict[int, Known]:
    """Of LightGBM's header, whose `feature_infos` are `[low:high]`, or a categorical column's codes: `-1:0:1:2`.

    Those that were pandas categories are numbered in order, others take their codes as they are; an unseen is a gap.
    """
    line = next((each for each in text.splitlines() if each.startswith("feature_infos=")), "")
    infos = dict(enumerate(line.partition("=")[2].split()))
    coded = [index for index, info in infos.items() if info != "none" and not info.startswith("[")]
    found = {index: _ranged(info) for index, info in infos.items() if info.startswith("[")}
    if pandas and len(pandas) == len(coded):
        return found | {index: _coded(values, closed=False) for index, values in zip(coded, pandas, strict=True)}
    for index in coded:
        codes = tuple(int(code) for code in infos[index].split(":"))
        found[index] = Known(type=FieldType.INTEGER, choices=tuple(code for code in codes if code >= 0))
    return found


def _ranged(info: str) -> Known:
    low, _, high = info.strip("[]").partition(":")
    return Known(low=float(low), high=float(high))


def xgboost(types: Sequence[str], learner: dict[str, Any]) -> dict[int, Known]:
    """Of XGBoost's feature types and JSON, which since 3.1 holds the categories themselves."""
    grown = learner["gradient_booster"]
    stored = grown.get("gbtree", grown).get("model", {}).get("cats", {}).get("enc", [])
    found = {}
    for index, kind in enumerate(types):
        values = _stored(stored[index]) if kind == "c" and index < len(stored) else []
        if values:
            found[index] = _coded(values, closed=True)
        elif kind in TYPES:
            found[index] = Known(type=TYPES[kind])
    return found


TYPES = {"c": FieldType.INTEGER, "int": FieldType.INTEGER, "i": FieldType.BOOLEAN}  # XGBoost's


def _stored(entry: dict[str, Any]) -> list[object]:
    offsets = entry.get("offsets")
    if offsets is None:
        return list(entry.get("values", []))
    if min(entry["values"], default=0) < 0:  # a byte over 127, as XGBoost 3.2 writes it
        raise NotRecognised(
            "XGBoost cuts categories that are not plain ASCII when it stores them, so these cannot be told apart."
            " Train with ASCII names, or with an encoder in a Pipeline."
        )
    content = bytes(entry["values"])
    return [content[start:stop].decode() for start, stop in itertools.pairwise(offsets)]
