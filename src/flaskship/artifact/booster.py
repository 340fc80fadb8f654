"""XGBoost, LightGBM and CatBoost by their own files, and raw boosters out of a pickle."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from flaskship import skew
from flaskship.artifact import facts
from flaskship.artifact.columns import categories, trees
from flaskship.artifact.columns.column import Column, matrix, thresholds, unnamed
from flaskship.artifact.model import Model, failed
from flaskship.artifact.sniff import Format, Sniffed
from flaskship.errors import NotRecognised, VersionMismatch
from flaskship.schema import Answer, Array, Columns, Facts, FieldType, Output, Signature, Task

ERRORS = {  # each library's own
    "xgboost": ("xgboost.core", "XGBoostError"),
    "lightgbm": ("lightgbm.basic", "LightGBMError"),
    "catboost": ("catboost", "CatBoostError"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoosterModel:
    """A booster, asked as its own library does."""

    signature: Signature
    facts: Facts
    native: Any
    columns: tuple[Column, ...]
    ask: Callable[[Array], Array]  # (rows, columns) -> (rows,) or (rows, outputs)
    hard: bool = False  # it answers labels rather than probabilities

    @property
    def thresholds(self) -> Mapping[str, Array]:
        return thresholds(self.columns)

    def predict(self, columns: Columns) -> Answer:
        try:
            return self.answer(columns)
        except _errors(self.facts.framework) as error:
            raise failed(error) from error

    def answer(self, columns: Columns) -> Answer:
        """As `predict`; raises the library's own errors."""
        given = matrix(self.columns, columns)
        found = self.ask(given).reshape(len(given), -1)
        if self.signature.task is not Task.CLASSIFICATION:
            return Answer(values=tuple(self._output(found[:, place]) for place in range(found.shape[1])))
        if self.hard:
            return Answer(values=(found[:, 0].astype(np.int64),))
        shares = found if found.shape[1] > 1 else np.hstack([1.0 - found, found])
        return Answer(values=(np.argmax(shares, axis=1),), probabilities=shares.astype(np.float64))

    def _output(self, found: Array) -> Array:
        whole = self.signature.outputs[0].type is FieldType.INTEGER
        return (found > 0.5).astype(np.int64) if whole else found.astype(np.float64)


def load(sniffed: Sniffed) -> Model:
    """The model in a booster's own file. Raises `ModuleNotFoundError` where its library is not installed."""
    path = str(sniffed.path)
    if sniffed.format is Format.CATBOOST:
        return _catboost(path, sniffed)
    library = importlib.import_module("xgboost" if sniffed.format is Format.XGBOOST else "lightgbm")
    try:
        if sniffed.format is Format.LIGHTGBM and not _complete(sniffed.path.read_bytes()):
            raise ValueError("it is truncated or damaged")
        # XGBoost goes by a path's ending, but knows a buffer by its content.
        whole = path if library.__name__ == "lightgbm" else bytearray(sniffed.path.read_bytes())
        booster = library.Booster(model_file=whole)
    except _errors(library.__name__) as error:
        raise _unreadable(sniffed, error) from error
    return wrap(booster, sniffed)


def wrap(booster: Any, sniffed: Sniffed) -> Model:
    """The model that a raw `Booster` of XGBoost or LightGBM is."""
    library = type(booster).__module__.partition(".")[0]
    try:
        model = _xgboost(booster, sniffed) if library == "xgboost" else _lightgbm(booster, sniffed)
        model.answer({field.name: np.zeros(1, dtype=field.array_dtype) for field in model.signature.inputs})
    except _errors(library) as error:
        raise _unreadable(sniffed, error) from error
    return model


def _errors(library: str) -> tuple[type[Exception], ...]:
    """What a damaged file or another version's raises: the library's own error, or one of its Python."""
    module, name = ERRORS[library]
    own: type[Exception] = getattr(importlib.import_module(module), name)
    return own, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, OSError


def _complete(text: bytes) -> bool:
    """Whether LightGBM's text holds what it announces: the library itself reads on beyond the end."""
    told = re.search(rb"^tree_sizes=([\d ]*)$", text, re.MULTILINE)
    at = text.find(b"Tree=0\n")
    for size in map(int, told[1].split() if told else ()):
        if at < 0 or text[at : at + 5] != b"Tree=":
            return False
        at += size
    sections = (b"\nparameters:", b"\nend of parameters"), (b"tree\nversion=v4", b"\nend of trees")
    return at <= len(text) and all(last in text for first, last in sections if first in text)


def _unreadable(sniffed: Sniffed, error: Exception) -> Exception:
    reason = f"{type(error).__name__}: {error}".partition("\n")[0][:300]
    drifted = facts.drift(sniffed)
    if drifted:
        return VersionMismatch(
            f"{sniffed.path.name!r} cannot be used ({reason}). {' '.join(e.advice for e in drifted)}"
        )
    return NotRecognised(
        f"{sniffed.path.name!r} cannot be used ({reason}). Save it again with its library's save_model."
    )


