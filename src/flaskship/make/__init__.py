"""From a target to a bundle: of a model's file, of functions, or of an app that somebody wrote."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from flaskship import app_bundle, cache
from flaskship.app_bundle import Packed
from flaskship.make.kind import kind
from flaskship.settings import Settings
from flaskship.target import Target

Say: TypeAlias = Callable[[str], None]


def silent(text: str) -> None:
    """Says nothing."""


def cached(
    given: Target | Path, settings: Settings, say: Say = silent, *, linked: bool = False, upgrade: bool = False
) -> Packed:
    """The bundle of what was `given`: itself if it is one, else from the cache, else made now.

    To `upgrade` code is to make it anew, and to pass over its lock.
    """
    target = Target.of(given)
    found = cache.find(target, settings, linked=linked)
    if found is not None and (found == target.path or not (upgrade and target.is_code)):
        return app_bundle.read(found)
    into = cache.made() / cache.key(target, settings, linked=linked)
    made = make(target, settings, into, say, linked=linked, upgrade=upgrade)
    cache.prune()
    return made


def make(
    given: Target | Path,
    settings: Settings,
    into: Path,
    say: Say = silent,
    *,
    linked: bool = False,
    upgrade: bool = False,
) -> Packed:
    """A bundle written to `into`; of code, `linked` to its folder, or with a copy of it.

    Raises as `artifact.open`, `CheckFailed`, and for a folder as `source` does.
    """
    target = Target.of(given)
    maker = importlib.import_module(f"{__name__}.{kind(target, settings)}")  # a model's brings the frameworks
    made: Packed = maker.make(target, settings, into, say, linked=linked, upgrade=upgrade)
    return made
