"""Encoders of categories: each column's value becomes its place among the known ones, then a number or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from flaskship.artifact.columns.categories import absent
from flaskship.compiler.graph import ML, Graph, Outcome, Unconvertible, Value
from flaskship.compiler.linear import likelihoods
from flaskship.compiler.steps import NULL
from flaskship.schema import Array

MISSING: Final = -1.7e308  # stands for NaN where NaN is a category


def place(graph: Graph, value: Value, known: Sequence[Any], places: Sequence[int], other: int = -1) -> str:
    """For one column: `places[i]` where it is `known[i]`, else `other`; (N, 1) int64."""
    column = graph.matrix(value)
    if graph.is_text(value):
        keys = [NULL if absent(each) else str(each) for each in known]
        if len(set(keys)) != len(keys):
            raise Unconvertible("two of its categories are the same as text")
        made = np.array(places, np.int64)
        return graph.op("LabelEncoder", column, domain=ML, keys_strings=keys, values_int64s=made, default_int64=other)
    try:
        numbers = np.array([MISSING if absent(each) else float(each) for each in known])
    except (TypeError, ValueError) as error:
        raise Unconvertible("its categories are texts, its column is of numbers") from error
    if MISSING in numbers:
        column = graph.op("Where", graph.op("IsNaN", column), graph.constant(MISSING), column)
    hit = graph.cast(graph.op("Equal", column, graph.constant(numbers[None])))
    steps = np.array(places, np.float64)[:, None] - other
    found = graph.op("MatMul", hit, graph.constant(steps))
    return graph.cast(graph.op("Add", found, graph.constant(float(other))), 7)


def table(graph: Graph, value: Value, known: Sequence[Any], values: Array, other: Array | float) -> str:
    """For one column: `values[i]` where it is `known[i]`, else `other`; (N, width) float64."""
    rows = np.vstack([np.reshape(values, (len(known), -1)), np.reshape(other, (1, -1))]).astype(np.float64)
    found = graph.op("Reshape", place(graph, value, known, range(len(known))), graph.constant(np.array([-1], np.int64)))
    return graph.op("Gather", graph.constant(rows), found, axis=0)  # -1 is the last row


def coded(graph: Graph, value: Value, codes: Sequence[Any]) -> Value:
    """A column as its places in `codes`; NaN for a gap and for any other value."""
    return graph.value(table(graph, value, codes, np.arange(len(codes)), np.nan), 1)


def _grouped(step: Any, index: int, known: Sequence[Any]) -> tuple[list[int], int | None]:
    """Places of the categories once the infrequent ones are one, and that one's."""
    mappings = getattr(step, "_default_to_infrequent_mappings", None)
    if mappings is None or mappings[index] is None:
        return list(range(len(known))), None
    return [int(each) for each in mappings[index]], int(max(mappings[index]))


def one_hot(graph: Graph, step: Any, value: Value) -> Value:
    out = Value(())
    drop = step._drop_idx_after_grouping if step.drop_idx_ is not None else None
    for index, categories in enumerate(step.categories_):
        known = list(categories)
        places, infrequent = _grouped(step, index, known)
        other = (
            infrequent if infrequent is not None and step.handle_unknown in ("infrequent_if_exist", "warn") else None
        )
        found = place(graph, value[[index]], known, places, -1 if other is None else other)
        width = max(places) + 1
        kept = [each for each in range(width) if drop is None or drop[index] is None or each != drop[index]]
        hit = graph.op("Equal", found, graph.constant(np.array([kept], np.int64)))
        out += graph.value(graph.cast(hit), len(kept))
    return out


def ordinal(graph: Graph, step: Any, value: Value) -> Value:
    out = Value(())
    unknown = np.nan if step.unknown_value is None else float(step.unknown_value)
    for index, categories in enumerate(step.categories_):
        known = list(categories)
        places, _ = _grouped(step, index, known)
        gap = step.encoded_missing_value
        values = np.array([gap if absent(each) else code for each, code in zip(known, places, strict=False)], float)
        out += graph.value(table(graph, value[[index]], known, values, unknown), 1)
    return out


def target(graph: Graph, step: Any, value: Value) -> Value:
    """TargetEncoder: the smoothed mean of the target, one a class where there are several."""
    classes = len(step.classes_) if step.target_type_ == "multiclass" else 1
    out = Value(())
    for index, categories in enumerate(step.categories_):
        values = np.stack([step.encodings_[index * classes + turn] for turn in range(classes)], axis=1)
        out += graph.value(table(graph, value[[index]], list(categories), values, step.target_mean_), classes)
    return out


def bins(graph: Graph, step: Any, value: Value) -> Value:
    """KBinsDiscretizer: the number of inner edges that a value has reached."""
    out = Value(())
    axis = graph.constant(np.array([1], np.int64))
    for index, edges in enumerate(step.bin_edges_):
        column = graph.numbers(value[[index]])
        count = len(edges) - 1
        if count > 1:
            reached = graph.op("GreaterOrEqual", column, graph.constant(np.asarray(edges[1:-1], float)[None]))
            number = graph.op("ReduceSum", graph.cast(reached), axis, keepdims=1)
        else:
            number = graph.op("Mul", column, graph.constant(0.0))
        if step.encode != "ordinal":
            number = graph.cast(graph.op("Equal", number, graph.constant(np.arange(count, dtype=float)[None])))
        out += graph.value(number, 1 if step.encode == "ordinal" else count)
    return out


def dictionary(graph: Graph, step: Any, value: Value) -> Value:
    """DictVectorizer: a number as it is, a text as one column a value that was seen."""
    out = Value(())
    for feature in step.feature_names_:
        name, separator, text = str(feature).partition(step.separator)
        column = value[[graph.names.index(name)]]
        if separator:
            found = place(graph, column, [text], [0])
            out += graph.value(graph.cast(graph.op("Equal", found, graph.constant(np.array([[0]], np.int64)))), 1)
        else:
            out += column
    return out


def categorical(graph: Graph, model: Any, value: Value) -> Outcome:
    """CategoricalNB: a log likelihood for each category of each column."""
    joint = graph.constant(np.asarray(model.class_log_prior_)[None])
    for index, logs in enumerate(model.feature_log_prob_):
        known = list(range(logs.shape[1]))
        joint = graph.op("Add", joint, table(graph, value[[index]], known, logs.T, np.full(len(logs), np.nan)))
    return likelihoods(graph, np.asarray(model.classes_), joint)
