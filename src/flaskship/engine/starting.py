"""Starting containers: hardened, asked until they are ready, gone again where one of them cannot be."""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import docker
from docker.errors import APIError, DockerException
from docker.models.containers import Container as Theirs
from docker.types import DeviceRequest

from flaskship.engine.connection import RUN, is_here, reason
from flaskship.engine.containers import EVERYWHERE, Container
from flaskship.errors import EngineError, UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]+")  # Docker's own rule
LAST_LINES = 20
PAUSE = 0.05  # seconds between two questions to a container that starts
PATIENCE = 2.0  # seconds for one answer
LASTING: Any = {"Name": "unless-stopped", "MaximumRetryCount": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A container to be."""

    name: str
    image: str
    port: int  # that it listens on
    published: int  # on the engine's machine; 0 takes a free one
    address: str = ""  # of that machine, without brackets; "" is all of them
    env: Mapping[str, str]
    memory: int = 0  # bytes; 0 is no limit
    cpus: float = 0.0
    volumes: tuple[str, ...] = ()  # "/here:/there:ro"
    gpu: bool = False
    writable: bool = False  # to the image's own files
    scratch: bool = False  # with a /tmp to write to, in memory
    lasting: bool = True  # started again when it fails, and when the engine starts


def names(client: docker.DockerClient, base: str, count: int, *, given: bool) -> list[str]:
    """`sales`, `sales-2`, …: those that are free, or where it was `given`, exactly these.

    Raises `EngineError` for one that is taken, `UsageError` for what is no name.
    """
    if not NAME.fullmatch(base):
        raise UsageError(
            f"{base!r} cannot name a container: use letters, digits, '.', '_' and '-', two at least, and begin with a"
            " letter or a digit."
        )
    there = {str(name).lstrip("/") for each in client.api.containers(all=True) for name in each["Names"] or []}
    wanted: list[str] = []
    number = 1
    while len(wanted) < count:
        name = base if number == 1 else f"{base}-{number}"
        if name not in there:
            wanted.append(name)
        elif given:
            raise EngineError(_name_taken(name))
        number += 1
    return wanted


def check_port(client: docker.DockerClient, address: str, port: int) -> None:
    """Raises `EngineError` where something has this port on the engine's machine already."""
    for each in client.api.containers():
        for bound in each["Ports"] or []:
            same = address == bound.get("IP") or address in EVERYWHERE or bound.get("IP", "") in EVERYWHERE
            if same and bound.get("PublicPort") == port and bound.get("Type", "tcp") == "tcp":
                raise EngineError(_port_taken(port, f"the container {str(each['Names'][0]).lstrip('/')!r}"))
    if not is_here():
        return
    try:
        socket.create_server((address, port), family=_family(address)).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise EngineError(_port_taken(port, "another program")) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise EngineError(f"This machine has no address {address!r}. Leave it out to publish on all.") from error


def start(client: docker.DockerClient, wanted: Sequence[Start], seconds: float) -> list[Container]:
    """The containers, ready. Raises `EngineError` where one is not within `seconds`; then none of them is left."""
    begun: list[Theirs] = []
    try:
        for each in wanted:
            begun.append(_created(client, each))
            _begin(begun[-1], each)
        end = time.monotonic() + seconds
        for theirs, each in zip(begun, wanted, strict=True):
            _wait(theirs, end, seconds)
            if each.lasting and not _is_podman(client):
                # Only now: while it starts, a failure is told, not tried again.
                theirs.update(restart_policy=LASTING)
    except BaseException:  # Ctrl-C too: nothing half-made stays
        for theirs in begun:
            theirs.remove(v=True, force=True)
        raise
    return [Container.of(each) for each in begun]


def _created(client: docker.DockerClient, wanted: Start) -> Theirs:
    more: dict[str, Any] = {}
    if wanted.memory:
        more["mem_limit"] = wanted.memory
    if wanted.cpus:
        more["nano_cpus"] = int(wanted.cpus * 1e9)
    if wanted.lasting and _is_podman(client):
        more["restart_policy"] = LASTING
    if wanted.scratch:
        more["tmpfs"] = {"/tmp": "exec,mode=1777"}
    if wanted.gpu:
        more["device_requests"] = [DeviceRequest(count=-1, capabilities=[["gpu"]])]
    try:
        return client.containers.create(
            wanted.image,
            name=wanted.name,
            environment=dict(wanted.env),
            ports={f"{wanted.port}/tcp": (wanted.address, wanted.published)},
            volumes=list(wanted.volumes),
            read_only=not wanted.writable,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            labels={RUN: "true"},
            **more,
        )
    except APIError as error:
        raise EngineError(_told(error, wanted)) from error


def _begin(container: Theirs, wanted: Start) -> None:
    try:
        container.start()
    except APIError as error:
        raise EngineError(_told(error, wanted)) from error


def _wait(container: Theirs, end: float, seconds: float) -> None:
    """Until its URL answers that it is ready. Asked again and again, since a port behind an engine tells nobody."""
    while True:
        check_runs(container)
        found = Container.of(container)
        if found.url and answers(found.url, "/readyz"):
            return
        if time.monotonic() > end:
            raise EngineError(_late(container, found, seconds))
        time.sleep(PAUSE)  # a port behind an engine tells nobody when it answers


def _is_podman(client: docker.DockerClient) -> bool:
    """Podman before 5 has no call to change how a container is started again."""
    return "Podman" in str(client.version().get("Components"))


def check_runs(container: Theirs) -> None:
    """Ask the engine anew. Raises `EngineError` where it ended at its start, also where it was started again."""
    container.reload()
    state = container.attrs["State"]
    if state["Status"] == "running" and not container.attrs.get("RestartCount"):
        return
    code = f" with exit code {state['ExitCode']}" if state.get("ExitCode") else ""  # 0 where it was started again
    why = " for want of memory: raise --memory" if state.get("OOMKilled") else ""
    raise EngineError(
        f"The container {container.name!r} ended at its start{code}{why}, and was removed.{last_lines(container)}"
    )


def answers(url: str, path: str) -> bool:
    """Whether 200 comes from there now: not by way of a proxy, and whatever name a certificate is for."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    if parts.scheme == "https":
        anyone = ssl.create_default_context()
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(parts.netloc, timeout=PATIENCE, context=anyone)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _late(container: Theirs, found: Container, seconds: float) -> str:
    said = f"The container {found.name!r} is not ready after {seconds:g} s, and was removed. Give it more time: --wait."
    if found.health == "healthy":
        said = (
            f"The container {found.name!r} is well, but {found.url} does not answer from here within {seconds:g} s, so"
            " it was removed. Does a firewall stand between, or does this run inside another container?"
        )
    return said + last_lines(container)


def last_lines(container: Theirs) -> str:
    text = container.logs(tail=LAST_LINES).decode(errors="replace").rstrip()
    return f" Its last lines:\n{text}" if text else " It wrote nothing."


def _told(error: DockerException, wanted: Start) -> str:
    """A sentence for what an engine refuses."""
    said = reason(error)
    if re.search(r"port is already allocated|address already in use", said):
        return _port_taken(wanted.published, "another program")
    if re.search(r"name .* is already in use", said):
        return _name_taken(wanted.name)
    if wanted.gpu and re.search(r"device driver|nvidia|cdi", said, re.IGNORECASE):
        return (
            f"The engine cannot give a container a GPU ({said}). Install the NVIDIA Container Toolkit where the engine"
            " runs (https://docs.nvidia.com/datacenter/cloud-native/container-toolkit), or leave --gpu out."
        )
    return f"The engine does not start the container {wanted.name!r}: {said}."


def _name_taken(name: str) -> str:
    return f"There is a container {name!r} already. Take another --name, or remove it: flaskship rm --force {name}"


def _port_taken(port: int, owner: str) -> str:
    return f"Port {port} is taken by {owner}. Take another: -p {port + 1}, or -p 0 for any that is free."


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
