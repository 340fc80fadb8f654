"""What is kept of images, and what goes when one is removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from flaskship.image import spec
from flaskship.image.ref import Ref
from flaskship.image.spec import Blob, Image
from flaskship.image.store import FRESH, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "image")


def image(*layers: bytes) -> Image:
    config = Blob.of(spec.canonical({"config": {}, "layers": len(layers)}), spec.CONFIG)
    return spec.image(config, tuple(Blob.of(each, spec.LAYER_GZIP) for each in layers), {})


def saved(store: Store, name: str, *layers: bytes) -> Image:
    one = image(*layers)
    store.save(one, Ref.parse(name))
    return one


def files(store: Store) -> set[str]:
    return {each.name for each in (store.folder / "blobs" / "sha256").iterdir()}


def test_a_removed_image_takes_along_only_what_no_other_one_needs(store: Store) -> None:
    saved(store, "me/one:1", b"shared", b"own" * 100)
    other = saved(store, "me/two:1", b"shared")
    freed = store.remove([Ref.parse("me/one:1").full])
    assert freed > 300
    assert list(store.images()) == [Ref.parse("me/two:1").full]
    assert files(store) == {each.digest.partition(":")[2] for each in (*other.blobs, other.manifest)}


def test_an_image_of_two_names_stays_until_both_are_removed(store: Store) -> None:
    for name in ("me/one:1", "me/one:latest"):
        saved(store, name, b"layer")
    assert store.remove([Ref.parse("me/one:1").full]) == 0
    assert store.remove([Ref.parse("me/one:latest").full]) > 0
    assert not files(store)


def test_what_no_image_needs_is_found_once_no_build_can_be_making_it(store: Store) -> None:
    saved(store, "me/one:1", b"layer")
    lost = store.layout.put(Blob.of(b"lost", spec.LAYER_GZIP))
    assert store.unneeded() == []
    for each in (store.folder / "blobs" / "sha256").iterdir():
        os.utime(each, (0, time.time() - FRESH - 1))
    assert store.unneeded() == [store.layout.place(lost.digest)]
    assert store.drop(store.unneeded()) == 4
    assert store.find(Ref.parse("me/one:1")) is not None


def test_a_name_whose_parts_are_gone_is_not_shown_and_can_be_removed(store: Store) -> None:
    broken = saved(store, "me/one:1", b"layer")
    store.layout.place(broken.digest).unlink()
    assert store.images() == {}
    store.remove([Ref.parse("me/one:1").full])
    assert store.layout.named() == {}


def test_an_empty_store_has_nothing_to_remove(store: Store) -> None:
    assert (store.images(), store.unneeded(), store.remove([])) == ({}, [], 0)
