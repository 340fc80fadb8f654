"""Notice that a target changed, from times and sizes alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Tuple

State = Tuple[Tuple[str, int, int], ...]  # path, time of change in ns, bytes

INTERVAL = 0.5  # seconds between two looks


class Watch:
    """Says once that `paths` (files, or directories of them) changed, when two looks in a row saw the same change.

    A file that is still being written looks different each time, and is not taken half.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._known = self._seen = self._look()

    def changed(self) -> bool:
        before, self._seen = self._seen, self._look()
        if self._seen == self._known or self._seen != before or not self._seen:
            return False
        self._known = self._seen
        return True

    def _look(self) -> State:
        return tuple(sorted(each for path in self._paths for each in _states(path)))


def _states(path: Path) -> Iterator[tuple[str, int, int]]:
    try:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if not file.is_dir():
                found = file.stat()
                yield str(file), found.st_mtime_ns, found.st_size
    except FileNotFoundError:
        return  # being replaced; the next look sees what came
