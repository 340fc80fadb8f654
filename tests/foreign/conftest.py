from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from containers import DEADLINE as LIMIT
from containers import wait_until

from flaskship.artifact.isolation.environments import Recipe, python
from flaskship.errors import VersionMismatch

HERE = Path(__file__).parent
SERVERS = {"3.8": "granian==1.6.4", "3.9": "granian==2.5.7", "3.10": "granian>=2.8,<2.9"}
Answer = tuple[int, dict[str, str], bytes]


class Server:
    """An app that is served in processes of its own, spoken to over real HTTP."""

    def __init__(self, bundle: Path, executable: str, settings: Mapping[str, object]) -> None:
        flags = [f"{key}={value}" for key, value in settings.items()]
        self.process = subprocess.Popen(
            [sys.executable, HERE / "foreign_server.py", bundle, executable, *flags],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.port = 0
        self.said: list[str] = []
        self.beside = ThreadPoolExecutor()

    def ready(self) -> Server:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"Serving .* on \S+:(\d+)", line):
                self.port = int(found[1])
                return self
        raise AssertionError(f"it does not serve: {self.said}")

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Status, headers and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET" if body is None else "POST", path, body, named)
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def get(self, path: str) -> bytes:
        return self.ask(path)[2]

    def started(self, path: str) -> Future[Answer]:
        """A request that runs beside the test."""
        return self.beside.submit(self.ask, path)

    def until(self, met: Callable[[], bool]) -> None:
        """Ask again until it is so; a connection that is refused or cut is asked again too."""

        def asked() -> bool:
            with suppress(ConnectionError, http.client.HTTPException):
                return met()
            return False

        wait_until(asked, "it is as expected")

    def ended(self) -> tuple[int, str]:
        """Its exit code and all that it said, waited for."""
        _, rest = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, "".join([*self.said, rest or ""])

    def stop(self) -> tuple[int, str]:
        self.process.terminate()
        return self.ended()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Serves files as an app: `serving({"app.py": "…"}, file="app.py", threads=1)`."""
    servers: list[Server] = []

    def start(files: dict[str, str] | str, executable: str = sys.executable, **told: object) -> Server:
        folder, bundle = tmp_path / f"app{len(servers)}", tmp_path / f"bundle{len(servers)}"
        bundle.mkdir()
        texts = {"app.py": files} if isinstance(files, str) else files
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        entry = {key: told.pop(key, default) for key, default in ENTRY.items()}
        (bundle / "link").write_text(str(folder), encoding="utf-8")
        manifest = {"kind": "app", "name": "sample", "env": {"FROM_MANIFEST": "yes"}, "entry": entry}
        (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        servers.append(Server(bundle, executable, told))
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


ENTRY = {"root": ".", "file": "app.py", "object": "", "interface": "wsgi"}


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """The interpreter of an environment with a Python of this version and Flask, made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLASKSHIP_CACHE", str(tmp_path_factory.mktemp("cache")))

        def of(version: str) -> str:
            wanted = ("flask", SERVERS[version], "gunicorn")
            try:
                return str(python(Recipe(requirements=wanted, pythons=(version,))))
            except VersionMismatch as error:
                pytest.skip(f"needs: Python {version} ({error})")

        yield of
