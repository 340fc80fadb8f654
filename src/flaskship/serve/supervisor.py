"""The parent process: starts workers, replaces those that die, and stops all of them in good order.

It has one thread, loads no model and imports no NumPy. It waits in one `select` for signals and for what workers say.
As process 1 of a container it also reaps orphans.

A worker's listening socket is kept open here, and handed to the worker that replaces it: when a target changed, both
accept on it for a moment, and what waits in the kernel is not lost. When a worker was killed, the others get the new
connections, and the few that waited for it are reset; the only worker's wait in the kernel until there is another.
Before a worker ends, it answers for a while with `Connection: close`: one that is kept alive would be cut, perhaps with
a request on its way.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from flaskship.errors import FlaskshipError
from flaskship.health import DRAINING, STARTING
from flaskship.serve.job import Job
from flaskship.serve.listen import BALANCED, again, url
from flaskship.serve.watch import INTERVAL, Watch

log = logging.getLogger("flaskship.serve")

RESTART = 1.0  # seconds at least from one start of a worker to the next in its place
ATTEMPTS = 3  # replacements that may fail to start, one after the other
FOREVER = float("inf")
BOOTSTRAP = Path(__file__).with_name("bootstrap.py")


class Phase(IntEnum):
    STARTING = 0
    SERVING = 1
    DRAINING = 2  # /readyz says 503, all else is answered, and every answer closes its connection
    FINISHING = 3  # nothing is accepted, requests in flight are answered
    KILLED = 4


class Interrupted(Exception):
    """A stop signal came while the target was made anew."""


@dataclass(eq=False)
class Worker:
    process: subprocess.Popen[bytes]
    link: Connection
    job: Job
    place: int  # which of the listeners it has
    started: float
    ready: bool = False
    retired: bool = False  # told to stop
    names: tuple[str, ...] = ()  # of the models it serves
    error: FlaskshipError | None = None

    def hear(self) -> None:
        """Take in what it said: the names of its models once they are loaded, or why they cannot be."""
        try:
            said = self.link.recv() if not self.link.closed and self.link.poll() else None
        except (EOFError, OSError):
            return
        if isinstance(said, FlaskshipError):
            self.error = said
        elif said is not None:
            self.names, self.ready = said, True

    def retire(self, linger: float | None) -> None:
        """Have it keep no connection alive, and end after `linger` seconds, or when it is told to `finish`.

        One that is loading has no connections.
        """
        if self.ready and not self.retired:
            with suppress(OSError):  # it has just died
                self.link.send(linger)
        elif not self.ready:
            self.process.kill()
        self.retired = True

    def finish(self) -> None:
        """Have it accept nothing more, answer what is in flight, and end."""
        self.retire(0)
        self.link.close()


@dataclass
class Supervisor:
    """A worker for each of `listeners`, doing `job`; with `watch` and `rebuild`, anew whenever the target changes."""

    job: Job
    listeners: list[socket.socket]
    environment: Mapping[str, str]
    rebuild: Callable[[], tuple[Sequence[Path], str]] | None = None  # bundles, and the Python that serves these
    watch: Watch | None = None
    _workers: list[Worker] = field(default_factory=list)
    _restarts: dict[int, float] = field(default_factory=dict)  # the places of dead workers, and when to start another
    _successor: Job | None = None  # the changed target, for which workers are starting
    _failures: int = 0
    _phase: Phase = Phase.STARTING
    _deadline: float = FOREVER  # of the present phase
    _signals: int = 0
    _rebuilding: bool = False
    _pid: int = field(default_factory=os.getpid)

    def run(self) -> int:
        """Serve until a signal says stop: 0. Raises a `FlaskshipError` where the workers cannot be started."""
        with self._waking() as wake:
            try:
                (self.job.shared / STARTING).touch()
                for place in range(len(self.listeners)):
                    self._spawn(self.job, place, eager=True)
                while self._workers or self._restarts:
                    self._wait(wake)
                    self._hear()
                    self._stop() if self._signals else self._serve()
            finally:
                for worker in self._workers:
                    worker.process.kill()
                    worker.process.wait()
                self._close()
        return 0

    def _spawn(self, job: Job, place: int, *, eager: bool) -> None:
        here, there = socket.socketpair()
        with there:
            fds = there.fileno(), self.listeners[place].fileno()
            command = [job.executable, str(BOOTSTRAP), *map(str, fds)]
            process = subprocess.Popen(command, env=_within(Path(job.executable), self.environment), pass_fds=fds)
        link = Connection(here.detach())
        link.send((job, eager))
        now = time.monotonic()
        self._workers.append(Worker(process=process, link=link, job=job, place=place, started=now))

    def _wait(self, wake: socket.socket) -> None:
        """Until a signal, word of a worker, or the time of the next thing to do."""
        due = min([self._deadline, *self._restarts.values()])
        timeout = max(0.0, due - time.monotonic())
        if self.watch is not None and self._phase is Phase.SERVING:
            timeout = min(timeout, INTERVAL)
        with selectors.DefaultSelector() as selector:
            selector.register(wake, selectors.EVENT_READ)
            for worker in self._workers:
                if not (worker.ready or worker.retired or worker.error):
                    selector.register(worker.link, selectors.EVENT_READ)
            selector.select(None if timeout == FOREVER else timeout)
        with suppress(BlockingIOError):
            wake.recv(4096)

    def _hear(self) -> None:
        for worker in list(self._workers):
            code = worker.process.poll()
            if not worker.ready:
                worker.hear()
            if code is not None:
                self._workers.remove(worker)
                worker.link.close()
                self._lost(worker, code)
        if self._pid == 1 and self.rebuild is None:
            reap_orphans([worker.process.pid for worker in self._workers])

    def _lost(self, worker: Worker, code: int) -> None:
        if worker.retired or self._signals:
            return
        if worker.job is self.job:
            self._restarts[worker.place] = worker.started + RESTART
        if not worker.ready:
            self._failed(worker, worker.error or FlaskshipError(f"A worker {_ended(code)} while it started."))
            return
        if BALANCED and any(other.ready and other.job is self.job for other in self._workers):
            self.listeners[worker.place].close()  # what would come to it goes to the others
            self.listeners[worker.place] = again(self._open())
        log.error("Worker %d %s. Starting another.", worker.process.pid, _ended(code))

    def _failed(self, worker: Worker, error: FlaskshipError) -> None:
        self._failures += 1
        if self._phase is Phase.STARTING or (worker.job is self.job and self._failures >= ATTEMPTS):
            raise error
        log.error("%s: %s", error.title, error.detail)
        if worker.job is self._successor:
            log.error("The changed target cannot be served. The one before still is.")
            self._successor = None
            self._retire(worker.job)

    def _serve(self) -> None:
        now = time.monotonic()
        for place in [place for place, due in self._restarts.items() if due <= now]:
            del self._restarts[place]
            self._spawn(self.job, place, eager=False)
        if self._phase is Phase.STARTING and self._ready(self.job):
            self._phase = Phase.SERVING
            (self.job.shared / STARTING).unlink(missing_ok=True)
            sys.stderr.write(f"Serving {', '.join(self._workers[0].names)} on {url(self.listeners[0])}\n")
        if self._successor is not None and self._ready(self._successor):
            old, self.job, self._successor = self.job, self._successor, None
            self._restarts.clear()
            self._retire(old)
            log.info("Serving the changed target.")
        if self._phase is Phase.SERVING and self._ready(self.job):
            self._failures = 0
            if self.watch is not None and self._successor is None and self.watch.changed():
                self._remake()

    def _ready(self, job: Job) -> bool:
        return sum(worker.ready for worker in self._workers if worker.job is job) == len(self.listeners)

    def _retire(self, job: Job) -> None:
        for worker in self._workers:
            if worker.job is job:
                worker.retire(job.settings.drain)

    def _remake(self) -> None:
        """Start workers on the changed target; those on the old one go when all of the new ones can answer."""
        assert self.rebuild is not None
        log.info("The target changed.")
        try:
            self._rebuilding = True
            bundles, executable = self.rebuild()
        except FlaskshipError as error:
            log.error("%s: %s The target as it was before is still served.", error.title, error.detail)
            return
        except Interrupted:
            return
        finally:
            self._rebuilding = False
        self._successor = replace(self.job, bundles=tuple(bundles), executable=executable or sys.executable)
        for place in range(len(self.listeners)):
            self._spawn(self._successor, place, eager=False)

    def _stop(self) -> None:
        """Go on to the next phase of stopping where the present one is over, or at each further signal."""
        settings = self.job.settings
        self._restarts.clear()
        if self._phase <= Phase.SERVING:
            (self.job.shared / DRAINING).touch()
            for worker in self._workers:
                worker.retire(None)
            self._enter(Phase.DRAINING, settings.drain if self._phase is Phase.SERVING else 0)
        if self._phase is Phase.DRAINING and self._over(signals=2):
            self._close()
            for worker in self._workers:
                worker.finish()
            self._enter(Phase.FINISHING, settings.grace)
        if self._phase is Phase.FINISHING and self._over(signals=3) and self._workers:
            log.warning("Requests still ran %g s after the stop signal and were cut off.", settings.grace)
            for worker in self._workers:
                worker.process.kill()
            self._enter(Phase.KILLED, FOREVER)

    def _close(self) -> None:
        for listener in self.listeners:
            listener.close()

    def _open(self) -> socket.socket:
        return next(listener for listener in self.listeners if listener.fileno() >= 0)

    def _enter(self, phase: Phase, seconds: float) -> None:
        self._phase, self._deadline = phase, time.monotonic() + seconds

    def _over(self, *, signals: int) -> bool:
        return time.monotonic() >= self._deadline or self._signals >= signals

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid and number != signal.SIGCHLD:  # in a process that `rebuild` forked
            os._exit(128 + number)
        if number != signal.SIGCHLD:
            self._signals += 1
            if self._rebuilding:
                raise Interrupted

    @contextmanager
    def _waking(self) -> Iterator[socket.socket]:
        """A socket that becomes readable at every signal."""
        reader, writer = socket.socketpair()
        with reader, writer:
            reader.setblocking(False)
            writer.setblocking(False)
            numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
            before = {number: signal.signal(number, self._on_signal) for number in numbers}
            wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
            try:
                yield reader
            finally:
                signal.set_wakeup_fd(wakeup)
                for number, handler in before.items():
                    signal.signal(number, handler)


def _within(executable: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The environment variables for a Python that is not this one, as activating its environment sets them."""
    if str(executable) == sys.executable:
        return dict(given)
    kept = {name: value for name, value in given.items() if name not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}
    path = os.pathsep.join([str(executable.parent), *filter(None, [given.get("PATH")])])
    return {**kept, "PATH": path, "VIRTUAL_ENV": str(executable.parent.parent)}


def _ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed (by hand, or for want of memory)"
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def reap_orphans(own: Sequence[int]) -> None:
    """Collect ended processes that are none of our `own`: process 1 inherits them from others that ended."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in own:
            return
        os.waitpid(found.si_pid, 0)
