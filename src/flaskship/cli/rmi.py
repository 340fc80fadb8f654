"""`flaskship rmi REF…`"""

from __future__ import annotations

import difflib

import click
import docker

from flaskship import ship
from flaskship.cli import talk, transfer
from flaskship.engine import images
from flaskship.engine.connection import MARK, reached
from flaskship.errors import EngineError, ImageError
from flaskship.image.ref import Ref
from flaskship.image.store import Store


@click.command("rmi")
@click.argument("refs", metavar="REF...", nargs=-1, required=True)
def command(refs: tuple[str, ...]) -> None:
    """Remove images from the user's cache and from Docker or Podman. A registry keeps what it has."""
    store = ship.store()
    with reached() as client:
        found = {ref: _places(client, store, ref) for text in refs for ref in _named(store, text)}
        for ref, (in_cache, in_engine) in found.items():
            if client and in_engine:
                images.remove(client, str(ref))
            if in_cache:
                talk.note(f"{transfer.size(store.remove([ref.full]))} are free again in the cache")
            click.echo(str(ref))
    if client is None:
        talk.note("No Docker or Podman answers: what it has of these stays.")


def _named(store: Store, text: str) -> list[Ref]:
    """The reference, or those in the cache that have its digest."""
    ref = Ref.parse(text)
    if not ref.digest:
        return [ref]
    known = [Ref.parse(name) for name, each in store.layout.named().items() if each["digest"] == ref.digest]
    return [each for each in known if (each.registry, each.repository) == (ref.registry, ref.repository)] or [ref]


def _places(client: docker.DockerClient | None, store: Store, ref: Ref) -> tuple[bool, bool]:
    """Whether the cache and the engine have it. Raises `ImageError` where neither has, `EngineError` for another's."""
    in_cache = ref.full in store.layout.named()
    held = images.find(client, str(ref)) if client else None
    if held and MARK not in held.labels:
        raise EngineError(f"Flaskship did not make the image {str(ref)!r}. Use docker for it: docker rmi {ref}")
    if not in_cache and held is None:
        known = {str(Ref.parse(name)) for name in store.layout.named() if not name.startswith("sha256:")}
        known |= {name for each in (images.held(client) if client else []) for name in each.names}
        near = difflib.get_close_matches(str(ref), known, 1)
        said = f" Did you mean {near[0]!r}?" if near else ""
        there = f" There are: {', '.join(sorted(known)[:10])}." if known else ""
        raise ImageError(f"No image {str(ref)!r}, neither in the cache nor in the engine.{said}{there}")
    return in_cache, held is not None
