"""Rows that go through a network together: texts of like length, so that little is padding; pictures of one shape."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

ROWS = 32
TOKENS = 8192  # of a batch, padding included
CALL = 64  # tokens whose computing takes as long as a call of the network takes besides


@dataclass(slots=True)
class Read:
    """Tokens that a network has been given so far."""

    tokens: int = 0  # with padding
    padding: int = 0


def by_length(
    lengths: Sequence[int],
    alike: Sequence[Hashable] | None = None,
    *,
    rows: int = ROWS,
    tokens: int = TOKENS,
    call: int = CALL,
) -> Iterator[list[int]]:
    """Indexes of what is computed together: of equal `alike` and like length, within `rows` and `tokens`.

    by_length([3, 90, 4, 88])    -> [0, 2], [3, 1]
    """
    groups: dict[Hashable, list[int]] = {}
    for index in range(len(lengths)):
        groups.setdefault(alike[index] if alike else None, []).append(index)
    for members in groups.values():
        ordered = sorted(members, key=lengths.__getitem__)
        start = 0
        for end in _ends([lengths[each] for each in ordered], rows, tokens, call):
            yield ordered[start:end]
            start = end


def _ends(lengths: Sequence[int], rows: int, tokens: int, call: int) -> list[int]:
    """Where each part ends so that all is computed soonest. `lengths` ascend: the last of a part is its longest.

    The best parts of the first n are a last one, and the best parts of those before it.
    """
    if lengths[0] == lengths[-1]:
        most = max(1, min(rows, tokens // max(1, lengths[0])))
        return [*range(most, len(lengths), most), len(lengths)]
    cost, begun = np.zeros(len(lengths) + 1), [0]
    places = np.arange(len(lengths))
    for end, longest in enumerate(lengths, 1):
        low = min(end - 1, max(0, end - rows, end - tokens // longest))
        start = low + int((cost[low:end] - longest * places[low:end]).argmin())
        cost[end] = cost[start] + call + longest * (end - start)
        begun.append(start)
    ends = [len(lengths)]
    while ends[-1] and begun[ends[-1]]:
        ends.append(begun[ends[-1]])
    return ends[::-1]
