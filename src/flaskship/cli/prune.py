"""`flaskship prune`"""

from __future__ import annotations

import sys

import click

from flaskship import ship
from flaskship.cli import talk, transfer
from flaskship.engine import containers, images
from flaskship.engine.connection import reached
from flaskship.errors import UsageError


@click.command("prune")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def command(yes: bool) -> None:
    """Remove what is no longer used, of Flaskship's only: shows it, and asks.

    Containers of `flaskship run` that are stopped, images in Docker or Podman of which no other container is made, and
    parts in the user's cache that none of its images needs. Images in the cache stay: `flaskship rmi` removes them.
    """
    store = ship.store()
    parts = store.unneeded()
    with reached() as client:
        stopped = containers.stopped(client) if client else []
        unused = images.unused(client, stopped) if client else []
        size = sum(each.stat().st_size for each in parts)
        lines = [("container", str(each.name), "") for each in stopped]
        lines += [("image", ", ".join(each.names) or each.id[:19], transfer.size(each.size)) for each in unused]
        lines += [("cache", f"{len(parts)} parts of no image", transfer.size(size))] if parts else []
        if client is None:
            talk.note("No Docker or Podman answers: only the cache is looked at.")
        if not lines:
            talk.note("Nothing to remove.")
            return
        talk.listed(("What", "Name", "Size"), lines, right=("Size",))
        talk.note(f"At most {transfer.size(size + sum(each.size for each in unused))}: images share layers.")
        if not yes:
            _ask()
        for each in stopped:
            containers.remove(each)
        if client:
            for name in (name for each in unused for name in each.names or (each.id,)):
                images.remove(client, name)
        store.drop(parts)
    talk.note("Removed.")


def _ask() -> None:
    if not sys.stdin.isatty():
        raise UsageError("Nothing was removed: there is no terminal to ask on. Say --yes.")
    click.confirm("Remove all this?", abort=True, err=True)
