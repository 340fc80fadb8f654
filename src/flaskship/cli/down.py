"""`flaskship down [NAME]`"""

from __future__ import annotations

import click

from flaskship import engine, stack
from flaskship.cli import talk
from flaskship.errors import EngineError


@click.command("down")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """Stop and remove what `flaskship up` made: containers, network and files.

    NAME may be left out where there is one only.
    """
    with engine.connected() as client:
        names = stack.names(client)
        if name is None and len(names) == 1:
            name = names[0]
        if name not in names:
            there = f" There are: {', '.join(names)}." if names else " There is none."
            said = f"Nothing is up by the name of {name!r}." if name else "Say what to take down: flaskship down NAME."
            raise EngineError(f"{said}{there}")
        assert name is not None
        talk.note(f"Stopping and removing {name}")
        stack.down(client, name)
    click.echo(name)
