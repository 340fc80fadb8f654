"""`flaskship push REF`"""

from __future__ import annotations

from typing import Any

import click

from flaskship import ship
from flaskship.cli import talk, transfer
from flaskship.cli.options import load, settings_options
from flaskship.image.ref import Ref


@click.command("push")
@click.argument("ref")
@click.option("--as", "name", metavar="REF", help="Send it under another name.")
@settings_options("insecure")
def command(ref: str, name: str | None, **flags: Any) -> None:
    """Send the image REF, which was built or pulled here, to its registry: only what that lacks."""
    settings, source = load(flags), Ref.parse(ref)
    image = ship.store().get(source)
    goal = Ref.parse(name) if name else source
    with transfer.registry(goal, settings.insecure) as target:
        reference = target.publish(image, goal)
    talk.note(transfer.sent(target))
    click.echo(reference)
