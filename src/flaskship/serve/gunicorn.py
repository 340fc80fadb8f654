"""gunicorn's threaded worker, in a worker process of ours."""

from __future__ import annotations

import math
import os
import select
import socket
import threading
from collections.abc import Iterable
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from flaskship.serve import starting
from flaskship.serve.job import WSGI, Job, Loaded

CONNECTIONS = 1000  # accepted at once by a worker
THREADS = 4  # of a worker at least: with gunicorn a kept-alive connection occupies none, a request does


class Server:
    """Accepts on `listener`, a file descriptor of a listening socket that it shares with other processes."""

    def __init__(self, job: Job, listener: int) -> None:
        self._application: WSGI = starting.wsgi
        configured = Configured(job, self)
        log = configured.cfg.logger_class(configured.cfg)
        shared = socket.socket(fileno=listener)
        self._worker = Worker(1, os.getppid(), [shared], configured, 0, configured.cfg, log)
        self._thread = threading.Thread(target=self._worker.init_process, name="gunicorn", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def open(self, loaded: Loaded) -> None:
        """Answer with its application from now on."""
        self._application = loaded.application

    def drain(self) -> None:
        """Close each connection with its next answer."""
        self._worker.max_keepalived = 0

    def stop(self) -> None:
        """Accept no more, answer what is in flight, return."""
        self._worker.handle_exit(None, None)
        self._thread.join()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self._application(environ, start_response)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's, which leaves signals to our supervisor."""

    def init_signals(self) -> None: ...

    def set_accept_enabled(self, enabled: bool) -> None:
        """Once it stops, also take the connections that wait in the kernel, and refuse new ones."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for each in self.sockets:
                while select.select([each], [], [], 0)[0]:
                    self.accept(each)
                each.close()


class Configured(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Our settings in gunicorn's terms."""

    def __init__(self, job: Job, application: WSGI) -> None:
        self._job = job
        self._application = application
        super().__init__()

    def load_config(self) -> None:
        settings = self._job.settings
        threads = self._job.threads if self._job.app else settings.threads or max(THREADS, self._job.threads)
        mapped = {
            "threads": threads + self._job.streams,
            "worker_class": "gthread",
            "worker_connections": CONNECTIONS,
            "worker_tmp_dir": str(self._job.shared),
            "graceful_timeout": int(settings.grace) + 1,  # the supervisor's limit comes first
            "keepalive": math.ceil(settings.keep_alive),
            "loglevel": settings.log_level,
        }
        for name, value in mapped.items():
            self.cfg.set(name, value)

    def load(self) -> WSGI:
        return self._application
