"""Granian's server in a worker process.

Granian's own process manager is not used: each of its workers opens a socket of its own, so that connections are lost
whenever one goes; it starts a worker whose load failed again and again; and it cannot say when all of them are ready.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from granian._futures import _new_cbscheduler
from granian._granian import SocketHolder, WorkerSignal, WSGIWorker
from granian.http import HTTP1Settings

from flaskship.serve import starting
from flaskship.serve.job import FAST, WSGI, Job, Loaded
from flaskship.serve.listen import BACKLOG

CONNECTIONS = 4096  # accepted at once by a worker; more wait in the kernel
SPARE = 4  # threads that stand in for those that a client keeps waiting, each with a body in memory
FOR_EVER = 10**9  # seconds
LONG = len("100000")  # digits of a length in bytes from which a body may be long in coming
BASIC = {
    "SCRIPT_NAME": "",
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,  # to Werkzeug: the body ends by itself, also a chunked one
    "wsgi.multiprocess": True,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}


class Server:
    """Accepts on `listener`, a file descriptor of a listening socket that it shares with other processes.

    Granian starts threads while requests wait, up to its limit. Only as many as have a seat go on after their first
    request; the others stand in for a thread that leaves its seat, as it waits for a slow client or streams an answer.
    """

    def __init__(self, job: Job, listener: int) -> None:
        self._application: WSGI = starting.wsgi
        self._last: list[tuple[str, str]] = []  # headers of every answer
        self._job, self._threads = job, job.threads + SPARE + job.streams
        self._seats = threading.Semaphore(job.threads)
        self._seat = threading.local()  # `taken` where this thread has one
        self._stopped = threading.Event()
        self._signal = WorkerSignal()
        self._signal.add_cb(self._stopped.set)
        holder: Any = SocketHolder
        worker: Any = WSGIWorker  # as Any, since their stubs are behind their code
        self._worker = worker(
            os.getpid(),
            (None, holder(listener, False, BACKLOG)),
            None,
            py_threads=self._threads,
            py_threads_idle_timeout=FOR_EVER,  # a thread would take its seat with it
            backpressure=CONNECTIONS,
            http_mode="auto",
            # The time that a request's head may take counts from the answer before it, so it is the keep-alive too.
            http1_opts=HTTP1Settings(header_read_timeout=int(job.settings.keep_alive * 1000)),
        )

    def start(self) -> None:
        loop = asyncio.new_event_loop()  # Granian wants one; nothing runs on it for WSGI
        scheduler = _new_cbscheduler(loop, self._answer, impl_asyncio=True)  # type: ignore[no-untyped-call]
        self._worker.serve_mtr(scheduler, loop, self._signal)

    def open(self, loaded: Loaded) -> None:
        """Answer with its application from now on; models that take microseconds have few seats."""
        self._application = loaded.application
        few = FAST if loaded.direct and not self._job.settings.threads else self._job.threads
        for _ in range(self._job.threads - few):
            self._seats.acquire(blocking=False)  # those taken already stay so

    def drain(self) -> None:
        """Close each connection with its next answer."""
        self._last = [("connection", "close")]

    def stop(self) -> None:
        """Accept no more, answer what is in flight, return."""
        self._seats.release(self._threads)  # a thread that waits for one keeps its last connection open
        self._signal.set()
        self._stopped.wait()

    def _answer(self, protocol: Any, environ: dict[str, Any]) -> None:
        """One request, in a thread that has a seat after it."""
        if len(environ.get("CONTENT_LENGTH", "")) >= LONG or "HTTP_TRANSFER_ENCODING" in environ:
            environ["wsgi.input"] = Slow(environ["wsgi.input"], self._leave)
        try:
            self._respond(protocol, environ)
        finally:
            if not hasattr(self._seat, "taken"):
                self._seats.acquire()
                self._seat.taken = True

    def _leave(self) -> None:
        if hasattr(self._seat, "taken"):
            del self._seat.taken
            self._seats.release()

    def _respond(self, protocol: Any, environ: dict[str, Any]) -> None:
        """Granian's own wrapper copies the process's environment, secrets and all, into each request's."""
        environ.update(BASIC)
        status = 500
        headers: list[tuple[str, str]] = []

        def start_response(line: str, fields: list[tuple[str, str]], exc_info: object = None) -> None:
            nonlocal status, headers
            status, headers = int(line[:3]), fields + self._last

        body = self._application(environ, start_response)
        if isinstance(body, list):
            protocol.response_bytes(status, headers, body[0] if len(body) == 1 else b"".join(body))
        else:
            self._leave()
            protocol.response_iter(status, headers, Chunks(body))


class Slow:
    """A body that may be long in coming: `leave` is called before it is read."""

    def __init__(self, body: Any, leave: Callable[[], None]) -> None:
        self._body, self._leave = body, leave

    def __getattr__(self, name: str) -> Any:
        self._leave()
        return getattr(self._body, name)

    def __iter__(self) -> Iterator[bytes]:
        self._leave()
        return iter(self._body)


class Chunks:
    """An iterable body as Granian takes it: its chunks one by one, and a `close`."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self.__next__ = iter(body).__next__
        self.close = getattr(body, "close", lambda: None)
