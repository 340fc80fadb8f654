"""What must hold before a request is looked at, chosen at start. A guard raises where it does not."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import TypeAlias

from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from flaskship import exchange
from flaskship.errors import Overloaded, Unavailable
from flaskship.metrics import Metrics
from flaskship.web.reply import Environ
from flaskship.web.subject import State, Subject

Guard: TypeAlias = Callable[[Environ], None]


def key(secret: str) -> tuple[Guard, ...]:
    """One that asks for the key, with a challenge at which browsers ask their user; none where there is no secret."""
    wanted = secret.encode()
    basic = WWWAuthenticate("basic", {"realm": "The key is the password", "charset": "UTF-8"})

    def guard(environ: Environ) -> None:
        given = exchange.key(environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_API_KEY", ""))
        if not hmac.compare_digest(given, wanted):
            text = "This server asks for its key, as 'Authorization: Bearer KEY' or 'X-API-Key: KEY', or as a password."
            raise Unauthorized(text, www_authenticate=(WWWAuthenticate("bearer"), basic))

    return (guard,) if secret else ()


def loaded(subjects: Sequence[Subject]) -> tuple[Guard, ...]:
    """One that waits until all models are loaded; none where they are."""

    def guard(environ: Environ) -> None:
        for subject in subjects:
            check(subject)

    return (guard,) if any(subject.state is not State.READY for subject in subjects) else ()


def check(subject: Subject) -> None:
    """Raises `Unavailable` unless the model is ready."""
    if subject.state is State.LOADING:
        raise Unavailable(f"Model {subject.name!r} is being loaded. Retry in a moment.")
    if subject.state is State.FAILED:
        raise Unavailable(f"Model {subject.name!r} cannot be served: {subject.reason}")


def room(metrics: Metrics, most: int) -> Guard:
    """One that refuses a request when `most` others wait in this process, besides the one that runs."""
    cells, in_flight, limit = metrics.cells, metrics.place("in_flight"), float(most + 1)

    def guard(environ: Environ) -> None:
        if cells[in_flight] > limit:
            raise Overloaded(f"{most} requests are waiting already. Retry later, or raise 'max_queue'.")

    return guard