def _catboost(path: str, sniffed: Sniffed) -> Model:
    catboost = importlib.import_module("catboost")
    try:
        found = catboost.CatBoost().load_model(path)
        kind = catboost.CatBoostClassifier if len(found.classes_) else catboost.CatBoostRegressor
        model = kind().load_model(path)
    except _errors("catboost") as error:
        raise _unreadable(sniffed, error) from error
    wrapped: Model = importlib.import_module("flaskship.artifact.sklearn.loader").wrap(model, sniffed)
    return wrapped


def _xgboost(booster: Any, sniffed: Sniffed) -> BoosterModel:
    learner = trees.learner(booster)
    count = booster.num_features()
    columns = _columns(booster.feature_names, count, categories.xgboost(booster.feature_types or [], learner))
    _split(columns, trees.xgboost(learner))
    objective = learner["objective"]["name"]
    shape = learner["learner_model_param"]
    classes, targets = max(int(shape["num_class"]), 0), int(shape.get("num_target", 1))
    hard = objective in ("multi:softmax", "binary:hinge")
    if objective in ("binary:logistic", "binary:hinge"):
        classes = 2
    elif not objective.startswith("multi:"):
        classes = 0
    ask = _xgboost_ask(booster, learner)
    width = ask(np.zeros((1, count))).size
    signature = _signature(columns, 0 if targets > 1 else classes, width, hard, targets > 1 and classes > 0)
    about = _facts("xgboost", f"Booster({objective})", sniffed, columns)
    return BoosterModel(signature=signature, facts=about, native=booster, columns=columns, ask=ask, hard=hard)


def _xgboost_ask(booster: Any, learner: dict[str, Any]) -> Callable[[Array], Array]:
    """`Booster.predict`, in place where the booster can: a DMatrix costs another millisecond."""
    best = booster.attr("best_iteration") if booster.attr("scikit_learn") else None  # as the wrapper that saved it
    span = (0, 0) if best is None else (0, int(best) + 1)
    if learner["gradient_booster"]["name"] != "gblinear":
        return lambda given: np.asarray(booster.inplace_predict(given, iteration_range=span))
    matrix_of = importlib.import_module("xgboost").DMatrix
    names, types = booster.feature_names, booster.feature_types
    return lambda given: np.asarray(booster.predict(matrix_of(given, feature_names=names, feature_types=types)))


def _lightgbm(booster: Any, sniffed: Sniffed) -> BoosterModel:
    text = booster.model_to_string()
    names = booster.feature_name()
    made_up = names == [f"Column_{index}" for index in range(len(names))]
    columns = _columns(None if made_up else names, len(names), categories.lightgbm(text, booster.pandas_categorical))
    _split(columns, trees.lightgbm(text))
    line = next((each for each in text.splitlines() if each.startswith("objective=")), "")
    objective = line.partition("=")[2].partition(" ")[0]
    width = booster.num_model_per_iteration()
    classes = 2 if objective == "binary" else width if objective in ("multiclass", "multiclassova") else 0
    return BoosterModel(
        signature=_signature(columns, classes, width, False, False),
        facts=_facts("lightgbm", f"Booster({objective or 'custom'})", sniffed, columns),
        native=booster,
        columns=columns,
        ask=lambda given: np.asarray(booster.predict(given)),
    )


def _columns(names: list[str] | None, count: int, known: Mapping[int, categories.Known]) -> tuple[Column, ...]:
    found = tuple(Column(str(name), used=True) for name in names or unnamed(count))
    for index, each in known.items():
        found[index].tell(each)
    return found


def _split(columns: tuple[Column, ...], splits: trees.Splits | None) -> None:
    if splits is not None:
        for column, values in zip(columns, trees.by_feature(splits, len(columns)), strict=True):
            column.thresholds.append(values)


def _signature(columns: tuple[Column, ...], classes: int, width: int, hard: bool, labels: bool) -> Signature:
    inputs = tuple(column.field() for column in columns)
    if classes:
        label = Output(name="prediction", type=FieldType.INTEGER)
        return Signature(
            task=Task.CLASSIFICATION,
            inputs=inputs,
            outputs=(label,),
            classes=tuple(range(classes)),
            probabilities=not hard,
        )
    if width > 1:
        kind = FieldType.INTEGER if labels else FieldType.NUMBER
        outputs = tuple(Output(name=f"y{place}", type=kind) for place in range(width))
        return Signature(task=Task.MULTIOUTPUT, inputs=inputs, outputs=outputs)
    return Signature(task=Task.REGRESSION, inputs=inputs)


def _facts(library: str, kind: str, sniffed: Sniffed, columns: tuple[Column, ...]) -> Facts:
    told = [each.advice for each in facts.drift(sniffed)]
    told += [skew.WARNING] if skew.standardised(thresholds(columns)) else []
    return Facts(
        framework=library,
        kind=kind,
        version=facts.version(library),
        made_with=dict(sniffed.made_with),
        requirements=facts.pins([library, "numpy", "scipy"]),
        globals=tuple(sniffed.globals),
        float32=library == "xgboost",
        warnings=tuple(told),
    )
