"""`flaskship images`"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from flaskship import ship
from flaskship.cli import talk, transfer
from flaskship.engine import images
from flaskship.engine.connection import MARK, reached
from flaskship.engine.images import Held
from flaskship.image.ref import Ref
from flaskship.image.spec import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    reference: str
    id: str  # digest; the engine's id of one that only it has
    model: str
    version: str
    framework: str
    packed: int | None  # bytes, as a registry keeps it; None where only the engine has it
    unpacked: int | None  # bytes; None where the engine has it not
    where: tuple[str, ...]  # "cache", "engine"


@click.command("images")
@click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
def command(as_json: bool) -> None:
    """Show the images that Flaskship made: those in the user's cache, built or pulled, and those that the engine has.

    Packed is the size in a registry, unpacked that in the engine. Images share layers: together they take less.
    """
    with reached() as client:
        theirs = images.held(client) if client else []
    if client is None:
        talk.note("No Docker or Podman answers: only the cache is shown.")
    rows = sorted(_rows(ship.store().images(), theirs), key=lambda each: (each.reference, each.where))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in rows], indent=2))
        return
    headers = ("Reference", "Model", "Version", "Framework", "Packed", "Unpacked", "Where")
    talk.listed(headers, map(_cells, rows), right=("Packed", "Unpacked"))


def _rows(kept: Mapping[str, Image], theirs: Sequence[Held]) -> Iterator[Row]:
    """One for each name of each image, whether it is here, there or both."""
    there = {(name, each.id): each for each in theirs for name in each.names or ("",)}
    for full, image in kept.items():
        if MARK not in image.labels:
            continue
        name = str(Ref.parse(full)) if not full.startswith("sha256:") else full
        keys = [(name, each) for each in images.ids(image)]
        both = next((there.pop(key) for key in keys if key in there), None)
        size = sum(blob.size for blob in images.fitting(image).layers)
        where = ("cache", "engine") if both else ("cache",)
        yield _row(name, image.digest, image.labels, packed=size, unpacked=both and both.size, where=where)
    for (name, _), each in there.items():
        yield _row(name, each.id, each.labels, packed=None, unpacked=each.size, where=("engine",))


def _row(reference: str, id: str, labels: Mapping[str, str], **more: Any) -> Row:
    found: dict[str, Any] = {
        "model": labels.get("io.flaskship.name", ""),
        "version": labels.get("org.opencontainers.image.version", ""),
        "framework": labels.get("io.flaskship.framework", ""),
    }
    return Row(reference=reference, id=id, **found, **more)


def _cells(row: Row) -> tuple[str, ...]:
    name = row.reference or row.id[:19]  # one that lost its name to a newer one
    sizes = ["" if each is None else transfer.size(each) for each in (row.packed, row.unpacked)]
    return (name, row.model, row.version, row.framework, *sizes, ", ".join(row.where))
