"""The environment that somebody's app runs in: this one where it fits, else a set that goes together, made by uv."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from flaskship.artifact.isolation import environments as isolated
from flaskship.artifact.isolation.environments import Recipe
from flaskship.errors import VersionMismatch
from flaskship.source import Requirements, Solved
from flaskship.source.requirements.names import COVERS
from flaskship.source.solving import solve

__all__ = ["fits", "python", "server", "solve"]

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
GRANIAN = {"3.8": "granian==1.6.4", "3.9": "granian==2.5.7"}  # the last for these; what later ones have:
SERVER = "granian>=2.8,<2.9"


def fits(requirements: Requirements) -> Solved | None:
    """This environment as a solved set, where it satisfies all; None where it does not."""
    if requirements.until and Version(HERE) > Version(requirements.until):
        return None
    pins: dict[str, str] = {}
    waiting = [Requirement(each) for each in requirements.wanted]
    seen: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        found = _installed(wanted)
        if found is None:
            return None
        name = canonicalize_name(wanted.name)
        pins[name] = f"{_named(name, found)}=={found.version}"
        for extra in {"", *wanted.extras}:
            if f"{name}[{extra}]" not in seen:
                seen.add(f"{name}[{extra}]")
                waiting += _needs(found, extra)
    other = requirements.python and requirements.python != HERE
    asked = (f"The folder asks for Python {requirements.python}; {HERE} is here, and has all that it needs.",)
    return Solved(
        python=HERE,
        pins=tuple(sorted(pins.values())),
        decisions=asked if other else (f"It runs in this environment, on Python {HERE}, which has all that it needs.",),
    )


def _installed(wanted: Requirement) -> importlib.metadata.Distribution | None:
    """What satisfies a requirement here."""
    name = canonicalize_name(wanted.name)
    for each in (name, *COVERS.get(name, ())):
        try:
            found = importlib.metadata.distribution(each)
        except importlib.metadata.PackageNotFoundError:
            continue
        return found if wanted.specifier.contains(found.version, prereleases=True) else None
    return None


def _named(name: str, found: importlib.metadata.Distribution) -> str:
    """Its name in an image: without a display, as there, OpenCV is another distribution of the same version."""
    return name if name.endswith("-headless") else canonicalize_name(found.metadata["Name"])


def _needs(found: importlib.metadata.Distribution, extra: str) -> list[Requirement]:
    wanted = [Requirement(each) for each in found.requires or ()]
    plain = [each for each in wanted if not each.marker or each.marker.evaluate({"extra": extra})]
    return [each for each in plain if not extra or (each.marker and "extra" in str(each.marker))]


def server(solved: Solved) -> tuple[str, ...]:
    """What serves an app in its environment, put beside its pins without what they ask for: they need nothing."""
    there = {each.partition("==")[0] for each in solved.pins}
    wanted = (GRANIAN.get(solved.python, SERVER), "gunicorn", "packaging")
    return tuple(each for each in wanted if Requirement(each).name not in there)


def python(solved: Solved) -> Path:
    """The interpreter of an environment with what is `solved`, and a server: from the cache, else made now.

    Raises `VersionMismatch` saying what could not be had.
    """
    built = [("--torch-backend", "cpu")] if any("+cpu" in each for each in solved.pins) else []
    for backend in [(), *built]:  # first as uv is told of indexes: a folder of wheels may have that build
        options, more = ("--no-deps", *backend), server(solved)
        try:
            return isolated.python(
                Recipe(requirements=solved.pins, pythons=(solved.python,), options=options, more=more)
            )
        except VersionMismatch as error:
            failed = error
    raise failed
