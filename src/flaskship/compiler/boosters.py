"""Readers of XGBoost's, LightGBM's and CatBoost's models, from the files that they themselves write."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from flaskship.compiler.graph import Graph, Outcome, Unconvertible, Value
from flaskship.compiler.linear import two_sided
from flaskship.compiler.trees import Ensemble, emit, in_double, join, stub
from flaskship.schema import Array

FLOAT, DOUBLE, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64
ZERO: Final = float(np.float32(1e-35))
LOGIT: Final = ("binary:logistic", "reg:logistic", "binary:logitraw")
LOG: Final = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
IDENTITY: Final = (
    "reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror", "reg:squaredlogerror",
    "rank:pairwise", "rank:ndcg", "rank:map",
)  # fmt: skip


def xgboost(graph: Graph, model: Any, value: Value) -> Outcome:
    """XGBoost sums in single precision: the graph does the same, in the same order."""
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective = learner["objective"]["name"]
    parameters = learner["learner_model_param"]
    targets = max(int(parameters["num_class"]), int(parameters.get("num_target", 1)), 1)
    start = np.array(json.loads(parameters["base_score"]), np.float32).ravel()
    margin = _margin(objective, np.broadcast_to(start, (targets,)).astype(np.float32))
    stop = _rounds(model, learner)
    raw = emit(graph, graph.numbers(value), _xgboost_trees(learner, margin, targets, stop))
    return _xgboost_outcome(graph, model, raw, objective, targets)


def _margin(objective: str, score: Array) -> Array:
    """What the sum starts from: the base score before the objective's link."""
    if objective in LOGIT:
        return -np.log(np.float32(1) / score - np.float32(1))
    if objective in LOG:
        return np.log(score)
    return score


def _rounds(model: Any, learner: Any) -> int | None:
    """How many boosting rounds `predict` of the scikit-learn wrapper that made it uses; None for all."""
    attributes = learner.get("attributes", {})
    best = attributes.get("best_iteration")
    wrapped = hasattr(model, "get_booster") or "scikit_learn" in attributes
    return int(best) + 1 if best is not None and wrapped else None


def _xgboost_trees(learner: Any, margin: Array, targets: int, rounds: int | None) -> Ensemble:
    booster = learner["gradient_booster"]
    weights = booster.get("weight_drop", [])
    booster = booster.get("gbtree", booster)
    if "trees" not in booster.get("model", {}):
        raise Unconvertible("XGBoost's linear booster is not a tree ensemble")
    grown, of_target = booster["model"]["trees"], booster["model"]["tree_info"]
    if rounds is not None:
        parallel = int(booster["model"]["gbtree_model_param"].get("num_parallel_tree", 1))
        grown = grown[: rounds * targets * parallel]
    trees = [stub(margin)]
    for position, tree in enumerate(grown):
        if int(tree["tree_param"].get("size_leaf_vector", 1)) > 1:
            raise Unconvertible("its leaves hold several outputs each")
        wide = np.eye(targets, dtype=np.float32)[of_target[position]]
        trees.append(_xgboost_tree(tree, wide * np.float32(weights[position] if weights else 1)))
    return join(trees)


def _xgboost_tree(tree: Any, wide: Array) -> Ensemble:
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    default = np.array(tree["default_left"], bool)
    condition = np.array(tree["split_conditions"], np.float32)
    starts, sizes = tree["categories_segments"], tree["categories_sizes"]
    members = {
        int(node): np.array(tree["categories"][start : start + size], np.float64)
        for node, start, size in zip(tree["categories_nodes"], starts, sizes, strict=True)
    }
    for node in members:  # XGBoost's categories go right
        left[node], right[node], default[node] = right[node], left[node], not default[node]
    return Ensemble(
        roots=np.array([0]),
        feature=np.array(tree["split_indices"], np.int64),
        threshold=condition,
        left=left,
        right=right,
        missing_left=default,
        weights=np.where(left < 0, condition, np.float32(0))[:, None] * wide,
        members=members,
        single=True,
    )


def _xgboost_outcome(graph: Graph, model: Any, raw: str, objective: str, targets: int) -> Outcome:
    classes = getattr(model, "classes_", None)
    if objective in ("multi:softprob", "multi:softmax"):
        shares = graph.cast(graph.op("Softmax", graph.cast(raw), axis=1), FLOAT)
        label = graph.op("ArgMax", shares, axis=1, keepdims=0)
        return Outcome(label=label, classes=_classes(classes, targets), probabilities=graph.cast(shares))
    if objective in ("binary:logistic", "reg:logistic"):
        share = logistic(graph, raw)
        if objective == "reg:logistic" or targets > 1:
            return Outcome(values=graph.cast(share))
        both = graph.op("Concat", graph.op("Sub", graph.constant(np.float32(1)), share), share, axis=1)
        over = graph.op("Greater", share, graph.constant(np.float32(0.5)))
        return Outcome(label=flat(graph, over), classes=_classes(classes, 2), probabilities=graph.cast(both))
    if objective in LOG:
        return Outcome(values=graph.op("Exp", graph.cast(raw)))
    if objective not in IDENTITY:
        raise Unconvertible(f"no graph is known for XGBoost's objective {objective!r}")
    return Outcome(values=graph.cast(raw))


