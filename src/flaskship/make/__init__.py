"""From a target to a bundle: of a model's file, of functions, or of an app that somebody wrote."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from flaskship import app_bundle, cache
from flaskship.app_bundle import AppBundle
from flaskship.bundle import Bundle
from flaskship.make.kind import kind
from flaskship.settings import Settings
from flaskship.target import Target

Say: TypeAlias = Callable[[str], None]


def silent(text: str) -> None:
    """Says nothing."""


def cached(target: Target | Path, settings: Settings, say: Say = silent, *, linked: bool = False) -> Bundle | AppBundle:
    """The bundle of `target`: itself if it is one, else from the cache, else made now."""
    target = Target.of(target)
    found = cache.find(target, settings, linked=linked)
    if found is not None:
        return app_bundle.read(found)
    made = make(target, settings, cache.made() / cache.key(target, settings, linked=linked), say, linked=linked)
    cache.prune()
    return made


def make(
    target: Target | Path, settings: Settings, into: Path, say: Say = silent, *, linked: bool = False
) -> Bundle | AppBundle:
    """A bundle of `target`, written to `into`; of code, `linked` to its folder, or with a copy of it.

    Raises as `artifact.open`, `CheckFailed`, and for a folder as `source` does.
    """
    target = Target.of(target)
    maker = importlib.import_module(f"{__name__}.{kind(target, settings)}")  # a model's brings the frameworks
    made: Bundle | AppBundle = maker.make(target, settings, into, say, linked=linked)
    return made
