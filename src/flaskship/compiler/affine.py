"""Linear models, alone or behind scalers, folded into one product that needs neither ONNX nor a matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from flaskship.artifact.linear_model import Coefficients, Link
from flaskship.artifact.model import Model, Refined
from flaskship.compiler import linear
from flaskship.compiler.convert import PREDICTORS
from flaskship.schema import Array, FieldType, Signature, Task

MOST: Final = 50_000  # weights: more are better off as a file of arrays
Scaling = tuple[Any, Any]  # factor and offset of each column: x * factor + offset

SCALERS: Final[Mapping[str, Callable[[Any], Scaling]]] = {
    "StandardScaler": lambda step: _centred(step.mean_, step.scale_),
    "RobustScaler": lambda step: _centred(getattr(step, "center_", None), getattr(step, "scale_", None)),
    "MaxAbsScaler": lambda step: _centred(None, step.scale_),
    "MinMaxScaler": lambda step: (step.scale_, step.min_),
}


def coefficients(model: Model) -> bytes | None:
    """The model as JSON of `Coefficients`; None where it is not linear in fields that are all numbers."""
    signature = model.signature
    if signature.named or not all(_number(field.type, field.shape) for field in signature.inputs) or _picky(model):
        return None
    estimator, factor, offset = _folded(model.native, len(signature.inputs))
    emitter = PREDICTORS.get(type(estimator).__name__)
    if emitter not in (linear.classifier, linear.regressor) or not np.all(np.isfinite([factor, offset])):
        return None
    weights = np.atleast_2d(linear.dense(estimator.coef_))
    link = _link(estimator, signature, len(weights))
    if link is None or weights.size > MOST or weights.shape[1] != len(signature.inputs):
        return None
    intercept = np.broadcast_to(np.ravel(np.asarray(estimator.intercept_, np.float64)), (len(weights),))
    bias = intercept + weights @ offset
    return msgspec.json.encode(Coefficients(weights=(weights * factor).tolist(), bias=bias.tolist(), link=link))


def _number(kind: FieldType, shape: tuple[int, ...]) -> bool:
    return kind is not FieldType.TEXT and not shape


def _picky(model: Model) -> bool:
    """Whether some of the estimator's columns are no field, or are coded before it has them."""
    own = model.model if isinstance(model, Refined) else model
    columns = getattr(getattr(own, "feed", own), "columns", None) or ()
    return any(not column.used or column.codes for column in columns)


def _folded(estimator: Any, width: int) -> tuple[Any, Array, Array]:
    """What stands at the end of pipelines of scalers and searches, and all that scales the columns before it."""
    factor, offset = np.ones(width), np.zeros(width)
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
            continue
        if type(estimator).__name__ != "Pipeline":
            return estimator, factor, offset
        for _, step in estimator.steps[:-1]:
            scaling = _scaling(step)
            if scaling is None:
                return None, factor, offset
            factor, offset = factor * scaling[0], offset * scaling[0] + scaling[1]
        estimator = estimator.steps[-1][1]


def _scaling(step: Any) -> Scaling | None:
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return 1.0, 0.0
    name = type(step).__name__
    return None if name not in SCALERS or getattr(step, "clip", False) else SCALERS[name](step)


def _centred(centre: Array | None, scale: Array | None) -> Scaling:
    factor = 1.0 if scale is None else 1.0 / scale
    return factor, 0.0 if centre is None else -centre * factor


def _link(estimator: Any, signature: Signature, scores: int) -> Link | None:
    """How the scores become the answer; None where that takes more than `LinearModel` has."""
    if signature.task is Task.REGRESSION:
        identity = type(estimator).__name__ not in (*linear.LINKS, "TweedieRegressor")
        return Link.IDENTITY if identity and scores == 1 else None
    classes = len(signature.classes)
    if signature.task is not Task.CLASSIFICATION or scores != (1 if classes == 2 else classes):
        return None
    if not signature.probabilities:
        return Link.LABEL
    links = {("sigmoid", True): Link.SIGMOID, ("softmax", False): Link.SOFTMAX}
    return links.get((linear.link_of(estimator, classes), scores == 1))
