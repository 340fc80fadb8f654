"""What the outermost layer of a server knows of one request: its id, its key, its status, its end.

For models (web/ops.py) and, on Python 3.8 too, for somebody's app (foreign/): see flaskship/serve.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import secrets
import sys
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

Headers = List[Tuple[str, str]]
Environ = Dict[str, Any]
StartResponse = Callable[..., Any]

REQUEST_ID = "flaskship.request_id"  # in the WSGI environment
JOINED = 2**22  # bytes up to which a body of known length goes out in one piece
VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
sane = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII).fullmatch


class Exchange:
    """One request: its id, and the status with which it is answered."""

    __slots__ = ("_start_response", "headers", "id", "started", "status")

    def __init__(self, identity: str, start_response: StartResponse) -> None:
        self.id = identity
        self._start_response = start_response
        self.status = "500 Internal Server Error"
        self.headers: Headers = []
        self.started = time.perf_counter()

    def start(self, status: str, headers: Headers, exc_info: object = None) -> Any:
        self.status, self.headers = status, headers
        headers.append(("X-Request-ID", self.id))
        if exc_info is None:
            return self._start_response(status, headers)
        return self._start_response(status, headers, exc_info)


class Ids:
    """Names for requests: the client's own where it is sane, else one that no other process makes."""

    def __init__(self) -> None:
        self._stamp, self._numbers = secrets.token_hex(6), itertools.count()

    def name(self, given: str | None) -> str:
        return given if given is not None and sane(given) else f"{self._stamp}{next(self._numbers):08x}"

    def __call__(self, environ: Environ) -> str:
        found = environ[REQUEST_ID] = self.name(environ.get("HTTP_X_REQUEST_ID"))
        return found


def key(authorization: str, own: str) -> bytes:
    """The key that a request brings: as `Bearer`, as the password of `Basic` (RFC 7617), or as `X-API-Key`."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return bytes(text.strip(), "latin-1", "replace")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(text).partition(b":")[2]
        except ValueError:
            return b""
    return bytes(own, "latin-1", "replace")


def sized(headers: Headers) -> bool:
    """Whether the body's length is said, and small: it need not be streamed."""
    for name, value in headers:
        if name.lower() == "content-length":
            return int(value) <= JOINED
    return False


def joined(body: Iterable[bytes]) -> list[bytes]:
    try:
        return [b"".join(body)]
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()


class Closing:
    """A body that says when it is done."""

    def __init__(self, body: Iterable[bytes], done: Callable[[], None]) -> None:
        self._body, self._done = body, done

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._done()


def access_line(identity: str, client: str, method: str, path: str, status: int, seconds: float) -> None:
    """One line of JSON on stderr. The query is left out, as it may hold what people entered."""
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "request_id": identity,
        "client": client,
        "method": method,
        "path": path,
        "status": status,
        "seconds": round(seconds, 6),
    }
    sys.stderr.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
