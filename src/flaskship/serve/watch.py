"""Notice that a target changed, from times and sizes alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Tuple

State = Tuple[Tuple[str, int, int], ...]  # path, time of change in ns, bytes

INTERVAL = 0.5  # seconds between two looks
CODE = (
    *(".py", ".html", ".htm", ".jinja", ".jinja2", ".j2", ".css", ".js", ".toml", ".yaml", ".yml", ".cfg", ".ini"),
    *(".joblib", ".pkl", ".pickle", ".sav", ".onnx", ".pt", ".pth", ".pt2", ".h5", ".keras", ".tflite", ".safetensors"),
    "requirements.txt",
)  # how the names of files end that somebody writes; an app's logs, uploads and databases lie beside them
PASSED = ("__pycache__", "node_modules", ".git", "site-packages")


class Watch:
    """Says once that `paths` (files, bundles, folders of code) changed, when two looks in a row saw the same change.

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


def _files(folder: Path, bundle: bool) -> Iterator[Path]:
    """All files of a bundle; of a folder with code, those that somebody writes."""
    for place, folders, names in os.walk(folder):
        if "pyvenv.cfg" in names:
            folders.clear()
            continue
        folders[:] = sorted(set(folders) - set(PASSED))
        yield from (Path(place, name) for name in sorted(names) if bundle or name.endswith(CODE))


def _states(path: Path) -> Iterator[tuple[str, int, int]]:
    try:
        bundle = (path / "manifest.json").is_file()
        for file in _files(path, bundle) if path.is_dir() else [path]:
            found = file.stat()
            yield str(file), found.st_mtime_ns, found.st_size
    except FileNotFoundError:
        return  # being replaced; the next look sees what came
