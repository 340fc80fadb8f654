"""A real container engine, a base, and the sales example as an image: made once for all scenarios."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import build, dockerd, run


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Docker: the one that runs here, else one that is started for these tests."""
    if shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True).returncode == 0:
        yield os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        return
    with dockerd(tmp_path_factory.mktemp("docker")) as address:
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = address
        try:
            yield address
        finally:
            os.environ.pop("DOCKER_HOST")
            if before is not None:
                os.environ["DOCKER_HOST"] = before


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system with Python, as `flaskship base debian` assembles it."""
    if not shutil.which("mmdebstrap"):
        pytest.skip("needs: mmdebstrap")
    place = tmp_path_factory.mktemp("base") / "debian.tar"
    run(Path.cwd(), "base", "debian", "-o", str(place))
    return place


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of these tests' own, for all of them."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("FLASKSHIP_CACHE")
    os.environ["FLASKSHIP_CACHE"] = str(folder)
    yield folder
    os.environ.pop("FLASKSHIP_CACHE")
    if before is not None:
        os.environ["FLASKSHIP_CACHE"] = before


@pytest.fixture(scope="session")
def sales(sales: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sales example's files, in a folder of these tests' own: builds leave locks beside the model."""
    return shutil.copytree(sales, tmp_path_factory.mktemp("scenarios") / "sales")


@pytest.fixture(scope="session")
def image(cache: Path, sales: Path, debian: Path) -> str:
    """The sales example as an image in the cache: its reference with digest."""
    return build(sales, debian, "-t", "me/sales:1.0")
