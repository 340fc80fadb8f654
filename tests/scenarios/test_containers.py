"""Containers as users handle them, through the command line: run, ps, logs, stop, rm, images, rmi, prune, shell."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from containers import DEADLINE, docker, dockerd, free_port, run

from flaskship.cli import invoke

PREFIX = f"t{os.getpid()}"  # an engine that others use too
IMAGE = "me/sales:1.0"
MODEL = ("sales.joblib", "--sample", "online_sales.csv", "--target-column", "converted")
ROW = "age=45&new_user=0&total_pages_visited=5"


@pytest.fixture(autouse=True)
def swept(engine: str) -> Iterator[None]:
    """Nothing of a test stays, whether it passes or not."""
    yield
    names = docker("ps", "--all", "--quiet", "--filter", f"name={PREFIX}").split()
    if names:
        docker("rm", "--force", "--volumes", *names)


Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cache: Path, sales: Path) -> Call:
    """The command line in this process, in the folder of the sales example."""
    monkeypatch.chdir(sales)

    def call(*arguments: str, check: bool = True, env: Mapping[str, str] | None = None) -> Any:
        with monkeypatch.context() as patch:
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            code = invoke(arguments)
        out, err = capfd.readouterr()
        assert not check or code == 0, err
        return subprocess.CompletedProcess(arguments, code, out, err)

    return call


def said(found: subprocess.CompletedProcess[str]) -> str:
    return " ".join(found.stderr.split())


def predicted(url: str) -> object:
    with urllib.request.urlopen(f"{url}/predict?{ROW}", timeout=DEADLINE) as response:
        return json.loads(response.read())["prediction"]


def inspected(name: str, what: str) -> object:
    return json.loads(docker("inspect", "--format", f"{{{{json {what}}}}}", name))


def there(name: str) -> bool:
    return bool(docker("ps", "--all", "--quiet", "--filter", f"name=^{name}$"))


def build(cli: Call, debian: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
    cli("build", *MODEL, "--base", str(debian), *arguments, env=env)


def listed(cli: Call, *arguments: str) -> dict[str, dict[str, object]]:
    return {each["name"]: each for each in json.loads(cli("ps", "--json", *arguments).stdout)}


def test_a_container_from_its_start_to_its_removal(image: str, cli: Call) -> None:
    name, port = f"{PREFIX}-whole", free_port()
    limits = ("--memory", "256MB", "--cpus", "1.5", "--env", "FLASKSHIP_ACCESS_LOG=true")
    found = cli("run", IMAGE, "--name", name, "-p", f"127.0.0.1:{port}:9000", *limits)
    assert found.stdout == f"http://127.0.0.1:{port}\n"
    assert f"127.0.0.1:{port} leads to port 9000 inside" in said(found)
    assert predicted(found.stdout.strip()) == 0

    settings = inspected(name, ".HostConfig")
    assert isinstance(settings, dict)
    assert settings["ReadonlyRootfs"] and settings["CapDrop"] == ["ALL"]
    assert settings["SecurityOpt"] == ["no-new-privileges"]
    assert settings["RestartPolicy"]["Name"] == "unless-stopped"
    assert (settings["Memory"], settings["NanoCpus"]) == (256_000_000, 1_500_000_000)

    one = listed(cli)[name]
    assert (one["model"], one["version"], one["url"], one["state"]) == (
        "sales",
        "1.0",
        f"http://127.0.0.1:{port}",
        "running",
    )
    assert one["health"] in ("starting", "healthy")
    assert isinstance(one["memory"], int) and 10e6 < one["memory"] < 256e6
    assert isinstance(one["cpu"], float) and one["memory_limit"] == 256_000_000
    line = next(each for each in cli("ps").stdout.splitlines() if each.startswith(name))
    assert " % " in line and "MB of 256.0 MB" in line

    assert "/predict" in cli("logs", name).stdout
    assert len(cli("logs", name, "--tail", "1").stdout.splitlines()) == 1
    assert "is running. Stop it first" in said(cli("rm", name, check=False))
    assert cli("stop", name).stdout == f"{name}\n"
    assert name not in listed(cli)
    assert listed(cli, "--all")[name]["state"] == "exited"
    assert inspected(name, ".State.ExitCode") == 0
    cli("rm", name)
    assert not there(name)


def test_replicas_have_following_names_and_ports_and_what_is_taken_is_said(image: str, cli: Call) -> None:
    name, port = f"{PREFIX}-many", free_port()
    found = cli("run", IMAGE, "--name", name, "-p", str(port), "--replicas", "2")
    assert found.stdout.splitlines() == [f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"]
    assert [predicted(each) for each in found.stdout.splitlines()] == [0, 0]

    taken = cli("run", IMAGE, "--name", f"{PREFIX}-late", "-p", str(port + 1), check=False)
    assert (taken.returncode, taken.stdout) == (10, "")
    assert f"Port {port + 1} is taken by the container '{name}-2'" in said(taken)
    again = cli("run", IMAGE, "--name", name, "-p", "0", check=False)
    assert again.returncode == 10
    assert f"There is a container '{name}' already" in said(again)

    near = cli("stop", f"{name}x", check=False)
    assert near.returncode == 10
    assert f"Did you mean '{name}'?" in said(near)
    used = cli("rmi", IMAGE, check=False)
    assert used.returncode == 10
    assert "is made of the image 'me/sales:1.0'" in said(used)
    assert cli("rm", "--force", name, f"{name}-2").stdout == f"{name}\n{name}-2\n"
    assert not there(name) and not there(f"{name}-2")


def test_a_port_of_another_program_is_said_before_anything_starts(image: str, cli: Call) -> None:
    with socket.create_server(("", 0)) as other:
        port = other.getsockname()[1]
        found = cli("run", IMAGE, "--name", f"{PREFIX}-port", "-p", str(port), check=False)
    assert found.returncode == 10
    assert f"Port {port} is taken by another program" in said(found)
    assert not there(f"{PREFIX}-port")


def test_a_crash_at_start_shows_the_last_lines_and_leaves_nothing(image: str, cli: Call, tmp_path: Path) -> None:
    broken = tmp_path / "manifest.json"
    broken.write_text("{")
    mount = f"{broken}:/bundle/manifest.json:ro"
    names = ("--name", f"{PREFIX}-crash", "-p", "0", "--replicas", "2")
    found = cli("run", IMAGE, *names, "--volume", mount, check=False)
    assert (found.returncode, found.stdout) == (10, "")
    assert f"The container '{PREFIX}-crash' ended at its start with exit code 3" in said(found)
    assert "Its last lines: Bundle cannot be used" in said(found)
    assert not there(f"{PREFIX}-crash") and not there(f"{PREFIX}-crash-2")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_attached_container_shows_its_log_and_goes_with_a_signal(
    image: str, sales: Path, number: signal.Signals
) -> None:
    name = f"{PREFIX}-attached"
    command = [sys.executable, "-m", "flaskship", "run", IMAGE, "--name", name, "-p", "0", "--attach"]
    env = ["--env", "FLASKSHIP_ACCESS_LOG=true"]
    with subprocess.Popen(
        [*command, *env], cwd=sales, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # who tests in the background ignores it
    ) as process:  # fmt: skip
        assert process.stdout and process.stderr
        try:
            assert predicted(process.stdout.readline().strip()) == 0
            while "/predict" not in process.stderr.readline():
                assert process.poll() is None
            process.send_signal(number)
            assert process.wait(DEADLINE) == 130
        finally:
            process.kill()
    assert not there(name)


def test_a_target_is_built_first_and_what_is_given_to_its_container_is_not_in_its_image(
    image: str, cli: Call, debian: Path, tmp_path: Path
) -> None:
    (tmp_path / "secrets").write_text("# of the test\n\nSECRET=one=1\nTHERE\n")
    given = (
        "--base",
        str(debian),
        "--env-file",
        str(tmp_path / "secrets"),
        "--env",
        "OTHER=2",
        "--api-key",
        "hidden",
        "--name",
        f"{PREFIX}-target",
    )
    found = cli("run", *MODEL, *given, "--name", f"{PREFIX}-target", "-p", "0", env={"THERE": "3"})
    environment = inspected(f"{PREFIX}-target", ".Config.Env")
    assert isinstance(environment, list)
    assert {"SECRET=one=1", "OTHER=2", "THERE=3", "FLASKSHIP_API_KEY=hidden"} <= set(environment)
    built = f"flaskship/{PREFIX}-target:latest"
    assert not {"SECRET", "OTHER", "THERE", "hidden"} & set(
        docker("image", "inspect", built).replace("=", '"').split('"')
    )
    with pytest.raises(urllib.error.HTTPError, match="401"):
        predicted(found.stdout.strip())
    cli("rm", "--force", f"{PREFIX}-target")
    cli("rmi", built)
    assert not docker("images", "--quiet", built)


def test_what_was_built_anew_is_what_runs_and_a_name_is_chosen(image: str, cli: Call, debian: Path) -> None:
    reference = f"me/{PREFIX}:1"
    for label in ("round=1", "round=2"):
        build(cli, debian, "-t", reference, "--label", label, "--name", PREFIX)
        cli("run", reference, "-p", "0")
    assert inspected(PREFIX, '(index .Config.Labels "round")') == "1"
    assert inspected(f"{PREFIX}-2", '(index .Config.Labels "round")') == "2"
    rows = [each for each in json.loads(cli("images", "--json").stdout) if each["reference"] == reference]
    assert [(each["model"], each["where"]) for each in rows] == [(PREFIX, ["cache", "engine"])]
    assert 10e6 < rows[0]["packed"] < rows[0]["unpacked"]
    cli("rm", "--force", PREFIX, f"{PREFIX}-2")
    assert cli("rmi", reference).stdout == f"{reference}\n"
    assert reference not in cli("images").stdout


def test_an_image_comes_from_its_registry_where_nobody_has_it(
    image: str, cli: Call, registry: str, tmp_path: Path
) -> None:
    name = f"{registry}/me/{PREFIX}:1"
    cli("push", IMAGE, "--as", name)
    env = {"FLASKSHIP_CACHE": str(tmp_path)}
    found = cli("run", name, "--name", f"{PREFIX}-pulled", "-p", "0", env=env)
    assert predicted(found.stdout.strip()) == 0
    cli("rm", "--force", f"{PREFIX}-pulled")
    missing = cli("run", f"{registry}/me/none:1", "-p", "0", env=env, check=False)
    assert missing.returncode == 8
    assert f"Built or pulled here are: {name}. Build it: flaskship build TARGET -t" in said(missing)
    cli("rmi", name, env=env)
    assert not list((tmp_path / "image" / "blobs").rglob("*/*"))


def test_another_ones_containers_and_images_are_left_alone(engine: str, cli: Call) -> None:
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w"):
            pass
        foreign = f"{PREFIX}/foreign:1"
        subprocess.run(["docker", "import", "-", foreign], input=file.getvalue(), capture_output=True, check=True)
    try:
        docker("create", "--name", f"{PREFIX}-foreign", foreign, "/none")
        for verb in ("stop", "rm", "logs", "shell"):
            found = cli(verb, f"{PREFIX}-foreign", check=False)
            assert (found.returncode, "which Flaskship did not make" in said(found)) == (10, True), verb
        assert f"{PREFIX}-foreign" not in listed(cli, "--all")
        assert "Flaskship did not make the image" in said(cli("rmi", foreign, check=False))
        assert "was not made by Flaskship" in said(cli("run", foreign, "-p", "0", check=False))
    finally:
        docker("rm", f"{PREFIX}-foreign")
        docker("rmi", foreign)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--gpu",), 10, "NVIDIA Container Toolkit"),
        (("--cpus", "9999"), 10, "does not start the container"),
        (("--memory", "7MB"), 10, "for want of memory: raise --memory"),
        (("--wait", "0"), 10, "is not ready after 0 s, and was removed. Give it more time: --wait"),
        (("--volume", "/no/such/file:/x"), 2, "there is no '/no/such/file' on this machine"),
        (("--env", "NOT_SET_ANYWHERE"), 2, "nor the name of a variable that is set here"),
        (("--env", "export A=1"), 2, "--env 'export A=1' is no NAME=VALUE"),
        (("--attach", "--replicas", "2"), 2, "--attach follows one container"),
        (("-p", "80:"), 2, "is no mapping of ports"),
        (("--name", "a/b"), 2, "cannot name a container"),
    ],
)
def test_what_cannot_run_says_why_and_leaves_nothing(
    image: str, cli: Call, arguments: tuple[str, ...], code: int, words: str
) -> None:
    own = ("--name", f"{PREFIX}-never", "-p", "0")
    found = cli("run", IMAGE, *own, *arguments, check=False)
    assert (found.returncode, found.stdout) == (code, ""), found.stderr
    assert words in said(found)
    assert not there(f"{PREFIX}-never")


def test_without_an_engine_the_images_that_are_here_are_shown(image: str, sales: Path) -> None:
    found = run(sales, "images", env={"DOCKER_HOST": "unix:///no/such.sock"})
    assert IMAGE in found.stdout
    assert "only the cache is shown" in found.stderr


@pytest.mark.needs("dash")
def test_a_shell_opens_on_the_terminal_where_the_image_has_one(image: str, cli: Call) -> None:
    name = f"{PREFIX}-shell"
    cli("run", IMAGE, "--name", f"{name}-none", "-p", "0")
    found = cli("shell", f"{name}-none", check=False)
    assert found.returncode == 10
    assert "has no shell" in said(found) and f"docker cp {name}-none:/bundle" in said(found)

    cli("run", IMAGE, "--name", name, "-p", "0", "--volume", f"{shutil.which('dash')}:/bin/sh:ro")
    assert "A shell needs a terminal" in said(cli("shell", name, check=False))
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "flaskship", "shell", name]
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
    os.close(terminal)
    try:
        read_until(screen, b"$ ")
        os.write(screen, b"echo $((6*7)); exit 3\n")
        read_until(screen, b"\n42\r\n")
        assert process.wait(DEADLINE) == 3
    finally:
        process.kill()
        process.wait()
        os.close(screen)


def read_until(screen: int, wanted: bytes) -> None:
    shown, end = b"", time.monotonic() + DEADLINE
    while wanted not in shown:
        assert time.monotonic() < end, shown
        if select.select([screen], [], [], 1)[0]:
            shown += os.read(screen, 4096)


def test_prune_removes_what_is_unused_and_only_after_asking(
    image: str, cli: Call, debian: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("own")  # a short name: the path of a socket has at most 107 characters
    with dockerd(folder, within=("unshare", "--net")) as address:
        env = {"DOCKER_HOST": address}
        own = ["docker", "--host", address]
        build(cli, debian, "-t", IMAGE, "--load", env=env)
        create = [*own, "create", "--network", "none", "--label"]
        for label, name in (("io.flaskship.run=true", "ours"), ("some=label", "theirs")):
            subprocess.run([*create, label, "--name", name, IMAGE, "--nonsense"], capture_output=True, check=True)
            subprocess.run([*own, "start", "--attach", name], capture_output=True, check=False)

        found = cli("prune", check=False, env=env)
        assert found.returncode == 2
        assert "there is no terminal to ask on. Say --yes" in said(found)
        assert "ours" in found.stdout and "theirs" not in found.stdout and IMAGE not in found.stdout
        cli("prune", "--yes", env=env)
        assert list(listed_at(cli, env)) == ["theirs"]

        cli("rm", "theirs", env=env)
        assert IMAGE in cli("prune", "--yes", env=env).stdout
        where = {each["reference"]: each["where"] for each in json.loads(cli("images", "--json", env=env).stdout)}
        assert where[IMAGE] == ["cache"]
        assert "Nothing to remove" in cli("prune", "--yes", env=env).stderr


def listed_at(cli: Call, env: Mapping[str, str]) -> list[str]:
    return [each["name"] for each in json.loads(cli("ps", "--all", "--json", env=env).stdout)]


def test_a_log_is_followed_to_its_end(image: str, cli: Call) -> None:
    name = f"{PREFIX}-followed"
    cli("run", IMAGE, "--name", name, "-p", "0")
    command = [sys.executable, "-m", "flaskship", "logs", "--follow", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert "Serving sales" in process.stdout.readline()
            cli("stop", name)
            assert process.wait(DEADLINE) == 0
        finally:
            process.kill()
