"""Models with scikit-learn's API: any estimator or Pipeline, and the boosting libraries' wrappers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from flaskship import skew
from flaskship.artifact import facts
from flaskship.artifact.model import failed
from flaskship.artifact.pickles.allowed import table
from flaskship.artifact.sklearn import answers, archive, compose, contents, inputs
from flaskship.artifact.sniff import Sniffed
from flaskship.errors import FlaskshipError, NotRecognised, PredictionFailed, UnsafePickle, VersionMismatch
from flaskship.schema import Answer, Array, Columns, Facts, Field, FieldType, Signature

NAMELESS = "does not have valid feature names"
MOST_TRIALS = 50  # fields that are tried one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class SklearnModel:
    """A fitted estimator, called as its own library would be."""

    signature: Signature
    facts: Facts
    native: Any
    thresholds: Mapping[str, Array]
    feed: inputs.Feed
    voice: answers.Voice

    def predict(self, columns: Columns) -> Answer:
        return _asked(self.feed, self.voice, columns)


def load(sniffed: Sniffed) -> SklearnModel:
    """The model in a skops file. Raises `UnsafePickle` for what neither skops nor the pickles' table trusts."""
    import skops.io  # the image of a pickle has no skops

    name = sniffed.path.name
    try:
        with sniffed.path.open("rb") as file:
            archive.refuse_unsafe(file, name)
            asked = skops.io.get_untrusted_types(file=file)
            unknown = [each for each in asked if tuple(each.rsplit(".", 1)) not in table()]
            if unknown:
                raise UnsafePickle(
                    f"{name!r} is not loaded: it uses {', '.join(unknown)}, which no plain model file does."
                    " Save the model anew from library classes only."
                )
            value = skops.io.load(file, trusted=asked)
    except FlaskshipError:
        raise
    except Exception as error:  # the border: skops and the classes' own __setstate__ raise what they like
        raise NotRecognised(f"{name!r} is no skops file that loads here: {type(error).__name__}: {error}.") from error
    return wrap(value, sniffed)


def wrap(value: Any, sniffed: Sniffed) -> SklearnModel:
    """The model that `value`, loaded from the file `sniffed`, is or plainly holds.

    Raises `NotRecognised` for what is no single fitted model, `VersionMismatch` or `PredictionFailed` for one that
    cannot answer a row.
    """
    composed = compose.single(value, sniffed.path.name)
    try:
        return _model(composed, sniffed)
    except (NotRecognised, ModuleNotFoundError):
        raise
    except Exception as error:  # an estimator may be anybody's code, and raise what it likes
        raise _broken(composed.estimator, sniffed, error) from error


def _model(composed: compose.Composed, sniffed: Sniffed) -> SklearnModel:
    native = composed.estimator
    contents.refuse(native, sniffed.path.name)
    feed = inputs.feed(native, composed.names, sniffed.path.name)
    feed, voice = _tried(feed, composed)
    thresholds = feed.thresholds
    about = facts.of(native, sniffed, frame=feed.layout is inputs.Layout.FRAME)
    if not hasattr(native, "steps") and skew.standardised(thresholds):
        about = replace(about, warnings=(*about.warnings, skew.WARNING))
    return SklearnModel(
        signature=voice.signature(feed.fields),
        facts=about,
        native=native,
        thresholds=thresholds,
        feed=feed,
        voice=voice,
    )


def _tried(feed: inputs.Feed, composed: compose.Composed) -> tuple[inputs.Feed, answers.Voice]:
    """The cheapest way of asking that answers a made-up row without complaint, and a row of gaps if it takes them."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        estimator = inputs.served(composed.estimator, named=feed.layout is inputs.Layout.FRAME)
        row = {field.name: example(field) for field in feed.fields}
        voice = answers.voice(estimator, feed.matrix(row), composed.labels, feed.names)
        complaint = any(NAMELESS in str(each.message) for each in told)
        if complaint and feed.layout is inputs.Layout.ARRAY:
            return _tried(replace(feed, layout=inputs.Layout.FRAME), composed)
        feed = _with_gaps(feed, voice, row)
    return feed, voice


def _with_gaps(feed: inputs.Feed, voice: answers.Voice, row: Columns) -> inputs.Feed:
    """`feed` with those fields nullable that the estimator answers without: all that seem so, else each by itself."""
    names = [field.name for field in feed.fields if field.nullable]
    gaps = {field.name: gap(field) for field in feed.fields if field.nullable}
    if names and not _answers(feed, voice, row | gaps):
        alone = names[:MOST_TRIALS]
        names = [name for name in alone if _answers(feed, voice, row | {name: gaps[name]})]
    return replace(feed, fields=tuple(replace(field, nullable=field.name in names) for field in feed.fields))


def _answers(feed: inputs.Feed, voice: answers.Voice, row: Columns) -> bool:
    try:
        _asked(feed, voice, row)
    except PredictionFailed:
        return False
    return True


def _asked(feed: inputs.Feed, voice: answers.Voice, columns: Columns) -> Answer:
    try:
        return voice.answer(feed.matrix(columns))
    except Exception as error:  # the border: an estimator may be anybody's code, and raise what it likes
        raise failed(error) from error


def example(field: Field) -> Array:
    """A column of one row that `field` could hold."""
    value: Any = field.default if field.default is not None else field.choices[0] if field.choices else None
    if value is None:
        middle = 1.0 if field.low is None or field.high is None else (field.low + field.high) / 2
        value = "text" if field.type is FieldType.TEXT else middle
    return np.array([value], dtype=object).astype(field.array_dtype)


def gap(field: Field) -> Array:
    """A column of one row with nothing in `field`."""
    return np.array([None if field.type is FieldType.TEXT else np.nan], dtype=field.array_dtype)


def _broken(estimator: BaseEstimator, sniffed: Sniffed, error: Exception) -> Exception:
    """What to say of a model that loads but cannot answer one row."""
    name, kind = sniffed.path.name, type(estimator).__name__
    drifted: Sequence[facts.Drift] = facts.drift(sniffed)
    reason = f"{type(error).__name__}: {error}"[:300]
    if drifted:
        return VersionMismatch(
            f"{name!r} loads but cannot predict ({reason}). {' '.join(each.advice for each in drifted)}"
        )
    return PredictionFailed(
        f"{kind!r} in {name!r} loads but cannot answer one made-up row ({reason}). Check how it was fitted."
    )
