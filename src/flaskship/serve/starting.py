"""What answers while a model is loaded or an app starts: the process is alive, and not ready."""

from __future__ import annotations

from typing import Any, Callable, Iterable

from flaskship.health import LIVE

ALIVE, NOT_YET = b"ok\n", b"The model is being loaded.\n"
TEXT = [("content-type", "text/plain; charset=utf-8")]
AGAIN = [*TEXT, ("retry-after", "1")]


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] in LIVE:
        start_response("200 OK", list(TEXT))
        return [ALIVE]
    start_response("503 Service Unavailable", list(AGAIN))
    return [NOT_YET]


async def asgi(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    if scope["type"] != "http":
        return  # a WebSocket is refused so
    alive = scope["path"] in LIVE
    headers = [(name.encode(), value.encode()) for name, value in (TEXT if alive else AGAIN)]
    await send({"type": "http.response.start", "status": 200 if alive else 503, "headers": headers})
    await send({"type": "http.response.body", "body": ALIVE if alive else NOT_YET})
