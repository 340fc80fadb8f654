"""A registry, a proxy in front of it, a store, and images of a few bytes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from registries import PASSWORD, USER, Wire, running

from flaskship.image import spec
from flaskship.image.spec import Blob, Image
from flaskship.image.store import Store


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that wants USER and PASSWORD."""
    if not shutil.which("docker-registry") or not shutil.which("htpasswd"):
        pytest.skip("needs: docker-registry")
    folder = tmp_path_factory.mktemp("guarded")
    line = subprocess.run(["htpasswd", "-Bbn", USER, PASSWORD], capture_output=True, text=True, check=True).stdout
    (folder / "users").write_text(line)
    with running(folder, f"auth: {{htpasswd: {{realm: test, path: {folder / 'users'}}}}}\n") as address:
        yield address


@pytest.fixture
def wire(registry: str) -> Iterator[Wire]:
    """A proxy in front of the registry."""
    host, _, port = registry.partition(":")
    proxy = Wire((host, int(port)))
    listening = proxy.serve()
    yield proxy
    listening.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def small_image(*contents: bytes, **config: object) -> Image:
    """An image whose layers are these bytes: enough for everything that moves images and looks into none."""
    layers = tuple(Blob.of(each, spec.LAYER_GZIP) for each in contents)
    settings = {
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [each.digest for each in layers]},
    }
    return spec.image(Blob.of(json.dumps(settings).encode(), spec.CONFIG), layers, {})


@pytest.fixture
def image() -> Callable[..., Image]:
    return small_image
