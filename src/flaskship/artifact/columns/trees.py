"""Where the trees of a model split, whatever library grew them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from flaskship.schema import Array

Splits = tuple[Array, Array]  # feature index and threshold of every numeric split


def splits(model: Any) -> Splits | None:
    """Every numeric split of a fitted tree or of an ensemble of trees over the same columns; None of anything else."""
    library = type(model).__module__.partition(".")[0]
    if library == "xgboost":
        booster = model.get_booster() if hasattr(model, "get_booster") else model
        return xgboost(learner(booster))
    if library == "lightgbm":
        booster = getattr(model, "booster_", model)
        return lightgbm(booster.model_to_string())
    if library == "catboost":
        return catboost(model)
    if hasattr(getattr(model, "tree_", None), "children_left"):
        return _tree(model.tree_)
    if hasattr(model, "_predictors") and hasattr(model, "_bin_mapper"):
        return _histogram(model)
    trees = np.ravel(np.asarray(getattr(model, "estimators_", ()), dtype=object)).tolist()
    if not trees or not all(hasattr(getattr(tree, "tree_", None), "children_left") for tree in trees):
        return None
    columns = getattr(model, "estimators_features_", None)
    found = [_tree(tree.tree_) for tree in trees]
    if columns is not None:
        found = [(np.asarray(own)[features], values) for own, (features, values) in zip(columns, found, strict=True)]
    return _joined(found)


def by_feature(splits: Splits, count: int) -> list[Array]:
    """The thresholds of each of `count` features, each once and sorted."""
    features, values = splits
    order = np.argsort(features, kind="stable")
    edges = np.searchsorted(features[order], np.arange(count + 1))
    sorted_values = values[order]
    return [np.unique(sorted_values[start:stop]) for start, stop in itertools.pairwise(edges.tolist())]


def _joined(found: Iterable[Splits]) -> Splits:
    pairs = list(found)
    if not pairs:
        return np.empty(0, dtype=np.int64), np.empty(0)
    return np.concatenate([features for features, _ in pairs]), np.concatenate([values for _, values in pairs])


def _tree(tree: Any) -> Splits:
    inner = tree.children_left != -1
    return tree.feature[inner], tree.threshold[inner]


def _histogram(model: Any) -> Splits:
    found = []
    for iteration in model._predictors:
        for tree in iteration:
            nodes = tree.nodes
            inner = nodes[(nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)]
            found.append((inner["feature_idx"].astype(np.int64), inner["num_threshold"].astype(np.float64)))
    return _joined(found)


def learner(booster: Any) -> dict[str, Any]:
    """XGBoost's own JSON of a booster, from `learner` on."""
    found: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))["learner"]
    return found


def xgboost(learner: dict[str, Any]) -> Splits | None:
    """Of XGBoost's JSON; None of a linear booster."""
    grown = learner["gradient_booster"]
    grown = grown.get("gbtree", grown)  # dart
    if "trees" not in grown.get("model", {}):
        return None
    found = []
    for tree in grown["model"]["trees"]:
        inner = (np.array(tree["left_children"]) != -1) & (np.array(tree["split_type"]) == 0)
        found.append((np.array(tree["split_indices"])[inner], np.array(tree["split_conditions"], dtype=float)[inner]))
    return _joined(found)


def lightgbm(text: str) -> Splits:
    """Of LightGBM's text format; bit 0 of a decision type marks a categorical split."""
    rows: dict[str, list[Array]] = {"split_feature": [], "threshold": [], "decision_type": []}
    for line in text.splitlines():
        name, equals, numbers = line.partition("=")
        if equals and name in rows:
            rows[name].append(np.array(numbers.split(), dtype=np.float64))
    if not rows["threshold"]:
        return _joined(())
    features, values, kinds = (np.concatenate(rows[name]) for name in rows)
    numeric = kinds.astype(np.int64) & 1 == 0
    return features.astype(np.int64)[numeric], values[numeric]


def catboost(model: Any) -> Splits:
    """CatBoost's borders."""
    borders = {int(index): np.asarray(values, dtype=float) for index, values in model.get_borders().items()}
    return _joined((np.full(len(values), index), values) for index, values in borders.items())
