"""`flaskship stop NAME…`"""

from __future__ import annotations

import click

from flaskship import engine
from flaskship.engine import containers
from flaskship.errors import UsageError


@click.command("stop")
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Stop all that Flaskship made.")
def command(names: tuple[str, ...], everything: bool) -> None:
    """Stop containers, each with the time to finish its requests. `flaskship rm` takes them away."""
    if bool(names) == everything:
        raise UsageError("Say which containers to stop, or --all: flaskship stop NAME. `flaskship ps` shows them.")
    with engine.connected() as client:
        found = containers.every(client) if everything else [containers.get(client, each) for each in names]
        containers.stop(found)
    for each in found:
        click.echo(each.name)
