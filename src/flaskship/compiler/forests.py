"""Readers of scikit-learn's tree models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flaskship.compiler.boosters import bit_members
from flaskship.compiler.graph import Graph, Outcome, Unconvertible, Value
from flaskship.compiler.linear import outlier, two_sided
from flaskship.compiler.trees import Ensemble, emit, in_double, join, stub
from flaskship.schema import Array

Weights = Callable[[Any], Array]  # of a Tree: (nodes, targets)


def ensemble(trees: Sequence[Any], weights: Weights, features: Sequence[Array] | None = None) -> Ensemble:
    """Of scikit-learn's `Tree`s, which compare float32 values with float64 thresholds; `features` maps their own."""
    read = []
    for position, tree in enumerate(trees):
        feature = np.maximum(tree.feature, 0)
        missing = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count))
        read.append(
            Ensemble(
                roots=np.array([0]),
                feature=feature if features is None else features[position][feature],
                threshold=in_double(tree.threshold),
                left=tree.children_left,
                right=tree.children_right,
                missing_left=np.asarray(missing, bool),
                weights=np.asarray(weights(tree), np.float64),
            )
        )
    return join(read)


def members(model: Any) -> list[Any]:
    return list(model.estimators_) if hasattr(model, "estimators_") else [model]


def averaged(graph: Graph, sums: str, count: int) -> str:
    return sums if count == 1 else graph.op("Div", sums, graph.constant(float(count)))


def regressor(graph: Graph, model: Any, value: Value) -> Outcome:
    """Trees and forests: the mean of the leaves' values."""
    trees = [each.tree_ for each in members(model)]
    read = ensemble(trees, lambda tree: tree.value[:, :, 0])
    sums = emit(graph, graph.numbers(value), read, any_order=True)
    return Outcome(values=averaged(graph, sums, len(trees)))


def classifier(graph: Graph, model: Any, value: Value) -> Outcome:
    """Trees and forests: the mean of the leaves' class fractions."""
    trees = [each.tree_ for each in members(model)]
    matrix = graph.numbers(value)
    if model.n_outputs_ == 1:
        return _voted(graph, matrix, trees, 0, model.classes_)
    parts = [_voted(graph, matrix, trees, output, model.classes_[output]) for output in range(model.n_outputs_)]
    return Outcome(parts=tuple(parts))


def _voted(graph: Graph, matrix: str, trees: Sequence[Any], output: int, classes: Array) -> Outcome:
    def fractions(tree: Any) -> Array:
        counts: Array = tree.value[:, output, : len(classes)]
        total = counts.sum(axis=1, keepdims=True)
        return counts if np.allclose(total, 1, rtol=1e-9) else counts / total  # counts before scikit-learn 1.3

    probabilities = averaged(graph, emit(graph, matrix, ensemble(trees, fractions)), len(trees))
    return Outcome(
        label=graph.op("ArgMax", probabilities, axis=1, keepdims=0),
        classes=np.asarray(classes),
        probabilities=probabilities,
    )


def boosted(graph: Graph, model: Any, value: Value) -> Outcome:
    """GradientBoostingClassifier and -Regressor: init + learning rate * sum."""
    targets = model.estimators_.shape[1]
    rate = model.learning_rate
    stages = []
    for position, each in enumerate(model.estimators_.ravel()):
        wide = np.eye(targets)[position % targets]
        stages.append(ensemble([each.tree_], lambda tree, wide=wide: rate * tree.value[:, 0, :1] * wide))  # type: ignore[misc]  # a default binds now
    if isinstance(model.init_, str):
        start = np.zeros(targets)
    elif type(model.init_).__name__.startswith("Dummy"):
        start = np.asarray(model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32)))[0]
    else:
        raise Unconvertible(f"it boosts a {type(model.init_).__name__}")
    raw = emit(graph, graph.numbers(value), join([stub(start), *stages]))
    if not hasattr(model, "classes_"):
        return Outcome(values=raw)
    return _linked(graph, raw, model, targets, strictly=False, times=2.0 if model.loss == "exponential" else 1.0)


def _linked(graph: Graph, raw: str, model: Any, targets: int, *, strictly: bool, times: float = 1.0) -> Outcome:
    classes = np.asarray(model.classes_)
    if targets > 1:
        label = graph.op("ArgMax", raw, axis=1, keepdims=0)
        return Outcome(label=label, classes=classes, probabilities=graph.op("Softmax", raw, axis=1), decision=raw)
    zero = graph.constant(0.0)
    positive = graph.op("Greater" if strictly else "GreaterOrEqual", raw, zero)
    label = graph.op("Squeeze", graph.cast(positive, 7), graph.constant(np.array([1], np.int64)))
    scaled = raw if times == 1 else graph.op("Mul", raw, graph.constant(times))
    probabilities = graph.op("Sigmoid", two_sided(graph, scaled))
    return Outcome(label=label, classes=classes, probabilities=probabilities, decision=raw)


def histogram(graph: Graph, model: Any, value: Value, encode: Callable[[Graph, Any, Value], Value]) -> Outcome:
    """HistGradientBoosting: float64 values, NaN and categories have their own ways."""
    preprocessor = getattr(model, "_preprocessor", None)
    if preprocessor is not None:
        value = encode(graph, preprocessor, value)
    elif model.is_categorical_ is not None:
        raise Unconvertible("its categories are coded by an older scikit-learn")
    targets = model.n_trees_per_iteration_
    stages = [stub(np.ravel(model._baseline_prediction))]
    for predictors in model._predictors:
        stages += [_histogram_tree(each, np.eye(targets)[k]) for k, each in enumerate(predictors)]
    raw = emit(graph, graph.numbers(value), join(stages))
    if hasattr(model, "classes_"):
        return _linked(graph, raw, model, targets, strictly=True)
    if model.loss in ("poisson", "gamma"):
        raw = graph.op("Exp", raw)
    return Outcome(values=raw)


def _histogram_tree(predictor: Any, wide: Array) -> Ensemble:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    bits = predictor.raw_left_cat_bitsets
    categorical = np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf)
    return Ensemble(
        roots=np.array([0]),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        weights=nodes["value"][:, None] * wide,
        members={int(node): bit_members(bits[nodes["bitset_idx"][node]]) for node in categorical},
    )


def isolation(graph: Graph, model: Any, value: Value) -> Outcome:
    """IsolationForest: score_samples is -2 ** -(mean depth / that of a random tree)."""
    lengths = model._decision_path_lengths
    added = model._average_path_length_per_tree
    trees = [each.tree_ for each in model.estimators_]
    depth = {id(tree): lengths[i] + added[i] - 1.0 for i, tree in enumerate(trees)}
    features = [np.asarray(each) for each in model.estimators_features_]
    total = emit(graph, graph.numbers(value), ensemble(trees, lambda tree: depth[id(tree)][:, None], features))
    of_random = _average_path_length(model._max_samples)
    if not of_random:
        raise Unconvertible("it was fitted to one row")
    exponent = graph.op("Neg", graph.op("Div", total, graph.constant(len(trees) * of_random)))
    power = graph.op("Pow", graph.constant(2.0), exponent)
    score = graph.op("Sub", graph.op("Neg", power), graph.constant(float(model.offset_)))
    return Outcome(values=outlier(graph, score), score=score)


def _average_path_length(rows: int) -> float:
    """Of an unsuccessful search in a binary tree of that many rows (Liu et al., Isolation Forest, 2008, equation 1)."""
    if rows <= 2:
        return float(rows == 2)
    return float(2.0 * (np.log(rows - 1.0) + np.euler_gamma) - 2.0 * (rows - 1.0) / rows)
