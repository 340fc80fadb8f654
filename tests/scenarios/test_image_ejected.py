"""The ejected project, built by Docker: the same files under the same names, and the same answers."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path

import pytest
from apps.models import copied
from containers import docker, free_port, run, wait_until

BUILDER = "FROM flaskship-tests/builder:raw\nCOPY wheels /wheels\nENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\n"
PACKAGES = "python3,python3-pip,python3-venv,dash,coreutils,findutils"
SAMPLE = ("--sample", "online_sales.csv", "--target-column", "converted")
PORT = free_port()
OTHER_BYTES = ("RECORD", ".pyc")  # pip and uv word RECORD differently; byte code depends on what was compiled before it


def files(reference: str) -> dict[str, bytes]:
    """What is in an image: contents, or where a symlink goes."""
    name = docker("create", reference)
    found = {}
    try:
        process = subprocess.Popen(["docker", "export", name], stdout=subprocess.PIPE)
        with process, tarfile.open(fileobj=process.stdout, mode="r|") as members:
            for each in members:
                file = members.extractfile(each) if each.isreg() else None
                if not each.isdir():
                    found[each.name] = file.read() if file else each.linkname.encode()
    finally:
        docker("rm", name)
    return found


@pytest.fixture(scope="module")
def project(image: str, sales: Path, debian: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ejected") / "project"
    run(sales, "eject", "sales.joblib", str(folder), *SAMPLE, "--base", str(debian), "--port", str(PORT))
    return folder


@pytest.fixture(scope="module")
def app(cache: Path, debian: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with somebody's app, and its project beside it."""
    folder = copied("greeting", tmp_path_factory.mktemp("ejected"))
    (folder / "uploads").mkdir()
    run(folder.parent, "eject", "greeting", "project", "--base", str(debian))
    return folder


@pytest.fixture(scope="module")
def builder(engine: str, project: Path, app: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with pip, a shell and the locked wheels; in the place of python:X.Y-slim, which is elsewhere."""
    folder = tmp_path_factory.mktemp("builder")
    command = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={PACKAGES}", "bookworm"]
    if subprocess.run([*command, str(folder / "raw.tar")], capture_output=True).returncode:
        pytest.skip("needs: Debian's packages")
    docker("import", str(folder / "raw.tar"), "flaskship-tests/builder:raw")
    (folder / "raw.tar").unlink()
    (folder / "Dockerfile").write_text(BUILDER)
    for each in (project, app.parent / "project"):
        lock = each / "api" / "requirements.txt"
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*download, "-r", str(lock), "-d", str(folder / "wheels")], check=True, capture_output=True)
    docker("build", "--quiet", "--tag", "flaskship-tests/builder:3", str(folder))
    return "flaskship-tests/builder:3"


def test_docker_build_gives_the_same_files(builder: str, project: Path, sales: Path, debian: Path) -> None:
    run(sales, "build", "sales.joblib", *SAMPLE, "--base", str(debian), "-t", "me/ours:1", "--load")
    docker(
        "build", "--quiet", "--build-arg", f"BUILDER={builder}", "--tag", "me/theirs:1", str(project / "api")
    )  # fmt: skip
    ours, theirs = files("me/ours:1"), files("me/theirs:1")
    assert set(ours) == set(theirs)
    differing = {name for name in ours if ours[name] != theirs[name] and not name.endswith(OTHER_BYTES)}
    assert not {name for name in differing if not name.startswith("opt/flaskship/bin/")}
    settings = "{{json .Config.Entrypoint}} {{.Config.User}} {{json .Config.Healthcheck}} {{.Config.StopSignal}}"
    assert docker("inspect", "-f", settings, "me/ours:1") == docker("inspect", "-f", settings, "me/theirs:1")


def modes(reference: str) -> dict[str, tuple[int, int, int]]:
    """Of what is below /bundle: mode, user and group."""
    name = docker("create", reference)
    try:
        process = subprocess.Popen(["docker", "export", name], stdout=subprocess.PIPE)
        with process, tarfile.open(fileobj=process.stdout, mode="r|") as members:
            return {
                each.name: (each.mode & 0o777, each.uid, each.gid) for each in members if each.name.startswith("bundle")
            }
    finally:
        docker("rm", name)


def test_docker_build_gives_an_apps_files_to_who_runs_it(builder: str, app: Path, debian: Path) -> None:
    run(app.parent, "build", "greeting", "--base", str(debian), "-t", "me/own-app:1", "--load")
    project = str(app.parent / "project" / "api")
    docker("build", "--quiet", "--build-arg", f"BUILDER={builder}", "--tag", "me/their-app:1", project)
    ours = modes("me/own-app:1")
    assert ours == modes("me/their-app:1")
    assert ours["bundle"] == (0o755, 0, 0)
    assert ours["bundle/code/uploads"] == (0o775, 65532, 0)
    assert ours["bundle/code/app.py"] == (0o664, 65532, 0)
    settings = "{{json .Config.Env}} {{json .Config.Entrypoint}} {{.Config.WorkingDir}} {{.Config.User}}"
    assert docker("inspect", "-f", settings, "me/own-app:1") == docker("inspect", "-f", settings, "me/their-app:1")


def asked(url: str) -> int:
    try:
        with urllib.request.urlopen(f"{url}/predict?age=45&new_user=0&total_pages_visited=5", timeout=30) as response:
            return int(json.load(response)["prediction"])
    except (OSError, http.client.HTTPException):
        return -1


@pytest.mark.needs("docker-compose")
def test_the_script_runs_it_behind_nginx(builder: str, project: Path) -> None:
    env = {**os.environ, "BUILDER": builder, "COMPOSE_PROJECT_NAME": f"test-ejected-{os.getpid()}"}
    try:
        done = subprocess.run(["sh", "run_docker.sh"], cwd=project, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        url = done.stdout.splitlines()[-1]
        assert url == f"http://localhost:{PORT}"
        wait_until(lambda: asked(url) == 0, "the project answers")
    finally:
        subprocess.run(["docker-compose", "down", "--volumes"], cwd=project, env=env, capture_output=True)


def test_the_app_runs_without_a_container(project: Path) -> None:
    port = free_port()
    env = {**os.environ, "FLASKSHIP_PORT": str(port)}
    env.pop("PYTHONPATH", None)
    process = subprocess.Popen([sys.executable, "app.py"], cwd=project / "api", env=env, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: asked(f"http://127.0.0.1:{port}") == 0, "the app answers")
    finally:
        process.terminate()
        process.wait()


def test_a_project_is_not_overwritten_unasked(image: str, sales: Path, debian: Path, tmp_path: Path) -> None:
    sample = [*SAMPLE, "--base", str(debian)]
    run(sales, "eject", "sales.joblib", str(tmp_path), *sample)
    again = run(sales, "eject", "sales.joblib", str(tmp_path), *sample, check=False)
    assert again.returncode == 2
    assert "is there already" in again.stderr
    run(sales, "eject", "sales.joblib", str(tmp_path), *sample, "--force")
