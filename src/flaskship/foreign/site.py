"""What is added around an app, whichever its interface: health, metrics, the key, and answers in its stead."""

from __future__ import annotations

import hmac
import json
import logging
from http import HTTPStatus
from pathlib import Path
from typing import Any, Container, NamedTuple

from flaskship import exchange
from flaskship.errors import FlaskshipError, Overloaded, TooLarge, Unavailable
from flaskship.foreign import exposition
from flaskship.health import DRAINING, LIVE, READY, STARTING
from flaskship.metrics import SECONDS, Metrics
from flaskship.serve.job import APP, Job

log = logging.getLogger("flaskship.foreign")

READY_PATHS = frozenset((*READY, "/v2/health/ready"))
METRICS = "/metrics"
PATHS = frozenset((*LIVE, *READY_PATHS, METRICS))  # where the app has no route of its own
TEXT = "text/plain; charset=utf-8"
NOT_THEIRS = frozenset(
    (301, 302, 303, 307, 308, 401, 403, 404, 405, 501)
)  # of a path that an app may have no route for


class Answer(NamedTuple):
    status: int
    body: bytes
    content: str = "application/problem+json"
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def line(self) -> str:
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    @property
    def fields(self) -> list[tuple[str, str]]:
        """All headers."""
        sized = [("Content-Type", self.content), ("Content-Length", str(len(self.body))), ("Cache-Control", "no-store")]
        return [*sized, *self.headers]


class Site:
    """One app in one process."""

    def __init__(self, app: Any, name: str, root: Path, job: Job) -> None:
        self.app, self.name, self.root, self.settings = app, name, root, job.settings
        self._shared = job.shared
        self.metrics = Metrics(job.shared)
        self.cells, self.in_flight = self.metrics.cells, self.metrics.place("in_flight")
        self.identify = exchange.Ids()
        self.seats = job.settings.threads or APP
        self._key = job.settings.api_key.encode()
        self._routes: dict[str, Route] = {}

    def own(self, path: str) -> Answer:
        """The answer at one of `PATHS`."""
        if path == METRICS:
            return Answer(200, exposition.page(self.name, self.metrics.read()), exposition.CONTENT)
        if path not in LIVE:
            if (self._shared / STARTING).exists():
                return refusal(Unavailable("A process of the server is still starting. Retry in a moment."))
            if (self._shared / DRAINING).exists():
                return refusal(Unavailable("The server is about to stop. Another one will answer."))
        return Answer(200, b"ok\n", TEXT)

    def theirs(self, path: str) -> bool | None:
        """Whether the app has a route of its own at `path`; one that takes any path is none. None: nobody can tell."""
        url_map: Any = getattr(self.app, "url_map", None)  # of Flask and Quart
        if hasattr(url_map, "iter_rules"):
            return any(rule.rule.rstrip("/") == path and gets(rule.methods) for rule in url_map.iter_rules())
        routes = getattr(self.app, "routes", None)  # of Starlette and FastAPI
        if isinstance(routes, list) and all(hasattr(each, "path") for each in routes):
            return any(each.path.rstrip("/") == path and gets(getattr(each, "methods", None)) for each in routes)
        return None

    def locked(self, authorization: str, own: str) -> Answer | None:
        """Why a request is turned away that brings no key; None where it brings it, or none is asked for."""
        if not self._key:
            return None
        given = own.encode("latin-1", "replace") or exchange.key(authorization, "")
        if hmac.compare_digest(given, self._key):
            return None
        text = "This server asks for its key, as 'Authorization: Bearer KEY' or 'X-API-Key: KEY', or as a password."
        asked = ("Bearer", 'Basic realm="The key is the password", charset="UTF-8"')
        return problem(401, text, headers=tuple(("WWW-Authenticate", each) for each in asked))

    def too_large(self, length: str) -> Answer | None:
        if length.isdigit() and int(length) > self.settings.max_body:
            return refusal(TooLarge(
                f"The body has {length} bytes, and {int(self.settings.max_body)} are read at most. Raise 'max_body' or"
                " send less."
            ))  # fmt: skip
        return None

    def full(self) -> Overloaded:
        return Overloaded(f"{self.settings.max_queue} requests are waiting already. Retry later, or raise 'max_queue'.")

    def failed(self, identity: str, error: BaseException) -> Answer:
        """The answer where the app raised; the log has the rest."""
        log.error("Request %s failed.", identity, exc_info=error)
        detail = f"The app failed. Its log says why, under request id {identity}."
        return problem(500, detail, request_id=identity)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """One request that was answered. `route` is as the app wrote it, never what a client chose."""
        found = self._routes.get(route)
        if found is None:
            found = self._routes[route] = Route(self.metrics, self.name, route)
        self.cells[found.place(method, status)] += 1.0
        found.observe(seconds)


def gets(methods: Container[str] | None) -> bool:
    return methods is None or "GET" in methods


class Route:
    """What is counted of the requests to one route."""

    def __init__(self, metrics: Metrics, name: str, route: str) -> None:
        self._metrics, self._name, self._route = metrics, name, route
        self.observe = metrics.histogram("request_duration_seconds", name, route, bounds=SECONDS)

    def place(self, method: str, status: int) -> int:
        verb = method if method in exchange.VERBS else "other"
        return self._metrics.place("requests", self._name, self._route, verb, str(status))


def problem(status: int, detail: str, title: str = "", **more: Any) -> Answer:
    """As RFC 9457 has it, and flaskship/web/problem.py."""
    headers = more.pop("headers", ())
    kind = f"/problems/{title.lower().replace(' ', '-')}" if title else "about:blank"
    said = {"type": kind, "title": title or HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return Answer(status, json.dumps(said, separators=(",", ":")).encode(), headers=headers)


def refusal(error: FlaskshipError) -> Answer:
    after = (("Retry-After", str(error.retry_after)),) if isinstance(error, Unavailable) else ()
    return problem(error.status, error.detail, error.title, headers=after)
