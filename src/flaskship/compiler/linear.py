"""Predictors that are a product with a matrix: linear and logistic models, discriminants, naive Bayes."""

from __future__ import annotations

from typing import Any

import numpy as np

from flaskship.compiler.graph import Graph, Outcome, Unconvertible, Value
from flaskship.schema import Array

LINKS = {"PoissonRegressor": "Exp", "GammaRegressor": "Exp"}


def dense(array: Any) -> Array:
    return np.asarray(array.toarray() if hasattr(array, "toarray") else array, np.float64)


def product(graph: Graph, matrix: str, coef: Any, intercept: Any) -> str:
    """matrix @ coef.T + intercept, (N, len(coef))."""
    weights = np.atleast_2d(dense(coef))
    bias = np.broadcast_to(np.asarray(intercept, np.float64).ravel(), (len(weights),))
    return graph.op("Gemm", matrix, graph.constant(np.ascontiguousarray(weights.T)), graph.constant(bias.copy()))


def regressor(graph: Graph, model: Any, value: Value) -> Outcome:
    values = product(graph, graph.numbers(value), model.coef_, model.intercept_)
    kind = type(model).__name__
    if kind in LINKS:
        values = graph.op(LINKS[kind], values)
    elif kind == "TweedieRegressor" and (model.link == "log" or (model.link == "auto" and model.power > 0)):
        values = graph.op("Exp", values)
    return Outcome(values=values)


def two_sided(graph: Graph, decision: str) -> str:
    """(N, 1) scores of the second class as (N, 2)."""
    return graph.op("Concat", graph.op("Neg", decision), decision, axis=1)


def classifier(graph: Graph, model: Any, value: Value) -> Outcome:
    matrix, classes = graph.numbers(value), np.asarray(model.classes_)
    coef, intercept = dense(model.coef_), np.asarray(model.intercept_, np.float64).ravel()
    if len(coef) > 1 and len(coef) != len(classes):
        raise Unconvertible("it has several outputs of labels in one")
    if len(coef) == 1:
        both = product(graph, matrix, np.vstack([-coef, coef]), np.concatenate([-intercept, intercept]))
    else:
        both = product(graph, matrix, coef, intercept)
    return scored(graph, model, classes, both)


def scored(graph: Graph, model: Any, classes: Array, both: str) -> Outcome:
    """Labels by the largest of the scores (N, classes), and probabilities as the estimator derives them from scores."""
    link = link_of(model, len(classes))
    return Outcome(
        label=graph.op("ArgMax", both, axis=1, keepdims=0),
        classes=classes,
        probabilities=_linked(graph, both, link, len(classes)) if link else "",
        decision=both,
    )


def link_of(model: Any, classes: int) -> str:
    """How the estimator makes probabilities of its scores; empty where it makes none."""
    kind = type(model).__name__
    if kind in ("LogisticRegression", "LogisticRegressionCV"):
        scheme = getattr(model, "multi_class", "auto")
        each = (
            scheme == "ovr"
            or (scheme in ("auto", "deprecated", "warn") and classes == 2)
            or model.solver == "liblinear"
        )
        return "sigmoid" if each or (classes == 2 and scheme != "multinomial") else "softmax"
    if kind == "LinearDiscriminantAnalysis":
        return "sigmoid" if classes == 2 else "softmax"
    if kind == "SGDClassifier":
        return {"log_loss": "sigmoid", "modified_huber": "huber"}.get(model.loss, "")
    return ""


def _linked(graph: Graph, both: str, link: str, classes: int) -> str:
    if link == "softmax":
        return graph.op("Softmax", both, axis=1)
    if link == "huber":
        if classes > 2:
            raise Unconvertible("no graph is known for modified_huber with more than two classes")
        clipped = graph.op("Clip", both, graph.constant(-1.0), graph.constant(1.0))
        return graph.op("Div", graph.op("Add", clipped, graph.constant(1.0)), graph.constant(2.0))
    each = graph.op("Sigmoid", both)
    return each if classes == 2 else normalised(graph, each)


