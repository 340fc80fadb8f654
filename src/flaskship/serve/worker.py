"""A worker process: `python -m flaskship.serve.worker LINK LISTENER`, two inherited file descriptors.

It is told its job over the link, says over it that it is ready or why not, and stops when told to, or when the link
closes because its supervisor was killed. Signals are for the supervisor; a terminal's Ctrl-C reaches both.
"""

from __future__ import annotations

import atexit
import importlib
import logging
import math
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from typing import Any, Protocol

from flaskship.errors import FlaskshipError, MissingExtra
from flaskship.health import LIVE
from flaskship.serve.job import WSGI, Job, configure_logging

FILES = 8192  # that a process may open, connections among them


class Server(Protocol):
    """What accepts requests in threads of its own: `serve.granian.Server`, `serve.gunicorn.Server`."""

    application: WSGI

    def start(self) -> None: ...
    def drain(self) -> None: ...
    def stop(self) -> None: ...


def main(link: Connection, listener: int) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    job: Job
    job, eager = link.recv()  # an eager worker accepts before the model is loaded, to answer health
    configure_logging(job.settings)
    allow_files()
    try:
        module = importlib.import_module(f"flaskship.serve.{job.settings.server}")
    except ModuleNotFoundError as error:  # in an image that was built for another server
        missing = MissingExtra(
            f"The server {job.settings.server!r} needs {error.name!r}, which is not here: build the image with"
            f" --server {job.settings.server}, or pip install {error.name}"
        )
        link.send(missing)
        return missing.exit_code
    server: Server = module.Server(job, listener, starting)
    if eager:
        server.start()
    try:
        loaded = job.application()
    except FlaskshipError as error:
        link.send(error)
        os._exit(error.exit_code)  # the server's threads may be in the midst of starting
    server.application = loaded.application
    if not eager:
        server.start()
    link.send(loaded.names)
    told = stop_told(link, server)
    signal.alarm(math.ceil(job.settings.grace) + 1)  # ends this process where no supervisor is left to do it
    server.stop()
    if not told:
        shutil.rmtree(job.shared, ignore_errors=True)
    return 0


def stop_told(link: Connection, server: Server) -> bool:
    """Wait until it is time to stop; False where the supervisor ended without a word.

    It says how many seconds to go on without keeping connections alive, None for until it closes the link.
    """
    try:
        linger: float | None = link.recv()
    except (EOFError, OSError):
        return False
    server.drain()
    link.poll(linger)
    return True


def allow_files() -> None:
    """Raise the soft limit of open files, often 1024, as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def starting(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The application while the model is loaded: alive, not ready."""
    headers = [("content-type", "text/plain; charset=utf-8")]
    if environ["PATH_INFO"] in LIVE:
        start_response("200 OK", headers)
        return [b"ok\n"]
    start_response("503 Service Unavailable", [*headers, ("retry-after", "1")])
    return [b"The model is being loaded.\n"]


if __name__ == "__main__":
    logging.captureWarnings(True)
    code = main(Connection(int(sys.argv[1])), int(sys.argv[2]))
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Granian's threads outlive its stop, and abort where they find the interpreter half gone