def _classes(known: Any, count: int) -> Array:
    return np.arange(count) if known is None else np.asarray(known)


def flat(graph: Graph, condition: str) -> str:
    """(N, 1) bool as (N,) int64."""
    return graph.op("Reshape", graph.cast(condition, INT64), graph.constant(np.array([-1], np.int64)))


def logistic(graph: Graph, raw: str) -> str:
    """XGBoost's sigmoid, rounded to float32 wherever it rounds (common/math.h)."""
    power = graph.op("Min", graph.op("Neg", raw), graph.constant(np.float32(88.7)))
    power = graph.cast(graph.op("Exp", graph.cast(power)), FLOAT)
    one = graph.constant(np.float32(1))
    return graph.op("Div", one, graph.op("Add", power, one))


def lightgbm(graph: Graph, model: Any, value: Value) -> Outcome:
    """LightGBM compares and sums in double precision."""
    booster = getattr(model, "booster_", model)
    header, *parts = booster.model_to_string().split("\nTree=")
    settings = dict(line.partition("=")[::2] for line in header.splitlines())
    targets = int(settings["num_tree_per_iteration"])
    trees = [_lightgbm_tree(part, np.eye(targets)[place % targets]) for place, part in enumerate(parts)]
    if not trees:
        raise Unconvertible("it has no trees")
    matrix = graph.numbers(value)
    if any(zero for _, zero in trees):  # zero_as_missing
        small = graph.op("LessOrEqual", graph.op("Abs", matrix), graph.constant(ZERO))
        matrix = graph.op("Where", small, graph.constant(np.nan), matrix)
    raw = emit(graph, matrix, join([tree for tree, _ in trees]))
    if "average_output" in settings:
        raw = graph.op("Div", raw, graph.constant(float(len(trees) // targets)))
    return _lightgbm_outcome(graph, model, raw, settings.get("objective", ""), targets)


def _lightgbm_tree(text: str, wide: Array) -> tuple[Ensemble, bool]:
    """A tree of the text format, and whether zero counts as missing in it. Leaf i is ~i there, after the nodes here."""
    own = dict(line.partition("=")[::2] for line in text.splitlines())
    if own.get("is_linear") == "1":
        raise Unconvertible("its leaves are linear models")

    def numbers(name: str, dtype: Any = np.int64) -> Array:
        return np.array(own.get(name, "").split(), np.float64).astype(dtype)

    leaves, kind, threshold = (
        numbers("leaf_value", np.float64),
        numbers("decision_type"),
        numbers("threshold", np.float64),
    )
    count = len(kind)
    pad, none = np.zeros(len(leaves)), np.full(len(leaves), -1)
    left, right = (np.where(side < 0, count + ~side, side) for side in (numbers("left_child"), numbers("right_child")))
    missing = kind >> 2 & 3  # 0: a gap is 0.0, 1: zero and a gap go the default way, 2: a gap does
    missing_left = np.where(missing == 0, threshold >= 0.0, kind & 2 > 0) & (kind & 1 == 0)
    bounds, bits = numbers("cat_boundaries"), numbers("cat_threshold").astype("<u4")
    categories = threshold.astype(np.int64)
    tree = Ensemble(
        roots=np.array([0]),
        feature=np.concatenate([numbers("split_feature"), pad]).astype(np.int64),
        threshold=np.concatenate([_around_zero(threshold), pad]),
        left=np.concatenate([left, none]),
        right=np.concatenate([right, none]),
        missing_left=np.concatenate([missing_left, pad.astype(bool)]),
        weights=np.concatenate([np.zeros(count), leaves])[:, None] * wide,
        members={
            int(node): bit_members(bits[bounds[categories[node]] : bounds[categories[node] + 1]])
            for node in np.flatnonzero(kind & 1)
        },
    )
    return tree, bool((missing == 1).any())


def _around_zero(threshold: Array) -> Array:
    """LightGBM takes values within 1e-35 of zero for zero (meta.h, kZeroThreshold): all go one way."""
    inside = np.abs(threshold) <= ZERO
    return np.where(inside, np.where(threshold >= 0, ZERO, np.nextafter(-ZERO, -np.inf)), threshold)


def bit_members(words: Array) -> Array:
    """The numbers whose bits are set in little-endian 32-bit words, as float64."""
    return np.flatnonzero(np.unpackbits(np.ascontiguousarray(words, "<u4").view(np.uint8), bitorder="little")).astype(
        float
    )


def _lightgbm_outcome(graph: Graph, model: Any, raw: str, objective: str, targets: int) -> Outcome:
    kind, *options = objective.split()
    slope = next((float(each.partition(":")[2]) for each in options if each.startswith("sigmoid:")), 1.0)
    steep = raw if slope == 1 else graph.op("Mul", raw, graph.constant(slope))
    classes = getattr(model, "classes_", None)
    if kind in ("multiclass", "multiclassova"):
        shares = graph.op("Softmax", raw, axis=1) if kind == "multiclass" else graph.op("Sigmoid", steep)
        label = graph.op("ArgMax", shares, axis=1, keepdims=0)
        return Outcome(label=label, classes=_classes(classes, targets), probabilities=shares)
    if kind in ("binary", "cross_entropy"):
        share = graph.op("Sigmoid", steep)
        if kind != "binary" and classes is None:
            return Outcome(values=share)
        both = graph.op("Concat", graph.op("Sub", graph.constant(1.0), share), share, axis=1)
        label = graph.op("ArgMax", both, axis=1, keepdims=0)
        return Outcome(label=label, classes=_classes(classes, 2), probabilities=both)
    if kind in ("poisson", "gamma", "tweedie"):
        return Outcome(values=graph.op("Exp", raw))
    if kind not in ("regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg"):
        raise Unconvertible(f"no graph is known for LightGBM's objective {objective!r}")
    if "sqrt" in options:
        raw = graph.op("Mul", raw, graph.op("Abs", raw))
    return Outcome(values=raw)


def catboost(graph: Graph, model: Any, value: Value) -> Outcome:
    """CatBoost compares in float32 and sums in double precision; its trees are symmetric, or nested."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        written = json.loads(path.read_text())
    about = written["features_info"]
    if about.get("categorical_features") or about.get("text_features") or "oblivious_trees" not in written:
        raise Unconvertible("CatBoost keeps category and text statistics, and uneven trees, in a form of its own")
    floats = about["float_features"]
    place = np.array([each["flat_feature_index"] for each in floats])
    right_gap = np.array([each["nan_value_treatment"] == "AsTrue" for each in floats])
    scale, bias = written["scale_and_bias"]
    trees = [_symmetric(tree, place, right_gap) for tree in written["oblivious_trees"]]
    raw = emit(graph, graph.numbers(value), join(trees))
    if scale != 1:
        raw = graph.op("Mul", raw, graph.constant(float(scale)))
    if np.any(bias):
        raw = graph.op("Add", raw, graph.constant(np.asarray(bias, np.float64)))
    return _catboost_outcome(graph, model, raw, trees[0].targets)


def _symmetric(tree: Any, place: Array, right_gap: Array) -> Ensemble:
    """A tree with one split a level; split i sets bit i of a leaf's index, so that the last one is the root here."""
    splits = (tree["splits"] or [])[::-1]
    depth = len(splits)
    if any(each["split_type"] != "FloatFeature" for each in splits):
        raise Unconvertible("CatBoost splits on something else than numbers")
    inner = 2**depth - 1
    nodes = np.arange(2 * inner + 1)
    own = np.array([each["float_feature_index"] for each in splits], np.int64)
    border = in_double(np.array([each["border"] for each in splits], np.float32).astype(np.float64))
    level = np.log2(nodes[:inner] + 1).astype(np.int64)
    leaves = np.array(tree["leaf_values"], np.float64).reshape(inner + 1, -1)
    pad = np.zeros(inner + 1)
    return Ensemble(
        roots=np.array([0]),
        feature=np.concatenate([place[own[level]], pad]).astype(np.int64),
        threshold=np.concatenate([border[level], pad]),
        left=np.where(nodes < inner, 2 * nodes + 1, -1),
        right=np.where(nodes < inner, 2 * nodes + 2, -1),
        missing_left=np.concatenate([~right_gap[own[level]], pad > 0]),
        weights=np.concatenate([np.zeros((inner, leaves.shape[1])), leaves]),
    )


def _catboost_outcome(graph: Graph, model: Any, raw: str, targets: int) -> Outcome:
    classes = np.asarray(getattr(model, "classes_", ()))
    loss = str(model.get_all_params().get("loss_function", "")).partition(":")[0]
    if len(classes) and targets > 1:
        shares = graph.op("Sigmoid", raw) if loss == "MultiClassOneVsAll" else graph.op("Softmax", raw, axis=1)
        label = graph.op("ArgMax", raw, axis=1, keepdims=0)
        return Outcome(label=label, classes=classes, probabilities=shares)
    if len(classes):
        label = flat(graph, graph.op("Greater", raw, graph.constant(0.0)))
        return Outcome(label=label, classes=classes, probabilities=graph.op("Sigmoid", two_sided(graph, raw)))
    return Outcome(values=graph.op("Exp", raw) if loss in ("Poisson", "Tweedie") else raw)
