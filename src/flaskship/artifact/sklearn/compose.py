"""The one model in what a file holds: an estimator, or a tuple or dict of steps that chain plainly.

(TfidfVectorizer, MultinomialNB)                         ->  Pipeline(TfidfVectorizer, MultinomialNB)
{"scaler": …, "model": …, "columns": ["a", "b"]}         ->  Pipeline(StandardScaler, …) of fields a and b
{"vectorizer": …, "classifier": …, "label_encoder": …}   ->  the same, its labels decoded
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelBinarizer, LabelEncoder, MultiLabelBinarizer
from sklearn.utils.validation import check_is_fitted

from flaskship.artifact.sklearn.tags import requires_fit
from flaskship.errors import NotRecognised

COLUMN_KEYS = ("col", "feat", "input")
DO = "Save the fitted estimator itself, or a Pipeline of all steps."


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """An estimator, with what lay beside it in the file."""

    estimator: Any
    names: tuple[str, ...] = ()  # of its columns, where it knows none itself
    labels: Any = None  # a LabelEncoder that gives the labels back


def single(value: Any, file: str) -> Composed:
    """The one model in `value`. Raises `NotRecognised` with what was found there and what to do."""
    if isinstance(value, Mapping):
        return _chained({str(key): each for key, each in value.items()}, file, "a dict")
    if isinstance(value, tuple | list):
        if len(value) == 1:
            return single(value[0], file)
        return _chained({str(place): each for place, each in enumerate(value)}, file, f"a {type(value).__name__}")
    if is_estimator(value):
        return Composed(estimator=fitted(_best(value, file), file))
    raise NotRecognised(f"{file!r} holds {described(value)}, not a model. {DO}")


def is_estimator(value: object) -> bool:
    """Whether `value` works as scikit-learn's estimators do."""
    return not isinstance(value, type) and hasattr(value, "get_params") and hasattr(value, "fit")


def fitted(estimator: Any, file: str) -> Any:
    """`estimator`, unless it was saved before `fit`."""
    name = type(estimator).__name__
    is_fitted = getattr(estimator, "is_fitted", None)  # CatBoost's own
    try:
        if callable(is_fitted) and not is_fitted():
            raise ValueError(name)
        if not callable(is_fitted) and requires_fit(estimator):
            check_is_fitted(estimator)
    except (ValueError, TypeError, AttributeError) as error:
        raise NotRecognised(f"{name!r} in {file!r} is not fitted. Call its 'fit', then save it again.") from error
    return estimator


def _best(estimator: Any, file: str) -> Any:
    """The estimator that a search found."""
    if not isinstance(estimator, BaseSearchCV) and not hasattr(estimator, "best_estimator_"):
        return estimator
    found = getattr(estimator, "best_estimator_", None)
    if found is None:
        raise NotRecognised(
            f"{type(estimator).__name__!r} in {file!r} holds no best estimator: fit it with refit=True, then save it."
        )
    return _best(found, file)


def described(value: object) -> str:
    """What `value` is, in words."""
    kind = type(value)
    if isinstance(value, type):
        return f"the class {value.__name__!r}"
    if kind.__name__ in ("DataFrame", "Series", "ndarray", "Tensor"):
        shape = " x ".join(map(str, getattr(value, "shape", ())))
        return f"data ({kind.__name__} of {shape})"
    if isinstance(value, str | bytes | int | float | bool) or value is None:
        return f"the value {value!r:.60}"
    if callable(value) and hasattr(value, "__name__"):
        return f"the function {value.__name__!r}"
    return (
        f"a {kind.__module__.partition('.')[0]}.{kind.__name__}"
        if kind.__module__ != "builtins"
        else f"a {kind.__name__}"
    )


