"""What `flaskship run` makes of its flags before it asks an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from flaskship.cli import invoke
from flaskship.cli.run import Port
from flaskship.errors import UsageError


@pytest.mark.parametrize(
    ("text", "address", "published", "container"),
    [
        ("8080", "", 8080, 0),
        ("80:8000", "", 80, 8000),
        ("0", "", 0, 0),
        ("0:9000", "", 0, 9000),
        ("127.0.0.1:80:8000", "127.0.0.1", 80, 8000),
        ("192.0.2.1:80", "192.0.2.1", 80, 0),
        ("[::1]:80:8000", "::1", 80, 8000),
    ],
)
def test_a_mapping_of_ports_is_read(text: str, address: str, published: int, container: int) -> None:
    assert Port.parse(text) == Port(address=address, published=published, container=container)


@pytest.mark.parametrize("text", ["", "x", "80:", ":80", "80:0", "65536", "80:65536", "1.2.3:80:80", "80:80:80", "-1"])
def test_what_is_no_mapping_of_ports_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no mapping of ports"):
        Port.parse(text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--volume", "data"), "is no HERE:THERE"),
        (("--volume", "./data:relative"), "is no HERE:THERE"),
        (("--volume", "./no-such-folder:/data"), "there is no"),
        (("--env", "=1"), "is no NAME=VALUE"),
        (("--wait", "long"), "which is no duration"),
    ],
)
def test_a_flag_that_cannot_be_is_refused_before_an_engine_is_asked(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such.sock")
    assert invoke(["run", "me/sales:1.0", *arguments]) == 2
    assert words in " ".join(capfd.readouterr().err.split())
