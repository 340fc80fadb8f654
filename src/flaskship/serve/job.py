"""What a worker process is told, and what it makes of it."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Callable, Dict, Iterable

from flaskship.settings import Settings

WSGI = Callable[[Dict[str, Any], Callable[..., Any]], Iterable[bytes]]
MODELS, FOREIGN = "flaskship.serve.load:load", "flaskship.foreign.load:load"  # of bundles; of somebody's app


@dataclass(frozen=True)
class Job:
    """What to serve. `shared` is a directory of this server's workers: their counters, and the flags of health.py."""

    bundles: tuple[Path, ...]
    settings: Settings
    shared: Path
    load: str = ""  # "module:function" that makes the application; "" is the one for this kind of bundle
    executable: str = sys.executable  # the Python of the environment in which that is done

    def application(self) -> Loaded:
        """The application, ready to answer. Raises a `FlaskshipError` where a bundle cannot be served."""
        module, _, name = (self.load or (FOREIGN if self.app else MODELS)).partition(":")
        loaded: Loaded = getattr(importlib.import_module(module), name)(self)
        return loaded

    @property
    def app(self) -> bool:
        """Whether the bundle is of somebody's app, which may want the main thread, and may be ASGI."""
        return _manifest(self.bundles[0]).get("kind") == "app"

    @property
    def asynchronous(self) -> bool:
        """Whether it is an ASGI app, as far as reading its code tells."""
        entry = _manifest(self.bundles[0]).get("entry")
        return isinstance(entry, dict) and entry.get("interface") == "asgi"

    @property
    def threads(self) -> int:
        """Request threads of a worker.

        A compiled model takes microseconds: more threads would only pass the interpreter's lock around, so there is
        one, and one more for a client that keeps back a short body; a long one is granian.py's concern. A slow model
        gains, since its batcher joins those who wait; a function that is called row by row runs in all at the same
        time, so it has fewer. A net may be either, which its worker finds out. Of an app nothing is known but that it
        may wait for others.
        """
        if self.app:
            return (self.settings.threads or APP) + self.settings.max_queue  # these wait for a seat: foreign/around.py
        if all(map(_fast, self.bundles)):
            return self.settings.threads or FAST
        return self.settings.threads or (APART if any(map(_apart, self.bundles)) else JOINED)

    @property
    def streams(self) -> int:
        """Further threads, where a function answers bit by bit: each such answer keeps one until it ends."""
        return self.settings.max_streams if any(map(_streams, self.bundles)) else 0


@dataclass(frozen=True)
class Loaded:
    application: Any  # WSGI, or ASGI where `asynchronous`
    names: tuple[str, ...]  # of the models
    asynchronous: bool = False
    direct: bool = False  # models that take microseconds, which gain nothing from many threads


FAST, APART, JOINED, APP = 2, 16, 32, 32  # threads; see docs/performance.md


def _manifest(bundle: Path) -> Mapping[str, Any]:
    """With no types: the supervisor and a worker that has not loaded it ask, and import no NumPy for it."""
    try:
        found = json.loads((bundle / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return {}  # loading the bundle will say what is wrong with it
    return found if isinstance(found, dict) else {}


def _fast(bundle: Path) -> bool:
    """Whether a compiled model serves that is no net: such a one may take its time all the same."""
    found = _manifest(bundle)
    compilation, facts = found.get("compilation"), found.get("facts")
    net = isinstance(facts, dict) and bool(facts.get("scaled"))
    return isinstance(compilation, dict) and bool(compilation.get("compiled")) and not net


def _apart(bundle: Path) -> bool:
    """Whether a function of the bundle is called once a row."""
    code = _manifest(bundle).get("code") or {}
    return any(not each["batch"] for each in code.get("endpoints", ()))


def _streams(bundle: Path) -> bool:
    """Whether a function of the bundle answers bit by bit."""
    code = _manifest(bundle).get("code") or {}
    return any(each["signature"]["answers"] == "stream" for each in code.get("endpoints", ()))


def configure_logging(job: Job) -> None:
    """Everything to stderr. Where an app is served, its own logging is the app's, and only ours is set up."""
    settings = job.settings
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    ours = logging.getLogger("flaskship" if job.app else None)
    if not ours.handlers:
        ours.addHandler(handler)
        ours.setLevel(settings.log_level.upper())
    if job.app:
        ours.propagate = False
    if settings.log_level != "debug":
        logging.getLogger("_granian").setLevel(logging.WARNING)


def _path(text: str) -> Path:
    return Path(text)


# A path is pickled under a name that another Python may lack: "pathlib._local" in 3.13.
ForkingPickler.register(type(Path()), lambda path: (_path, (str(path),)))
