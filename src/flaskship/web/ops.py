"""The outermost layer: request id, clock, counts, key, admission, access log, and the last catch.

Health routes ask for no key and are neither counted nor logged.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable
from functools import partial

from flaskship.exchange import VERBS, Closing, Exchange, Ids, access_line, joined, sized
from flaskship.health import LIVE, READY
from flaskship.metrics import SECONDS, Metrics
from flaskship.web import guards, problem
from flaskship.web.guards import Guard
from flaskship.web.reply import WSGI, Environ, StartResponse
from flaskship.web.subject import Site, Subject

HEALTH = (*LIVE, *READY, "/v2/health/ready")
COUNTED = ("", "predict", "predict_file", "invocations", "openapi.json", "apidocs")
OIP_ROUTE = re.compile(r"(?:/models/([^/]+)(?:/versions/[^/]+)?)?/?(infer|config|stats|ready)?/?")


class Route:
    """What is counted of the requests to one route of one model."""

    def __init__(self, metrics: Metrics, model: str, name: str) -> None:
        self.observe = metrics.histogram("request_duration_seconds", model, name, bounds=SECONDS)
        self._place = partial(metrics.place, "requests", model, name)
        self._places: dict[tuple[str, str], int] = {}

    def place(self, method: str, status: str) -> int:
        """The cell that counts requests by `method` that were answered with `status`, such as `200 OK`."""
        place = self._places.get((method, status))
        if place is None:
            place = self._place(method if method in VERBS else "other", status[:3])
            self._places[method, status] = place
        return place


class Ops:
    def __init__(self, app: WSGI, site: Site, prefixes: dict[str, Subject | None], own: dict[str, str]) -> None:
        """`prefixes` are the paths below which the routes of each model lie; None where those of all do.

        `own` are the paths that authors of functions chose, and the names of these functions.
        """
        self._app = app
        self._own = own
        self._metrics = site.metrics
        self._cells = site.metrics.cells
        self._in_flight = site.metrics.place("in_flight")
        self._log = logged if site.settings.access_log else None
        self._health = frozenset(f"{prefix}{path}" for prefix in prefixes for path in HEALTH) | {
            f"{prefix}/v2/models/{subject.label}/ready" for prefix in prefixes for subject in site.subjects
        }
        self._scraped = frozenset(f"{prefix}/metrics" for prefix in prefixes)
        self._prefixes = {prefix: subject.name if subject else "" for prefix, subject in prefixes.items()}
        self._models = {subject.label: subject.name for subject in site.subjects}
        self._routes: dict[str, Route] = {}
        self._known: dict[tuple[str, str], Route] = {}
        self._identify = Ids()
        key: tuple[Guard, ...] = guards.key(site.settings.api_key)
        self._key = key
        self._guards = (*key, *guards.loaded(site.subjects), guards.room(site.metrics, site.settings.max_queue))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        exchange = Exchange(self._identify(environ), start_response)
        path = environ["PATH_INFO"]
        if path in self._health or path in self._scraped:
            return self._guarded(environ, exchange, () if path in self._health else self._key)
        self._cells[self._in_flight] += 1.0
        try:
            body = self._guarded(environ, exchange, self._guards)
            if body.__class__ is not list and sized(exchange.headers):
                body = joined(body)
        except BaseException:  # whatever it is goes on up: else the request would count as in flight for ever
            self._cells[self._in_flight] -= 1.0
            raise
        if body.__class__ is list:
            self._end(environ, exchange)
            return body
        return Closing(body, partial(self._end, environ, exchange))

    def _guarded(self, environ: Environ, exchange: Exchange, guards: tuple[Guard, ...]) -> Iterable[bytes]:
        """The application's body, or why it is not asked, or that it failed."""
        try:
            for guard in guards:
                guard(environ)
            return self._app(environ, exchange.start)
        except Exception as error:  # noqa: BLE001  # answered, and logged by `problem`
            status, headers, body = problem.reply(error, environ)
            exchange.start(status, headers, sys.exc_info() if exchange.headers else None)
            return [body]

    def _end(self, environ: Environ, exchange: Exchange) -> None:
        cells = self._cells
        cells[self._in_flight] -= 1.0
        seconds = time.perf_counter() - exchange.started
        path = environ["PATH_INFO"]
        route = self._routes.get(path) or self._route(path)
        cells[route.place(environ["REQUEST_METHOD"], exchange.status)] += 1.0
        route.observe(seconds)
        if self._log is not None:
            self._log(environ, exchange, seconds)

    def _route(self, path: str) -> Route:
        """Under what a path is counted: never under what a client may choose."""
        below = (each for each in self._prefixes if path == each or path.startswith(f"{each}/"))
        prefix = max(below, key=len, default="")  # the * of OPTIONS is no path below any
        model, rest = self._prefixes[prefix], path[len(prefix) :].strip("/")
        name = "other"
        if path in self._own:
            model, name = self._own[path], "predict"
        elif rest in COUNTED:
            name = rest or "page"
        elif rest == "v2" or rest.startswith("v2/"):
            name = "v2"
            if found := OIP_ROUTE.fullmatch(rest.removeprefix("v2")):
                model, name = model or self._models.get(found[1] or "", ""), found[2] or "v2"
        route = self._known.get((model, name))
        if route is None:
            route = self._known[model, name] = Route(self._metrics, model, name)
        if name != "other" and name != "v2" and len(self._routes) < 1000:
            self._routes[path] = route
        return route


def logged(environ: Environ, exchange: Exchange, seconds: float) -> None:
    path = environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]
    client, method, status = environ.get("REMOTE_ADDR", ""), environ["REQUEST_METHOD"], int(exchange.status[:3])
    access_line(exchange.id, client, method, path, status, seconds)
