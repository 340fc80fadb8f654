"""Images in the engine: given to it, found in it, taken out of it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound
from docker.models.containers import Container
from docker.models.images import Image as Theirs

from flaskship.engine.connection import MARK, connected
from flaskship.errors import EngineError
from flaskship.image import tar
from flaskship.image.layout import archived, beside
from flaskship.image.ref import Ref
from flaskship.image.spec import Image, Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An image that the engine has."""

    id: str  # "sha256:…": of its config, or of its manifest where the engine keeps images in containerd
    names: tuple[str, ...]  # as people write them; none for one that lost its name to a newer one
    size: int  # bytes, unpacked
    config: Mapping[str, Any]  # {"Env": […], "Labels": {…}, …}

    @classmethod
    def of(cls, image: Theirs) -> Held:
        # Podman writes docker.io/ in full, Docker leaves it out.
        names = tuple(each.removeprefix("docker.io/").removeprefix("library/") for each in image.tags)
        config = image.attrs.get("Config") or {}
        return cls(id=str(image.id), names=names, size=image.attrs.get("Size") or 0, config=config)

    @property
    def labels(self) -> Mapping[str, str]:
        return self.config.get("Labels") or {}


def find(client: docker.DockerClient, name: str) -> Held | None:
    try:
        return Held.of(client.images.get(name))
    except ImageNotFound:
        return None


def held(client: docker.DockerClient) -> list[Held]:
    """The engine's images that Flaskship made, by their label."""
    return [Held.of(each) for each in client.images.list(filters={"label": MARK})]


def unused(client: docker.DockerClient, without: Sequence[Container]) -> list[Held]:
    """Those of which no container is made but `without`."""
    gone = {each.id for each in without}
    used = {each["ImageID"] for each in client.api.containers(all=True) if each["Id"] not in gone}
    return [each for each in held(client) if each.id not in used]


def fitting(image: Image) -> Image:
    """Of an index, the image of this machine's platform."""
    return next((each for each in image.images if Platform.here().fits(each.settings())), image)


def ids(image: Image) -> tuple[str, ...]:
    """What an engine that has the image may call it: Docker takes the config's digest, its containerd store another."""
    one = fitting(image)
    return (one.config.digest if one.config else "", one.digest, image.digest)


def loaded(client: docker.DockerClient, image: Image, ref: Ref) -> tuple[str, Held]:
    """The image, in the engine under the name of `ref`, and that name; sent only where it is not there yet."""
    named = replace(ref, digest="", tag=ref.tag or image.digest[7:19])
    there = find(client, str(named))
    if there is None or there.id not in ids(image):
        publish(client, image, named)
        there = Held.of(client.images.get(str(named)))
    return str(named), there


def remove(client: docker.DockerClient, name: str) -> None:
    """Raises `EngineError` where a container is made of it."""
    id = client.images.get(name).id
    users = [each for each in client.api.containers(all=True) if each["ImageID"] == id]
    if users:
        names = [str(each["Names"][0]).lstrip("/") for each in users]
        raise EngineError(
            f"The container {names[0]!r} is made of the image {name!r}. Remove it first: flaskship rm --force"
            f" {' '.join(names)}"
        )
    client.images.remove(name)


def saved(name: str, folder: Path) -> Path:
    """An archive of the engine's image called `name`, kept in `folder` under the image's own id."""
    with connected() as client:
        try:
            image = client.images.get(name)
        except ImageNotFound as error:
            raise EngineError(f"The engine has no image {name!r}. Pull it first: docker pull {name}") from error
        place = folder / f"{str(image.id).rpartition(':')[2]}.tar"
        if not place.is_file():
            with beside(place) as (file, move):
                for data in image.save():
                    file.write(data)
                move(place)
    return place


class Engine:
    """The local engine as an image target."""

    def publish(self, image: Image, ref: Ref) -> str:
        """Load the image of this machine's platform; layers that the engine has are not sent. Raises `EngineError`."""
        with connected() as client:
            publish(client, image, ref)
        return f"{ref}@{image.digest}"


def publish(client: docker.DockerClient, image: Image, ref: Ref) -> None:
    one = fitting(image)
    there = _known(client, one.settings()["rootfs"]["diff_ids"])
    try:
        _load(client, one, ref, frozenset(each.digest for each in one.layers[:there]))
    except DockerException:
        if not there:
            raise
        _load(client, one, ref, frozenset())  # an engine that wants every layer named to be there


def _known(client: docker.DockerClient, diff_ids: Sequence[str]) -> int:
    """How many of these layers, from the first on, the engine has under one of its images."""
    longest = 0
    for image in client.images.list():
        theirs = (image.attrs.get("RootFS") or {}).get("Layers") or []
        same = 0
        while same < min(len(theirs), len(diff_ids)) and theirs[same] == diff_ids[same]:
            same += 1
        longest = max(longest, same)
    return longest


def _load(client: docker.DockerClient, image: Image, ref: Ref, lacking: frozenset[str]) -> None:
    with tempfile.TemporaryFile() as file:
        tar.write(archived(image, ref, lacking), file)
        file.seek(0)
        client.images.load(file)
