"""`flaskship inspect TARGET`"""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec
from rich.markup import escape
from rich.table import Table

from flaskship.bundle import Bundle
from flaskship.cli import talk, targets
from flaskship.cli.options import MAKING, load, settings_options
from flaskship.errors import NotRecognised, RegistryError
from flaskship.image.ref import Ref
from flaskship.image.spec import Image
from flaskship.schema import Field, Signature
from flaskship.settings import Settings

SCHEMA = "io.flaskship.schema"
RUNTIMES = {"numpy": "NumPy", "onnxruntime": "ONNX Runtime"}


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
        click.echo(msgspec.json.format(msgspec.json.encode(described(bundle))).decode())
        return
    manifest = bundle.manifest
    talk.stdout.print(talk.rows(f"{manifest.name} {manifest.version}".strip(), _pairs(bundle)))
    talk.stdout.print()
    talk.stdout.print(_fields(manifest.signature))
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
    told = {name: labels[name] for name in sorted(labels) if name != SCHEMA}
    config = image.settings()
    facts = {"digest": image.digest, "platform": f"{config.get('os')}/{config.get('architecture')}"}
    if as_json:
        schema = json.loads(labels[SCHEMA]) if SCHEMA in labels else None
        click.echo(json.dumps({**facts, "labels": told, "signature": schema}, indent=2))
        return
    size = sum(blob.size for blob in (image if image.config else image.images[0]).layers)
    pairs = [*facts.items(), ("layers", _bytes(size)), *told.items()]
    talk.stdout.print(talk.rows(target, pairs))
    if SCHEMA in labels:
        talk.stdout.print()
        talk.stdout.print(_fields(msgspec.json.decode(labels[SCHEMA], type=Signature)))


def described(bundle: Bundle) -> dict[str, Any]:
    """The manifest, the digest, and what was measured, as plain JSON values."""
    manifest: dict[str, Any] = msgspec.to_builtins(bundle.manifest)
    report = bundle.report
    measured = {"seconds_original": report.original, "seconds_served": report.served, "gain": report.gain}
    size = sum(each.stat().st_size for each in bundle.path.rglob("*") if each.is_file())
    return {"digest": bundle.digest, "size": size, **manifest, "one_row": measured}


def _pairs(bundle: Bundle) -> list[tuple[str, str]]:
    manifest, facts = bundle.manifest, bundle.manifest.facts
    made = ", ".join(f"{name} {version}" for name, version in facts.made_with.items())
    pairs = [
        ("Model", f"{facts.kind}, {manifest.signature.task.value}"),
        ("Framework", f"{facts.framework} {facts.version}" + (f" (file made with {made})" if made else "")),
        ("Answers", _outputs(manifest.signature)),
        ("Compiled", _compiled(bundle)),
        ("One row", _one_row(bundle)),
        ("Source", f"{manifest.source.file}, {_bytes(manifest.source.size)}"),
        ("Served", f"{manifest.model}, {_bytes((bundle.path / manifest.model).stat().st_size)}"),
        ("Requirements", ", ".join(manifest.requirements)),
        ("Pickle globals", ", ".join(facts.globals)),
        ("Score", ", ".join(f"{name} {value:.4g}" for name, value in manifest.score.items())),
        ("Digest", bundle.digest),
    ]
    return [(name, value) for name, value in pairs if value]


def _compiled(bundle: Bundle) -> str:
    found = bundle.manifest.compilation
    parity = (
        f"{found.rows:,} rows tried, {found.label_changes} label changes, "
        f"largest difference {found.largest_difference:.1e} (tolerance {found.tolerance:.0e})"
    )
    if found.compiled:
        return f"yes, for {RUNTIMES.get(found.runtime, found.runtime)}: {parity}"
    return f"no: {found.reason}" + (f" ({parity})" if found.rows else "")


def _one_row(bundle: Bundle) -> str:
    report = bundle.report
    if not report.original:
        return ""
    original = f"{report.original * 1e6:,.1f} µs"
    if not bundle.manifest.compilation.compiled:
        return original
    return f"{original} → {report.served * 1e6:,.1f} µs, {report.gain:.0f} × faster"


def _outputs(signature: Signature) -> str:
    if signature.classes:
        classes = ", ".join(repr(each) for each in signature.classes[:10])
        more = ", …" if len(signature.classes) > 10 else ""
        return f"{classes}{more}" + (" with probabilities" if signature.probabilities else "")
    names = ", ".join(f"{each.name} ({each.type.value})" for each in signature.outputs[:10])
    return names + (", …" if len(signature.outputs) > 10 else "") + (", score" if signature.score else "")


def _fields(signature: Signature) -> Table:
    table = Table("Field", "Type", "Range or choices", "Default", title="Fields", title_justify="left", box=None)
    table.columns[0].no_wrap = True
    for field in signature.inputs:
        kind = field.type.value + (" or null" if field.nullable else "")
        default = "" if field.default is None else str(field.default)
        table.add_row(escape(field.name), kind, escape(_domain(field)), escape(default))
    return table


def _domain(field: Field) -> str:
    if field.choices:
        shown = ", ".join(str(each) for each in field.choices[:8])
        return shown + (f", … ({len(field.choices)})" if len(field.choices) > 8 else "")
    if field.low is None or field.high is None:
        return ""
    return f"{field.low:g} to {field.high:g} {field.seen}".rstrip()


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
