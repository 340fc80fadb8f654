"""Folders of somebody's code, written as tests say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Write = Callable[[Mapping[str, str | bytes]], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Write:
    """What writes files by their paths, and gives the folder that they are in."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        for path, content in files.items():
            place = tmp_path / "project" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "project"

    return write
