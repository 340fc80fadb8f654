"""`flaskship bundle TARGET -o DIR`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flaskship import make
from flaskship.cli import talk, targets
from flaskship.cli.options import MAKING, load, settings_options


@click.command("bundle")
@click.argument("target")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The directory to write.")
@settings_options(*MAKING)
def command(target: str, output: Path, **flags: Any) -> None:
    """Write a bundle of TARGET to a directory. The last line is its digest."""
    named, settings = targets.parse(target, load(flags))
    made = make.make(named, settings, output, talk.note)
    for warning in made.manifest.warnings:
        talk.warn(warning)
    click.echo(made.digest)
