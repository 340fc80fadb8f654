"""Layouts and archives, read back by ourselves and by skopeo and umoci."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flaskship.errors import ImageError
from flaskship.image import layer, spec, tar
from flaskship.image.layer import Silent
from flaskship.image.layout import Archive, Layout, beside
from flaskship.image.ref import Ref
from flaskship.image.spec import Blob, Image, Platform
from flaskship.image.store import Store

REF = Ref.parse("me/sales:1.0")


@pytest.fixture
def real(store: Store) -> Image:
    """An image with a true layer, for readers that look inside."""
    entries = [tar.Entry(name="größe/数据.txt", source=b"x"), tar.Entry(name="run", link="größe/数据.txt")]
    blob, diff_id = layer.compressed(store, entries, "x", Silent())
    rootfs = {"type": "layers", "diff_ids": [diff_id]}
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": spec.EPOCH,
        "config": {"Labels": {"a": "b"}},
        "rootfs": rootfs,
    }
    return spec.image(Blob.of(spec.canonical(config), spec.CONFIG), (blob,), {})


def inspected(*arguments: str) -> dict[str, object]:
    said = subprocess.run(["skopeo", "inspect", *arguments], capture_output=True, text=True, check=True).stdout
    found: dict[str, object] = json.loads(said)
    return found


def test_an_image_is_found_again_by_its_tag(tmp_path: Path, real: Image) -> None:
    layout = Layout(tmp_path / "oci")
    assert layout.publish(real, REF) == f"me/sales:1.0@{real.digest}"
    found = layout.image(layout.named()["1.0"])
    assert (found.digest, found.labels) == (real.digest, {"a": "b"})


def test_another_tag_joins_and_the_same_tag_replaces(tmp_path: Path, image: Callable[..., Image]) -> None:
    layout = Layout(tmp_path / "oci")
    for content, tag in ((b"1", "a"), (b"2", "b"), (b"3", "a")):
        layout.save(image(content), tag)
    assert {name: layout.image(each).layers[0].read() for name, each in layout.named().items()} == {
        "a": b"3",
        "b": b"2",
    }


@pytest.mark.needs("skopeo")
@pytest.mark.parametrize("way", ["oci", "oci-archive", "docker-archive"])
def test_skopeo_reads_it(tmp_path: Path, real: Image, way: str) -> None:
    place = tmp_path / "image"
    (Layout(place) if way == "oci" else Archive(place)).publish(real, REF)
    found = inspected(f"{way}:{place}" + ("" if way == "docker-archive" else ":1.0"))
    assert found["Labels"] == {"a": "b"}
    if way != "docker-archive":
        assert found["Digest"] == real.digest


@pytest.mark.needs("skopeo")
def test_skopeo_copies_it_to_a_registry_and_back(tmp_path: Path, real: Image, registry: str) -> None:
    Archive(tmp_path / "image.tar").publish(real, REF)
    away = f"docker://{registry}/copied/sales:1.0"
    copy = ["skopeo", "--insecure-policy", "copy", "--quiet"]
    subprocess.run([*copy, "--dest-tls-verify=false", f"oci-archive:{tmp_path}/image.tar:1.0", away], check=True)
    subprocess.run([*copy, "--src-tls-verify=false", away, f"oci:{tmp_path}/back:1.0"], check=True)
    assert Layout(tmp_path / "back").named()["1.0"]["digest"] == real.digest


@pytest.mark.needs("umoci")
def test_umoci_unpacks_it(tmp_path: Path, real: Image) -> None:
    Layout(tmp_path / "oci").publish(real, REF)
    command = ["umoci", "unpack", "--rootless", "--image", f"{tmp_path}/oci:1.0", str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "out" / "rootfs" / "run").read_bytes() == b"x"


def test_an_index_holds_an_image_for_each_platform(tmp_path: Path, image: Callable[..., Image]) -> None:
    images = {Platform.parse(f"linux/{each}"): image(each.encode()) for each in ("amd64", "arm64")}
    layout = Layout(tmp_path)
    layout.save(spec.index(images, {}), "many")
    found = layout.image(layout.named()["many"])
    assert [each.layers[0].read() for each in found.images] == [b"amd64", b"arm64"]


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No space left on device"), beside(tmp_path / "x") as (file, _):
        file.write(b"x")
        os.close(os.dup(file.fileno()))
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_a_real_full_disk_is_an_error(tmp_path: Path, image: Callable[..., Image]) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        with pytest.raises(ImageError, match=f"Cannot write to '{tmp_path}.*': No space left on device"):
            Layout(tmp_path / "oci").save(image(bytes(2 << 20)), "x")
        assert not [each for each in tmp_path.rglob("*") if each.is_file() and each.stat().st_size > 1000]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_what_is_no_layout_is_said(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(ImageError, match="is no OCI layout"):
        Layout(tmp_path).named()


def test_the_store_says_what_it_has(store: Store, image: Callable[..., Image]) -> None:
    store.save(image(b"x"), Ref.parse("me/there:1"))
    with pytest.raises(ImageError, match=r"No image 'me/missing:1' was built or pulled here. There are: me/there:1."):
        store.get(Ref.parse("me/missing:1"))
    assert store.get(Ref.parse("me/there:1")).layers[0].read() == b"x"
