"""`flaskship inspect TARGET`"""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec
from rich.markup import escape

from flaskship.bundle import Endpoint
from flaskship.cli import about, talk, targets
from flaskship.cli.options import MAKING, load, settings_options
from flaskship.errors import NotRecognised, RegistryError
from flaskship.image.ref import Ref
from flaskship.image.spec import Image
from flaskship.schema import Signature
from flaskship.settings import Settings

SCHEMA, ENDPOINTS = "io.flaskship.schema", "io.flaskship.endpoints"
TOLD = {"signature": SCHEMA, "endpoints": ENDPOINTS}


@click.command("inspect")
@click.argument("target", metavar="TARGET|IMAGE")
@click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
@settings_options(*MAKING, "insecure")
def command(target: str, as_json: bool, **flags: Any) -> None:
    """Show what TARGET is, or what the labels of IMAGE say; no layer of it is read.

    Framework and version, fields, outputs, compiled or why not, the parity found, the gain on one row, size,
    requirements, the globals that its pickle names, warnings.
    """
    settings = load(flags)
    if image := _image(target, settings):
        _show_image(target, image, as_json)
        return
    bundle = targets.bundled(target, settings)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(about.described(bundle))).decode())
        return
    manifest = bundle.manifest
    talk.stdout.print(talk.rows(f"{manifest.name} {manifest.version}".strip(), about.pairs(bundle)))
    for table in about.tables(bundle):
        talk.stdout.print()
        talk.stdout.print(table)
    for warning in manifest.warnings:
        talk.stdout.print(f"[yellow]Warning:[/yellow] {escape(warning)}")


def _image(target: str, settings: Settings) -> Image | None:
    """The image called `target`, unless that is a path."""
    if targets.names_path(target):
        return None
    from flaskship import ship  # only who names an image pays for what reads one

    try:
        return ship.find(Ref.parse(target), insecure=settings.insecure)
    except RegistryError as error:
        if "/" in target or ":" in target:
            raise
        raise NotRecognised(f"No file or directory {target!r}, nor an image of that name: {error.detail}") from error


def _show_image(target: str, image: Image, as_json: bool) -> None:
    """What the labels of an image say; no layer is read."""
    labels = image.labels
    told = {name: labels[name] for name in sorted(labels) if name not in TOLD.values()}
    config = image.settings()
    facts = {"digest": image.digest, "platform": f"{config.get('os')}/{config.get('architecture')}"}
    if as_json:
        found = {name: json.loads(labels[label]) if label in labels else None for name, label in TOLD.items()}
        click.echo(json.dumps({**facts, "labels": told, **found}, indent=2))
        return
    size = sum(blob.size for blob in (image if image.config else image.images[0]).layers)
    pairs = [*facts.items(), ("layers", about.size(size)), *told.items()]
    talk.stdout.print(talk.rows(target, pairs))
    if SCHEMA in labels:
        talk.stdout.print()
        talk.stdout.print(about.fields(msgspec.json.decode(labels[SCHEMA], type=Signature)))
    if ENDPOINTS in labels:
        for each in msgspec.json.decode(labels[ENDPOINTS], type=tuple[Endpoint, ...]):
            talk.stdout.print()
            talk.stdout.print(about.fields(each.signature, about.heading(each)))
