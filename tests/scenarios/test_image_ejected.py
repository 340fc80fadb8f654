"""The ejected project, built by Docker: the same files under the same names, and the same answers."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from containers import docker, run

BUILDER = "FROM flaskship-tests/builder:raw\nCOPY wheels /wheels\nENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\n"
PACKAGES = "python3,python3-pip,python3-venv,dash,coreutils,findutils"
OTHER_BYTES = ("RECORD", ".pyc")  # pip and uv word RECORD differently; byte code depends on what was compiled before it


def files(reference: str) -> dict[str, bytes]:
    """What is in an image: contents, or where a symlink goes."""
    name = docker("create", reference)
    found = {}
    process = subprocess.Popen(["docker", "export", name], stdout=subprocess.PIPE)
    with process, tarfile.open(fileobj=process.stdout, mode="r|") as members:
        for each in members:
            file = members.extractfile(each) if each.isreg() else None
            if not each.isdir():
                found[each.name] = file.read() if file else each.linkname.encode()
    docker("rm", name)
    return found


@pytest.fixture
def builder(engine: str, debian: Path, tmp_path: Path) -> str:
    """An image with pip, a shell and the locked wheels; in the place of python:X.Y-slim, which is elsewhere."""
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=extract",
        f"--include={PACKAGES}",
        "bookworm",
        str(tmp_path / "raw.tar"),
    ]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs: Debian's packages")
    docker("import", str(tmp_path / "raw.tar"), "flaskship-tests/builder:raw")
    (tmp_path / "Dockerfile").write_text(BUILDER)
    return "flaskship-tests/builder:3"


def test_docker_build_gives_the_same_files(
    engine: str, image: str, sales: Path, debian: Path, builder: str, tmp_path: Path
) -> None:
    sample = ["--sample", "online_sales.csv", "--target-column", "converted", "--base", str(debian)]
    run(sales, "eject", "sales.joblib", str(tmp_path / "project"), *sample)
    run(sales, "build", "sales.joblib", *sample, "-t", "me/ours:1", "--load")
    lock = tmp_path / "project" / "api" / "requirements.txt"
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "-r", str(lock)]
    subprocess.run([*download, "-d", str(tmp_path / "wheels")], check=True, capture_output=True)
    docker("build", "--quiet", "--tag", builder, str(tmp_path))
    docker(
        "build",
        "--quiet",
        "--build-arg",
        f"BUILDER={builder}",
        "--tag",
        "me/theirs:1",
        str(tmp_path / "project" / "api"),
    )
    ours, theirs = files("me/ours:1"), files("me/theirs:1")
    assert set(ours) == set(theirs)
    differing = {name for name in ours if ours[name] != theirs[name] and not name.endswith(OTHER_BYTES)}
    assert not {name for name in differing if not name.startswith("opt/flaskship/bin/")}
    settings = "{{json .Config.Entrypoint}} {{.Config.User}} {{json .Config.Healthcheck}} {{.Config.StopSignal}}"
    assert docker("inspect", "-f", settings, "me/ours:1") == docker("inspect", "-f", settings, "me/theirs:1")


def test_a_project_is_not_overwritten_unasked(image: str, sales: Path, debian: Path, tmp_path: Path) -> None:
    sample = ["--sample", "online_sales.csv", "--target-column", "converted", "--base", str(debian)]
    run(sales, "eject", "sales.joblib", str(tmp_path), *sample)
    again = run(sales, "eject", "sales.joblib", str(tmp_path), *sample, check=False)
    assert again.returncode == 2
    assert "is there already" in again.stderr
    run(sales, "eject", "sales.joblib", str(tmp_path), *sample, "--force")
