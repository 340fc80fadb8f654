"""What the verbs that make and move images share: their steps, bars for what is under way, a table of what was done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from flaskship import app_bundle, cache, ship
from flaskship.app_bundle import Packed
from flaskship.cli import talk, targets
from flaskship.deploy.service import slug
from flaskship.image.layer import Layer, Moved
from flaskship.image.ref import Ref
from flaskship.image.registry import Registry
from flaskship.image.spec import Image
from flaskship.settings import Settings


class Bars:
    """A bar a layer, on stderr; nothing where that is no terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def start(self, title: str, size: int) -> Moved:
        task = self._progress.add_task(escape(title), total=size or None)
        return lambda count: self._progress.advance(task, count)


@contextmanager
def bars() -> Iterator[Bars]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    shown = talk.stderr.is_terminal
    with Progress(*columns, console=talk.stderr, transient=True, disable=not shown) as progress:
        yield Bars(progress)


@contextmanager
def registry(ref: Ref, insecure: bool) -> Iterator[Registry]:
    """The registry of a reference, with a bar a blob."""
    with bars() as progress:
        found = Registry.of(ref, insecure=insecure, progress=progress)
        try:
            yield found
        finally:
            found.client.close()


def bundled(text: str, settings: Settings, *, upgrade: bool = False) -> Packed:
    """The bundle of a target; one that was bundled before is read without the libraries that make one."""
    found = None if upgrade else cache.find(*targets.parse(text, settings))
    return targets.bundled(text, settings, linked=False, upgrade=upgrade) if found is None else app_bundle.read(found)


def built(
    target: str, settings: Settings, tag: str | None = None, *, upgrade: bool = False
) -> tuple[Ref, ship.Shipped]:
    """The image of a target, kept in the user's cache as `tag`, or as `flaskship/NAME` where there is none."""
    ref = None if tag is None else Ref.parse(tag)
    bundle = bundled(target, settings, upgrade=upgrade)
    path, settings = targets.parse(target, settings)
    for warning in bundle.manifest.warnings if path.is_code else ():
        talk.warn(warning)
    ref = ref or Ref.parse(f"flaskship/{slug(bundle.manifest.name)}")
    with bars() as progress:
        yard = ship.Shipyard(settings=settings, store=ship.store(), progress=progress, say=talk.note)
        shipped = yard.build(bundle, ref, cache.lock(path), upgrade=upgrade)
    for each in shipped.built:
        talk.stderr.print(table(f"{ref} for {each.base.platform}", each.layers))
    return ref, shipped


def pulled(ref: Ref, insecure: bool) -> Image:
    """The image at its registry, now in the user's cache: only the blobs that were not there came."""
    store = ship.store()
    with registry(ref, insecure) as source:
        image = source.find(ref)
        for blob in image.blobs:
            if not store.layout.has(blob.digest):
                store.layout.put(blob, source.progress.start(blob.digest[7:19], blob.size))
        store.save(image, ref)
    return store.get(ref)


def table(title: str, layers: Sequence[Layer]) -> Table:
    """Layer, size, cached or made, seconds."""
    shown = Table("Layer", "Size", "", "Seconds", title=escape(title), title_justify="left", box=None)
    shown.columns[1].justify = shown.columns[3].justify = "right"
    for each in layers:
        seconds = f"{each.seconds:.2f}" if each.made else ""
        shown.add_row(escape(each.title), size(each.blob.size), "made" if each.made else "cached", seconds)
    shown.add_row("[bold]in all[/bold]", size(sum(each.blob.size for each in layers)))
    return shown


def sent(target: Registry) -> str:
    """One line: what went over the wire."""
    there = [each for each in target.sent if each.how != "sent"]
    moved = [each for each in target.sent if each.how == "sent"]
    return f"{len(moved)} blobs sent ({size(sum(each.size for each in moved))}), {len(there)} were there"


def size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"
