"""How much memory a model's server takes, found without an engine."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from flaskship import footprint, make
from flaskship.bundle import Bundle
from flaskship.errors import UsageError
from flaskship.image import spec
from flaskship.image.spec import Blob, Image
from flaskship.settings import Settings

MIB = 1 << 20


def layer(files: dict[str, bytes]) -> Blob:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as members:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            members.addfile(about, io.BytesIO(content))
    return Blob.of(gzip.compress(buffer.getvalue()), spec.LAYER_GZIP)


def image(*layers: Blob, env: tuple[str, ...] = ()) -> Image:
    return spec.image(Blob.of(spec.canonical({"config": {"Env": list(env)}}), spec.CONFIG), layers, {})


@pytest.fixture(scope="module")
def files(sales: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The sales model's bundle as it lies in an image."""
    folder = make.make(sales / "sales.joblib", Settings(), tmp_path_factory.mktemp("made") / "bundle").path
    return {f"bundle/{each.name}": each.read_bytes() for each in folder.iterdir() if each.name != "report.json"}


@pytest.mark.needs("nsenter")  # as Linux has it: the kernel tells there what a process keeps
def test_it_is_that_of_all_processes_in_steps_of_16_mib(files: dict[str, bytes]) -> None:
    whole = image(layer({"bundle/other": b"x"}), layer(files), env=("FLASKSHIP_WORKERS=2", "PATH=/bin"))
    two, one = footprint.measured(whole, {}), footprint.measured(whole, {"FLASKSHIP_WORKERS": "1"})
    assert two % (16 * MIB) == one % (16 * MIB) == 0
    assert 48 * MIB <= one < two <= 400 * MIB


def test_what_a_process_keeps_is_counted() -> None:
    before = footprint.memory([os.getpid()])
    kept = bytearray(os.urandom(64 * MIB))
    assert footprint.memory([os.getpid()]) - before > 50 * MIB
    assert kept


def test_a_bundle_may_lie_in_several_layers_of_which_the_last_counts(files: dict[str, bytes], tmp_path: Path) -> None:
    manifest = {"bundle/manifest.json": files["bundle/manifest.json"]}
    rest = {name: content for name, content in files.items() if name not in manifest}
    found = footprint.unpack(image(layer(rest), layer(manifest), layer({"etc/motd": b""})), tmp_path)
    assert isinstance(found, Bundle)


@pytest.mark.parametrize("way", ["no bundle", "changed", "no tar"])
def test_what_cannot_be_measured_asks_for_the_memory(way: str, files: dict[str, bytes]) -> None:
    layers = {
        "no bundle": layer({"etc/motd": b""}),
        "changed": layer(files | {"bundle/golden.json": b"{}"}),
        "no tar": Blob.of(b"not a tar", spec.LAYER_GZIP),
    }
    with pytest.raises(UsageError, match=r"cannot be measured here: .* Say how much: --memory 512MiB"):
        footprint.measured(image(layers[way]), {})


def test_what_the_server_says_is_the_reason(files: dict[str, bytes]) -> None:
    with pytest.raises(UsageError, match=r"cannot be measured here: .*'many', which is no whole number"):
        footprint.measured(image(layer(files)), {"FLASKSHIP_THREADS": "many"})
