"""A real registry on this machine (Debian's docker-registry), and a proxy in front of it that breaks connections."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

USER, PASSWORD = "harbour", "master"
DEADLINE = 20  # seconds


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
def running(folder: Path, auth: str = "") -> Iterator[str]:
    """A registry that keeps its data in `folder`: `127.0.0.1:PORT`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n{auth}"
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
        try:
            _await(port)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(DEADLINE)


def _await(port: int) -> None:
    end = time.monotonic() + DEADLINE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            threading.Event().wait(0.02)
