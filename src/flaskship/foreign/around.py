"""The layer around a WSGI app: everything passes through it, and the app's own answers pass unchanged."""

from __future__ import annotations

import io
import sys
import threading
import time
from functools import partial
from typing import Any, Iterable, Iterator

from flaskship.errors import TooLarge, Unavailable
from flaskship.exchange import Closing, Environ, Exchange, Headers, StartResponse, access_line, joined, sized
from flaskship.foreign.site import NOT_THEIRS, PATHS, Answer, Site, log, refusal
from flaskship.serve.job import WSGI

NOTHING = {"QUERY_STRING": "", "REQUEST_METHOD": "GET", "CONTENT_LENGTH": "0"}  # of a request


class Around:
    def __init__(self, app: WSGI, site: Site) -> None:
        self._app, self._site = app, site
        self._seats = Seats(site)
        self._known: dict[str, bool] = {}  # those of `PATHS` at which the app was asked -> whether it has something

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        site, path = self._site, environ["PATH_INFO"]
        reply = Reply(environ, site.identify(environ), start_response)
        if environ.get("HTTP_X_FORWARDED_PROTO") in ("http", "https"):  # of nginx, which speaks HTTPS for us
            environ["wsgi.url_scheme"] = environ["HTTP_X_FORWARDED_PROTO"]
        if path in PATHS and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            body = self._health(environ, reply, path)
            if body is not None:
                return body
        refused = self._refused(environ) or self._seats.take()
        if refused is not None:
            return self._answered(environ, reply, refused)
        site.cells[site.in_flight] += 1.0
        body = self._asked(environ, reply)
        if body.__class__ is list:
            self._end(environ, reply)
            return body
        return Closing(body, partial(self._end, environ, reply))

    def _asked(self, environ: Environ, reply: Reply) -> Iterable[bytes]:
        """The app's own body, or what is answered where it raised."""
        if not environ.get("CONTENT_LENGTH") and environ.get("wsgi.input_terminated"):
            environ["wsgi.input"] = reply.body = Limited(environ["wsgi.input"], int(self._site.settings.max_body))
        try:
            body = self._app(environ, reply.start)
            if reply.written:
                body = [*reply.written, *joined(body)]
            if body.__class__ is not list and reply.headers and sized(reply.headers):
                body = joined(body)
            return body
        except TooLarge as error:
            return reply.say(refusal(error))
        except Exception as error:  # noqa: BLE001  # answered, and logged
            return reply.say(self._site.failed(reply.id, error))

    def _refused(self, environ: Environ) -> Answer | None:
        key = environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_API_KEY", "")
        return self._site.locked(*key) or self._site.too_large(environ.get("CONTENT_LENGTH") or "")

    def _health(self, environ: Environ, reply: Reply, path: str) -> Iterable[bytes] | None:
        """Our answer at one of our paths; None where the app has a route of its own there."""
        if self._theirs(environ, path):
            return None
        locked = self._refused(environ) if path == "/metrics" else None
        return reply.say(locked or self._site.own(path), head=environ["REQUEST_METHOD"] == "HEAD")

    def _theirs(self, environ: Environ, path: str) -> bool:
        """Whether the app answers there; where its routes do not say, it is asked once, with nothing of the client's.

        Where it fails, or refuses what was asked, it is asked again the next time.
        """
        known = self._site.theirs(path)
        if known is None:
            known = self._known.get(path)
        if known is None:
            own = {name: environ[name] for name in environ if name == "HTTP_HOST" or not name.startswith("HTTP_")}
            asked = Reply({**own, **NOTHING, "wsgi.input": io.BytesIO()}, "", lambda *args: None)
            try:
                close = getattr(self._app(asked.environ, asked.start), "close", None)
                if close is not None:
                    close()
            except Exception:  # noqa: BLE001  # somebody's code, which has no answer there
                return False
            status = int(asked.status[:3])
            known = status not in NOT_THEIRS
            if status < 400 or not known:
                self._known[path] = known
        return known

    def _answered(self, environ: Environ, reply: Reply, answer: Answer) -> list[bytes]:
        body = reply.say(answer, head=environ["REQUEST_METHOD"] == "HEAD")
        self._count(environ, reply)
        return body

    def _end(self, environ: Environ, reply: Reply) -> None:
        self._seats.give()
        self._site.cells[self._site.in_flight] -= 1.0
        self._count(environ, reply)

    def _count(self, environ: Environ, reply: Reply) -> None:
        status, method = int(reply.status[:3]), environ["REQUEST_METHOD"]
        seconds = time.perf_counter() - reply.started
        self._site.count(reply.route, method, status, seconds)
        path = environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]
        if self._site.settings.access_log:
            access_line(reply.id, environ.get("REMOTE_ADDR", ""), method, path, status, seconds)


class Reply(Exchange):
    """What the app answers, as it passes. `body` is the request's, where its length is not known."""

    __slots__ = ("body", "environ", "route", "written")

    def __init__(self, environ: Environ, identity: str, start_response: StartResponse) -> None:
        super().__init__(identity, start_response)
        self.environ = environ
        self.body: Limited | None = None
        self.route = "other"
        self.written: list[bytes] = []  # before the body, as PEP 3333 still allows

    def start(self, status: str, headers: Headers, exc_info: object = None) -> Any:
        """The app's own."""
        if self.body is not None and self.body.left < 0 and exc_info is None:
            raise self.body.error()  # whatever the app made of it
        kept = [each for each in headers if each[0].lower() != "x-request-id"]
        rule = getattr(self.environ.get("werkzeug.request"), "url_rule", None)  # Flask forgets it afterwards
        self.route = getattr(rule, "rule", "other")
        if status.startswith("500"):
            log.error("The app answered request %s with 500.", self.id)
        super().start(status, kept, exc_info)
        return self.written.append

    def say(self, answer: Answer, *, head: bool = False) -> list[bytes]:
        """Ours in its stead, even where it had begun."""
        super().start(answer.line, answer.fields, sys.exc_info() if self.headers else None)
        return [b"" if head else answer.body]


class Seats:
    """Seats for as many requests as are answered at once, and room for those that wait for one."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._free = threading.Semaphore(site.seats)
        self._lock = threading.Lock()
        self._waiting = 0

    def take(self) -> Answer | None:
        """None where there is one, now or in time; else why not."""
        if self._free.acquire(blocking=False):
            return None
        with self._lock:
            if self._waiting >= self._site.settings.max_queue:
                return refusal(self._site.full())
            self._waiting += 1
        try:
            if self._free.acquire(timeout=self._site.settings.timeout):
                return None
        finally:
            with self._lock:
                self._waiting -= 1
        return refusal(Unavailable(f"No answer within {self._site.settings.timeout:g} s. Retry later."))

    def give(self) -> None:
        self._free.release()


class Limited:
    """A body of unknown length, of which `most` bytes are read."""

    def __init__(self, body: Any, most: int) -> None:
        self._body, self._most, self.left = body, most, most

    def error(self) -> TooLarge:
        return TooLarge(f"The body has more bytes than the {self._most} that are read. Raise 'max_body' or send less.")

    def _counted(self, data: bytes) -> bytes:
        self.left -= len(data)
        if self.left < 0:
            raise self.error()
        return data

    def read(self, size: int = -1) -> bytes:
        return self._counted(self._body.read(self.left + 1 if size < 0 else min(size, self.left + 1)))

    def readline(self, size: int = -1) -> bytes:
        return self._counted(self._body.readline() if size < 0 else self._body.readline(size))

    def readlines(self, hint: int = -1) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")
