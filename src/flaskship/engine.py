"""Docker and Podman over their socket: what building an image needs of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import DockerException, ImageNotFound

from flaskship.errors import EngineError
from flaskship.image import tar
from flaskship.image.layout import archived, beside
from flaskship.image.ref import Ref
from flaskship.image.spec import Image, Platform
from flaskship.settings import environment

PODMAN = ("/run/podman/podman.sock", "podman/podman.sock")
SECONDS = 600  # an engine unpacks what it is given before it answers


@contextmanager
def connected() -> Iterator[docker.DockerClient]:
    """The engine that `DOCKER_HOST` names, else Docker's socket, else Podman's. Raises `EngineError`."""
    try:
        client = docker.from_env(timeout=SECONDS, environment=_environment())
    except (DockerException, requests.RequestException) as error:
        raise EngineError(
            f"No Docker or Podman answers here ({_reason(error)}). Start one (systemctl start docker), or name it in"
            " DOCKER_HOST. Building, pushing and serving need none."
        ) from error
    try:
        yield client
    except (DockerException, requests.RequestException) as error:
        raise EngineError(f"The container engine refuses: {_reason(error)}.") from error
    finally:
        client.close()


def answers() -> bool:
    """True where an engine is there and talks."""
    try:
        with connected():
            return True
    except EngineError:
        return False


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
        one = next((each for each in image.images if Platform.here().fits(each.settings())), image)
        with connected() as client:
            there = _known(client, one.settings()["rootfs"]["diff_ids"])
            try:
                _load(client, one, ref, frozenset(each.digest for each in one.layers[:there]))
            except DockerException:
                if not there:
                    raise
                _load(client, one, ref, frozenset())  # an engine that wants every layer named to be there
        return f"{ref}@{image.digest}"


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


def _environment() -> dict[str, Any]:
    env = dict(environment())
    if not env.get("DOCKER_HOST") and not Path("/var/run/docker.sock").exists():
        rootless = Path(env.get("XDG_RUNTIME_DIR", "/nonexistent"))
        for place in (rootless / "docker.sock", Path(PODMAN[0]), rootless / PODMAN[1]):
            if place.exists():
                env["DOCKER_HOST"] = f"unix://{place}"
                break
    return env


def _reason(error: BaseException) -> str:
    return str(getattr(error, "explanation", None) or error).rstrip(".")
