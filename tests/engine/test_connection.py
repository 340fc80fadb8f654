"""Where the engine is, and what a user is told where there is none."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from containers import docker, run

from flaskship.engine.containers import url
from flaskship.errors import EngineError


@pytest.mark.parametrize(
    ("engine", "address", "expected"),
    [
        ("", "0.0.0.0", "http://127.0.0.1:8000"),
        ("unix:///run/podman/podman.sock", "", "http://127.0.0.1:8000"),
        ("tcp://build.example:2376", "0.0.0.0", "http://build.example:8000"),
        ("ssh://me@build.example", "::", "http://build.example:8000"),
        ("tcp://[2001:db8::1]:2376", "0.0.0.0", "http://[2001:db8::1]:8000"),
        ("tcp://build.example:2376", "192.0.2.7", "http://192.0.2.7:8000"),
    ],
)
def test_a_port_answers_on_the_engines_machine_or_on_the_address_it_is_published_on(
    engine: str, address: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)
    assert url(address, 8000) == expected


def test_port_80_goes_without_saying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert url("0.0.0.0", 80) == "http://127.0.0.1"


@pytest.mark.needs("docker")
def test_the_engine_of_dockers_context_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    docker("context", "create", "build", "--docker", "host=tcp://build.example:2376")
    docker("context", "use", "build")
    assert url("", 8000) == "http://build.example:8000"
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert url("", 8000) == "http://127.0.0.1:8000"
    monkeypatch.setenv("DOCKER_CONTEXT", "none")
    with pytest.raises(EngineError, match="No Docker context 'none'"):
        url("", 8000)


def refused(host: str, *arguments: str) -> str:
    """What is said in a process of its own: the SDK leaves sockets open that could not connect."""
    found = run(Path.cwd(), *arguments, check=False, env={"DOCKER_HOST": host})
    assert (found.returncode, found.stdout) == (10, "")
    return " ".join(found.stderr.split())


@pytest.mark.parametrize("verb", [("ps",), ("run", "me/sales:1.0"), ("stop", "--all"), ("logs", "x"), ("shell", "x")])
def test_no_engine_says_where_it_looked_what_to_install_and_what_needs_none(verb: tuple[str, ...]) -> None:
    told = refused("unix:///no/such.sock", *verb)
    assert "No Docker or Podman answers at unix:///no/such.sock (No such file or directory)." in told
    assert "Install one" in told and "`flaskship serve` need none." in told


def test_what_is_no_engine_is_told_from_one(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf.sock"))  # nobody listens
        assert "(Connection refused)" in refused(f"unix://{tmp_path}/deaf.sock", "ps")
    assert "No Docker or Podman answers at nonsense" in refused("nonsense", "ps")