def _chained(parts: dict[str, Any], file: str, shell: str) -> Composed:
    parts = {key: _best(each, file) if is_estimator(each) else each for key, each in parts.items()}
    steps = {key: each for key, each in parts.items() if is_estimator(each)}
    if not steps:
        raise NotRecognised(f"{file!r} holds {_contents(parts, shell)}, and no estimator. {DO}")
    encoders = {key: each for key, each in steps.items() if isinstance(each, LabelEncoder)}
    others = [key for key, each in steps.items() if isinstance(each, LabelBinarizer | MultiLabelBinarizer)]
    models = {key: each for key, each in steps.items() if hasattr(each, "predict")}
    before = {key: each for key, each in steps.items() if key not in models and key not in encoders}
    if others or len(models) > 1 or len(encoders) > 1 or not (models or len(before) == len(steps)):
        raise NotRecognised(f"{file!r} holds {_named(steps, shell)}: it is not plain which one answers. {DO}")
    order = [*before.items(), *models.items()]
    for _, each in order:
        fitted(each, file)
    _fit_together(order, file, shell)
    estimator = (
        order[0][1] if len(order) == 1 else Pipeline([(f"{key}_" if "__" in key else key, each) for key, each in order])
    )
    labels = next(iter(encoders.values()), None)
    if labels is not None and not _decodes(labels, order[-1][1]):
        raise NotRecognised(
            f"{file!r} holds {_named(steps, shell)}: the LabelEncoder does not fit the model's labels. {DO}"
        )
    return Composed(estimator=estimator, names=_names(parts, estimator, shell == "a dict"), labels=labels)


def _fit_together(order: Sequence[tuple[str, Any]], file: str, shell: str) -> None:
    """Refuses steps whose column counts differ, as those of a scaler of the target."""
    for (key, step), (following, taker) in itertools.pairwise(order):
        given, taken = _width(step), getattr(taker, "n_features_in_", None)
        if given is not None and taken is not None and given != taken:
            raise NotRecognised(
                f"{file!r} holds {_named(dict(order), shell)}, but {key!r} gives {given} columns and {following!r}"
                f" takes {taken}: it is not plain how they go together. {DO}"
            )
        if any(part in ("y", "target") for part in key.lower().split("_")):
            raise NotRecognised(
                f"{file!r} holds {key!r}, which seems to scale the target. Save a TransformedTargetRegressor."
            )


def _width(step: Any) -> int | None:
    """How many columns a transformer gives, where it says so."""
    try:
        return len(step.get_feature_names_out())
    except (AttributeError, ValueError, TypeError, NotImplementedError):
        return None


def _decodes(labels: LabelEncoder, model: Any) -> bool:
    classes = np.asarray(getattr(model, "classes_", ()))
    whole = classes.ndim == 1 and classes.dtype.kind in "iu" and len(classes) > 0
    return whole and bool(classes.min() >= 0 and classes.max() < len(labels.classes_))


def _names(parts: Mapping[str, Any], estimator: Any, keyed: bool) -> tuple[str, ...]:
    """A list of column names beside the estimator, if its length fits."""
    count = getattr(estimator, "n_features_in_", None)
    for key, each in parts.items():
        told = not keyed or any(word in key.lower() for word in COLUMN_KEYS)
        plain = each.tolist() if hasattr(each, "tolist") and not is_estimator(each) else each
        if (
            told
            and isinstance(plain, list | tuple)
            and len(plain) == count
            and all(isinstance(name, str) for name in plain)
        ):
            return tuple(plain)
    return ()


def _named(parts: Mapping[str, Any], shell: str) -> str:
    return f"{shell} of " + ", ".join(f"{type(each).__name__} {key!r}" for key, each in parts.items())


def _contents(parts: Mapping[str, Any], shell: str) -> str:
    values = list(parts.values())
    if values and all(isinstance(each, str) for each in values):
        return f"{shell} of {len(values)} texts ({', '.join(map(repr, values[:3]))}, …)"
    if values and all(type(each).__name__ in ("Tensor", "Parameter", "ndarray") for each in values):
        return (
            f"{shell} of {len(values)} arrays ({', '.join(list(parts)[:3])}, …), as a network's weights (a state dict)"
        )
    return f"{shell} of " + (
        ", ".join(f"{key!r} ({type(each).__name__})" for key, each in list(parts.items())[:8]) or "nothing"
    )
