"""`flaskship eject TARGET DIR`"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from flaskship import cache, proxy, ship
from flaskship.bundle import lay
from flaskship.cli import talk, targets, transfer
from flaskship.cli.build import IMAGE
from flaskship.cli.options import MAKING, load, settings_options
from flaskship.cli.up import PLAIN, PORTS, RUNNING
from flaskship.deploy import project
from flaskship.deploy.compose import SECURE
from flaskship.deploy.service import Service, slug
from flaskship.errors import UsageError
from flaskship.plan import BAKED


@click.command("eject")
@click.argument("target")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@click.option("-p", "--port", type=click.IntRange(1, 65535), help=f"Port that users come to.  {PORTS}")
@settings_options(*dict.fromkeys((*MAKING, *IMAGE, *RUNNING, *BAKED)))
def command(target: str, folder: Path, force: bool, port: int | None, **flags: Any) -> None:
    """Write the editable project of TARGET to DIR.

    api/ (Dockerfile, requirements, server, model), nginx/, compose.yaml, run_docker.sh, kubernetes.yaml, README.md.
    `docker build api` gives the files that `flaskship build` gives.
    """
    settings = load(flags)
    bundle = transfer.bundled(target, settings)
    path, settings = targets.parse(target, settings)
    with transfer.bars() as progress:
        yard = ship.Shipyard(settings=settings, store=ship.store(), progress=progress, say=talk.note)
        plan, base, lock = yard.plan(bundle, ship.platforms(settings)[0], cache.lock(path))
    config = {"Env": [f"{name}={value}" for name, value in plan.env.items()], "Labels": plan.labels}
    service = Service.of(slug(bundle.manifest.name), config, settings, valued=False)
    published = port or (SECURE if service.tls else PLAIN)
    service = replace(service, published=published, env={})  # which the Dockerfile has
    finder = proxy.Finder(store=ship.store(), say=talk.note, insecure=settings.insecure)
    _write(folder, project.files(service, plan, base, lock, proxy=finder.base(settings.nginx)), force)
    click.echo(str(folder))


def _write(folder: Path, files: Mapping[str, bytes | Path], force: bool) -> None:
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        raise UsageError(f"{str(folder / there[0])!r} is there already. Name another directory, or say --force.")
    lay(folder, files)
    (folder / "run_docker.sh").chmod(0o755)
    if (folder / "tls").is_dir():
        (folder / "tls").chmod(0o700)
