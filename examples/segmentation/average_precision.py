"""Mask AP as COCO has it: the area under precision over recall, at 101 recalls, averaged over the classes.

    average_precision(found, true, iou=0.5)    0 to 1

A found object is right where its mask's intersection over union with a true one of its class, which no better-scored
one has taken, is at least `iou`. Source: https://github.com/cocodataset/cocoapi/blob/master/PythonAPI/pycocotools/cocoeval.py
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RECALLS = np.linspace(0, 1, 101)
THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of intersection over union, for AP 0.5:0.95


class Objects(NamedTuple):
    """Those of one picture; the score of a true one is not read."""

    classes: npt.NDArray[np.int64]  # (n,)
    masks: npt.NDArray[np.bool_]  # (n, height, width)
    scores: npt.NDArray[np.float64]  # (n,)


def average_precision(found: Sequence[Objects], true: Sequence[Objects], iou: float) -> float:
    """Of all pictures; nan where they hold no true object."""
    classes = sorted({int(each) for objects in true for each in objects.classes})
    return float(np.mean([_of_class(found, true, each, iou) for each in classes])) if classes else float("nan")


def _of_class(found: Sequence[Objects], true: Sequence[Objects], number: int, iou: float) -> float:
    scores, right, total = [], [], 0
    for some, others in zip(found, true, strict=True):
        mine, theirs = some.classes == number, others.classes == number
        total += int(theirs.sum())
        order = np.argsort(-some.scores[mine], kind="stable")
        scores.extend(some.scores[mine][order])
        right.extend(matched(overlaps(some.masks[mine][order], others.masks[theirs]), iou))
    ranked = np.array(right, bool)[np.argsort(-np.array(scores), kind="stable")]
    hits = np.cumsum(ranked)
    precision = hits / np.arange(1, len(hits) + 1)
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)  # at this recall or a higher one
    return float(best[np.searchsorted(hits / total, RECALLS)].mean())


def overlaps(some: npt.NDArray[np.bool_], others: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Intersection over union of each with each: (some, others)."""
    one, other = (each.reshape(len(each), math.prod(each.shape[1:])).astype(np.float64) for each in (some, others))
    common = one @ other.T
    return common / np.maximum(one.sum(1)[:, None] + other.sum(1)[None] - common, 1)


def matched(shared: npt.NDArray[np.float64], iou: float) -> list[bool]:
    """Whether each found object, the best first, gets a true one of its own. `shared` is (found, true)."""
    free, right = np.ones(shared.shape[1], bool), []
    for row in shared:
        allowed = np.where(free, row, -1.0)
        best = int(allowed.argmax()) if len(allowed) else 0
        right.append(bool(len(allowed)) and allowed[best] >= iou)
        if right[-1]:
            free[best] = False
    return right
