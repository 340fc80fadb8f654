"""A layer in front of Flask that answers /predict with JSON or a query string, and passes all else on.

It gives the bytes that the Flask route gives, since both call the same functions (reply.py), for a tenth of the time.
It stands aside for an app whose owner added hooks or error handlers: those must see every request.
"""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask, signals

from flaskship.web import problem, reply
from flaskship.web.reply import WSGI, Environ, StartResponse
from flaskship.web.subject import Site, Subject

JSON_TYPES = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})
SIGNALS = (
    signals.request_started,
    signals.request_finished,
    signals.request_tearing_down,
    signals.appcontext_pushed,
    signals.appcontext_popped,
    signals.appcontext_tearing_down,
    signals.got_request_exception,
)


class FastLane:
    """`lanes` are the paths of /predict, and functions' own, as WSGI has them, and what answers there at once."""

    def __init__(self, app: WSGI, flask: Flask, site: Site, lanes: dict[str, Subject]) -> None:
        self._app = app
        self._flask = flask
        self._lanes = lanes
        self._limit = int(site.settings.max_body)
        self._as_made = hooks(flask)
        self._decided = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if not self._decided:
            self._decide()
        subject = self._lanes.get(environ["PATH_INFO"])
        if subject is None:
            return self._app(environ, start_response)
        method = environ["REQUEST_METHOD"]
        try:
            if method == "POST" and environ.get("CONTENT_TYPE") in JSON_TYPES:
                status, headers, body = reply.json(subject, reply.body(environ, self._limit))
            elif method == "GET" and environ.get("QUERY_STRING"):
                status, headers, body = reply.query(subject, environ["QUERY_STRING"])
            else:
                return self._app(environ, start_response)
        except Exception as error:  # noqa: BLE001  # answered, and logged by `problem` where it is the server's fault
            status, headers, body = problem.reply(error, environ)
        start_response(status, headers)
        return [body]

    def _decide(self) -> None:
        """At the first request, when the app's owner is done with it."""
        if hooks(self._flask) != self._as_made:
            self._lanes = {}
        self._decided = True


def hooks(app: Flask) -> list[int]:
    """How many functions of each kind wait for a request to `app`."""
    scoped = (
        app.before_request_funcs,
        app.after_request_funcs,
        app.teardown_request_funcs,
        app.url_value_preprocessors,
    )
    counts = [sum(map(len, functions.values())) for functions in scoped]
    handlers = sum(len(by_class) for by_code in app.error_handler_spec.values() for by_class in by_code.values())
    return [*counts, handlers, len(app.teardown_appcontext_funcs), *(len(each.receivers) for each in SIGNALS)]
