from __future__ import annotations

import http.client
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from containers import DEADLINE as LIMIT
from containers import wait_until

HERE = Path(__file__).parent


class Server:
    """A `fake_server.py` in a process of its own, spoken to over real HTTP."""

    def __init__(self, folder: Path, text: str, settings: dict[str, object]) -> None:
        self.folder = folder
        (folder / "bundle").write_text(text)
        for pipe in ("load", "running", "go"):
            os.mkfifo(folder / pipe)
        flags = [f"{key}={value}" for key, value in settings.items()]
        self.process = subprocess.Popen(
            [sys.executable, HERE / "fake_server.py", folder, *flags],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE)},
            start_new_session=True,
        )
        self.port = int(str(settings.get("port", 0)))
        self.said: list[str] = []
        self.beside = ThreadPoolExecutor()

    def heard(self, text: str) -> str:
        """The line of its stderr that has `text` in it, waited for."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if text in line:
                return line
        raise AssertionError(f"{text!r} was not said: {self.said}")

    def ready(self) -> Server:
        line = self.heard("Serving fake on")
        self.port = int(re.findall(r":(\d+)", line)[-1])
        return self

    def get(self, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            connection.request("GET" if body is None else "POST", path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def started(self, path: str) -> Future[tuple[int, bytes]]:
        """A request that runs beside the test."""
        return self.beside.submit(self.get, path)

    def until(self, expected: Callable[[], bool]) -> None:
        """Ask again until it is as expected; a connection that is refused or cut is asked again too."""

        def met() -> bool:
            try:
                return expected()
            except (ConnectionError, http.client.HTTPException):
                return False

        wait_until(met, "it is as expected")

    @staticmethod
    def gone(pid: int) -> None:
        """Wait until the process is no more."""
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        assert select.select([descriptor], [], [], LIMIT)[0], f"process {pid} still runs"
        os.close(descriptor)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Its exit code, waited for."""
        _, rest = self.process.communicate(timeout=LIMIT)
        self.said.append(rest or "")
        return self.process.returncode


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(text: str = "42", **settings: object) -> Server:
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        servers.append(Server(folder, text, {"workers": 1, **settings}))
        return servers[-1]

    yield start
    for server in servers:
        server.process.terminate()
        try:
            server.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.communicate()
        server.beside.shutdown()
