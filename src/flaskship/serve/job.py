"""What a worker process is told, and what it makes of it."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from flaskship.settings import Settings

WSGI: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
LOAD = "flaskship.serve.load:load"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to serve. `shared` is a directory of this server's workers: their counters, and the flags of health.py."""

    bundles: tuple[Path, ...]
    settings: Settings
    shared: Path
    load: str = LOAD  # "module:function" that makes the application; a test names its own

    def application(self) -> Loaded:
        """The application, ready to answer. Raises a `FlaskshipError` where a bundle cannot be served."""
        module, _, name = self.load.partition(":")
        loaded: Loaded = getattr(importlib.import_module(module), name)(self)
        return loaded

    @property
    def threads(self) -> int:
        """Request threads of a worker.

        A compiled model takes microseconds: more threads would only pass the interpreter's lock around, so there is
        one, and one more for a client that keeps back a short body; a long one is granian.py's concern. A slow model
        gains, since its batcher joins those who wait.
        """
        return self.settings.threads or (FAST if all(map(_compiled, self.bundles)) else SLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    application: WSGI
    names: tuple[str, ...]  # of the models


FAST, SLOW = 2, 16  # threads; see docs/performance.md


def _compiled(bundle: Path) -> bool:
    """Whether a compiled model serves. The supervisor and an unloaded worker ask; they import no NumPy for it."""
    try:
        manifest = json.loads((bundle / "manifest.json").read_bytes())
        return bool(manifest["compilation"]["compiled"])
    except (OSError, ValueError, KeyError, TypeError):
        return False  # loading the bundle will say what is wrong with it


def configure_logging(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    if settings.log_level != "debug":
        logging.getLogger("_granian").setLevel(logging.WARNING)
