"""Predictors by distance or kernel, and neural networks."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from flaskship.compiler.graph import Graph, Outcome, Unconvertible, Value
from flaskship.compiler.linear import dense, likelihoods, outlier, product, two_sided
from flaskship.schema import Array

ROWS: Final = np.array([1], np.int64)
ACTIVATIONS: Final = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}


def squared_distances(graph: Graph, matrix: str, points: Array) -> str:
    """(N, points): |x|² - 2 x·p + |p|², not below 0; of x beyond 1e150 as at that, since a square would overflow."""
    points = np.asarray(points, np.float64)
    matrix = graph.op("Clip", matrix, graph.constant(-1e150), graph.constant(1e150))
    own = graph.op("ReduceSumSquare", matrix, graph.constant(ROWS), keepdims=1)
    crossed = product(graph, matrix, -2.0 * points, (points**2).sum(axis=1))
    return graph.op("Max", graph.op("Add", crossed, own), graph.constant(0.0))


def clusters(graph: Graph, model: Any, value: Value) -> Outcome:
    """KMeans: the nearest centre; |x|² is the same for all."""
    centers = np.asarray(model.cluster_centers_, np.float64)
    distances = product(graph, graph.numbers(value), -2.0 * centers, (centers**2).sum(axis=1))
    return Outcome(values=graph.op("ArgMin", distances, axis=1, keepdims=0))


def _kernel(graph: Graph, model: Any, matrix: str) -> str:
    """(N, support vectors)."""
    vectors = dense(model.support_vectors_)
    if model.kernel == "rbf":
        apart = squared_distances(graph, matrix, vectors)
        return graph.op("Exp", graph.op("Mul", apart, graph.constant(-float(model._gamma))))
    if model.kernel == "linear":
        return product(graph, matrix, vectors, 0.0)
    if model.kernel not in ("poly", "sigmoid"):
        raise Unconvertible(f"no graph is known for the kernel {model.kernel!r}")
    crossed = product(graph, matrix, model._gamma * vectors, model.coef0)
    if model.kernel == "sigmoid":
        return graph.op("Tanh", crossed)
    return graph.op("Pow", crossed, graph.constant(float(model.degree)))


def support_regressor(graph: Graph, model: Any, value: Value) -> Outcome:
    kernel = _kernel(graph, model, graph.numbers(value))
    return Outcome(values=product(graph, kernel, model.dual_coef_, model.intercept_))


def one_class(graph: Graph, model: Any, value: Value) -> Outcome:
    score = support_regressor(graph, model, value).values
    return Outcome(values=outlier(graph, score, strictly=True), score=score)


def support_classifier(graph: Graph, model: Any, value: Value) -> Outcome:
    """libsvm: a vote of each pair of classes; the first of those with most votes."""
    kernel, classes = _kernel(graph, model, graph.numbers(value)), np.asarray(model.classes_)
    if getattr(model, "break_ties", False):
        raise Unconvertible("it breaks ties by its own function")
    count = len(classes)
    dual, stops = dense(model._dual_coef_), np.cumsum(model._n_support)
    of_class = np.split(np.arange(dual.shape[1]), stops[:-1])
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    weights = np.zeros((len(pairs), dual.shape[1]))
    votes = np.zeros((len(pairs), 2, count))
    for row, (i, j) in enumerate(pairs):
        weights[row, of_class[i]] = dual[j - 1, of_class[i]]
        weights[row, of_class[j]] = dual[i, of_class[j]]
        votes[row, 0, j] = votes[row, 1, i] = 1
    decision = product(graph, kernel, weights, model._intercept_)
    first = graph.cast(graph.op("Greater", decision, graph.constant(0.0)))
    counted = product(graph, first, (votes[:, 1] - votes[:, 0]).T, votes[:, 0].sum(axis=0))
    label = graph.op("ArgMax", counted, axis=1, keepdims=0)
    return Outcome(label=label, classes=classes, decision=graph.op("Neg", decision) if count == 2 else "")


def _neighbours(graph: Graph, model: Any, value: Value) -> tuple[str, str]:
    """Indices of the k nearest rows and their weights, (N, k)."""
    if model.effective_metric_ != "euclidean" or callable(model.weights):
        raise Unconvertible("its neighbours are found by a metric of its own")
    apart = squared_distances(graph, graph.numbers(value), dense(model._fit_X))
    count = graph.constant(np.array([model.n_neighbors], np.int64))
    nearest = graph.op("TopK", apart, count, outputs=2, axis=1, largest=0, sorted=1)
    index = graph.nodes[-1].output[1]
    if model.weights == "uniform":
        return index, graph.constant(np.full((1, model.n_neighbors), 1.0))
    distance = graph.op("Sqrt", nearest)
    zero = graph.op("Equal", distance, graph.constant(0.0))
    exact = graph.cast(zero)
    any_exact = graph.op("Greater", graph.op("ReduceMax", exact, graph.constant(ROWS), keepdims=1), graph.constant(0.0))
    inverse = graph.op("Div", graph.constant(1.0), graph.op("Where", zero, graph.constant(1.0), distance))
    return index, graph.op("Where", any_exact, exact, inverse)


def _weighted(graph: Graph, index: str, weights: str, rows: Array) -> str:
    """Sums of weights * rows[index], divided by those of the weights; (N, width)."""
    axis = graph.constant(ROWS)
    found = graph.op("Gather", graph.constant(rows), index, axis=0)
    deep = graph.op("Unsqueeze", weights, graph.constant(np.array([2], np.int64)))
    summed = graph.op("ReduceSum", graph.op("Mul", found, deep), axis, keepdims=0)
    return graph.op("Div", summed, graph.op("ReduceSum", weights, axis, keepdims=1))


def neighbour_classifier(graph: Graph, model: Any, value: Value) -> Outcome:
    index, weights = _neighbours(graph, model, value)
    classes = np.asarray(model.classes_)
    if isinstance(model.classes_, list):
        raise Unconvertible("it has several outputs")
    shares = _weighted(graph, index, weights, np.eye(len(classes))[np.ravel(model._y)])
    return Outcome(label=graph.op("ArgMax", shares, axis=1, keepdims=0), classes=classes, probabilities=shares)


def neighbour_regressor(graph: Graph, model: Any, value: Value) -> Outcome:
    index, weights = _neighbours(graph, model, value)
    return Outcome(values=_weighted(graph, index, weights, np.asarray(model._y, float).reshape(len(model._y), -1)))


def network(graph: Graph, model: Any, value: Value) -> Outcome:
    """MLPClassifier and MLPRegressor."""
    out = graph.numbers(value)
    for layer, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        out = product(graph, out, np.asarray(weights).T, bias)
        if layer < len(model.coefs_) - 1 and model.activation != "identity":
            out = graph.op(ACTIVATIONS[model.activation], out)
    if not hasattr(model, "classes_"):
        return Outcome(values=out)
    classes = np.asarray(model.classes_)
    if model.out_activation_ == "softmax":
        return likelihoods(graph, classes, out)
    if classes.ndim != 1 or len(classes) != 2:
        raise Unconvertible("it has several outputs of labels in one")
    both = two_sided(graph, out)
    label = graph.op("ArgMax", both, axis=1, keepdims=0)
    return Outcome(label=label, classes=classes, probabilities=graph.op("Sigmoid", both))


def quadratic(graph: Graph, model: Any, value: Value) -> Outcome:
    """QuadraticDiscriminantAnalysis: a Gaussian for each class."""
    matrix, joint = graph.numbers(value), []
    for mean, turn, scale, prior in zip(model.means_, model.rotations_, model.scalings_, model.priors_, strict=True):
        off = graph.op("Sub", matrix, graph.constant(mean))
        white = graph.op("MatMul", off, graph.constant(np.ascontiguousarray(turn * scale**-0.5)))
        size = graph.op("ReduceSumSquare", white, graph.constant(ROWS), keepdims=1)
        level = graph.constant(float(np.log(prior) - 0.5 * np.sum(np.log(scale))))
        joint.append(graph.op("Add", graph.op("Mul", size, graph.constant(-0.5)), level))
    return likelihoods(graph, np.asarray(model.classes_), graph.op("Concat", *joint, axis=1))


def envelope(graph: Graph, model: Any, value: Value) -> Outcome:
    """EllipticEnvelope: minus the squared Mahalanobis distance, above an offset."""
    off = graph.op("Sub", graph.numbers(value), graph.constant(np.asarray(model.location_)))
    turned = graph.op("MatMul", off, graph.constant(np.asarray(model.precision_)))
    apart = graph.op("ReduceSum", graph.op("Mul", turned, off), graph.constant(ROWS), keepdims=1)
    score = graph.op("Sub", graph.op("Neg", apart), graph.constant(float(model.offset_)))
    return Outcome(values=outlier(graph, score), score=score)


def mixture(graph: Graph, model: Any, value: Value) -> Outcome:
    """GaussianMixture: the component of which a row is likeliest; the terms that all share are left out."""
    matrix, joint = graph.numbers(value), []
    width, kind, turns = len(value), model.covariance_type, model.precisions_cholesky_
    for index, (mean, weight) in enumerate(zip(model.means_, model.weights_, strict=True)):
        turn = turns if kind == "tied" else turns[index]
        root = turn if kind in ("full", "tied") else np.diag(np.broadcast_to(turn, (width,)))
        white = product(graph, matrix, root.T, -mean @ root)
        size = graph.op("ReduceSumSquare", white, graph.constant(ROWS), keepdims=1)
        level = graph.constant(float(np.log(weight) + np.log(np.diag(root)).sum()))
        joint.append(graph.op("Add", graph.op("Mul", size, graph.constant(-0.5)), level))
    return Outcome(values=graph.op("ArgMax", graph.op("Concat", *joint, axis=1), axis=1, keepdims=0))
