"""`flaskship run REF|TARGET`"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import docker

from flaskship import engine, variables
from flaskship.cli import supply, talk
from flaskship.cli.options import MAKING, PACKING, load, settings_options
from flaskship.deploy.service import Service
from flaskship.engine import containers, starting
from flaskship.engine.connection import is_here
from flaskship.engine.images import Held
from flaskship.engine.starting import Start
from flaskship.errors import EngineError, UsageError
from flaskship.plan import BAKED
from flaskship.settings import Duration, Settings, parse, variable

CONTAINER = ("env", "secret", "api_key", "replicas", "memory", "cpus", "gpu")
PORT = re.compile(r"(?:(\d+(?:\.\d+){3}|\[[0-9A-Fa-f:]+\]):)?(\d{1,5})(?::(\d{1,5}))?")
HIGHEST = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """`8080`, `80:8000`, `127.0.0.1:80:8000`."""

    published: int  # on the engine's machine
    container: int = 0  # that the container listens on; 0 leaves it to the image
    address: str = ""

    @classmethod
    def parse(cls, text: str) -> Port:
        found = PORT.fullmatch(text)
        address, here, there = found.groups() if found else ("", "", "")
        if found is None or int(here) > HIGHEST or not 1 <= int(there or 1) <= HIGHEST:
            raise UsageError(
                f"--port {text!r} is no mapping of ports. Write HOST, HOST:CONTAINER or ADDRESS:HOST:CONTAINER, such as"
                " 8080, 80:8000 or 127.0.0.1:80:8000."
            )
        return cls(published=int(here), container=int(there or 0), address=(address or "").strip("[]"))


@click.command("run")
@click.argument("target", metavar="REF|TARGET")
@click.option(
    "-p", "--port", "port", metavar="[ADDRESS:]HOST[:CONTAINER]",
    help="Port of this machine, and of the container; 0 takes a free one.  [env: FLASKSHIP_PORT, PORT; default: 8000]",
)  # fmt: skip
@click.option(
    "--env-file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A file of lines NAME=VALUE."
)
@click.option("-v", "--volume", multiple=True, metavar="HERE:THERE[:ro]", help="A file, folder or volume to mount.")
@click.option(
    "--detach/--attach", "-d", default=True,
    help="Return once it answers, or follow its log until Ctrl-C, which stops and removes it.  [default: detach]",
)  # fmt: skip
@click.option("--wait", default="2m", metavar="DURATION", help="Longest wait until it is ready.  [default: 2m]")
@settings_options(*MAKING, *PACKING, *CONTAINER, *BAKED)
def command(
    target: str, port: str | None, env_file: Path | None, volume: tuple[str, ...], detach: bool, wait: str, **flags: Any
) -> None:
    """Run an image, or a model, as a container, and print the URL that answers.

    REF is an image that was built or pulled here, or that Docker or Podman has, or that its registry has. TARGET (a
    model's file, functions, an app's folder, a bundle) is made an image first, as by `flaskship build`.
    """
    settings = load(flags)
    settings = replace(settings, env=(*_lines(env_file), *settings.env))
    variables.set_here(variables.given(settings))  # what has no value here is said before anything is built
    wished = Port.parse(port) if port is not None else Port(published=settings.port)
    count = settings.replicas or 1
    patience, mounts = parse(wait, Duration, "--wait"), tuple(map(_mount, volume))
    if not detach and settings.replicas > 1:
        raise UsageError("--attach follows one container. Start several without it, then: flaskship logs -f NAME")
    with engine.connected() as client, _interruptible():
        ports = _free_ports(client, wished, count)
        image, held = supply.image(client, target, load({**flags, "env": None}))  # no secret goes into an image
        given = {name for name, value in flags.items() if value is not None}
        service = Service.of(image, held.config, settings, given=given)
        if service.page_port and port is None and settings.port == Settings().port:
            talk.note(f"It is written for localhost:{service.page_port}: that is where it is published")
            ports = _free_ports(client, Port(published=service.page_port), count)
        names = starting.names(client, flags["name"] or service.name, len(ports), given="name" in given)
        inside, inner = _inside(held, service, wished)
        wanted = [
            Start(
                name=name, image=image, port=inside, published=each, address=wished.address, env=inner,
                memory=service.memory, cpus=service.cpus, volumes=mounts, gpu=settings.gpu, lasting=detach,
                writable=service.writable, scratch=service.scratch,
            )
            for name, each in zip(names, ports, strict=True)
        ]  # fmt: skip
        talk.note(f"Starting {', '.join(names)} from {image}")
        for started in starting.start(client, wanted, patience):
            talk.note(f"{started.name} is ready: {started.ports[f'{inside}/tcp']} leads to port {inside} inside")
            click.echo(started.url)
        if not detach:
            _follow(client, names[0])


def _free_ports(client: docker.DockerClient, wished: Port, count: int) -> list[int]:
    """The ports to publish on, looked at before anything is built. Raises `EngineError` for one that is taken."""
    if wished.published == 0:
        return [0] * count
    ports = [wished.published + number for number in range(count)]
    if ports[-1] > HIGHEST:
        raise UsageError(f"There are not {count} ports from {wished.published} on: {HIGHEST} is the last.")
    for each in ports:
        starting.check_port(client, wished.address, each)
    return ports


def _inside(held: Held, service: Service, wished: Port) -> tuple[int, Mapping[str, str]]:
    """The port that the container listens on, and its environment beyond the image's own."""
    env = {**service.env, **service.secrets}
    if service.api_key:
        env[variable("api_key")] = service.api_key
    if wished.container:
        env[variable("port")] = str(wished.container)
    baked = dict(each.partition("=")[::2] for each in held.config.get("Env") or [])
    return Settings.load(None, {**baked, **env}, {}).port, env


def _follow(client: docker.DockerClient, name: str) -> None:
    """Its log until it ends. Raises `EngineError` where it ends by itself and not well."""
    container = containers.get(client, name)
    try:
        for chunk in containers.lines(container, follow=True):
            click.echo(chunk, nl=False, err=True)
        code = containers.exit_code(container)
    finally:
        talk.note(f"Stopping and removing {name}")
        containers.remove(container)
    if code:
        raise EngineError(f"The container {name!r} ended with exit code {code}, and was removed.")


@contextmanager
def _interruptible() -> Iterator[None]:
    """A stop signal ends this like Ctrl-C, so that what was begun is taken away."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _lines(path: Path | None) -> list[str]:
    text = path.read_text(encoding="utf-8") if path else ""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _mount(text: str) -> str:
    """With the full path of what is on this machine; a name without a slash is a volume of the engine."""
    here, _, there = text.partition(":")
    if not here or not there.startswith("/"):
        raise UsageError(f"--volume {text!r} is no HERE:THERE, such as ./data:/data or ./data:/data:ro.")
    if not here.startswith((".", "~", "/")):
        return text
    path = Path(here).expanduser().resolve()
    if is_here() and not path.exists():
        raise UsageError(f"--volume {text!r}: there is no {str(path)!r} on this machine.")
    return f"{path}:{there}"
