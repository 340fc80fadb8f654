"""Models as one application: a Flask app, and the layers around it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Semaphore

from flask import Blueprint, Flask

from flaskship.health import DRAINING, STARTING
from flaskship.metrics import Calls, Metrics
from flaskship.settings import Settings, environment
from flaskship.web import addresses, attached, routes
from flaskship.web.fastlane import FastLane
from flaskship.web.ops import Ops
from flaskship.web.reply import WSGI
from flaskship.web.subject import Site, Subject
from flaskship.web.vertex import Vertex

STREAMED = 0.75  # of the grace: what streams goes on so long after a stop signal


def application(subjects: Sequence[Subject], settings: Settings, *, shared: Path | None = None) -> WSGI:
    """What a WSGI server calls. `shared` is the directory of this server's processes: counters, and the drain flag."""
    return create_app(subjects, settings, shared=shared).wsgi_app


def create_app(subjects: Sequence[Subject], settings: Settings, *, shared: Path | None = None) -> Flask:
    """The application as a Flask app, to which its owner may add routes, blueprints, extensions and hooks.

    One model has its routes at /; of several, each has them under /NAME. A function's own path is below nothing.
    """
    addresses.settle(subjects)
    addresses.check(subjects)
    site = make_site(subjects, settings, shared)
    prefixes: dict[str, Subject | None]
    prefixes = {"": None, **{f"/{each.name}": each for each in subjects}} if len(subjects) > 1 else {"": subjects[0]}
    app = bare(site, {prefix: each for prefix, each in prefixes.items() if each is not None})
    below = {addresses.wsgi(prefix): each for prefix, each in prefixes.items()}
    own = {addresses.wsgi(each.path): each for each in subjects if each.path.strip("/")}
    lanes = {f"{prefix}/predict": each for prefix, each in below.items() if each is not None} | own
    layers: list[Callable[[WSGI], WSGI]] = [
        partial(FastLane, flask=app, site=site, lanes={path: each for path, each in lanes.items() if each.quick}),
        partial(Ops, site=site, prefixes=below, own={path: each.name for path, each in own.items()}),
    ]
    if Vertex.wanted(environment()):
        layers.append(partial(Vertex, environment=environment()))
    for layer in layers:
        app.wsgi_app = layer(app.wsgi_app)  # type: ignore[assignment, method-assign]  # as Flask's documentation has it
    return app


class Ending:
    """Whether a server that was told to stop will soon cut off what still runs."""

    def __init__(self, shared: Path, settings: Settings) -> None:
        self._flag = shared / DRAINING
        self._after = settings.drain + STREAMED * settings.grace

    def __call__(self) -> bool:
        try:
            return time.time() - self._flag.stat().st_mtime > self._after
        except FileNotFoundError:
            return False


def make_site(subjects: Sequence[Subject], settings: Settings, shared: Path | None = None) -> Site:
    metrics = Metrics(shared)
    for subject in subjects:
        subject.calls = Calls(metrics, subject.name)
    return Site(
        subjects=tuple(subjects),
        settings=settings,
        metrics=metrics,
        draining=(shared / DRAINING).exists if shared else lambda: False,
        starting=(shared / STARTING).exists if shared else lambda: False,
        ending=Ending(shared, settings) if shared else lambda: False,
        streams=Semaphore(settings.max_streams),
    )


def bare(site: Site, prefixes: dict[str, Subject]) -> Flask:
    """The Flask app alone."""
    app = Flask("flaskship.web", static_folder=None)
    for prefix, subject in prefixes.items():
        app.register_blueprint(routes.model(subject, site), url_prefix=prefix or None)
    if "" not in prefixes:
        app.register_blueprint(routes.index(site))
    routes.add_errors(app)
    return app


def blueprint(subject: Subject, settings: Settings) -> Blueprint:
    """The model's routes for a Flask app that is somebody else's."""
    site = make_site([subject], settings)
    made = routes.model(subject, site)
    routes.add_errors(made)
    attached.watch(made, subject, site)
    return made
