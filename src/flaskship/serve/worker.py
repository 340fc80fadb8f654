"""A worker process, which bootstrap.py starts.

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
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from flaskship.errors import FlaskshipError, MissingExtra, UsageError
from flaskship.serve import foreground
from flaskship.serve.job import Job, configure_logging

log = logging.getLogger("flaskship.serve")

FILES = 8192  # that a process may open, connections among them
GRANIAN_SINCE = (3, 10)  # the first Python with a Granian whose WSGI side is the one that granian.py knows


def start(link: int, listener: int) -> None:
    """Do the job that comes over `link`, and end the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    connection = Connection(link)
    job: Job
    job, eager = connection.recv()  # an eager worker accepts before the model is loaded, to answer health
    configure_logging(job)
    allow_files()
    worker = Worker(job, connection, listener)
    if job.app:
        threading.Thread(target=worker.main, args=(eager,), name="flaskship").start()
        foreground.lend()
    logging.captureWarnings(True)
    worker.main(eager)


@dataclass
class Worker:
    job: Job
    link: Connection
    listener: int

    def main(self, eager: bool) -> None:
        code = 1
        try:
            code = self.run(eager)
        except BaseException:  # noqa: BLE001  # nothing is above, in whichever thread this is
            traceback.print_exc()
        finally:
            end(code)

    def run(self, eager: bool) -> int:
        """Serve until it is time to stop. The exit code."""
        try:
            other = os.dup(self.listener)  # as a server takes its own with it
            server = self._server(self.job.asynchronous, self.listener)
            if eager:
                server.start()
            loaded = self.job.application()
            if loaded.asynchronous is self.job.asynchronous:
                os.close(other)
            else:  # its code read otherwise
                if eager:
                    server.stop()
                server, eager = self._server(loaded.asynchronous, other), False
            server.open(loaded)
        except FlaskshipError as error:
            self.link.send(error)
            sys.stdout.flush()
            os._exit(error.exit_code)  # the server's threads may be in the midst of starting
        if not eager:
            server.start()
        self.link.send(loaded.names)
        told = self._stop_told(server)
        signal.alarm(math.ceil(self.job.settings.grace) + 1)  # ends this process where no supervisor is left to do it
        server.stop()
        if not told:
            shutil.rmtree(self.job.shared, ignore_errors=True)
        return 0

    def _server(self, asynchronous: bool, listener: int) -> Any:
        """A `Server` of granian.py, gunicorn.py or asgi.py: accepts in threads of its own, with

        start()             accept; until it is open, health is answered
        open(loaded)        answer with its application
        drain()             close each connection with its next answer
        stop()              accept no more, answer what is in flight, return
        """
        name: str = self.job.settings.server
        if asynchronous:
            if name == "gunicorn":
                raise UsageError("gunicorn serves no ASGI app. Leave --server out: Granian does.")
            name = "asgi"
        elif name == "granian" and sys.version_info < GRANIAN_SINCE:
            log.info("Python %d.%d has no Granian for this app: gunicorn serves it.", *sys.version_info[:2])
            name = "gunicorn"
        try:
            module = importlib.import_module(f"flaskship.serve.{name}")
        except ModuleNotFoundError as error:  # in an image that was built for another server
            raise MissingExtra(
                f"The server {name!r} needs {error.name!r}, which is not here: build the image with"
                f" --server {name}, or pip install {error.name}"
            ) from error
        return module.Server(self.job, listener)

    def _stop_told(self, server: Any) -> bool:
        """Wait until it is time to stop; False where the supervisor ended without a word.

        It says how many seconds to go on without keeping connections alive, None for until it closes the link.
        """
        try:
            linger: float | None = self.link.recv()
        except (EOFError, OSError):
            return False
        server.drain()
        self.link.poll(linger)
        return True


def allow_files() -> None:
    """Raise the soft limit of open files, often 1024, as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def end(code: int) -> None:
    """End the process. Granian's threads outlive its stop, and abort where they find the interpreter half gone."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
