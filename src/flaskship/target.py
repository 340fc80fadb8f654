"""What a user names: `model.joblib`, `folder/`, `module.py:attribute`, `package.module:attribute`.

Nothing is imported to find it: a module is a file, from the current directory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
ATTRIBUTE = re.compile(r"[A-Za-z_][\w.]*(\(.*\))?", re.DOTALL)  # name, site.app, create_app('production')
CODE = ".py"
MARKS = (
    "requirements.txt", "pyproject.toml", "Pipfile", "environment.yml", "environment.yaml", "setup.py", "setup.cfg",
    "uv.lock", "poetry.lock", "Procfile", "Dockerfile",
)  # fmt: skip  # files of which one says: a project's folder


class Kind(StrEnum):
    """What a target turned out to be. A model and a function have a signature; an app is somebody's own web server."""

    MODEL = "model"
    FUNCTION = "function"
    CHECKPOINT = "checkpoint"  # a folder of Hugging Face's, served as functions
    APP = "app"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A path, and what in it."""

    path: Path
    attribute: str = ""  # after the colon: a function, a class, an app object, a factory's call

    @classmethod
    def of(cls, given: str | Path | Target) -> Target:
        """What was named. `package.module:name` is the file package/module.py, or package/module/__init__.py."""
        if isinstance(given, Target):
            return given
        text = str(given)
        if isinstance(given, Path) or Path(text).exists():
            return cls(path=Path(given))
        for colon in (each.start() for each in re.finditer(":", text)):
            left, attribute = text[:colon], text[colon + 1 :]
            if not ATTRIBUTE.fullmatch(attribute):
                continue
            if left.endswith(CODE) or Path(left).is_file() or (Path(left).is_dir() and "/" in left):
                return cls(path=Path(left), attribute=attribute)
            if MODULE.fullmatch(left):
                return cls(path=_module(left), attribute=attribute)
        return cls(path=Path(text))

    @property
    def is_code(self) -> bool:
        """Whether a module or a folder was named, rather than a model's file."""
        return self.path.suffix == CODE or bool(self.attribute) or self.path.is_dir()

    @property
    def folder(self) -> Path:
        """All that belongs to it: the folder that was named, or the project that a module lies in.

        That is the folder over its top package, or one over that, up to the current directory, which has a project's
        marks: requirements, a Dockerfile, …
        """
        if self.path.is_dir():
            return self.path
        place = self.path.parent
        while (place / "__init__.py").is_file():
            place = place.resolve().parent if place == Path() else place.parent
        here, whole = Path.cwd(), place.resolve()
        above = [each for each in (whole, *whole.parents) if each == here or here in each.parents]
        for each in above:
            if any((each / mark).is_file() for mark in MARKS):
                return place if each == whole else each.relative_to(here)
        return place

    def __str__(self) -> str:
        return f"{self.path}:{self.attribute}" if self.attribute else str(self.path)


def _module(name: str) -> Path:
    path = Path(*name.split("."))
    package = path / "__init__.py"
    return package if package.is_file() else path.with_name(f"{path.name}{CODE}")


def says(target: Target) -> bool:
    """Whether the module at `target` has the attribute's first name anywhere in its text: it is not parsed."""
    name = re.split(r"\W", target.attribute, maxsplit=1)[0]
    try:
        return re.search(rf"\b{name}\b".encode(), target.path.read_bytes()) is not None
    except OSError:
        return False
