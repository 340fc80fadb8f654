"""Is the process alive, is it ready, and what has it counted?"""

from __future__ import annotations

import importlib

from flask import Blueprint, Flask, Response, request

from flaskship.errors import Unavailable
from flaskship.health import READY
from flaskship.web import guards
from flaskship.web.subject import Site

TEXT = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}


def add(app: Flask | Blueprint, site: Site) -> None:
    """The routes of health and metrics, for the models of `site`."""

    def alive() -> Response:
        return Response("ok\n", headers=TEXT)

    def ready() -> Response:
        """Raises `Unavailable`."""
        check(site)
        return Response("ok\n", headers=TEXT)

    def metrics() -> Response:
        exposition = importlib.import_module("flaskship.web.exposition")  # only who is scraped pays for its library
        text, kind = exposition.page(site, request.headers.get("Accept", ""))
        return Response(text, headers={"Content-Type": kind, "Cache-Control": "no-store"})

    app.add_url_rule("/livez", "livez", alive)
    app.add_url_rule("/metrics", "metrics", metrics)
    for path in READY:
        app.add_url_rule(path, path.strip("/"), ready)


def check(site: Site) -> None:
    """Raises `Unavailable` unless all models are ready and the server goes on."""
    for subject in site.subjects:
        guards.check(subject)
    if site.starting():
        raise Unavailable("A process of the server is still loading the model. Retry in a moment.")
    if site.draining():
        raise Unavailable("The server is about to stop. Another one will answer.")
