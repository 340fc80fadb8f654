"""One description of every tree ensemble, and the one way in which it becomes ONNX.

A row starts at each root and goes to `left` where its value is <= threshold (or, at a categorical node, among
`members`), to `right` otherwise, and where `missing_left` says when the value is NaN. The weights of the leaves that it
reaches are summed in double precision, tree by tree in order, as the libraries do it, so that ties stay ties.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from flaskship.compiler.graph import ML, Graph, tensor
from flaskship.schema import Array

LESS_OR_EQUAL: Final = 0  # of TreeEnsemble's nodes_modes
LESS: Final = 1
MEMBER: Final = 6
SUM: Final = 1
CACHED: Final = 100_000  # nodes and leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """Nodes of all trees, numbered through; a leaf has left == -1."""

    roots: Array  # (trees,)
    feature: Array  # (nodes,) int64
    threshold: Array  # (nodes,) float64
    left: Array  # (nodes,) int64, node or -1
    right: Array
    missing_left: Array  # (nodes,) bool
    weights: Array  # (nodes, targets) float64; of leaves only
    members: Mapping[int, Array] = field(default_factory=dict)  # node -> float64 values that go left
    single: bool = False  # compares (by <) and sums in float32

    @property
    def targets(self) -> int:
        return int(self.weights.shape[1])


def join(trees: Sequence[Ensemble]) -> Ensemble:
    """One ensemble of several, in order."""
    starts = np.cumsum([0, *[len(tree.feature) for tree in trees[:-1]]])
    pairs = list(zip(trees, starts, strict=True))

    def moved(name: str) -> Array:
        parts = [np.asarray(getattr(tree, name)) for tree in trees]
        return np.concatenate([np.where(part < 0, -1, part + start) for part, start in zip(parts, starts, strict=True)])

    def joined(name: str) -> Array:
        return np.concatenate([getattr(tree, name) for tree in trees])

    return Ensemble(
        roots=moved("roots"),
        feature=joined("feature"),
        threshold=joined("threshold"),
        left=moved("left"),
        right=moved("right"),
        missing_left=joined("missing_left"),
        weights=joined("weights"),
        members={int(node + start): values for tree, start in pairs for node, values in tree.members.items()},
        single=any(tree.single for tree in trees),
    )


def stub(weights: Array) -> Ensemble:
    """Trees of one leaf, one for each target: what sums start from."""
    count = len(weights)
    none = np.full(count, -1)
    return Ensemble(
        roots=np.arange(count),
        feature=np.zeros(count, np.int64),
        threshold=np.zeros(count),
        left=none,
        right=none,
        missing_left=np.zeros(count, bool),
        weights=np.diag(np.asarray(weights, np.float64)),
    )


def in_double(threshold: Array, *, below: bool = False) -> Array:
    """The largest double that, rounded to float32, is <= threshold (`below`: < threshold).

    It takes the cast of the input out of the graph: rounding is to the nearest, ties to the even one (IEEE 754).
    """
    with np.errstate(over="ignore", invalid="ignore"):  # at the ends of float32's range
        low = threshold.astype(np.float32)
        over = low >= threshold if below else low > threshold
        low = np.where(over, np.nextafter(low, np.float32(-np.inf)), low)
        high = np.nextafter(low, np.float32(np.inf))
        middle = (low.astype(np.float64) + high.astype(np.float64)) / 2
    even = (low.view(np.int32) & 1) == 0
    return np.where(even, middle, np.nextafter(middle, -np.inf))


def emit(graph: Graph, matrix: str, trees: Ensemble, *, any_order: bool = False) -> str:
    """The sums, (N, targets), in float32 where the ensemble is `single`.

    Where the order of summing is free (`any_order`, or whole numbers) a large forest becomes several nodes, each of
    which stays in the processor's cache over all rows of a batch: four times as fast for a million nodes.
    """
    whole = bool((trees.weights == np.round(trees.weights)).all())
    parts = _parts(trees) if (any_order or whole) and not trees.single else [trees]
    sums = [_emit(graph, matrix, part) for part in parts]
    return sums[0] if len(sums) == 1 else graph.op("Sum", *sums)


def _parts(trees: Ensemble) -> list[Ensemble]:
    """Runs of trees of about `CACHED` nodes; a tree's root is its first node."""
    bounds = np.append(trees.roots, len(trees.left))
    parts = []
    start = 0
    while start < len(trees.roots):
        stop = max(start + 1, int(np.searchsorted(bounds, bounds[start] + CACHED, "right")) - 1)
        parts.append(_part(trees, start, stop, slice(int(bounds[start]), int(bounds[stop]))))
        start = stop
    return parts


