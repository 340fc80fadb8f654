"""The containers of images that Flaskship made: found by their label, measured, stopped, removed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import docker
import requests
from docker.errors import NotFound
from docker.models.containers import Container as Theirs

from flaskship.engine.connection import MARK, RUN, host
from flaskship.errors import EngineError
from flaskship.settings import Settings

EVERYWHERE = ("", "0.0.0.0", "::")  # addresses by which a port is published on all of the machine's
USUAL = {"http": 80, "https": 443}  # ports that an address need not name
AT_ONCE = 16  # questions to the engine
SPARE = 5  # seconds that a container has for its end, beyond the time that its server takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What an engine says of a container."""

    name: str
    id: str
    image: str  # as it was named when the container was made
    model: str
    version: str  # the model's, else the image's tag
    url: str  # "" where no port is published
    ports: Mapping[str, str]  # "8000/tcp" -> "0.0.0.0:80"
    state: str  # "running", "exited", …
    health: str  # "starting", "healthy", "unhealthy"; "" where nobody asks, or of one that does not run
    exit_code: int  # of one that does not run
    memory_limit: int  # bytes; 0 is none

    @classmethod
    def of(cls, container: Theirs) -> Container:
        attrs, labels = container.attrs, container.labels
        image, state = attrs["Config"]["Image"], attrs["State"]
        bound = {name: each[0] for name, each in (attrs["NetworkSettings"].get("Ports") or {}).items() if each}
        first = next(iter(bound.values()), None)
        running = state["Status"] == "running"
        return cls(
            name=str(container.name),
            id=str(container.id),
            image=image,
            model=labels.get("io.flaskship.name", ""),
            version=labels.get("org.opencontainers.image.version") or image.rpartition("/")[2].partition(":")[2],
            url=url(first["HostIp"], int(first["HostPort"])) if first and running else "",
            ports={name: f"{each['HostIp'] or '0.0.0.0'}:{each['HostPort']}" for name, each in bound.items()},
            state=state["Status"],
            health=(state.get("Health") or {}).get("Status", "") if running else "",
            exit_code=state.get("ExitCode") or 0,
            memory_limit=attrs["HostConfig"].get("Memory") or 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    cpu: float  # CPUs: 0.5 is half of one, 2 is two
    memory: int  # bytes, without files that the kernel only keeps cached


def url(address: str, port: int, *, scheme: str = "http") -> str:
    """Where a published port answers: on the engine's machine, unless it is published on one address only."""
    name = host() if address in EVERYWHERE else address
    name = f"[{name}]" if ":" in name else name
    return f"{scheme}://{name}" if port == USUAL[scheme] else f"{scheme}://{name}:{port}"


def every(client: docker.DockerClient, *, stopped: bool = False) -> list[Theirs]:
    """Those of Flaskship's images, by name; `stopped` ones too."""
    found = client.containers.list(all=stopped, filters={"label": MARK}, ignore_removed=True)
    return sorted(found, key=lambda each: str(each.name))


def stopped(client: docker.DockerClient) -> list[Theirs]:
    """Those that `flaskship run` made and that have ended."""
    asked: dict[str, Any] = {"label": [MARK, RUN], "status": ["exited"]}
    return list(client.containers.list(all=True, filters=asked, ignore_removed=True))


def get(client: docker.DockerClient, name: str) -> Theirs:
    """The container called `name`. Raises `EngineError` where there is none, or it is of another's image."""
    try:
        found = client.containers.get(name)
    except NotFound as error:
        names = [str(each.name) for each in every(client, stopped=True)]
        near = difflib.get_close_matches(name, names, 1)
        said = f" Did you mean {near[0]!r}?" if near else ""
        there = f" There are: {', '.join(names)}." if names else " Flaskship has none here: flaskship run makes one."
        raise EngineError(f"No container {name!r}.{said}{there}") from error
    if MARK not in found.labels:
        image = found.attrs["Config"]["Image"]
        raise EngineError(f"The container {name!r} is of {image!r}, which Flaskship did not make. Use docker for it.")
    return found


def usage(containers: Sequence[Theirs]) -> list[Usage | None]:
    """What each takes now, None for one that does not run; measured over a second, all at the same time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(_usage, containers))


def _usage(container: Theirs) -> Usage | None:
    if container.status != "running":
        return None
    try:
        found: Any = container.stats(stream=False)
    except (NotFound, requests.JSONDecodeError):  # it ended meanwhile
        return None
    memory, after, before = found.get("memory_stats") or {}, found.get("cpu_stats") or {}, found.get("precpu_stats")
    if "usage" not in memory or not before:
        return None
    # As `docker stats` counts: moby/cli, cli/command/container/stats_helpers.go.
    busy = after["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    elapsed = after.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    cached = memory.get("stats", {}).get("inactive_file") or memory.get("stats", {}).get("total_inactive_file") or 0
    cpu = busy / elapsed * after.get("online_cpus", 1) if elapsed > 0 else 0.0
    return Usage(cpu=max(cpu, 0.0), memory=max(memory["usage"] - cached, 0))


def stop(containers: Sequence[Theirs]) -> None:
    """All at the same time, each with the time that its server takes to end well."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda each: each.stop(timeout=_seconds(each)), containers))


def remove(container: Theirs) -> None:
    """Stop it where it runs, and take it away with the volumes that have no name."""
    with suppress(NotFound):  # somebody else removed it
        stop([container])
        container.remove(v=True, force=True)


def lines(container: Theirs, *, follow: bool, tail: int | None = None) -> Iterator[bytes]:
    """What it wrote, and with `follow` what it goes on to write, until it ends."""
    yield from container.logs(stream=True, follow=follow, tail="all" if tail is None else tail)


def exit_code(container: Theirs) -> int:
    """With which it ends; 0 for one that was removed meanwhile."""
    try:
        return int(container.wait()["StatusCode"])
    except NotFound:
        return 0


def _seconds(container: Theirs) -> int:
    env = dict(each.partition("=")[::2] for each in container.attrs["Config"].get("Env") or [])
    settings = Settings.load(None, env, {})
    return int(settings.grace + settings.drain) + SPARE
