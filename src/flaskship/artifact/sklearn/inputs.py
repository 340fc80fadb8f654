"""From columns to what an estimator was fitted on: an array where that gives the same answers, else a DataFrame."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from os import PathLike
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from flaskship.artifact import facts
from flaskship.artifact.columns.column import Column, matrix, thresholds, unnamed
from flaskship.artifact.sklearn import signature
from flaskship.errors import NotRecognised
from flaskship.schema import Array, Columns, Field, FieldType

MADE_UP = ("", "Column_")  # names that CatBoost and LightGBM give to those that have none
CALIBRATED = "_CalibratedClassifier"  # holds an estimator, and is none
FLAT = ("sklearn", "xgboost", "lightgbm", "catboost")  # libraries that take an array for a DataFrame of numbers


class Layout(Enum):
    """How rows are handed over."""

    ARRAY = "array"  # (rows, columns): float64, or object where a column holds text
    FRAME = "frame"  # pandas, with the names of the fit
    TEXTS = "texts"  # (rows,) of strings
    DICTS = "dicts"  # a list of dicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Builds an estimator's input. A DataFrame costs 500 µs, an array 5."""

    layout: Layout
    columns: tuple[Column, ...]  # all that the estimator was fitted on
    fields: tuple[Field, ...]  # those that it uses
    order: Literal["C", "F"] = "C"  # as the rows of the fit lie in memory: sums round alike then

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def thresholds(self) -> dict[str, Array]:
        return thresholds(self.columns)

    def matrix(self, given: Columns) -> Any:
        """`given` as the estimator wants it."""
        if self.layout is Layout.TEXTS:
            return given[self.fields[0].name]
        if self.layout is Layout.DICTS:
            return [
                dict(zip(given, row, strict=True))
                for row in zip(*(each.tolist() for each in given.values()), strict=True)
            ]
        if self.layout is Layout.FRAME:
            return pd.DataFrame({each.name: each.prepare(given[each.name]) for each in self.columns if each.used})
        return matrix(self.columns, given, self.order)


def feed(estimator: Any, names: Sequence[str], file: str) -> Feed:
    """How `estimator` is fed; its columns are called `names` where it knows none."""
    first = _first(estimator)
    if isinstance(first, DictVectorizer):
        return _dicts(first)
    known = _known(estimator)
    count = len(known) or _count(estimator)
    if not count and isinstance(first, CountVectorizer | HashingVectorizer):
        text = Column(names[0] if len(names) == 1 else "text", type=FieldType.TEXT, used=True, nullable=False)
        return Feed(layout=Layout.TEXTS, columns=(text,), fields=(text.field(),))
    if not count:
        raise NotRecognised(
            f"{facts.kind(estimator)} in {file!r} does not say what columns it takes. Save the whole model."
        )
    called = known or tuple(names) or unnamed(count)
    columns = [Column(name) for name in called]
    signature.learn(estimator, columns)
    if not any(column.used for column in columns):
        for column in columns:
            column.used = True
    frame = bool(known) and _needs_names(estimator)
    fields = tuple(column.field() for column in columns if column.used)
    return Feed(
        layout=Layout.FRAME if frame else Layout.ARRAY,
        columns=tuple(columns),
        fields=fields,
        order="F" if known else "C",  # as a DataFrame of numbers is
    )


def _first(estimator: Any) -> Any:
    """What the input reaches first."""
    if isinstance(estimator, Pipeline):
        return _first(estimator.steps[0][1])
    if isinstance(estimator, FeatureUnion):
        return _first(estimator.transformer_list[0][1])
    for name in ("estimator_", "regressor_", "estimators_", "calibrated_classifiers_"):
        inner = getattr(estimator, name, None)
        inner = inner[0] if isinstance(inner, list) and inner else inner
        inner = getattr(inner, "estimator", inner)
        if hasattr(inner, "get_params"):
            return _first(inner)
    return estimator


def _dicts(vectoriser: DictVectorizer) -> Feed:
    fields: dict[str, Field] = {}
    for feature in vectoriser.feature_names_:
        name, separator, value = str(feature).partition(vectoriser.separator)
        old = fields.get(name)
        if separator:
            choices = (*(old.choices if old else ()), value)
            fields[name] = Field(name=name, type=FieldType.TEXT, choices=choices)
        elif old is None:
            fields[name] = Field(name=name)
    columns = tuple(Column(name, type=each.type, used=True, nullable=False) for name, each in fields.items())
    return Feed(layout=Layout.DICTS, columns=columns, fields=tuple(fields.values()))


