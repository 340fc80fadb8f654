"""`flaskship build TARGET -t REF`"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from flaskship import ship
from flaskship.cli import listing, talk, transfer
from flaskship.cli.options import MAKING, load, settings_options
from flaskship.errors import UsageError
from flaskship.image.layout import Archive, Layout
from flaskship.image.ref import Ref
from flaskship.plan import BAKED
from flaskship.settings import Settings

IMAGE = ("base", "platform", "requirement", "system", "env", "secret", "label", "gpu", "insecure")


@click.command("build")
@click.argument("target")
@click.option("-t", "--tag", "tag", metavar="REF", help="Its name: me/sales:1.0")
@click.option("-o", "--output", multiple=True, metavar="oci:DIR|tar:FILE", help="Write it there too; may be repeated.")
@click.option("--load", "to_engine", is_flag=True, help="Give it to Docker or Podman.")
@click.option("--push", is_flag=True, help="Send it to its registry.")
@click.option("--dry-run", is_flag=True, help="Only list what would go in, what would stay out, and why.")
@click.option("--upgrade", is_flag=True, help="Take newer packages and a newer base than the lock has.")
@settings_options(*MAKING, *IMAGE, *BAKED)
def command(
    target: str, tag: str | None, output: tuple[str, ...], to_engine: bool, push: bool, dry_run: bool, upgrade: bool,
    **flags: Any,
) -> None:  # fmt: skip
    """Make an image of TARGET, without Docker.

    It is kept in the user's cache, where `flaskship push` and `flaskship run` find it. The packages are locked beside
    TARGET, in TARGET.lock. The last line is the reference with its digest.
    """
    start = time.perf_counter()
    places = [_place(each) for each in output]
    settings = load(flags)
    if dry_run:
        for line in listing.lines(target, settings):
            click.echo(line)
        return
    if tag is None:
        raise UsageError("An image needs a name: -t me/sales:1.0. To see what would go in, say --dry-run.")
    ref, shipped = transfer.built(target, settings, tag, upgrade=upgrade)
    for place in places:
        place.publish(shipped.image, ref)
    _sboms(shipped, places)
    if to_engine:
        from flaskship import engine  # brings Docker's SDK: only who asks for it pays

        engine.Engine().publish(shipped.image, ref)
    if push:
        _push(shipped, ref, settings)
    talk.note(f"Built in {time.perf_counter() - start:.1f} s")
    click.echo(f"{ref}@{shipped.image.digest}")


def _place(text: str) -> Layout | Archive:
    kind, _, path = text.partition(":")
    if kind not in ("oci", "tar") or not path:
        raise UsageError(f"--output {text!r} is neither oci:DIR nor tar:FILE.")
    return Layout(Path(path)) if kind == "oci" else Archive(Path(path))


def _sboms(shipped: ship.Shipped, places: Sequence[Layout | Archive]) -> None:
    """Beside each output: FILE.cdx.json, or FILE.linux-arm64.cdx.json where there are several platforms."""
    for place in places:
        for each, text in zip(shipped.built, shipped.sboms, strict=True):
            part = f".{str(each.base.platform).replace('/', '-')}" if len(shipped.built) > 1 else ""
            place.path.with_name(f"{place.path.name}{part}.cdx.json").write_bytes(text)


def _push(shipped: ship.Shipped, ref: Ref, settings: Settings) -> None:
    with transfer.registry(ref, settings.insecure) as target:
        target.publish(shipped.image, ref)
        talk.note(transfer.sent(target))
