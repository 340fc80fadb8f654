"""A model behind nginx, run by Compose: made, scaled, rolled to another image without losing a request, taken away.

Compose itself replaces all replicas at once. So replicas of another revision are started beside the old ones, and these
go one by one when the new ones are ready, as nginx finds both by their common name.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.models.containers import Container

from flaskship.deploy import compose, nginx
from flaskship.deploy.compose import API, NGINX, REVISION
from flaskship.deploy.service import Service
from flaskship.engine import connection, containers, starting
from flaskship.errors import EngineError, UsageError
from flaskship.settings import cache_folder

PROJECT, SERVICE, FOLDER = (
    f"com.docker.compose.{each}" for each in ("project", "service", "project.working_dir")
)  # labels
SERVING = b"Serving "  # with which the line begins that a server writes once it is ready
MODES = {"api.env": 0o600}  # of files; nginx, whoever it runs as, reads the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Replicas of an image and nginx, as one Compose project, whose files are in `folder`."""

    service: Service
    identity: str  # the image's id in the engine
    folder: Path
    client: docker.DockerClient
    say: Callable[[str], None]

    def up(self, seconds: float) -> str:
        """The URL at which the model answers, all replicas being ready.

        Raises `EngineError` where it does not within `seconds`; what served before then still does, and what did not
        is gone.
        """
        fresh = not _members(self.client, self.service.name)
        end = time.monotonic() + seconds
        self._check()
        changed = self._write()
        try:
            self._roll(end)
            self._proxy(changed)
            return self._answering(end)
        except BaseException:  # Ctrl-C too: nothing half-made stays
            if fresh:
                down(self.client, self.service.name)
            raise

    def _check(self) -> None:
        """Raises `EngineError` where the project is another's, or a port is taken."""
        own = _members(self.client, self.service.name)
        for each in own:
            if Path(each.labels.get(FOLDER, "")) != self.folder:
                raise EngineError(
                    f"There is a Compose project {self.service.name!r} already, in {each.labels.get(FOLDER, '')!r}."
                    " Take another --name, or that directory as --output."
                )
        proxy = next((each for each in own if each.labels[SERVICE] == NGINX and each.status == "running"), None)
        bound = _bound(proxy) if proxy else {}
        for outside in compose.ports(self.service):
            if outside and outside not in bound.values():
                starting.check_port(self.client, "", outside)

    def _write(self) -> bool:
        """Whether what nginx reads has changed. Files keep their inodes, since containers have them mounted."""
        changed = False
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, source in compose.files(self.service, identity=self.identity).items():
                place = self.folder / name
                place.parent.mkdir(mode=0o700 if place.parent.name == "tls" else 0o755, exist_ok=True)
                content = source if isinstance(source, bytes) else source.read_bytes()
                if not place.is_file() or place.read_bytes() != content:
                    place.touch(MODES.get(name, 0o644))
                    place.chmod(MODES.get(name, 0o644))
                    place.write_bytes(content)
                    changed |= place.parent != self.folder
        except OSError as error:
            raise UsageError(f"Cannot write the project: {error}. Name another directory with --output.") from error
        return changed

    def _roll(self, end: float) -> None:
        """As many ready replicas of this revision as wanted, and no others."""
        wanted = compose.revision(self.service, self.identity)
        there = self._replicas()
        same = [each for each in there if each.labels.get(REVISION) == wanted]
        old = [each for each in there if each.labels.get(REVISION) != wanted and each.status == "running"]
        for each in there:
            if each not in same and each not in old:
                containers.remove(each)
        self.say(f"Replicas of {self.service.image}: {self.service.replicas}")
        running = [each for each in there if each.status == "running"]
        self._grow(running, len(old) + max(self.service.replicas, len(same)), end)
        for number, each in enumerate(old, 1):
            self.say(f"Stopping replica {number} of the {len(old)} that were there")
            containers.remove(each)
        self._scale(self.service.replicas)

    def _grow(self, running: Sequence[Container], goal: int, end: float) -> None:
        """Start replicas until there are `goal`, no more at a time than nginx passes over while they load."""
        known, count = {each.id for each in running}, len(running)
        while count < goal:
            count = min(goal, count + nginx.TRIES - 1) if running else goal
            self._scale(count)
            new = [each for each in self._replicas() if each.id not in known]
            try:
                for each in new:
                    _wait(each, end)
            except BaseException:  # Ctrl-C too: those that served before go on alone
                for each in new:
                    containers.remove(each)
                raise
            known |= {each.id for each in new}

    def _proxy(self, changed: bool) -> None:
        """nginx as the files say: begun, begun anew where its container must differ, or told to read them again."""
        before = self._nginx()
        compose_run(self.folder, self.service.name, "up", "--detach", "--no-deps", NGINX)
        after = self._nginx()
        if changed and before and after and before.id == after.id and before.status == "running":
            after.kill("HUP")

    def _answering(self, end: float) -> str:
        proxy = self._nginx()
        assert proxy is not None
        bound = _bound(proxy)
        inside, scheme = (nginx.SECURE, "https") if self.service.tls else (nginx.PLAIN, "http")
        port = bound.get(inside, 0)
        url = containers.url("", port, scheme=scheme)
        while not starting.answers(url, nginx.READY):
            proxy.reload()
            if proxy.status != "running" or time.monotonic() > end:
                raise EngineError(f"nginx does not answer on port {port}.{starting.last_lines(proxy)}")
            time.sleep(starting.PAUSE)  # as in `starting`: a port tells nobody
        return url

    def _scale(self, count: int) -> None:
        options = ("--detach", "--no-deps", "--no-recreate", "--scale", f"{API}={count}")
        compose_run(self.folder, self.service.name, "up", *options, API)

    def _replicas(self) -> list[Container]:
        return [each for each in _members(self.client, self.service.name) if each.labels[SERVICE] == API]

    def _nginx(self) -> Container | None:
        return next((each for each in _members(self.client, self.service.name) if each.labels[SERVICE] == NGINX), None)


