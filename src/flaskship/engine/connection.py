"""The way to the engine: which socket, on which machine, and its refusals as ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import requests
from docker.context import ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import DockerException

from flaskship.errors import EngineError
from flaskship.settings import environment

DOCKER = "/var/run/docker.sock"
PODMAN = ("/run/podman/podman.sock", "podman/podman.sock")
SECONDS = 600  # an engine unpacks what it is given before it answers
MARK = "io.flaskship.version"  # the label of all images of ours, which their containers inherit
RUN = "io.flaskship.run"  # the label of the containers that `flaskship run` made


@contextmanager
def connected() -> Iterator[docker.DockerClient]:
    """The engine of `DOCKER_HOST`, else of Docker's context, else Docker's socket, else Podman's.

    Raises `EngineError`.
    """
    try:
        client = docker.from_env(timeout=SECONDS, environment=variables(), use_ssh_client=True)
    except (DockerException, requests.RequestException) as error:
        raise EngineError(_absence(error)) from error
    try:
        yield client
    except (DockerException, requests.RequestException) as error:
        raise EngineError(f"The container engine refuses: {reason(error)}.") from error
    finally:
        client.close()


def answers() -> bool:
    """True where an engine is there and talks."""
    try:
        with connected():
            return True
    except EngineError:
        return False


@contextmanager
def reached() -> Iterator[docker.DockerClient | None]:
    """As `connected`, or None where no engine answers."""
    if not answers():
        yield None
        return
    with connected() as client:
        yield client


def host() -> str:
    """The machine on which published ports answer: the engine's, where `DOCKER_HOST` names another one."""
    address = urlsplit(variables().get("DOCKER_HOST", ""))
    away = address.hostname if address.scheme in ("tcp", "http", "https", "ssh") else None
    return away or "127.0.0.1"


def is_here() -> bool:
    """True where the engine is on this machine."""
    return host() in ("127.0.0.1", "localhost", "::1")


def reason(error: BaseException) -> str:
    return str(getattr(error, "explanation", None) or error).rstrip(".")


def _absence(error: BaseException) -> str:
    cause = error
    while inner := cause.__cause__ or next((each for each in cause.args if isinstance(each, BaseException)), None):
        cause = inner
    place = variables().get("DOCKER_HOST") or f"unix://{DOCKER}"
    if isinstance(cause, PermissionError):
        return (
            f"An engine is here, but you may not use {place}. Join Docker's group (sudo usermod -aG docker $USER) and"
            " log in again, or run Podman without root (systemctl --user start podman.socket)."
        )
    if isinstance(cause, NameError) and place.startswith("ssh://"):  # the SDK names what it could not import
        return f"{place} is reached through paramiko, which is not installed: pip install 'docker[ssh]'"
    why = cause.strerror if isinstance(cause, OSError) and cause.strerror else reason(cause)
    return (
        f"No Docker or Podman answers at {place} ({why}). Install one (https://docs.docker.com/engine/install, or"
        " apt-get install podman), start it (systemctl start docker, or podman.socket), or name another machine's in"
        " DOCKER_HOST. Building, pushing and `flaskship serve` need none."
    )


def variables() -> dict[str, Any]:
    """The environment, with the engine of Docker's context, or Podman's socket where that is the only one.

    Raises `EngineError` for a context that is not there.
    """
    env = dict(environment())
    if env.get("DOCKER_HOST"):
        return env
    if address := _context(env):
        return {**env, "DOCKER_HOST": address}
    if not Path(DOCKER).exists():
        rootless = Path(env.get("XDG_RUNTIME_DIR", "/nonexistent"))
        for place in (rootless / "docker.sock", Path(PODMAN[0]), rootless / PODMAN[1]):
            if place.exists():
                return {**env, "DOCKER_HOST": f"unix://{place}"}
    return env


def _context(env: Mapping[str, str]) -> str:
    """The address of the context that `docker context use` or DOCKER_CONTEXT chose; "" for the default one."""
    name = env.get("DOCKER_CONTEXT") or get_current_context_name()
    if name == "default":
        return ""
    try:
        found = ContextAPI.get_context(name)
    except Exception as error:  # the SDK raises that itself for a context that it cannot read
        raise EngineError(f"Cannot read the Docker context {name!r}: {error}.") from error
    if found is None or not found.Host:
        raise EngineError(f"No Docker context {name!r}. There are those of: docker context ls")
    return str(found.Host)
