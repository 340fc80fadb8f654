"""Models that Keras saved on Windows: the groups of their weights are named with backslashes there.

Elsewhere no layer finds its weights. Source: https://github.com/keras-team/keras/issues/18528
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

WEIGHTS = "model.weights.h5"
WINDOWS = re.compile(rb"\w\\vars\b")  # of _layer_checkpoint_dependencies\dense\vars, a group's name in HDF5


def of_windows(path: Path) -> bool:
    """Whether `path` is a .keras file, or one of weights alone, that only Windows can read."""
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as file:
                return bool(WINDOWS.search(file.read(WEIGHTS)))
        return path.name.endswith(".weights.h5") and bool(WINDOWS.search(path.read_bytes()))
    except (OSError, KeyError, zipfile.BadZipFile):
        return False  # not what its name says: Keras itself will tell
