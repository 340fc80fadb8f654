"""A program in a container on this terminal, through the engine's socket."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from typing import Any

import docker
from docker.errors import APIError
from docker.models.containers import Container as Theirs

from flaskship.settings import environment

SHELLS = ("/bin/bash", "/bin/sh", "/busybox/sh")
CHUNK = 1 << 16


def shell(container: Theirs) -> str | None:
    """The first that runs there."""
    for each in SHELLS:
        try:
            if container.exec_run([each, "-c", ":"]).exit_code == 0:
                return each
        except APIError:  # Podman says so; Docker gives exit code 126 or 127
            continue
    return None


def attach(client: docker.DockerClient, container: Theirs, command: Sequence[str]) -> int:
    """Run it with this terminal as its own, and give its exit code."""
    env = {"TERM": environment().get("TERM", "xterm")}
    job = client.api.exec_create(container.id, list(command), stdin=True, tty=True, environment=env)["Id"]
    raw: Any = client.api.exec_start(job, tty=True, socket=True)
    connection = getattr(raw, "_sock", raw)

    def resize(*_: object) -> None:
        size = os.get_terminal_size(sys.stdout.fileno())
        client.api.exec_resize(job, height=size.lines, width=size.columns)

    resize()
    before, handler = termios.tcgetattr(sys.stdin), signal.signal(signal.SIGWINCH, resize)
    try:
        tty.setraw(sys.stdin)
        _relay(connection)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)
        raw.close()
    return int(client.api.exec_inspect(job)["ExitCode"] or 0)


def _relay(connection: Any) -> None:
    """Keys to the program, what it writes to the terminal, until it ends."""
    keys, screen = sys.stdin.fileno(), sys.stdout.fileno()
    sources = [connection, keys]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if connection in ready:
            if not (data := connection.recv(CHUNK)):
                return
            os.write(screen, data)
        if keys in ready:
            if typed := os.read(keys, CHUNK):
                connection.sendall(typed)
            else:
                sources.remove(keys)