def _part(trees: Ensemble, start: int, stop: int, nodes: slice) -> Ensemble:
    inside = {node - nodes.start: values for node, values in trees.members.items() if nodes.start <= node < nodes.stop}
    left, right = trees.left[nodes], trees.right[nodes]
    return replace(
        trees,
        roots=trees.roots[start:stop] - nodes.start,
        feature=trees.feature[nodes],
        threshold=trees.threshold[nodes],
        left=np.where(left < 0, -1, left - nodes.start),
        right=np.where(right < 0, -1, right - nodes.start),
        missing_left=trees.missing_left[nodes],
        weights=trees.weights[nodes],
        members=inside,
    )


def _emit(graph: Graph, matrix: str, trees: Ensemble) -> str:
    if trees.single:
        matrix = graph.cast(matrix, TensorProto.FLOAT)
    trees = _rooted(trees)
    inner = trees.left >= 0
    nodes, leaves = np.flatnonzero(inner), np.flatnonzero(~inner)
    place = np.empty(len(inner), np.int64)  # TreeEnsemble numbers nodes and leaves apart
    place[nodes], place[leaves] = np.arange(len(nodes)), np.arange(len(leaves))
    copies = _single_target(trees.weights[leaves])

    def refer(to: Array) -> Array:
        step = np.where(inner[to], len(nodes), len(leaves))
        return np.concatenate([place[to] + copy * step for copy in range(len(copies))])

    left, right = trees.left[nodes], trees.right[nodes]
    real = np.float32 if trees.single else np.float64
    return graph.op(
        "TreeEnsemble",
        matrix,
        domain=ML,
        n_targets=trees.targets,
        aggregate_function=SUM,
        post_transform=0,
        nodes_truenodeids=refer(left),
        nodes_falsenodeids=refer(right),
        nodes_trueleafs=np.tile((~inner[left]).astype(np.int64), len(copies)),
        nodes_falseleafs=np.tile((~inner[right]).astype(np.int64), len(copies)),
        leaf_targetids=np.concatenate([target for target, _ in copies]),
        leaf_weights=tensor(np.concatenate([weight for _, weight in copies]).astype(real)),
        tree_roots=refer(trees.roots),
        **_conditions(trees, nodes, place, len(copies)),
    )


def _conditions(trees: Ensemble, nodes: Array, place: Array, count: int) -> dict[str, Any]:
    """What TreeEnsemble's nodes compare, `count` times over."""
    real = np.float32 if trees.single else np.float64
    modes = np.full(len(nodes), LESS if trees.single else LESS_OR_EQUAL, np.uint8)
    modes[place[list(trees.members)] if trees.members else []] = MEMBER
    found: dict[str, Any] = {
        "nodes_featureids": np.tile(trees.feature[nodes].astype(np.int64), count),
        "nodes_splits": tensor(np.tile(trees.threshold[nodes].astype(real), count)),
        "nodes_modes": tensor(np.tile(modes, count)),
    }
    if trees.missing_left[nodes].any():
        found["nodes_missing_value_tracks_true"] = np.tile(trees.missing_left[nodes].astype(np.int64), count)
    if trees.members:  # each node's values, then NaN
        listed = [value for node in sorted(trees.members) for value in [*trees.members[node], np.nan]]
        found["membership_values"] = tensor(np.tile(np.array(listed, real), count))
    return found


def _rooted(trees: Ensemble) -> Ensemble:
    """A node before each root that is a leaf, both its ways to the leaf: TreeEnsemble's roots are nodes."""
    alone = trees.roots[trees.left[trees.roots] < 0]
    size, count = len(trees.left), len(alone)
    roots = trees.roots.copy()
    roots[trees.left[trees.roots] < 0] = size + np.arange(count)
    return replace(
        trees,
        roots=roots,
        feature=np.concatenate([trees.feature, np.zeros(count, np.int64)]),
        threshold=np.concatenate([trees.threshold, np.zeros(count)]),
        left=np.concatenate([trees.left, alone]),
        right=np.concatenate([trees.right, alone]),
        missing_left=np.concatenate([trees.missing_left, np.zeros(count, bool)]),
        weights=np.concatenate([trees.weights, np.zeros((count, trees.targets))]),
    )


def _single_target(weights: Array) -> list[tuple[Array, Array]]:
    """(targets, weights) of the leaves of each copy of the trees: a leaf of TreeEnsemble has one target."""
    if (np.count_nonzero(weights, axis=1) <= 1).all():
        return [(np.abs(weights).argmax(axis=1), weights.sum(axis=1))]
    return [(np.full(len(weights), target), weights[:, target]) for target in range(weights.shape[1])]
