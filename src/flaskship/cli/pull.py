"""`flaskship pull REF`"""

from __future__ import annotations

from typing import Any

import click

from flaskship import engine
from flaskship.cli import transfer
from flaskship.cli.options import load, settings_options
from flaskship.image.ref import Ref


@click.command("pull")
@click.argument("ref")
@click.option("--load", "to_engine", is_flag=True, help="Give it to Docker or Podman.")
@settings_options("insecure")
def command(ref: str, to_engine: bool, **flags: Any) -> None:
    """Fetch the image REF from its registry into the user's cache: only the blobs that are not there."""
    settings, source = load(flags), Ref.parse(ref)
    image = transfer.pulled(source, settings.insecure)
    if to_engine:
        engine.Engine().publish(image, source)
    click.echo(f"{source.at(image.digest)}")
