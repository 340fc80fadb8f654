"""An image from beginning to end: built without Docker, run by Docker, moved by registries, read by others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import pandas as pd
import pytest
from containers import DEADLINE, build, docker, free_port, run, wait_until
from registries import Wire
from sklearn.linear_model import LogisticRegression

QUERY = "predict?age=45&new_user=0&total_pages_visited=5"
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=DEADLINE) as response:
            return response.status, response.read()
    except OSError:
        return 0, b""


@contextmanager
def container(reference: str, *arguments: str, command: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """The name and the address of a container of that image, ready."""
    port = free_port()
    name = docker("run", "--detach", "--publish", f"127.0.0.1:{port}:8000", *arguments, reference, *command)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: all(get(f"{address}/readyz")[0] == 200 for _ in range(8)), "all workers are ready")
        yield name, address
    finally:
        docker("rm", "--force", name)


@pytest.fixture(scope="session")
def loaded(engine: str, image: str, cache: Path, sales: Path, debian: Path) -> str:
    """The image in the engine."""
    assert build(sales, debian, "-t", "me/sales:1.0", "--load") == image
    return "me/sales:1.0"


def test_a_hardened_container_answers_like_the_model_and_stops_well(loaded: str, sales: Path) -> None:
    row = pd.DataFrame([{"age": 45, "new_user": 0, "total_pages_visited": 5}])
    expected = joblib.load(sales / "sales.joblib").predict_proba(row)[0]
    with container(loaded, "--env", "FLASKSHIP_GRACE=600s", *HARDENED, command=("serve",)) as (name, address):
        answer = json.loads(get(f"{address}/{QUERY}")[1])
        assert answer["prediction"] == 0
        assert list(answer["probabilities"].values()) == pytest.approx(list(expected), rel=1e-6)
        assert docker("inspect", "-f", "{{.Config.User}}", name) == "65532:65532"
        wait_until(lambda: docker("inspect", "-f", "{{.State.Health.Status}}", name) == "healthy", "it reports healthy")
        docker("stop", "--time", str(DEADLINE), name)
        assert docker("inspect", "-f", "{{.State.ExitCode}}", name) == "0"  # neither waited nor was killed


@pytest.mark.parametrize("way", ["--no-compile", "--isolated"])
def test_a_model_that_was_not_compiled_answers_from_its_image(
    engine: str, cache: Path, sales: Path, debian: Path, way: str
) -> None:
    build(sales, debian, "-t", "me/original:1.0", "--load", way)
    with container("me/original:1.0", *HARDENED) as (_, address):
        assert json.loads(get(f"{address}/{QUERY}")[1])["prediction"] == 0


@pytest.mark.parametrize("user", ["0", "12345:54321"])
def test_it_runs_as_root_and_as_any_other_user(loaded: str, user: str) -> None:
    with container(loaded, "--user", user, *HARDENED) as (_, address):
        assert get(f"{address}/{QUERY}")[0] == 200


def test_a_port_by_the_platforms_variable_is_listened_on(loaded: str) -> None:
    port = free_port()
    name = docker("run", "--detach", "--env", "PORT=9000", "--publish", f"127.0.0.1:{port}:9000", loaded)
    try:
        wait_until(lambda: get(f"http://127.0.0.1:{port}/readyz")[0] == 200, "the container is ready")
        code = json.loads(docker("inspect", "-f", "{{json .Config.Healthcheck.Test}}", name))[-1]
        check = ["docker", "exec", name, "/opt/flaskship/bin/python", "-IS", code]
        wait_until(lambda: subprocess.run(check, capture_output=True).returncode == 0, "the health check passes")
    finally:
        docker("rm", "--force", name)


def test_docker_shows_its_history_and_labels(loaded: str) -> None:
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}} {{.Comment}}", loaded).splitlines()
    assert history[0] == "flaskship build model"
    assert history[-1] == "flaskship build base"
    labels = json.loads(docker("inspect", "-f", "{{json .Config.Labels}}", loaded))
    assert labels["io.flaskship.framework"].startswith("scikit-learn")
    assert json.loads(labels["io.flaskship.schema"])["inputs"][0]["name"] == "age"


def test_only_what_serving_needs_is_inside(image: str, cache: Path, tmp_path: Path) -> None:
    names = members(cache)
    packages = {
        name.split("/")[5] for name in names if name.startswith("opt/flaskship/lib/python3") and name.count("/") > 5
    }
    assert {"flask", "granian", "numpy", "flaskship"} <= packages
    assert not {"sklearn", "pandas", "scipy", "rich", "pip", "uv", "docker"} & packages
    own = {name.split("/")[6] for name in names if "/site-packages/flaskship/" in name}
    assert not {"cli", "image", "compiler", "make.py", "deploy"} & own
    assert not {name for name in names if name in ("bin/sh", "usr/bin/apt", "usr/bin/dpkg") or "/locale/" in name}


def members(cache: Path, tag: str = "docker.io/me/sales:1.0") -> set[str]:
    """The names of all files of an image in the cache."""
    index = json.loads((cache / "image" / "index.json").read_bytes())
    digest = next(each["digest"] for each in index["manifests"] if tag in each["annotations"].values())
    blobs = cache / "image" / "blobs" / "sha256"
    manifest = json.loads((blobs / digest.partition(":")[2]).read_bytes())
    found: set[str] = set()
    for layer in manifest["layers"]:
        with tarfile.open(blobs / layer["digest"].partition(":")[2]) as files:
            found |= {each.name for each in files if not each.isdir()}
    return found


def test_another_folder_umask_and_home_give_the_same_digest(
    image: str, sales: Path, debian: Path, tmp_path: Path
) -> None:
    for each in ("sales.joblib", "online_sales.csv"):
        shutil.copy(sales / each, tmp_path / each)
        os.utime(tmp_path / each, (1, 1))
    before = os.umask(0o077)
    try:
        env = {"FLASKSHIP_CACHE": str(tmp_path / "cache"), "XDG_CONFIG_HOME": str(tmp_path), "TZ": "Asia/Tokyo"}
        assert build(tmp_path, debian, "-t", "me/sales:1.0", env=env) == image
    finally:
        os.umask(before)


def test_a_changed_model_sends_one_layer(image: str, sales: Path, debian: Path, registry: str, tmp_path: Path) -> None:
    host, _, port = registry.partition(":")
    wire = Wire((host, int(port)))
    listening = wire.serve()
    name = f"127.0.0.1:{wire.port}/me/sales"
    try:
        said = run(sales, "push", "me/sales:1.0", "--as", f"{name}:1.0")
        assert said.stdout.strip() == f"{name}:1.0@{image.partition('@')[2]}"
        before = wire.received
        rows = pd.read_csv(sales / "online_sales.csv")
        other = LogisticRegression(max_iter=1000, C=0.01).fit(rows.drop(columns="converted"), rows["converted"])
        shutil.copytree(sales, tmp_path / "changed")
        joblib.dump(other, tmp_path / "changed" / "sales.joblib")
        build(tmp_path / "changed", debian, "-t", f"{name}:1.1", "--push")
        assert wire.received - before < 60_000  # the layer, config and manifest, the SBOM, and what asking costs
    finally:
        listening.close()


def test_a_pushed_image_is_inspected_without_a_layer_and_pulled(
    image: str, sales: Path, registry: str, tmp_path: Path
) -> None:
    name = f"{registry}/me/pulled:1.0"
    run(sales, "push", "me/sales:1.0", "--as", name)
    env = {"FLASKSHIP_CACHE": str(tmp_path)}
    told = json.loads(run(sales, "inspect", name, "--json", env=env).stdout)
    assert told["labels"]["io.flaskship.kind"] == "LogisticRegression"
    assert told["signature"]["classes"] == [0, 1]
    assert not list(tmp_path.rglob("blobs/sha256/*"))
    assert run(sales, "pull", name, env=env).stdout.strip() == f"{name}@{image.partition('@')[2]}"
    assert run(sales, "pull", name, env=env).returncode == 0


@pytest.mark.needs("skopeo")
def test_docker_and_skopeo_read_the_tar(engine: str, image: str, sales: Path, debian: Path, tmp_path: Path) -> None:
    build(
        sales,
        debian,
        "-t",
        "me/sales:tarred",
        "--output",
        f"tar:{tmp_path}/sales.tar",
        "--output",
        f"oci:{tmp_path}/oci",
    )
    assert "me/sales:tarred" in docker("load", "--input", f"{tmp_path}/sales.tar")
    found = subprocess.run(
        ["skopeo", "inspect", f"oci-archive:{tmp_path}/sales.tar"], capture_output=True, text=True, check=True
    )
    assert json.loads(found.stdout)["Digest"] == image.partition("@")[2]
    document = json.loads((tmp_path / "sales.tar.cdx.json").read_bytes())
    parts = {each["name"]: each for each in document["components"]}
    assert parts["flask"]["licenses"] == [{"license": {"name": "BSD-3-Clause"}}]
    assert parts["libc6"]["purl"].startswith("pkg:deb/debian/libc6@")
    assert (tmp_path / "oci.cdx.json").is_file()


def test_an_image_of_the_engine_is_a_base(loaded: str, sales: Path, tmp_path: Path) -> None:
    reference = run(sales, "build", "sales.joblib", "-t", "me/stacked:1", "--base", f"engine:{loaded}", "--load").stdout
    assert reference.startswith("me/stacked:1@sha256:")
    with container("me/stacked:1") as (_, address):
        assert get(f"{address}/readyz")[0] == 200


def test_two_builds_at_once_share_the_cache(sales: Path, debian: Path, tmp_path: Path, image: str) -> None:
    env = {**os.environ, "FLASKSHIP_CACHE": str(tmp_path / "cache")}
    command = [
        "build",
        "sales.joblib",
        "--sample",
        "online_sales.csv",
        "--target-column",
        "converted",
        "--base",
        str(debian),
    ]
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "flaskship", *command, "-t", "me/sales:1.0"],
            cwd=sales, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for each in both:
        said, problem = each.communicate()
        assert said.strip() == image, problem


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("-t", "Sales"), 2, "is no reference to an image"),
        (("-t", "x", "--base", "missing.tar"), 8, "No base 'missing.tar'"),
        (("-t", "x", "--base", "empty.tar"), 8, "holds no Python 3"),
        (("-t", "x", "--base", "sales.joblib"), 8, "cannot be read as a tar"),
        (("-t", "x", "--base", "127.0.0.1:1/python:3"), 9, "Cannot reach the registry '127.0.0.1:1'"),
        (("-t", "x", "--base", "DEBIAN", "--platform", "linux/arm64"), 8, "is for amd64, not for linux/arm64"),
        (("-t", "x", "--base", "DEBIAN", "--platform", "windows/amd64"), 2, "is no platform for an image"),
        (
            ("-t", "x", "--base", "DEBIAN", "--requirement", "no-such-package-anywhere==1"),
            8,
            "no-such-package-anywhere",
        ),
        (("-t", "x", "--base", "DEBIAN", "--env", "A"), 2, "is no NAME=VALUE"),
        (("-t", "x", "--base", "DEBIAN", "--output", "zip:x"), 2, "is neither oci:DIR nor tar:FILE"),
        (("-t", "127.0.0.1:1/x", "--base", "DEBIAN", "--push"), 9, "Cannot reach the registry '127.0.0.1:1'"),
    ],
)
def test_what_cannot_be_built_says_why(
    arguments: tuple[str, ...], code: int, said: str, sales: Path, debian: Path, image: str, tmp_path: Path
) -> None:
    for each in ("sales.joblib", "online_sales.csv", "sales.joblib.lock"):
        shutil.copy(sales / each, tmp_path)
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    given = [str(debian) if each == "DEBIAN" else each for each in arguments]
    sample = ["--sample", "online_sales.csv", "--target-column", "converted"]
    found = run(tmp_path, "build", "sales.joblib", *sample, *given, check=False)
    assert found.returncode == code, found.stderr
    assert said in " ".join(found.stderr.split())


def test_what_is_not_there_cannot_be_pushed(image: str, sales: Path) -> None:
    found = run(sales, "push", "me/none:1", check=False)
    assert found.returncode == 8
    assert "No image 'me/none:1' was built or pulled here" in found.stderr
