"""Values that a tree model was not trained on: raw numbers given to splits that were learnt on scaled ones.

thresholds {"Average_income": [-1.6 … 1.9], …}, value 3571   ->   a sentence that names the field and both
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from flaskship.schema import Array, Columns

FAR = 2.0  # spans beyond the outermost split
FEWEST_SPLITS = 20  # of all fields together, before they say anything of a scale
HIGHEST = 12.0  # standard deviations
SCALED = (
    ": it seems to have been trained on scaled columns. Save it as a Pipeline with its scaler, or send scaled values"
)
Limits = dict[str, tuple[float, float, float, float]]  # field -> lowest split, highest split, and what lies far outside


def limits(thresholds: Mapping[str, Array]) -> Limits:
    """What `far` needs of `thresholds`, worked out once."""
    found: Limits = {}
    for name, values in thresholds.items():
        if len(values):
            low, high = float(np.min(values)), float(np.max(values))
            span = (high - low) or max(abs(low), 1.0)
            found[name] = (low, high, low - FAR * span, high + FAR * span)
    return found


def far(limits: Limits, columns: Columns) -> list[str]:
    """A sentence for each field whose values lie, by half or more, far outside the model's splits."""
    found = []
    advice = SCALED if all(_about_scaled(low, high) for low, high, _, _ in limits.values()) else ""
    for name, (low, high, lowest, highest) in limits.items():
        column = columns.get(name)
        if column is None or column.dtype.kind not in "iuf" or not len(column):
            continue
        outside = (column < lowest) | (column > highest)
        if 2 * np.count_nonzero(outside) >= len(column):
            value = float(column[outside][0])
            found.append(
                f"{name!r} is {value:g}, far from the {low:.4g} to {high:.4g} that the model splits on{advice}."
            )
    return found


def _about_scaled(low: float, high: float) -> bool:
    """Whether splits from `low` to `high` could be of a standardised column, or of one scaled to 0 to 1."""
    return -HIGHEST < low < 0 < high < HIGHEST or 0 <= low <= high <= 1


def sentences(thresholds: Mapping[str, Array], columns: Columns) -> list[str]:
    """`far` for once."""
    return far(limits(thresholds), columns)


def standardised(thresholds: Mapping[str, Array]) -> bool:
    """True where every field is split at about 0, with a spread of about 1, as standardised columns are."""
    split = [values for values in thresholds.values() if len(values)]
    if not split or sum(map(len, split)) < FEWEST_SPLITS:
        return False
    values = np.concatenate(split)
    centred = all(abs(float(np.median(each))) < 2 for each in split)
    both = sum(bool(np.min(each) < 0 < np.max(each)) for each in split) >= 0.8 * len(split)
    return centred and both and float(np.abs(values).max()) < HIGHEST and 0.3 < float(np.std(values)) < 2


WARNING = (
    "The model splits every field around 0 with a spread of about 1, so it was probably trained on scaled columns,"
    " and its scaler is not in the file. Raw values would be answered wrongly: save a Pipeline with the scaler,"
    " or send scaled values."
)
