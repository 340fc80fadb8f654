"""Servers in processes of their own, one running at a time."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.models import BUILD, ROW
from benchmarks.wrk import members

JSON = {"Content-Type": "application/json"}
LIMIT = 120  # seconds that a server may take to start


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A server, how it is started on a port, and how it is asked for the same row."""

    name: str
    command: Callable[[int], Sequence[str | Path]]
    label: Callable[[Any], int]  # of its decoded answer
    body: object = field(default_factory=lambda: ROW)
    path: str = "/predict"
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = BUILD


@dataclass(slots=True, kw_only=True)
class Running:
    contender: Contender
    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.contender.path}"

    @property
    def body(self) -> bytes:
        return msgspec.json.encode(self.contender.body)

    def ask(self) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            connection.request("POST", self.contender.path, self.body, JSON)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def signal(self, number: int) -> None:
        for pid in members(self.process.pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Run while measured; stopped in between, since some of them poll and would cost the others."""
        self.signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.pause()

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)


@contextmanager
def started(contender: Contender) -> Iterator[Running]:
    """The server once it answers the row, with the right label."""
    port = free_port()
    log = BUILD / f"{contender.name.replace(' ', '-').replace('/', '-')}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(map(str, contender.command(port))),
            cwd=contender.folder,
            env={**os.environ, **contender.environment, "PORT": str(port)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    running = Running(contender=contender, process=process, port=port)
    try:
        answer = first_answer(running, log)
        label = contender.label(msgspec.json.decode(answer))
        if label != 0:
            raise RuntimeError(f"{contender.name} answers {label!r}: {answer!r}")
        yield running
    finally:
        running.signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        running.signal(signal.SIGKILL)
        process.wait()


def first_answer(running: Running, log: Path) -> bytes:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        try:
            status, answer = running.ask()
        except (OSError, http.client.HTTPException):
            status = 0
        if status == 200:
            return answer
        if running.process.poll() is not None:
            raise RuntimeError(f"{running.contender.name} ended:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
    raise RuntimeError(f"{running.contender.name} did not answer:\n{log.read_text()[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
