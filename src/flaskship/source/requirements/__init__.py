"""What a folder's code and files need: what it asks for, what it imports, what is inside its model files.

found.py        one list, line by line, mended
pip.py projects.py conda.py    the files that are such lists; declared.py: which of them count
imports.py      the code, read and never run
pickles.py      the model files
decide.py       the three, joined
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path

from flaskship.source import Content, Entry, Requirements
from flaskship.source.requirements.decide import join

__all__ = ["find"]


def find(
    folder: Path, entry: Entry, content: Content, installed: Mapping[str, Sequence[str]] | None = None
) -> Requirements:
    """What the app in `folder` needs. `installed` has the distributions here by top-level module: None asks Python."""
    here = importlib.metadata.packages_distributions() if installed is None else installed
    return join(folder, entry.root, entry.file, content.files, here)
