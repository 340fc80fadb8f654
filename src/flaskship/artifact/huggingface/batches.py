"""Rows that go through a network together: texts of like length, so that little is padding; pictures of one shape."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

ROWS = 32
TOKENS = 8192  # of a batch, padding included


def by_length(
    lengths: Sequence[int], alike: Sequence[Hashable] | None = None, *, rows: int = ROWS, tokens: int = TOKENS
) -> Iterator[list[int]]:
    """Indexes of what is computed together: of equal `alike`, the shortest first, within `rows` and `tokens`.

    by_length([3, 90, 4, 88])    -> [0, 2, 3, 1]
    """
    keys = [None] * len(lengths) if alike is None else alike
    groups: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    for members in groups.values():
        part: list[int] = []
        for index in sorted(members, key=lengths.__getitem__):
            if part and (len(part) == rows or lengths[index] * (len(part) + 1) > tokens):
                yield part
                part = []
            part.append(index)
        yield part


def padding(lengths: Sequence[int], parts: Iterator[list[int]]) -> float:
    """The share of what is computed that is padding, 0 to 1."""
    computed = sum(max(lengths[each] for each in part) * len(part) for part in parts)
    return 1 - sum(lengths) / computed if computed else 0.0
