"""Three Docker Engines on this machine as one Swarm: each in a network namespace of its own, joined by a bridge.

Names, addresses and the folder are always the same, so that a run finds what an earlier one left that was killed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from containers import wait_until

BRIDGE, NETWORK, GATEWAY = "fsswarm", "10.77.0.0/24", "10.77.0.1"
FOLDER = Path(tempfile.gettempdir()) / "flaskship-tests-swarm"
ENGINES: dict[str, subprocess.Popen[bytes]] = {}  # of this process, by node
FORWARD = ("FORWARD", "-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT")


def sh(*command: str, check: bool = True) -> str:
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not check or found.returncode == 0, f"{' '.join(command)}: {found.stderr}"
    return found.stdout.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An engine in a network namespace."""

    number: int

    @property
    def name(self) -> str:
        return f"{BRIDGE}{self.number}"

    @property
    def address(self) -> str:
        return f"10.77.0.{10 + self.number}"

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def host(self) -> str:
        """For `DOCKER_HOST`."""
        return f"unix://{self.folder}/docker.sock"

    @property
    def id(self) -> str:
        """Its name in the Swarm."""
        return self.docker("info", "--format", "{{.Swarm.NodeID}}")

    def docker(self, *arguments: str, check: bool = True) -> str:
        return sh("docker", "--host", self.host, *arguments, check=check)

    def said(self, container: str) -> list[str]:
        """Its log."""
        command = ["docker", "--host", self.host, "logs", "--timestamps", container]
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.run(command, **both, text=True, check=False).stdout.splitlines()

    def start(self, registry: str) -> None:
        self.folder.mkdir(parents=True)
        sh("ip", "netns", "add", self.name)
        sh("ip", "link", "add", f"{self.name}v", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        sh("ip", "link", "set", f"{self.name}v", "master", BRIDGE, "up")
        sh("ip", "-n", self.name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        sh("ip", "-n", self.name, "link", "set", "lo", "up")
        sh("ip", "-n", self.name, "link", "set", "eth0", "up")
        sh("ip", "-n", self.name, "route", "add", "default", "via", GATEWAY)
        # not `ip netns exec`, which hides the cgroups
        command = ["nsenter", f"--net=/var/run/netns/{self.name}", "dockerd", "--host", self.host]
        command += ["--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec"]
        command += ["--pidfile", f"{self.folder}/pid", "--insecure-registry", registry]
        with (self.folder / "log").open("w") as log:
            ENGINES[self.name] = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def answers(self) -> bool:
        return bool(self.docker("info", "--format", "{{.ID}}", check=False))

    def kill(self) -> None:
        """As if its power went: nobody hears of it any more, not even that a connection ends."""
        sh("ip", "link", "set", f"{self.name}v", "down", check=False)
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self._processes(), f"the processes of {self.name} are gone")
        if self.name in ENGINES:
            ENGINES.pop(self.name).wait()

    def remove(self) -> None:
        self.kill()
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            if line.split()[1].startswith(f"{self.folder}/"):
                sh("umount", "--lazy", line.split()[1], check=False)
        sh("ip", "link", "del", f"{self.name}v", check=False)
        sh("ip", "netns", "del", self.name, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _processes(self) -> list[int]:
        """Those in the namespace, and what they started in others: engine before containers."""
        found = [int(each) for each in sh("ip", "netns", "pids", self.name, check=False).split()]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with suppress(OSError):
                    found += [each for each in map(int, children.read_text().split()) if each not in found]
        return found


@contextmanager
def swarm(registry: str) -> Iterator[Sequence[Node]]:
    """The manager and two workers, which take images from `registry`, an address on the bridge's `GATEWAY`."""
    nodes = [Node(number=number) for number in (1, 2, 3)]
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: node.start(registry), nodes))
        for node in nodes:
            wait_until(node.answers, f"the engine of {node.name} answers")
        manager, *workers = nodes
        manager.docker("swarm", "init", "--advertise-addr", manager.address)
        token = manager.docker("swarm", "join-token", "--quiet", "worker")
        for node in workers:
            node.docker("swarm", "join", "--advertise-addr", node.address, "--token", token, f"{manager.address}:2377")
        yield nodes
    finally:
        for node in nodes:
            node.remove()


@contextmanager
def bridge() -> Iterator[str]:
    """The network between the nodes and this machine, which is `GATEWAY` in it. Other runs wait for this one."""
    with FOLDER.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _bridge() as gateway:
            yield gateway


@contextmanager
def _bridge() -> Iterator[str]:
    clean()
    try:
        sh("ip", "link", "add", BRIDGE, "type", "bridge")
        sh("ip", "addr", "add", f"{GATEWAY}/24", "dev", BRIDGE)
        sh("ip", "link", "set", BRIDGE, "up")
        sh("iptables", "-I", *FORWARD)
        yield GATEWAY
    finally:
        clean()


def clean() -> None:
    """Remove what is there of a Swarm."""
    for number in (1, 2, 3):
        Node(number=number).remove()
    sh("ip", "link", "del", BRIDGE, check=False)
    sh("iptables", "-D", *FORWARD, check=False)
