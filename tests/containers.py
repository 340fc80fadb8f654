"""What scenarios do with Docker and with the command line."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

DEADLINE = 120  # seconds, for what takes a few on a machine with nothing else to do


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"not within {DEADLINE} s: {what}"
        threading.Event().wait(0.02)


def docker(*arguments: str, check: bool = True) -> str:
    """What docker prints."""
    found = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert not check or found.returncode == 0, found.stderr
    return (found.stdout + (found.stderr if not check else "")).strip()


@contextmanager
def dockerd(folder: Path, within: Sequence[str] = ()) -> Iterator[str]:
    """An engine that keeps all that it has in `folder`: its address.

    A second one on a machine takes the first one's bridge away, unless it runs `within` a network of its own.
    """
    if not shutil.which("dockerd") or not shutil.which("docker") or os.geteuid() != 0:
        pytest.skip("needs: dockerd")
    address = f"unix://{folder}/docker.sock"
    command = [*within, "dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "-H", address]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, "-p", f"{folder}/pid"], stdout=log, stderr=log)
    asked = ["docker", "--host", address, "info"]
    try:
        wait_until(
            lambda: process.poll() is not None or subprocess.run(asked, capture_output=True).returncode == 0,
            "dockerd answers",
        )
        if process.poll() is not None:
            pytest.skip("needs: dockerd")
        yield address
    finally:
        process.terminate()
        process.wait(DEADLINE)


def free_port() -> int:
    """One below those that the kernel gives to whoever asks for any: it stays free until it is used."""
    while True:
        port = random.randrange(10_000, 32_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


def run(
    cwd: Path, *arguments: str, check: bool = True, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`flaskship ARGUMENTS` in a process of its own."""
    command = [sys.executable, "-m", "flaskship", *arguments]
    found = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    assert not check or found.returncode == 0, found.stderr
    return found


def build(folder: Path, base: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    """The last line of building the sales model of `folder`."""
    sample = ["--sample", "online_sales.csv", "--target-column", "converted"]
    return run(folder, "build", "sales.joblib", *sample, "--base", str(base), *arguments, env=env).stdout.splitlines()[
        -1
    ]


@contextmanager
def server(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of `flaskship serve` in `folder`, ready; it must end well."""
    command = [sys.executable, "-m", "flaskship", "serve", *arguments, "--port", "0", "--workers", "1"]
    environment = {**os.environ, **(env or {})}
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("Serving "):
            break
    else:
        process.communicate(timeout=DEADLINE)
        pytest.fail("".join(said))
    try:
        yield said[-1].split()[-1]
    finally:
        process.terminate()
        _, rest = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, rest
    assert "Traceback" not in rest
    assert "DecompressionBomb" not in rest  # Pillow's own warning
