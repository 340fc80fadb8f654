"""What a user names: `model.joblib`, `folder/`, `module.py:attribute`, `package.module:attribute`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A path, and what in it."""

    path: Path
    attribute: str = ""  # after the colon: a function, a class, an app object, a factory's call

    def __str__(self) -> str:
        return f"{self.path}:{self.attribute}" if self.attribute else str(self.path)
