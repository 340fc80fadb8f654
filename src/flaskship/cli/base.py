"""`flaskship base debian -o FILE.tar`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flaskship import ship
from flaskship.cli import talk, transfer
from flaskship.cli.options import load, settings_options
from flaskship.errors import UsageError
from flaskship.image import debian


@click.command("base")
@click.argument("kind", type=click.Choice(["debian"]))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The tar to write."
)
@settings_options("platform", "system")
def command(kind: str, output: Path, **flags: Any) -> None:
    """Assemble a minimal Debian with Python as a root file system, for `flaskship build --base FILE.tar`.

    From this machine's own apt sources, through mmdebstrap: no registry is asked. It has no package manager, no shell,
    no documentation and no locales. Further packages (--system libgl1) come with what they depend on.
    """
    settings = load(flags)
    wanted = ship.platforms(settings)
    if len(wanted) > 1:
        raise UsageError("A root file system is for one platform: name one with --platform.")
    talk.note(f"Assembling Debian for {wanted[0]}")
    made = debian.assemble(output, wanted[0], settings.system)
    click.echo(f"{output}: {made.release}, Python {made.python}, {made.packages} packages, {transfer.size(made.size)}")
