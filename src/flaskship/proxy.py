"""nginx as an image: its own where that can be had, else one assembled from Debian, as small as the base of models."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker

from flaskship.deploy.service import NGINX
from flaskship.engine import images
from flaskship.errors import BaseError, RegistryError
from flaskship.image import debian
from flaskship.image.base import AUTO, FORGOTTEN
from flaskship.image.dockerfile import PROXY_COMMAND
from flaskship.image.ref import Ref
from flaskship.image.registry import Registry
from flaskship.image.spec import Platform
from flaskship.image.store import Store
from flaskship.plan import USER

ASSEMBLED = Ref.parse("flaskship/nginx:debian")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Finds nginx, or makes it."""

    store: Store
    say: Callable[[str], None]
    insecure: bool = False

    def image(self, client: docker.DockerClient, wanted: str) -> str:
        """What the engine calls the image that is `wanted`: a reference, or auto. Raises `BaseError`."""
        if wanted != AUTO:
            return wanted
        for each in (NGINX, str(ASSEMBLED)):
            if images.find(client, each):
                return each
        if self._is_reachable():
            return NGINX
        self.say(f"Giving the engine {ASSEMBLED}")
        changes = [f"CMD {json.dumps(PROXY_COMMAND)}", "ENV PATH=/usr/sbin:/usr/bin", f"USER {USER}:{USER}"]
        client.api.import_image_from_file(
            str(self._root()), repository=ASSEMBLED.repository, tag=ASSEMBLED.tag, changes=changes
        )
        return str(ASSEMBLED)

    def base(self, wanted: str) -> str | Path:
        """What a Dockerfile stands on: a reference, or where no registry answers a tar. Raises `BaseError`."""
        if wanted != AUTO:
            return wanted
        return NGINX if self._is_reachable() else self._root()

    def _is_reachable(self) -> bool:
        if time.time() - (self.store.recall("away", NGINX) or 0) < FORGOTTEN:
            return False
        try:
            registry = Registry.of(Ref.parse(NGINX), insecure=self.insecure)
            registry.client.attempts = 1
            registry.find(Ref.parse(NGINX))
        except RegistryError:
            self.store.remember(time.time(), "away", NGINX)
            return False
        return True

    def _root(self) -> Path:
        """A root file system with nginx, kept in the store."""
        platform = Platform.here()
        place = self.store.folder / f"nginx-{platform.architecture}.tar"
        if not place.is_file():
            if not debian.available():
                raise BaseError(
                    f"No nginx: neither the engine nor its registry has {NGINX}. Name an image that can be had here"
                    f" (--nginx REF), or install {debian.PROGRAM} (Debian: apt-get install {debian.PROGRAM}) and one"
                    " is made of Debian's packages."
                )
            self.say(f"The registry of {NGINX} does not answer: assembling Debian with nginx")
            debian.assemble(place, platform, recipe=debian.NGINX)
        return place
