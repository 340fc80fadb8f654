"""What a fitted scikit-learn estimator knows of its inputs: names, types, choices, ranges, gaps, and where it splits.

The steps are walked from the raw columns on. What comes out of a step that works on each column alone is still that
column, with a way back to its raw values; after any other step the columns are lost.

    Pipeline(StandardScaler, RandomForestRegressor)   a split at 0.4 of scaled 'income'  ->  at 4 471 of raw 'income'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.naive_bayes import CategoricalNB
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from flaskship.artifact.columns import categories, trees
from flaskship.artifact.columns.column import Column
from flaskship.artifact.sklearn.tags import allows_gaps
from flaskship.schema import Array, FieldType

MOST_CHOICES = 1000  # of soft ones
Inverse = Callable[[Array], Array]
INVERSES: dict[Any, Inverse] = {
    np.log1p: np.expm1,
    np.log: np.exp,
    np.sqrt: np.square,
    np.log10: lambda values: 10.0**values,
}


@dataclass(frozen=True, slots=True)
class Track:
    """A column on its way through the steps."""

    column: Column
    raw: Inverse  # the values that arrive, from those here
    gaps: bool = True  # a null is still a NaN here
    own: bool = True  # the values are the column's own


Tracks = tuple[Track | None, ...]  # None where a column is a mixture; empty when all are lost


def learn(model: Any, columns: list[Column]) -> None:
    """Fills `columns` with what the fitted `model` knows of them."""
    _learn(model, tuple(Track(column, lambda values: values) for column in columns))


def _learn(step: Any, tracks: Tracks) -> Tracks:
    for kinds, rule in RULES:
        if isinstance(step, kinds):
            return rule(step, tracks)
    return _model(step, tracks)


def _use(step: Any, tracks: Tracks) -> None:
    """Marks the columns as used; as without gaps, if the step takes none."""
    strict = not allows_gaps(step)
    for track in tracks:
        if track is not None:
            track.column.used = True
            if strict and track.gaps:
                track.column.nullable = False


def _pipeline(step: Any, tracks: Tracks) -> Tracks:
    for _, each in step.steps:
        tracks = tracks if each is None or each == "passthrough" else _learn(each, tracks)
    return tracks


def _column_transformer(step: Any, tracks: Tracks) -> Tracks:
    total = max((part.stop for part in step.output_indices_.values()), default=0)
    found: list[Track | None] = [None] * total
    for name, each, _ in step.transformers_:
        indices = step._transformer_to_input_indices.get(name, ())
        given = tuple(tracks[index] for index in indices) if tracks else ()
        if (isinstance(each, str) and each == "drop") or not len(indices):
            continue
        for track in given:
            if track is not None:
                track.column.used = True
        part = step.output_indices_[name]
        out = given if isinstance(each, str) else _learn(each, given)
        if len(out) == part.stop - part.start:
            found[part] = out
    return tuple(found)


def _union(step: Any, tracks: Tracks) -> Tracks:
    outs = [_learn(each, tracks) for _, each in step.transformer_list if not isinstance(each, str)]
    return tuple(track for out in outs for track in out) if all(outs) else ()


def _text(step: Any, tracks: Tracks) -> Tracks:
    for track in tracks:
        if track is not None:
            track.column.type, track.column.nullable, track.column.used = FieldType.TEXT, False, True
    return ()


def _encoder(step: Any, tracks: Tracks) -> Tracks:
    closed = getattr(step, "handle_unknown", "") == "error"
    for track, values in zip(tracks, step.categories_, strict=bool(tracks)):
        if track is not None:
            _categories(track, values, closed)
    return (None,) * len(tracks) if isinstance(step, OrdinalEncoder | TargetEncoder) and tracks else ()


def _categories(track: Track, values: Array, closed: bool) -> None:
    column = track.column
    known = [value for value in values.tolist() if not categories.absent(value)]
    column.used = True
    column.type = column.type or categories.type_of(known, values.dtype)
    if closed or len(known) <= MOST_CHOICES:
        column.choices = tuple(categories.plain(value, column.type) for value in known)
        column.closed = column.closed or closed
    gap = len(known) < len(values)
    if track.gaps and closed and not gap:
        column.nullable = False
    if gap and any(value is None for value in values.tolist()):
        column.missing = None


def _imputer(step: Any, tracks: Tracks) -> Tracks:
    for index, track in enumerate(tracks):
        if track is None:
            continue
        track.column.used = True
        if isinstance(step, SimpleImputer):
            _filled(step, index, track.column)
    out: list[Track | None] = [
        None if track is None else Track(track.column, track.raw, False, False) for track in tracks
    ]
    kept = step.n_features_in_ if getattr(step, "keep_empty_features", False) else _filled_columns(step)
    extra = len(step.indicator_.features_) if getattr(step, "indicator_", None) is not None else 0
    return (*out, *[None] * extra) if kept == len(out) else ()


def _filled_columns(step: Any) -> int:
    if hasattr(step, "statistics_"):
        return sum(not categories.absent(value) for value in step.statistics_.tolist())
    mask = getattr(step, "_valid_mask", None)
    return step.n_features_in_ if mask is None else int(np.count_nonzero(mask))


def _filled(step: Any, index: int, column: Column) -> None:
    value = step.statistics_.tolist()[index]
    if step._fit_dtype.kind in "OUS" and (isinstance(value, str) or step.strategy != "constant"):
        column.type = column.type or (FieldType.TEXT if isinstance(value, str) else None)
    if column.default is None and not categories.absent(value):
        column.default = value if isinstance(value, str) else _short(value)
    if step.missing_values is None:
        column.missing = None


def _short(value: float) -> float:
    return float(f"{float(value):.4g}")


def _indicator(step: Any, tracks: Tracks) -> Tracks:
    for track in tracks:
        if track is not None:
            track.column.used = True
    return ()


def _elementwise(step: Any, tracks: Tracks) -> Tracks:
    _use(step, tracks)
    lows, highs = _range(step)
    middle = getattr(step, "center_", getattr(step, "mean_", None))
    out: list[Track | None] = []
    for index, track in enumerate(tracks):
        if track is None:
            out.append(None)
            continue
        column = track.column
        if lows is not None and highs is not None and column.low is None:
            ends = track.raw(np.array([lows[index], highs[index]], dtype=float))
            if np.isfinite(ends).all():
                column.low, column.high = float(ends[0]), float(ends[1])
        if middle is not None and column.default is None:
            usual = float(track.raw(np.array([middle[index]], dtype=float))[0])
            column.default = _short(usual) if np.isfinite(usual) else None
        out.append(Track(column, _back(step, index, track.raw), track.gaps, False))
    return tuple(out)


def _range(step: Any) -> tuple[Array | None, Array | None]:
    if isinstance(step, MinMaxScaler):
        return step.data_min_, step.data_max_
    if isinstance(step, QuantileTransformer):
        return step.quantiles_[0], step.quantiles_[-1]
    return None, None


def _back(step: Any, index: int, raw: Inverse) -> Inverse:
    def inverse(values: Array) -> Array:
        matrix = np.zeros((len(values), step.n_features_in_))
        matrix[:, index] = values
        return raw(np.asarray(step.inverse_transform(matrix))[:, index]) if len(values) else values

    return inverse


def _function(step: Any, tracks: Tracks) -> Tracks:
    if step.validate:
        _use(step, tracks)
    if step.func is None:
        return tracks
    inverse = INVERSES.get(step.func) if not step.kw_args else None
    if inverse is None:
        for track in tracks:
            if track is not None:
                track.column.used = True
        return ()
    return tuple(
        None if track is None else Track(track.column, _after(inverse, track.raw), track.gaps, False)
        for track in tracks
    )


def _after(inverse: Inverse, raw: Inverse) -> Inverse:
    return lambda values: raw(inverse(values))


def _selector(step: Any, tracks: Tracks) -> Tracks:
    _use(step, tracks)
    if not tracks:
        return ()
    return tuple(track for track, kept in zip(tracks, step.get_support(), strict=True) if kept)


def _bins(step: Any, tracks: Tracks) -> Tracks:
    _use(step, tracks)
    for track, edges in zip(tracks, step.bin_edges_, strict=bool(tracks)):
        if track is not None and track.column.low is None and len(edges):
            ends = track.raw(np.asarray(edges, dtype=float)[[0, -1]])
            track.column.low, track.column.high = float(ends[0]), float(ends[1])
    return ()


def _categorical_nb(step: Any, tracks: Tracks) -> Tracks:
    _use(step, tracks)
    for track, count in zip(tracks, step.n_categories_.tolist(), strict=bool(tracks)):
        if track is not None:
            track.column.type, track.column.closed = FieldType.INTEGER, True
            track.column.choices = tuple(range(count))
    return ()


def _histogram(step: Any, tracks: Tracks) -> Tracks:
    inner = getattr(step, "_preprocessor", None)
    for track in tracks:
        if track is not None:
            track.column.used = True
    _split(step, _learn(inner, tracks) if inner is not None else tracks)
    return ()


def _split(step: Any, tracks: Tracks) -> bool:
    """Gives each column the splits on it; False where `step` has no trees."""
    found = trees.splits(step)
    if found is None:
        return False
    for track, values in zip(tracks, trees.by_feature(found, len(tracks)), strict=True):
        if track is not None:
            track.column.thresholds.append(np.asarray(track.raw(values), dtype=float))
    return True


def _model(step: Any, tracks: Tracks) -> Tracks:
    """Any other estimator: the last one, or one that holds others, over the same columns or some of them."""
    _use(step, tracks)
    if not tracks:
        return ()
    for index, known in categories.of(step).items():
        track = tracks[index]
        if track is not None and track.own:
            track.column.tell(known)
    if _split(step, tracks):
        return ()
    nullable = [track.column.nullable for track in tracks if track is not None]
    columns = getattr(step, "estimators_features_", None)
    for place, each in enumerate(_parts(step) if columns is None else step.estimators_):
        own = tracks if columns is None else tuple(tracks[index] for index in columns[place])
        count = getattr(each, "n_features_in_", len(own))
        if count >= len(own):  # a chain's later links take the earlier answers too
            _learn(each, own + (None,) * (count - len(own)))
    if allows_gaps(step):  # the meta-estimator's own tag looks at its parts already
        for track, was in zip([each for each in tracks if each is not None], nullable, strict=True):
            track.column.nullable = track.column.nullable and was
    return ()


def _parts(step: Any) -> list[Any]:
    found: list[Any] = []
    for name in ("estimator_", "regressor_", "estimators_", "calibrated_classifiers_", "classifier_"):
        value = getattr(step, name, None)
        values = np.ravel(np.asarray(value, dtype=object)).tolist() if isinstance(value, list | np.ndarray) else [value]
        found += [
            getattr(each, "estimator", each)
            for each in values
            if hasattr(each, "predict") or hasattr(each, "estimator")
        ]
    return found


RULES: tuple[tuple[Any, Callable[[Any, Tracks], Tracks]], ...] = (
    (Pipeline, _pipeline),
    (ColumnTransformer, _column_transformer),
    (FeatureUnion, _union),
    ((CountVectorizer, HashingVectorizer), _text),
    ((OneHotEncoder, OrdinalEncoder, TargetEncoder), _encoder),
    ((SimpleImputer, KNNImputer), _imputer),
    (MissingIndicator, _indicator),
    ((StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, PowerTransformer, QuantileTransformer), _elementwise),
    (FunctionTransformer, _function),
    (SelectorMixin, _selector),
    (KBinsDiscretizer, _bins),
    (CategoricalNB, _categorical_nb),
    ((HistGradientBoostingClassifier, HistGradientBoostingRegressor), _histogram),
)
