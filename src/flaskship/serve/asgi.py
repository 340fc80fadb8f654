"""Granian's server for an ASGI app in a worker process: one event loop, in a thread of its own.

Also with the last release of Granian for Python 3.9, of which `_serving` knows the differences.
"""

from __future__ import annotations

import asyncio
import os
import threading
from importlib.metadata import version
from typing import Any, Callable

from granian import _futures, _granian, http

from flaskship.errors import AppFailed
from flaskship.serve import starting
from flaskship.serve.job import Job, Loaded
from flaskship.serve.listen import BACKLOG

CONNECTIONS = 4096  # accepted at once; more wait in the kernel
RELEASE = tuple(map(int, version("granian").split(".")[:2]))


class Server:
    """Accepts on `listener`, a file descriptor of a listening socket that it shares with other processes."""

    def __init__(self, job: Job, listener: int) -> None:
        self._application: Any = starting.asgi
        self._last: list[tuple[bytes, bytes]] = []  # headers of every answer
        self._lifespan = Lifespan(starting.asgi)
        self._flying = 0  # requests
        self._landed: asyncio.Event | None = None  # one of them, once that is waited for
        self._loop = asyncio.new_event_loop()
        self._signal = _granian.WorkerSignal()
        self._serve = _serving(job, listener, self._loop, self._watch, self._signal)
        self._thread = threading.Thread(target=self._run, name="asgi", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def open(self, loaded: Loaded) -> None:
        """Answer with its application from now on, once its lifespan has begun. Raises `AppFailed` where that fails."""
        self._lifespan = Lifespan(loaded.application)
        begun = self._lifespan.start()
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(begun, self._loop).result()
        else:
            self._loop.run_until_complete(begun)
        self._application = loaded.application

    def drain(self) -> None:
        """Close each connection with its next answer."""
        self._last = [(b"connection", b"close")]

    def stop(self) -> None:
        """Accept no more, answer what is in flight, end the app's lifespan, return."""
        if RELEASE < (2, 8):  # its own stop may wait for ever for a thread that waits for it
            asyncio.run_coroutine_threadsafe(self._rest(), self._loop).result()
            return
        self._loop.call_soon_threadsafe(self._signal.set)
        self._thread.join()

    async def _rest(self) -> None:
        """Answer what is in flight, end the app's lifespan."""
        self._landed = asyncio.Event()
        while self._flying:
            self._landed.clear()
            await self._landed.wait()
        await self._lifespan.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._serve()
        self._loop.run_until_complete(self._lifespan.stop())

    async def _watch(self, watcher: Any) -> None:
        """One request, as Granian has it run and watched."""
        self._flying += 1
        try:
            await self._answer(watcher.scope, watcher.proto)
        except BaseException as error:  # noqa: BLE001  # Granian ends the connection
            watcher.err(error)
        else:
            watcher.done()
        finally:
            self._flying -= 1
            if self._landed is not None:
                self._landed.set()

    async def _answer(self, scope: dict[str, Any], protocol: Any) -> None:
        async def send(message: dict[str, Any]) -> None:
            if self._last and message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *self._last]}
            await protocol.send(message)

        scope.update(root_path="", state=dict(self._lifespan.state))
        await self._application(scope, protocol.receive, send)


def _serving(
    job: Job, listener: int, loop: asyncio.AbstractEventLoop, watch: Callable[[Any], Any], signal: Any
) -> Callable[[], None]:
    """What accepts until `signal` is set and then returns, in the thread that is to run `loop`."""
    options: dict[str, Any] = {"backpressure": CONNECTIONS, "http_mode": "auto", "websockets_enabled": True}
    worker: Any = _granian.ASGIWorker  # as Any, since its stubs are behind its code
    if RELEASE < (2, 0):  # 1.6, of Python 3.8, keeps the interpreter to itself while a body comes in
        raise AppFailed("An ASGI app needs Python 3.9 or later: Granian for 3.8 does not read the bodies of requests.")
    holder: Any = _granian.SocketHolder
    held = holder(listener, False, BACKLOG)
    # The time that a request's head may take counts from the answer before it, so it is the keep-alive too.
    options["http1_opts"] = http.HTTP1Settings(header_read_timeout=int(job.settings.keep_alive * 1000))
    scheduler = _futures._new_cbscheduler(loop, watch, impl_asyncio=True)  # type: ignore[no-untyped-call]
    if RELEASE < (2, 8):  # 2.5, of Python 3.9
        middle = worker(os.getpid(), held, **options)
        return lambda: middle.serve_mtr(scheduler, loop, signal)
    new = worker(os.getpid(), (None, held), None, **options)

    def serve() -> None:
        over = loop.create_future()
        signal.add_cb(lambda: loop.call_soon_threadsafe(over.set_result, None))
        new.serve_mtr(scheduler, loop, signal)
        loop.run_until_complete(over)

    return serve


class Lifespan:
    """https://asgi.readthedocs.io/en/latest/specs/lifespan.html"""

    def __init__(self, application: Any) -> None:
        self._application = application
        self.state: dict[str, Any] = {}  # what the app keeps for its requests
        self._told: dict[str, Any] = {}  # its last word
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises `AppFailed` where the app says that it cannot start."""
        self._events: asyncio.Queue[str] = asyncio.Queue()
        self._heard = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())
        await self._say("lifespan.startup")
        if self._told.get("type") == "lifespan.startup.failed":
            raise AppFailed(str(self._told.get("message")))

    async def stop(self) -> None:
        if self._task is not None and not self._task.done():
            await self._say("lifespan.shutdown")

    async def _say(self, event: str) -> None:
        self._heard.clear()
        await self._events.put(event)
        await self._heard.wait()

    async def _run(self) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": await self._events.get()}

        async def send(message: dict[str, Any]) -> None:
            self._told = message
            self._heard.set()

        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._application(scope, receive, send)
        except BaseException:  # noqa: BLE001  # an app that knows no lifespan may raise at its scope, and is served
            pass
        finally:
            self._heard.set()
