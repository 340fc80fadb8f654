"""An image as the engine has it, from what a user names: a target, or a reference."""

from __future__ import annotations

import docker

from flaskship import ship
from flaskship.cli import talk, targets, transfer
from flaskship.engine import images
from flaskship.engine.images import Held
from flaskship.errors import ImageError, RegistryError
from flaskship.image.ref import Ref
from flaskship.image.spec import Image
from flaskship.settings import Settings


def image(client: docker.DockerClient, text: str, settings: Settings, *, upgrade: bool = False) -> tuple[str, Held]:
    """The image of a target or a reference, and what the engine calls it.

    A target is built. A reference is looked for among the images that were built or pulled here, then in the engine,
    then in its registry. What was built here comes first, so that a model that was built anew is the one that runs.
    Raises `ImageError` where there is none.
    """
    if targets.names_path(text):
        ref, shipped = transfer.built(text, settings, upgrade=upgrade)
        return images.loaded(client, shipped.image, ref)
    ref = Ref.parse(text)
    found = ship.store().find(ref)
    if found is None and (held := images.find(client, str(ref))):
        return str(ref), held
    return images.loaded(client, found or _pulled(ref, settings.insecure), ref)


def _pulled(ref: Ref, insecure: bool) -> Image:
    talk.note(f"Pulling {ref}")
    try:
        return transfer.pulled(ref, insecure)
    except RegistryError as error:
        known = sorted(str(Ref.parse(name)) for name in ship.store().layout.named() if not name.startswith("sha256:"))
        there = f" Built or pulled here are: {', '.join(known[:10])}." if known else ""
        raise ImageError(
            f"No image {str(ref)!r}: it was not built here, the engine has none, and the registry says: {error.detail}"
            f"{there} Build it: flaskship build TARGET -t {ref}"
        ) from error
