"""Transformers: columns to columns, in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array

from flaskship.compiler.graph import Graph, Unconvertible, Value
from flaskship.compiler.linear import product

NULL = "\x00null"  # a missing text, inside the graph


def affine(graph: Graph, value: Value, *, minus: Any = None, over: Any = None) -> Value:
    """(x - minus) / over, each where given."""
    out = graph.numbers(value)
    if minus is not None:
        out = graph.op("Sub", out, graph.constant(np.asarray(minus, np.float64)))
    if over is not None:
        out = graph.op("Div", out, graph.constant(np.asarray(over, np.float64)))
    return graph.value(out, len(value))


def standard(graph: Graph, step: Any, value: Value) -> Value:
    return affine(graph, value, minus=step.mean_ if step.with_mean else None, over=step.scale_)


def robust(graph: Graph, step: Any, value: Value) -> Value:
    return affine(
        graph,
        value,
        minus=step.center_ if step.with_centering else None,
        over=step.scale_ if step.with_scaling else None,
    )


def largest(graph: Graph, step: Any, value: Value) -> Value:
    return affine(graph, value, over=step.scale_)


def min_max(graph: Graph, step: Any, value: Value) -> Value:
    out = graph.op("Mul", graph.numbers(value), graph.constant(step.scale_))
    out = graph.op("Add", out, graph.constant(step.min_))
    if step.clip:
        low, high = (graph.constant(float(each)) for each in step.feature_range)
        out = graph.op("Clip", out, low, high)
    return graph.value(out, len(value))


def components(graph: Graph, step: Any, value: Value) -> Value:
    """PCA, TruncatedSVD and FastICA."""
    coef = np.asarray(step.components_, np.float64)
    mean = getattr(step, "mean_", None)
    out = product(graph, graph.numbers(value), coef, np.zeros(len(coef)) if mean is None else -(mean @ coef.T))
    if getattr(step, "whiten", False) and hasattr(step, "explained_variance_"):
        scale = np.sqrt(step.explained_variance_)
        scale = np.maximum(scale, np.finfo(scale.dtype).eps)
        out = graph.op("Div", out, graph.constant(scale))
    return graph.value(out, len(coef))


def selected(graph: Graph, step: Any, value: Value) -> Value:
    """SelectKBest, VarianceThreshold, RFE, …"""
    return value[np.flatnonzero(step.get_support()).tolist()]


def norm(graph: Graph, step: Any, value: Value) -> Value:
    matrix, axes = graph.numbers(value), graph.constant(np.array([1], np.int64))
    if step.norm == "l2":
        size = graph.op("Sqrt", graph.op("ReduceSumSquare", matrix, axes, keepdims=1))
    else:
        size = graph.op({"l1": "ReduceSum", "max": "ReduceMax"}[step.norm], graph.op("Abs", matrix), axes, keepdims=1)
    zero = graph.op("Equal", size, graph.constant(0.0))
    return graph.value(graph.op("Div", matrix, graph.op("Where", zero, graph.constant(1.0), size)), len(value))


def impute(graph: Graph, step: Any, value: Value) -> Value:
    if graph.is_text(value):
        return _impute_text(graph, step, value)
    marker = step.missing_values
    if isinstance(marker, str) or marker is None:
        raise Unconvertible("its SimpleImputer looks for missing texts among numbers")
    matrix = graph.numbers(value)
    if isinstance(marker, float) and np.isnan(marker):
        missing = graph.op("IsNaN", matrix)
    else:
        missing = graph.op("Equal", matrix, graph.constant(float(marker)))
    fill = np.asarray(step.statistics_, np.float64)
    kept = np.flatnonzero(~np.isnan(fill)) if not getattr(step, "keep_empty_features", False) else np.arange(len(fill))
    filled = graph.op("Where", missing, graph.constant(np.nan_to_num(fill)), matrix)
    out = graph.value(filled, len(value))[kept.tolist()]
    if step.add_indicator:
        flags = graph.value(graph.cast(missing), len(value))
        out = out + flags[step.indicator_.features_.tolist()]
    return out


def _impute_text(graph: Graph, step: Any, value: Value) -> Value:
    matrix = graph.matrix(value)
    marker = step.missing_values
    null = NULL if marker is None or (isinstance(marker, float) and np.isnan(marker)) else str(marker)
    missing = graph.op("Equal", matrix, graph.constant(np.array(null, object)))
    fill = np.array([str(each) for each in step.statistics_], object)
    if step.add_indicator:
        raise Unconvertible("its SimpleImputer adds indicators of missing texts")
    return graph.value(graph.op("Where", missing, graph.constant(fill), matrix), len(value), text=True)


def binarize(graph: Graph, step: Any, value: Value) -> Value:
    over = graph.op("Greater", graph.numbers(value), graph.constant(float(step.threshold)))
    return graph.value(graph.cast(over), len(value))


def indicate(graph: Graph, step: Any, value: Value) -> Value:
    """MissingIndicator of NaN."""
    if not (isinstance(step.missing_values, float) and np.isnan(step.missing_values)):
        raise Unconvertible("its MissingIndicator looks for something else than NaN")
    flags = graph.value(graph.cast(graph.op("IsNaN", graph.numbers(value))), len(value))
    return flags[step.features_.tolist()]


def polynomial(graph: Graph, step: Any, value: Value) -> Value:
    """Each product of powers as that of as many columns as the degree, one of them ones."""
    matrix, powers = graph.numbers(value), np.asarray(step.powers_)
    most = int(powers.sum(axis=1).max(initial=0))
    listed = [np.repeat(np.arange(len(value)), row).tolist() for row in powers]
    places = np.array([each + [len(value)] * (most - len(each)) for each in listed], np.int64).reshape(
        len(powers), most
    )
    ones = graph.op("Exp", graph.op("Mul", graph.matrix(value[[0]]), graph.constant(0.0)))
    wide = graph.op("Concat", matrix, ones, axis=1)
    factors = [graph.op("Gather", wide, graph.constant(places[:, turn].copy()), axis=1) for turn in range(most)]
    out = factors[0] if factors else ones
    for factor in factors[1:]:
        out = graph.op("Mul", out, factor)
    return graph.value(out, len(powers))


def log1p(graph: Graph, x: str) -> str:
    """log(1 + x), also near zero (Kahan: log(u) * (x / (u - 1)), u = 1 + x rounded)."""
    one = graph.constant(1.0)
    u = graph.op("Add", x, one)
    off = graph.op("Sub", u, one)
    same = graph.op("Equal", off, graph.constant(0.0))
    ratio = graph.op("Div", x, graph.op("Where", same, one, off))
    return graph.op("Where", same, x, graph.op("Mul", graph.op("Log", u), ratio))


def expm1(graph: Graph, x: str) -> str:
    """exp(x) - 1, also near zero: by the series where it converges at once."""
    small = graph.op("Less", graph.op("Abs", x), graph.constant(1e-4))
    square = graph.op("Mul", x, x)
    terms = [
        x,
        graph.op("Mul", square, graph.constant(1 / 2)),
        graph.op("Mul", graph.op("Mul", square, x), graph.constant(1 / 6)),
    ]
    series = graph.op("Sum", *terms)
    return graph.op("Where", small, series, graph.op("Sub", graph.op("Exp", x), graph.constant(1.0)))


def base(number: float) -> Any:
    return lambda graph, x: graph.op("Div", graph.op("Log", x), graph.constant(np.log(number)))


FUNCTIONS: dict[Any, Any] = {
    np.log1p: log1p,
    np.expm1: expm1,
    np.log10: base(10.0),
    np.log2: base(2.0),
    np.square: lambda graph, x: graph.op("Mul", x, x),
    **{
        getattr(np, name): lambda graph, x, kind=kind: graph.op(kind, x)
        for name, kind in {
            "log": "Log", "exp": "Exp", "sqrt": "Sqrt", "abs": "Abs", "negative": "Neg", "sin": "Sin", "cos": "Cos",
            "tanh": "Tanh", "reciprocal": "Reciprocal", "floor": "Floor", "ceil": "Ceil", "sign": "Sign",
        }.items()
    },
}  # fmt: skip


def apply(graph: Graph, function: Any, tensor: str) -> str:
    """A NumPy function of one argument."""
    known = next((each for name, each in FUNCTIONS.items() if name is function), None)
    if known is None:
        raise Unconvertible(f"no graph is known for the function {getattr(function, '__name__', function)!r}")
    found: str = known(graph, tensor)
    return found


def function(graph: Graph, step: Any, value: Value) -> Value:
    if step.func is None or getattr(step.func, "func", None) is check_array:  # HistGradientBoosting's own
        return value
    if step.kw_args:
        raise Unconvertible("its FunctionTransformer has keyword arguments")
    return graph.value(apply(graph, step.func, graph.numbers(value)), len(value))


def power(graph: Graph, step: Any, value: Value) -> Value:
    """PowerTransformer: Yeo-Johnson or Box-Cox, then standardised."""
    columns = Value(())
    for place, factor in enumerate(np.asarray(step.lambdas_, float).tolist()):
        x = graph.numbers(value[[place]])
        if step.method == "box-cox":
            made = _power(graph, x, factor)
        else:
            zero = graph.constant(0.0)
            up = graph.op("Max", x, zero)
            down = graph.op("Neg", graph.op("Min", x, zero))
            one = graph.constant(1.0)
            above = _power(graph, graph.op("Add", up, one), factor, log1p(graph, up))
            below = _power(graph, graph.op("Add", down, one), 2 - factor, log1p(graph, down))
            made = graph.op("Where", graph.op("GreaterOrEqual", x, zero), above, graph.op("Neg", below))
        columns += graph.value(made, 1)
    return standard(graph, step._scaler, columns) if step.standardize else columns


def _power(graph: Graph, x: str, factor: float, log: str = "") -> str:
    """(x ** factor - 1) / factor, and its limit log(x) at 0."""
    if abs(factor) < np.spacing(1.0):
        return log or graph.op("Log", x)
    raised = graph.op("Sub", graph.op("Pow", x, graph.constant(factor)), graph.constant(1.0))
    return graph.op("Div", raised, graph.constant(factor))
