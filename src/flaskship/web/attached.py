"""What the outermost layer (ops.py) does, for a blueprint in somebody else's app: request id, key, counts."""

from __future__ import annotations

import time

from flask import Blueprint, Response, request

from flaskship.exchange import REQUEST_ID, Ids
from flaskship.health import READY
from flaskship.web import guards
from flaskship.web.ops import Route
from flaskship.web.subject import Site, Subject

STARTED = "flaskship.started"  # in the WSGI environment
FREE = frozenset({"livez", "oip_live", "oip_ready", "oip_model_ready", *(path.strip("/") for path in READY)})


def watch(routes: Blueprint, subject: Subject, site: Site) -> None:
    identify, counted = Ids(), dict[str, Route]()
    keys = guards.key(site.settings.api_key)

    def before() -> None:
        """Raises what the guards raise."""
        identify(request.environ)
        request.environ[STARTED] = time.perf_counter()
        if endpoint() not in FREE:
            for guard in keys:
                guard(request.environ)

    def after(response: Response) -> Response:
        response.headers["X-Request-ID"] = request.environ[REQUEST_ID]
        name = endpoint()
        if name not in FREE and name != "metrics":
            route = counted.get(name)
            if route is None:
                route = counted[name] = Route(site.metrics, subject.name, name.removeprefix("oip_"))
            site.metrics.cells[route.place(request.method, response.status)] += 1.0
            route.observe(time.perf_counter() - request.environ[STARTED])
        return response

    routes.before_request(before)
    routes.after_request(after)


def endpoint() -> str:
    """The view's own name."""
    return (request.endpoint or "").rpartition(".")[2]
