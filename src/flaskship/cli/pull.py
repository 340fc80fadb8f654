"""`flaskship pull REF`"""

from __future__ import annotations

from typing import Any

import click

from flaskship import engine, ship
from flaskship.cli import transfer
from flaskship.cli.options import load, settings_options
from flaskship.image.ref import Ref


@click.command("pull")
@click.argument("ref")
@click.option("-t", "--tag", "name", metavar="REF", help="Keep it under another name, too.")
@click.option("--load", "to_engine", is_flag=True, help="Give it to Docker or Podman.")
@settings_options("insecure")
def command(ref: str, name: str | None, to_engine: bool, **flags: Any) -> None:
    """Fetch the image REF from its registry into the user's cache: only the blobs that are not there."""
    settings, source = load(flags), Ref.parse(ref)
    goal = Ref.parse(name) if name else source
    image = transfer.pulled(source, settings.insecure)
    if name:
        ship.store().save(image, goal)
    if to_engine:
        engine.Engine().publish(image, goal)
    click.echo(f"{goal.at(image.digest)}")
