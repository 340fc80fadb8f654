"""`flaskship rm NAME…`"""

from __future__ import annotations

import click

from flaskship import engine
from flaskship.engine import containers
from flaskship.errors import EngineError


@click.command("rm")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("-f", "--force", is_flag=True, help="Stop those that run first.")
def command(names: tuple[str, ...], force: bool) -> None:
    """Remove containers that are stopped."""
    with engine.connected() as client:
        found = {str(each.id): each for each in (containers.get(client, name) for name in names)}
        running = [str(each.name) for each in found.values() if each.status in ("running", "restarting", "paused")]
        if running and not force:
            raise EngineError(
                f"The container {running[0]!r} is running. Stop it first: flaskship stop {' '.join(running)}. Or say"
                " --force."
            )
        for each in found.values():
            containers.remove(each)
            click.echo(each.name)
