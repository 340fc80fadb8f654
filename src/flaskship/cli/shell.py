"""`flaskship shell NAME`"""

from __future__ import annotations

import sys

import click

from flaskship import engine
from flaskship.engine import containers, terminal
from flaskship.errors import EngineError, UsageError


@click.command("shell")
@click.argument("name")
def command(name: str) -> int:
    """Open a shell in the container NAME, where its image has one. A base that Flaskship assembles has none."""
    with engine.connected() as client:
        container = containers.get(client, name)
        if container.status != "running":
            raise EngineError(f"The container {name!r} is {container.status}. Start it: docker start {name}")
        shell = terminal.shell(container)
        if shell is None:
            raise EngineError(
                f"The image of {name!r} has no shell, which keeps it small and safe. To look inside: its log (flaskship"
                f" logs {name}), a Python prompt (docker exec -it {name} /opt/flaskship/bin/python), its files (docker"
                f" cp {name}:/bundle ., or docker export {name} | tar -t). For one with a shell, build on a base that"
                " has it: --base python:3.12-slim, or flaskship eject."
            )
        if not sys.stdin.isatty():
            raise UsageError(f"A shell needs a terminal. Run one command with: docker exec {name} COMMAND")
        return terminal.attach(client, container, [shell])
