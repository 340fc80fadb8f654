from __future__ import annotations

import gzip
import hashlib
import os
import threading
import zlib
from pathlib import Path

import numpy as np

from flaskship.image import layer, tar
from flaskship.image.layer import Silent
from flaskship.image.store import Store


def test_a_layer_is_the_gzip_of_its_tar(store: Store) -> None:
    content = os.urandom(3 << 20) + bytes(3 << 20)
    blob, diff_id = layer.compressed(store, [tar.Entry(name="x", source=content)], "x", Silent())
    raw = gzip.decompress(blob.read())
    assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == diff_id
    assert content in raw


def test_the_bytes_of_a_layer_are_the_ones_of_old(store: Store) -> None:
    content = b"".join(f"{number}\n".encode() for number in range(400_000))
    blob, _ = layer.compressed(store, [tar.Entry(name="x", source=content)], "x", Silent())
    assert blob.digest == "sha256:cbede5b164c44a89caa3338bbbab438b9f1145a9a2ca030674f707f2e8eb028e"


def test_weights_are_smaller_without_a_search_for_repeats_and_text_beside_them_is_searched(store: Store) -> None:
    weights = np.random.default_rng(0).normal(0, 0.02, 1 << 20).astype(np.float32).tobytes()
    text = b"".join(f"{number}\n".encode() for number in range(400_000))
    for content in (weights, weights + text):
        blob, _ = layer.compressed(store, [tar.Entry(name="x", source=content)], "x", Silent())
        assert blob.size < len(zlib.compress(content, layer.LEVEL))
        assert content in gzip.decompress(blob.read())


def test_a_known_layer_is_not_read_again(store: Store) -> None:
    def content(draft: Path) -> list[tar.Entry]:
        asked.append(draft)
        return [tar.Entry(name="x", source=b"x")]

    asked: list[Path] = []
    first = layer.layer(store, Silent(), "x", ("question",), content)
    second = layer.layer(store, Silent(), "x", ("question",), content)
    assert len(asked) == 1
    assert (first.made, second.made) == (True, False)
    assert first.blob.digest == second.blob.digest


def test_two_at_once_make_one_layer(store: Store) -> None:
    entries = [tar.Entry(name="x", source=bytes(5 << 20))]
    found = []

    def make() -> None:
        found.append(layer.layer(Store(store.folder), Silent(), "x", ("at once",), lambda draft: entries).blob.digest)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(found)) == 1
    assert [each.name for each in (store.folder / "blobs" / "sha256").iterdir()] == [found[0].partition(":")[2]]


def test_a_build_that_is_interrupted_leaves_nothing_half_written(store: Store) -> None:
    def content(draft: Path) -> list[tar.Entry]:
        (draft / "half").write_text("half")
        raise KeyboardInterrupt

    try:
        layer.layer(store, Silent(), "x", ("interrupted",), content)
    except KeyboardInterrupt:
        pass
    assert not [each for each in store.folder.rglob("*") if each.is_file()]
    assert layer.layer(store, Silent(), "x", ("interrupted",), lambda draft: []).made
