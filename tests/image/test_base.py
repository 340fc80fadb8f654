"""Bases: what is found in them, and what is said of those that cannot be one."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from flaskship.errors import BaseError, EngineError
from flaskship.image import contents, layer, spec, tar
from flaskship.image.base import Base, Finder
from flaskship.image.layer import Silent
from flaskship.image.layout import Archive, Layout
from flaskship.image.ref import Ref
from flaskship.image.registry import Registry
from flaskship.image.spec import Blob, Image, Platform
from flaskship.image.store import Store
from flaskship.image.tar import Entry

AMD64 = Platform.parse("linux/amd64")
ELF = b"\x7fELF" + bytes(14) + b"\x3e\x00"
STATUS = b"Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\nArchitecture: amd64\n\n"
COPYRIGHT = b"Format: https://example\n\nFiles: *\nLicense: LGPL-2.1\n"


def root(python: str = "3.11", machine: bytes = ELF) -> bytes:
    """A root file system with just what is looked at."""
    out = io.BytesIO()
    found = [
        Entry(name=f"usr/local/bin/python{python}", source=machine, executable=True),
        Entry(name="var/lib/dpkg/status", source=STATUS),
        Entry(name="usr/share/doc/libc6/copyright", source=COPYRIGHT),
    ]
    tar.write(found, out)
    return out.getvalue()


def find(store: Store, name: str | Path, platform: Platform = AMD64) -> Base:
    def saved(name: str, folder: Path) -> Path:
        raise EngineError(f"no engine for {name}")

    return Finder(store=store, platform=platform, progress=Silent(), say=lambda text: None, saved=saved).find(str(name))


def image(store: Store, machine: str = "amd64") -> Image:
    blob, diff_id = layer.compressed(store, [Entry(name="usr/bin/python3.12", source=b"#!")], "x", Silent())
    config = {"architecture": machine, "os": "linux", "config": {"Env": ["A=1"]}, "rootfs": {"diff_ids": [diff_id]}}
    return spec.image(Blob.of(spec.canonical(config), spec.CONFIG), (blob,), {})


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_root_file_system_tells_python_c_library_and_packages(
    store: Store, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "root.tar").write_bytes(pack(root()))
    base = find(store, tmp_path / "root.tar")
    assert (base.contents.python, base.contents.executable) == ("3.11", "/usr/local/bin/python3.11")
    assert base.where.tag == "x86_64-manylinux_2_36"
    assert [(each.name, each.version, each.licence) for each in base.contents.packages] == [
        ("libc6", "2.36-9", "LGPL-2.1")
    ]
    assert base.name == "root.tar"


def test_a_base_of_another_architecture_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "root.tar").write_bytes(root())
    with pytest.raises(BaseError, match="is for amd64, not for linux/arm64"):
        find(store, tmp_path / "root.tar", Platform.parse("linux/arm64"))


def test_an_old_python_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "root.tar").write_bytes(root("3.8"))
    with pytest.raises(BaseError, match=r"holds Python 3.8; Flaskship runs on 3.11 and later"):
        find(store, tmp_path / "root.tar")


def test_a_layout_and_an_archive_are_bases(store: Store, tmp_path: Path) -> None:
    ref = Ref.parse("me/base:1")
    Layout(tmp_path / "oci").publish(image(store), ref)
    Archive(tmp_path / "base.tar").publish(image(store), ref)
    for each in (f"oci:{tmp_path}/oci:1", f"oci:{tmp_path}/oci", tmp_path / "oci", tmp_path / "base.tar"):
        base = find(store, each)
        assert (base.contents.python, base.config["Env"]) == ("3.12", ["A=1"])


def test_a_tag_that_a_layout_lacks_is_named(store: Store, tmp_path: Path) -> None:
    Layout(tmp_path / "oci").publish(image(store), Ref.parse("me/base:1"))
    with pytest.raises(BaseError, match=r"No image '2' in the layout .* There are: 1"):
        find(store, f"oci:{tmp_path}/oci:2")


def test_of_an_index_the_image_of_the_platform_is_taken_and_pinned(store: Store, registry: str) -> None:
    ref = Ref.parse(f"{registry}/python:3.12-slim")
    both = {Platform.parse(f"linux/{each}"): image(store, each) for each in ("amd64", "arm64")}
    index = spec.index(both, {})
    source = Registry.of(ref)
    source.publish(index, ref)
    source.client.close()
    base = find(store, ref.full, Platform.parse("linux/arm64"))
    assert base.digest == both[Platform.parse("linux/arm64")].digest
    assert base.pin == f"{ref.full}@{index.digest}"
    assert find(store, base.pin, Platform.parse("linux/arm64")).digest == base.digest
    with pytest.raises(BaseError, match=r"is not there for linux/s390x, only for linux/amd64, linux/arm64"):
        find(store, ref.full, Platform.parse("linux/s390x"))


def test_licences_are_read_from_debians_copyright_files() -> None:
    assert contents.licence("Format: x\n\nLicense: MIT\n text\n\nLicense: GPL-2+\n") == "MIT AND GPL-2+"
    assert contents.licence("see /usr/share/common-licenses/GPL-3.") == "GPL-3"
    assert contents.licence("free") == ""
