"""The layer around an ASGI app: what around.py is for WSGI. WebSockets and the lifespan pass through."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, Awaitable, Callable, MutableMapping

from flaskship.errors import TooLarge
from flaskship.exchange import access_line
from flaskship.foreign.failing import told
from flaskship.foreign.site import NOT_THEIRS, PATHS, Answer, Site, log, refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]


class AroundAsync:
    def __init__(self, app: ASGI, site: Site) -> None:
        self._app, self.site = app, site
        self.waiting = 0  # requests whose answer has not begun
        self._known: dict[str, bool] = {}  # those of `PATHS` at which the app was asked -> whether it has something

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] != "websocket" or self._locked(headers(scope)) is None:
            await self._app(scope, receive, send)  # a WebSocket without the key is refused by no answer

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app's own, which says in a traceback why it does not start."""

        async def say(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                message = {**message, "message": told(str(message.get("message", "")), self.site.root).detail}
            await send(message)

        await self._app(scope, receive, say)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        fields, path = headers(scope), scope["path"]
        exchange = Exchange(self, scope, receive, send, self.site.identify.name(fields.get("x-request-id")))
        if fields.get("x-forwarded-proto") in ("http", "https"):  # of nginx, which speaks HTTPS for us
            scope["scheme"] = fields["x-forwarded-proto"]
        if path in PATHS and scope["method"] in ("GET", "HEAD") and not await self._theirs(scope, path):
            locked = self._locked(fields) if path == "/metrics" else None
            await exchange.answer(locked or self.site.own(path))
            return
        site = self.site
        refused = self._locked(fields) or site.too_large(fields.get("content-length", ""))
        if refused is None and self.waiting >= site.seats + site.settings.max_queue:
            refused = refusal(site.full())
        await exchange.run(self._app, refused)

    def _locked(self, fields: dict[str, str]) -> Answer | None:
        return self.site.locked(fields.get("authorization", ""), fields.get("x-api-key", ""))

    async def _theirs(self, scope: Scope, path: str) -> bool:
        """As around.py's."""
        known = self.site.theirs(path)
        if known is None:
            known = self._known.get(path)
        if known is not None:
            return known
        statuses: list[int] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        host = [each for each in scope["headers"] if each[0].lower() == b"host"]
        with suppress(Exception):  # of somebody's code, which may have sent its answer before
            await self._app({**scope, "method": "GET", "query_string": b"", "headers": host}, receive, send)
        theirs = bool(statuses) and statuses[-1] not in NOT_THEIRS
        if statuses and (statuses[-1] < 400 or not theirs):
            self._known[path] = theirs
        return theirs


class Exchange:
    """One request, as it passes through the app."""

    def __init__(self, around: AroundAsync, scope: Scope, receive: Receive, send: Send, identity: str) -> None:
        self.around, self.site, self.scope, self.id = around, around.site, scope, identity
        self._receive, self._send = receive, send
        self._started = time.perf_counter()
        self._left = int(self.site.settings.max_body)
        self._waits = 0
        self.status = 0  # while the answer has not begun

    async def run(self, app: ASGI, refused: Answer | None) -> None:
        """The app's answer, or why it is not asked, or that it failed."""
        site = self.site
        if refused is not None:
            await self.answer(refused)
            self._end()
            return
        self.around.waiting += 1
        self._waits = 1
        site.cells[site.in_flight] += 1.0
        try:
            await app(self.scope, self.receive, self.send)
        except Exception as error:  # answered where that can still be done, and logged
            answer = refusal(error) if isinstance(error, TooLarge) else site.failed(self.id, error)
            if self.status:
                raise
            await self.answer(answer)
        finally:
            site.cells[site.in_flight] -= 1.0
            self._begin(self.status)
            self._end()

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            most = int(self.site.settings.max_body)
            raise TooLarge(f"The body has more bytes than the {most} that are read. Raise 'max_body' or send less.")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._left < 0 and message["status"] >= 400:  # whatever the app made of it
                raise TooLarge("The body is over the limit.")
            self._begin(message["status"])
            if self.status == 500:
                log.error("The app answered request %s with 500.", self.id)
            kept = [each for each in message.get("headers", ()) if each[0].lower() != b"x-request-id"]
            message = {**message, "headers": [*kept, (b"x-request-id", self.id.encode())]}
        await self._send(message)

    async def answer(self, answer: Answer) -> None:
        self._begin(answer.status)
        fields = [(name.lower().encode(), value.encode()) for name, value in answer.fields]
        fields.append((b"x-request-id", self.id.encode()))
        body = b"" if self.scope["method"] == "HEAD" else answer.body
        await self._send({"type": "http.response.start", "status": answer.status, "headers": fields})
        await self._send({"type": "http.response.body", "body": body})

    def _begin(self, status: int) -> None:
        """It waits no more."""
        self.status = status
        self.around.waiting -= self._waits
        self._waits = 0

    def _end(self) -> None:
        method, path, status = self.scope["method"], self.scope["path"], self.status or 500
        seconds = time.perf_counter() - self._started
        self.site.count(getattr(self.scope.get("route"), "path", "other"), method, status, seconds)
        if self.site.settings.access_log:
            client = (self.scope.get("client") or ("",))[0]
            access_line(self.id, client, method, path, status, seconds)


def headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