def normalised(graph: Graph, matrix: str) -> str:
    total = graph.op("ReduceSum", matrix, graph.constant(np.array([1], np.int64)), keepdims=1)
    return graph.op("Div", matrix, total)


def naive_bayes(graph: Graph, model: Any, value: Value) -> Outcome:
    """Multinomial, complement and Bernoulli: joint log likelihoods are linear in the counts."""
    matrix, kind = graph.numbers(value), type(model).__name__
    coef = np.asarray(model.feature_log_prob_)
    prior = np.asarray(model.class_log_prior_)
    if kind == "BernoulliNB":
        if model.binarize is not None:
            matrix = graph.cast(graph.op("Greater", matrix, graph.constant(float(model.binarize))))
        absent = np.log(1 - np.exp(coef))
        coef, prior = coef - absent, prior + absent.sum(axis=1)
    elif kind == "ComplementNB" and len(model.classes_) > 1:
        prior = np.zeros_like(prior)
    return likelihoods(graph, np.asarray(model.classes_), product(graph, matrix, coef, prior))


def gaussian(graph: Graph, model: Any, value: Value) -> Outcome:
    apart = graph.op("Unsqueeze", graph.numbers(value), graph.constant(np.array([1], np.int64)))
    off = graph.op("Sub", apart, graph.constant(model.theta_[None]))
    squared = graph.op("Div", graph.op("Mul", off, off), graph.constant(model.var_[None]))
    total = graph.op("ReduceSum", squared, graph.constant(np.array([2], np.int64)), keepdims=0)
    base = np.log(model.class_prior_) - 0.5 * np.sum(np.log(2.0 * np.pi * model.var_), axis=1)
    joint = graph.op("Add", graph.op("Mul", total, graph.constant(-0.5)), graph.constant(base))
    return likelihoods(graph, np.asarray(model.classes_), joint)


def likelihoods(graph: Graph, classes: Array, joint: str) -> Outcome:
    return Outcome(
        label=graph.op("ArgMax", joint, axis=1, keepdims=0),
        classes=classes,
        probabilities=graph.op("Softmax", joint, axis=1),
        decision=joint,
    )


def one_class(graph: Graph, model: Any, value: Value) -> Outcome:
    """SGDOneClassSVM."""
    score = product(graph, graph.numbers(value), model.coef_, -np.asarray(model.offset_))
    return Outcome(values=outlier(graph, score), score=score)


def outlier(graph: Graph, score: str, *, strictly: bool = False) -> str:
    """1 for an inlier, where the score is >= 0 (`strictly`: > 0), else -1, (N,) int64."""
    inside = graph.op("Greater" if strictly else "GreaterOrEqual", score, graph.constant(0.0))
    signs = graph.op("Where", inside, graph.constant(np.int64(1)), graph.constant(np.int64(-1)))
    return graph.op("Reshape", signs, graph.constant(np.array([-1], np.int64)))


def dummy(graph: Graph, model: Any, value: Value) -> Outcome:
    """The same for every row; a score of its own for each class says which comes first."""
    width = len(value)
    if not hasattr(model, "classes_"):
        constant = np.ravel(model.constant_)
        return Outcome(values=product(graph, graph.numbers(value), np.zeros((len(constant), width)), constant))
    if model.strategy not in ("prior", "most_frequent", "constant") or model.n_outputs_ != 1:
        raise Unconvertible(f"it guesses by {model.strategy!r}")
    shares = np.asarray(model.predict_proba(np.zeros((1, width))))[0]
    made = product(graph, graph.numbers(value), np.zeros((len(shares), width)), shares)
    return Outcome(
        label=graph.op("ArgMax", made, axis=1, keepdims=0), classes=np.asarray(model.classes_), probabilities=made
    )
