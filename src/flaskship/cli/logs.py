"""`flaskship logs NAME`"""

from __future__ import annotations

import click

from flaskship import engine
from flaskship.engine import containers


@click.command("logs")
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on until the container ends, or Ctrl-C.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.  [default: all]")
def command(name: str, follow: bool, tail: int | None) -> None:
    """Show what the container NAME wrote."""
    with engine.connected() as client:
        for chunk in containers.lines(containers.get(client, name), follow=follow, tail=tail):
            click.echo(chunk, nl=False)