def names(client: docker.DockerClient) -> list[str]:
    """The stacks that run here."""
    found = client.containers.list(all=True, filters={"label": REVISION}, ignore_removed=True)
    return sorted({each.labels[PROJECT] for each in found if PROJECT in each.labels})


def down(client: docker.DockerClient, name: str) -> None:
    """Stop and remove the stack called `name`, and its files where they are in the user's cache."""
    members = _members(client, name)
    containers.stop([each for each in members if each.status == "running"])
    for each in members:
        containers.remove(each)
    for network in client.networks.list(filters={"label": f"{PROJECT}={name}"}):
        network.remove()
    shutil.rmtree(default_folder(name), ignore_errors=True)


def default_folder(name: str) -> Path:
    """Where the files of a stack are written, unless the user says otherwise."""
    return (cache_folder() / "stacks" / name).resolve()


def compose_run(folder: Path, name: str, *arguments: str) -> None:
    """Run Compose on the project. Raises `EngineError` with what it says."""
    command = [*program(), "--project-name", name, "--file", str(folder / "compose.yaml"), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, env=connection.variables(), check=False)
    if found.returncode:
        said = [line.strip() for line in found.stderr.splitlines() if line.strip()]
        told = next((line for line in reversed(said) if "rror" in line or "annot" in line), said[-1] if said else "")
        raise EngineError(f"Compose cannot run {name!r}: {told}")


def program() -> Sequence[str]:
    """Compose as it is called here. Raises `EngineError` where there is none."""
    if docker_program := shutil.which("docker"):
        found = subprocess.run([docker_program, "compose", "version"], capture_output=True, check=False)
        if found.returncode == 0:
            return [docker_program, "compose"]
    if alone := shutil.which("docker-compose"):
        return [alone]
    raise EngineError(
        "Neither `docker compose` nor docker-compose is here. Install one: apt-get install docker-compose, or"
        " https://docs.docker.com/compose/install. One container needs none: flaskship run."
    )


def _members(client: docker.DockerClient, name: str) -> list[Container]:
    return list(client.containers.list(all=True, filters={"label": f"{PROJECT}={name}"}, ignore_removed=True))


def _bound(container: Container) -> dict[int, int]:
    """The engine's ports by those of the container."""
    ports = container.attrs["NetworkSettings"].get("Ports") or {}
    return {int(name.partition("/")[0]): int(each[0]["HostPort"]) for name, each in ports.items() if each}


def _wait(container: Container, end: float) -> None:
    """Until its server says that it serves; asked again and again, since a log tells nobody when it is silent.

    Raises `EngineError` where it ends before, or does not by then.
    """
    while True:
        starting.check_runs(container)
        if any(line.startswith(SERVING) for line in container.logs().splitlines()):
            return
        if time.monotonic() > end:
            raise EngineError(
                f"The container {container.name!r} is not ready in time, and was removed. Give it more: --wait."
                f"{starting.last_lines(container)}"
            )
        time.sleep(starting.PAUSE)  # as in `starting`: a port tells nobody
