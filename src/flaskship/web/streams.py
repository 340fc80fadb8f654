"""Answers that come bit by bit, as a function's iterator gives them: never gathered, never held back.

    Accept: text/event-stream, or */*    data: "one"          a JSON value for each item, then `event: end`, or
                                         event: error         with a problem where the function fails on the way
    Accept: application/x-ndjson         "one"                a line for each item, the last {"error": …} where it fails
    Accept: text/plain                   one                  texts as they are, other items as lines of JSON
    Accept: application/json             {"prediction": ["one", "two"]}, gathered

The first item is waited for before the status goes out, so what fails at once is a failure like any other's. The
function's generator is closed as soon as it is known that the client is gone: with Granian that is at the next item,
with gunicorn at the one after it, since only who writes is told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
from flask import Response, request

from flaskship.errors import FlaskshipError, Overloaded, Unavailable
from flaskship.exchange import REQUEST_ID
from flaskship.predict.codec import Request
from flaskship.web import problem, reply
from flaskship.web.subject import Site, Subject

log = logging.getLogger("flaskship.web")

MOST = 1000  # items on a page
EVENTS, LINES, TEXT = "text/event-stream", "application/x-ndjson", "text/plain"
TYPES = (EVENTS, LINES, TEXT, reply.JSON)
HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # to nginx: pass each item on at once
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept",
}


class Format(NamedTuple):
    """How items are written; each is given as JSON, but a text to `text` as it is."""

    item: Callable[[bytes], bytes]
    text: Callable[[str], bytes] | None
    error: Callable[[bytes], bytes]
    end: bytes = b""


FORMATS = {
    EVENTS: Format(
        item=lambda item: b"data: " + item + b"\n\n",
        text=None,
        error=lambda fault: b"event: error\ndata: " + fault + b"\n\n",
        end=b"event: end\ndata: null\n\n",
    ),
    LINES: Format(item=lambda item: item + b"\n", text=None, error=lambda fault: b'{"error":' + fault + b"}\n"),
    TEXT: Format(
        item=lambda item: item + b"\n",
        text=lambda text: text.encode(errors="replace"),
        error=lambda fault: b"\n" + fault + b"\n",
    ),
}


def respond(subject: Subject, asked: Request, site: Site) -> Response:
    """The answer in the form that is accepted. Raises what comes before its first item."""
    accepted = request.accept_mimetypes.best_match(TYPES, EVENTS)
    if accepted == reply.JSON or not asked.single:
        status, headers, whole = reply.answer(subject, asked)
        return Response(whole, status, [*headers, ("Vary", "Accept")])
    body = Body(subject, asked, FORMATS[accepted], request.environ[REQUEST_ID], site)
    content = accepted if accepted == LINES else f"{accepted}; charset=utf-8"
    return Response(body, headers={**HEADERS, "Content-Type": content})


def gathered(subject: Subject, asked: Request, site: Site) -> tuple[list[Any], str]:
    """The items for a page that cannot show them as they come: as JSON has them, and why that is not all of them."""
    body = Body(subject, asked, FORMATS[LINES], request.environ[REQUEST_ID], site)
    until, items = time.monotonic() + site.settings.timeout, list[Any]()
    try:
        for line in body:
            items.append(msgspec.json.decode(line))
            if len(items) >= MOST or time.monotonic() > until:
                return items, f"Only the first {len(items)} items are shown. Ask for the stream to have all of them."
    finally:
        body.close()
    if body.failed:
        return items[:-1], items[-1]["error"]["detail"]
    return items, ""


class Body:
    """The items of one answer as a WSGI server takes them. `close` ends the function's generator, wherever it is."""

    def __init__(self, subject: Subject, asked: Request, format: Format, request_id: str, site: Site) -> None:
        """Waits for the first item. Raises what the function raises in its place, and `Overloaded`."""
        self._format, self._id, self._ending = format, request_id, site.ending
        self._encode = subject.codec.encode_item
        self._over = self.failed = False
        self._items: Iterator[Any] = iter(())
        self._tidy = [asked.close]  # what is still to be done at its end
        try:
            if not site.streams.acquire(blocking=False):
                most = site.settings.max_streams
                raise Overloaded(f"{most} answers are streamed already. Retry later, or raise 'max_streams'.")
            self._tidy.append(site.streams.release)
            self._items = iter(subject.predictor(asked.columns).values[0][0])
            self._first = self._item()
        except BaseException:  # whatever it is goes on up: the place among the streams is given back first
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Bytes of the next item; never none, which would end a chunked body."""
        part, self._first = self._first, b""
        while not part:
            if self._over:
                raise StopIteration
            part = self._next()
        return part

    def _next(self) -> bytes:
        """The next item, the end, or what went wrong; the status is out by now."""
        try:
            if self._ending():
                raise Unavailable("The server is about to stop. Ask again, and another one answers.")
            return self._item()
        except FlaskshipError as error:
            self._over = self.failed = True
            return self._format.error(problem.problem(problem.of(error, self._id)).body)

    def _item(self) -> bytes:
        try:
            item = next(self._items)
            write = self._format.text
            return write(item) if write and isinstance(item, str) else self._format.item(self._encode(item))
        except StopIteration:
            self._over = True
            return self._format.end

    def close(self) -> None:
        try:
            if (close := getattr(self._items, "close", None)) is not None:
                close()
        except Exception:  # a function may fail at its end too, when nobody listens
            log.exception("Request %s: the function failed when it was told to end.", self._id)
        finally:
            while self._tidy:
                self._tidy.pop()()