def _known(estimator: Any) -> tuple[str, ...]:
    names = getattr(estimator, "feature_names_in_", None)
    if names is None and type(estimator).__module__.startswith(("catboost", "lightgbm")):
        names = getattr(estimator, "feature_names_", None) or estimator.feature_name_
    found = () if names is None else tuple(str(name) for name in names)
    return () if found in [tuple(f"{prefix}{index}" for index in range(len(found))) for prefix in MADE_UP] else found


def _count(estimator: Any) -> int:
    if type(estimator).__module__.startswith("catboost"):
        return len(estimator.feature_names_)
    if hasattr(estimator, "X_thresholds_"):  # IsotonicRegression, of one column
        return 1
    return int(getattr(estimator, "n_features_in_", 0) or 0)


def _needs_names(estimator: Any) -> bool:
    """Whether anything inside picks columns by name, keeps DataFrames, or is not known to take an array as well."""
    return any(_by_name(each) for each in facts.walk(estimator))


def _by_name(each: Any) -> bool:
    if isinstance(each, ColumnTransformer):
        return any(_named(part) for _, _, part in each.transformers_) or _framed(each)
    if isinstance(each, FunctionTransformer) and each.func is not None and not isinstance(each.func, np.ufunc):
        return not each.validate and each.func.__module__.partition(".")[0] != "sklearn"
    return type(each).__module__.partition(".")[0] not in FLAT or _framed(each)


def _named(part: Any) -> bool:
    listed = [part] if isinstance(part, str) else part
    return isinstance(listed, slice | list | np.ndarray | pd.Index | tuple) and (
        isinstance(listed.start, str) if isinstance(listed, slice) else any(isinstance(name, str) for name in listed)
    )


def _framed(each: Any) -> bool:
    return bool(getattr(each, "_sklearn_output_config", {}).get("transform", "default") != "default")


def served(value: Any, *, named: bool) -> Any:
    """A copy of an estimator for serving, which shares what was learnt: one row needs no joblib workers (30 ms),
    nor, unless `named`, the names that it would miss in an array."""
    return _served(value, named, {})


def _served(value: Any, named: bool, done: dict[int, Any]) -> Any:
    """`done` has what was made of each object, by its id: one that is met twice, or in itself, is copied once."""
    if value is None or isinstance(value, str | int | float | type):
        return value
    if id(value) not in done:
        done[id(value)] = value
        if hasattr(value, "get_params") or type(value).__name__ == CALIBRATED:
            done[id(value)] = _estimator(value, named, done)
        elif isinstance(value, list | tuple | dict) or (isinstance(value, np.ndarray) and value.dtype == object):
            done[id(value)] = _container(value, named, done)
    return done[id(value)]


def _container(value: Any, named: bool, done: dict[int, Any]) -> Any:
    """`value` itself where nothing in it was copied."""
    given = list(value.values()) if isinstance(value, dict) else list(value.flat) if _array(value) else value
    parts = [_served(each, named, done) for each in given]
    if all(new is old for new, old in zip(parts, given, strict=True)):
        return value
    if isinstance(value, tuple):
        return type(value)._make(parts) if hasattr(value, "_make") else type(value)(parts)
    found = copy.copy(value)
    if _array(value):
        for place, each in enumerate(parts):
            found.flat[place] = each
    else:
        found.update(zip(value, parts, strict=True)) if isinstance(value, dict) else found.__setitem__(
            slice(None), parts
        )
    return found


def _array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _estimator(estimator: Any, named: bool, done: dict[int, Any]) -> Any:
    if type(estimator).__module__.startswith("catboost"):
        return estimator
    found = done[id(estimator)] = copy.copy(estimator)
    own = vars(found)
    for name, value in list(own.items()):
        own[name] = _served(value, named, done)
    if not type(estimator).__module__.startswith(("xgboost", "lightgbm")):
        own.update({name: value for name, value in (("n_jobs", 1), ("verbose", 0)) if name in own})
    if isinstance(estimator, FunctionTransformer) and estimator.func is not None:
        found.func = partial(_rows, estimator.func)
    if not named:
        own.pop("feature_names_in_", None)
        if "_fitted_with_feature_names" in own:  # LightGBM
            own["_fitted_with_feature_names"] = False
    return found


def _rows(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What a FunctionTransformer's function gives, but no text, which XGBoost would take for a file's name."""
    found = function(*args, **options)
    if isinstance(found, str | bytes | PathLike):
        raise TypeError(f"a FunctionTransformer gives a {type(found).__name__} in place of rows")
    return found
