"""A real registry on this machine (Debian's docker-registry), and a proxy in front of it that breaks connections."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from containers import DEADLINE, wait_until

USER, PASSWORD = "harbour", "master"


@dataclass(slots=True)
class Wire:
    """A TCP proxy: counts the bytes from the client, and may cut the connection when so many have come."""

    address: tuple[str, int]
    cuts: list[int] = field(default_factory=list)  # cut the next connections after so many bytes
    received: int = 0
    port: int = 0

    def serve(self) -> socket.socket:
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()
        return listening

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            server = socket.create_connection(self.address)
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        seen = 0
        try:
            while data := source.recv(1 << 16):
                seen += len(data)
                if counted:
                    self.received += len(data)
                    if self.cuts and seen > self.cuts[0]:
                        self.cuts.pop(0)
                        break
                sink.sendall(data)
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        source.close()


@contextmanager
def running(folder: Path, auth: str = "", host: str = "127.0.0.1") -> Iterator[str]:
    """A registry that keeps its data in `folder`: `HOST:PORT`."""
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
        f"http: {{addr: '{host}:0'}}\n{auth}"
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
        try:
            wait_until(lambda: process.poll() is not None or _address(folder / "log") != "", "the registry listens")
            assert process.poll() is None, (folder / "log").read_text()
            yield _address(folder / "log")
        finally:
            process.terminate()
            process.wait(DEADLINE)


def _address(log: Path) -> str:
    found = re.search(r'msg="listening on ([\d.]+:\d+)"', log.read_text())
    return found[1] if found else ""
