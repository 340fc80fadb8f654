"""Whatever no graph is written for here, by skl2onnx's converter of that one estimator."""

from __future__ import annotations

import logging
import warnings
from typing import Any, Final

import numpy as np
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

from flaskship.compiler.graph import OPSET, Graph, Outcome, Unconvertible, Value

SLOW: Final = ("QuantileTransformer",)
MOST_ROWS: Final = 64  # at once: some converters' graphs take the square of the rows
ERRORS: Final = (
    RuntimeError,
    NotImplementedError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    NameError,  # an option that the converter does not know
)


def outputs(graph: Graph, model: Any, value: Value) -> dict[str, str]:
    """The converter's outputs by its names for them: label, probabilities, variable, scores, …"""
    if type(model).__name__ in SLOW:
        raise Unconvertible(f"skl2onnx takes minutes to convert {type(model).__name__}")
    options = {"zipmap": False} if hasattr(model, "predict_proba") and hasattr(model, "classes_") else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("skl2onnx").setLevel(logging.ERROR)
            made = convert_sklearn(
                model,
                initial_types=[("X", DoubleTensorType([None, len(value)]))],
                options={id(model): options} if options else None,
                target_opset={"": OPSET, "ai.onnx.ml": 3},
            )
    except (MissingConverter, MissingShapeCalculator) as error:
        raise Unconvertible(f"no graph is known for {type(model).__name__}") from error
    except ERRORS as error:
        reason = " ".join(str(error).split())[:160]
        raise Unconvertible(f"skl2onnx does not convert {type(model).__name__}: {reason}") from error
    graph.most_rows = MOST_ROWS
    return graph.inline(made.graph, {"X": graph.numbers(value)})


def transform(graph: Graph, step: Any, value: Value) -> Value:
    (out,) = outputs(graph, step, value).values()
    return graph.value(graph.cast(out), len(step.get_feature_names_out()))


def predict(graph: Graph, model: Any, value: Value) -> Outcome:
    found = outputs(graph, model, value)
    classes = getattr(model, "classes_", None)
    if isinstance(classes, np.ndarray) and "probabilities" in found:
        shares = graph.cast(found["probabilities"])
        label = graph.op("ArgMax", shares, axis=1, keepdims=0)
        return Outcome(label=label, classes=classes, probabilities=shares)
    if "variable" not in found or classes is not None:
        raise Unconvertible(f"skl2onnx's graph of {type(model).__name__} answers something else")
    return Outcome(values=graph.cast(found["variable"]))
