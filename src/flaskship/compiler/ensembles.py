"""Models made of models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flaskship.compiler import forests, steps
from flaskship.compiler.boosters import flat
from flaskship.compiler.graph import Graph, Outcome, Unconvertible, Value
from flaskship.compiler.linear import normalised, product, two_sided
from flaskship.compiler.trees import emit
from flaskship.schema import Array

Predict = Callable[[Graph, Any, Value], Outcome]


def total(graph: Graph, tensors: Sequence[str], weights: Any = None) -> str:
    """Their (weighted) mean."""
    share = np.ones(len(tensors)) if weights is None else np.asarray(weights, float)
    out = ""
    for tensor, weight in zip(tensors, share.tolist(), strict=True):
        scaled = tensor if weight == 1 else graph.op("Mul", tensor, graph.constant(weight))
        out = graph.op("Add", out, scaled) if out else scaled
    return graph.op("Div", out, graph.constant(float(share.sum())))


def chosen(graph: Graph, shares: str, classes: Any) -> Outcome:
    label = graph.op("ArgMax", shares, axis=1, keepdims=0)
    return Outcome(label=label, classes=np.asarray(classes), probabilities=shares)


def shares_of(outcome: Outcome, classes: int) -> str:
    if not outcome.probabilities or outcome.classes is None or len(outcome.classes) != classes:
        raise Unconvertible("no graph is known for the probabilities of a part of it")
    return outcome.probabilities


def one_hot(graph: Graph, label: str, classes: int) -> str:
    """(N,) labels as (N, classes)."""
    column = graph.op("Unsqueeze", label, graph.constant(np.array([1], np.int64)))
    return graph.cast(graph.op("Equal", column, graph.constant(np.arange(classes)[None])))


def vote(graph: Graph, model: Any, value: Value, predict: Predict) -> Outcome:
    parts = [predict(graph, each, value) for each in model.estimators_]
    weights = model._weights_not_none
    if not hasattr(model, "classes_"):
        return Outcome(values=total(graph, [each.values for each in parts], weights))
    count = len(model.classes_)
    if model.voting == "soft":
        return chosen(graph, total(graph, [shares_of(each, count) for each in parts], weights), model.classes_)
    polled = chosen(graph, total(graph, [one_hot(graph, each.label, count) for each in parts], weights), model.classes_)
    return Outcome(label=polled.label, classes=polled.classes)


def stack(graph: Graph, model: Any, value: Value, predict: Predict) -> Outcome:
    columns = Value(())
    for each, method in zip(model.estimators_, model.stack_method_, strict=True):
        part = predict(graph, each, value)
        if method == "predict_proba":
            count = len(model.classes_)
            shares = graph.value(shares_of(part, count), count)
            columns += shares[[1]] if count == 2 else shares
        elif method == "predict" and part.values:
            columns += graph.value(part.values, 1)
        else:
            raise Unconvertible(f"it stacks by {method!r}")
    return predict(graph, model.final_estimator_, columns + value if model.passthrough else columns)


def bag(graph: Graph, model: Any, value: Value, predict: Predict) -> Outcome:
    classes = getattr(model, "classes_", None)
    features = [np.asarray(each) for each in model.estimators_features_]
    parts = [predict(graph, each, value[own.tolist()]) for each, own in zip(model.estimators_, features, strict=True)]
    if classes is None:
        return Outcome(values=total(graph, [each.values for each in parts]))
    if all(each.probabilities for each in parts):
        return chosen(graph, total(graph, [shares_of(each, len(classes)) for each in parts]), classes)
    return chosen(graph, total(graph, [one_hot(graph, each.label, len(classes)) for each in parts]), classes)


def ada_boost(graph: Graph, model: Any, value: Value, predict: Predict) -> Outcome:
    """SAMME over trees: each says 1 for the class of its leaf and -1 / (classes - 1) for the others, weighted."""
    count = len(model.classes_)
    if (
        not all(hasattr(each, "tree_") for each in model.estimators_)
        or getattr(model, "algorithm", "SAMME") == "SAMME.R"
    ):
        raise Unconvertible("it boosts something else than trees by SAMME")
    weight_of = {id(each.tree_): float(w) for each, w in zip(model.estimators_, model.estimator_weights_, strict=False)}

    def said(tree: Any) -> Array:
        best = tree.value[:, 0, :].argmax(axis=1)
        return np.where(np.arange(count) == best[:, None], 1.0, -1.0 / (count - 1)) * weight_of[id(tree)]

    trees = forests.ensemble([each.tree_ for each in model.estimators_], said)
    summed = emit(graph, graph.numbers(value), trees)
    decision = graph.op("Div", summed, graph.constant(float(model.estimator_weights_.sum())))
    if count > 2:
        shares = graph.op("Softmax", graph.op("Div", decision, graph.constant(float(count - 1))), axis=1)
        label = graph.op("ArgMax", decision, axis=1, keepdims=0)
        return Outcome(label=label, classes=model.classes_, probabilities=shares, decision=decision)
    one = product(graph, decision, [[-1.0, 1.0]], 0.0)
    shares = graph.op("Softmax", graph.op("Div", two_sided(graph, one), graph.constant(2.0)), axis=1)
    label = flat(graph, graph.op("Greater", one, graph.constant(0.0)))
    return Outcome(label=label, classes=model.classes_, probabilities=shares, decision=one)


def calibrate(graph: Graph, model: Any, value: Value, predict: Predict) -> Outcome:
    """CalibratedClassifierCV by sigmoids: the mean of its parts."""
    count = len(model.classes_)
    parts = []
    for each in model.calibrated_classifiers_:
        inner = predict(graph, each.estimator, value)
        fitted = each.calibrators
        if any(not hasattr(one, "a_") for one in fitted):
            raise Unconvertible("it is calibrated by other functions than sigmoids")
        score = inner.decision or inner.probabilities
        if not score:
            raise Unconvertible("no graph is known for the scores that are calibrated")
        if len(fitted) == 1 and (not inner.decision or not _one_column(graph, inner)):
            score = graph.op("Gather", score, graph.constant(np.array([1], np.int64)), axis=1)
        slope, shift = (np.array([getattr(one, name) for one in fitted], float) for name in ("a_", "b_"))
        steep = graph.op("Add", graph.op("Mul", score, graph.constant(slope)), graph.constant(shift))
        share = graph.op("Sigmoid", graph.op("Neg", steep))
        if count == 2:
            parts.append(graph.op("Concat", graph.op("Sub", graph.constant(1.0), share), share, axis=1))
        else:
            parts.append(normalised(graph, share))
    return chosen(graph, total(graph, parts), model.classes_)


def _one_column(graph: Graph, outcome: Outcome) -> bool:
    """Whether the decision is (N, 1), as boosted trees have it; linear models have (N, 2)."""
    return graph.widths.get(outcome.decision) == 1


def one_vs_rest(graph: Graph, model: Any, value: Value, predict: Predict) -> Outcome:
    if getattr(model, "multilabel_", False):
        raise Unconvertible("it has several outputs of labels in one")
    second = graph.constant(np.array([1], np.int64))
    parts = [predict(graph, each, value) for each in model.estimators_]
    scores = [each.decision or each.probabilities for each in parts]
    if len(parts) == 1 or not all(scores):
        raise Unconvertible("no graph is known for the scores of its parts")
    picked = [graph.op("Gather", each, second, axis=1) for each in scores]
    label = graph.op("ArgMax", graph.op("Concat", *picked, axis=1), axis=1, keepdims=0)
    shares = ""
    if all(each.probabilities for each in parts):
        each_share = [graph.op("Gather", each.probabilities, second, axis=1) for each in parts]
        shares = normalised(graph, graph.op("Concat", *each_share, axis=1))
    return Outcome(label=label, classes=np.asarray(model.classes_), probabilities=shares)


def several(graph: Graph, model: Any, value: Value, predict: Predict) -> Outcome:
    """MultiOutputRegressor and -Classifier."""
    parts = [predict(graph, each, value) for each in model.estimators_]
    if all(each.values for each in parts):
        return Outcome(values=graph.op("Concat", *[each.values for each in parts], axis=1))
    return Outcome(parts=tuple(parts))


def regressor_chain(graph: Graph, model: Any, value: Value, predict: Predict) -> Outcome:
    order = list(model.order_)
    found: dict[int, str] = {}
    columns = value
    for position, each in zip(order, model.estimators_, strict=True):
        found[position] = predict(graph, each, columns).values
        columns += graph.value(found[position], 1)
    return Outcome(values=graph.op("Concat", *[found[position] for position in range(len(order))], axis=1))


def transformed(graph: Graph, model: Any, value: Value, predict: Predict) -> Outcome:
    """TransformedTargetRegressor: what transforms the target back is a function or a scaler."""
    values = predict(graph, model.regressor_, value).values
    if model.inverse_func is not None:
        return Outcome(values=steps.apply(graph, model.inverse_func, values))
    back = model.transformer_
    kind = type(back).__name__
    if kind == "StandardScaler":
        scale = back.scale_ if back.with_std else 1.0
        shift = back.mean_ if back.with_mean else 0.0
        scaled = graph.op("Mul", values, graph.constant(np.asarray(scale, float)))
        return Outcome(values=graph.op("Add", scaled, graph.constant(np.asarray(shift, float))))
    if kind == "MinMaxScaler":
        shifted = graph.op("Sub", values, graph.constant(back.min_))
        return Outcome(values=graph.op("Div", shifted, graph.constant(back.scale_)))
    if kind == "FunctionTransformer" and back.inverse_func is None:
        return Outcome(values=values)
    raise Unconvertible(f"no graph is known for the way back from {kind}")


def threshold(graph: Graph, model: Any, value: Value, predict: Predict) -> Outcome:
    """TunedThresholdClassifierCV: the second class from its own threshold on."""
    inner = predict(graph, model.estimator_, value)
    shares = shares_of(inner, 2)
    second = graph.op("Gather", shares, graph.constant(np.array([1], np.int64)), axis=1)
    over = graph.op("GreaterOrEqual", second, graph.constant(float(model.best_threshold_)))
    return Outcome(label=flat(graph, over), classes=inner.classes, probabilities=shares)
