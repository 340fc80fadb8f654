"""The bytes of tars: golden digests, and what GNU tar and Python's own reader make of them."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from flaskship.errors import ImageError
from flaskship.image import tar
from flaskship.image.tar import Entry

LONG = "/".join(["a-folder-with-a-long-name"] * 8) + "/and-a-file-with-a-name-of-more-than-a-hundred-bytes-" + "x" * 80


def written(*entries: Entry) -> bytes:
    out = io.BytesIO()
    tar.write(entries, out)
    return out.getvalue()


GOLDEN = (
    Entry(name="b/plain.txt", source=b"plain\n"),
    Entry(name="b/run", source=b"#!/bin/sh\n", executable=True),
    Entry(name="a/link", link="../b/plain.txt"),
    Entry(name="tmp", mode=0o1777),
    Entry(name="größe/数据.txt", source="ü".encode()),
    Entry(name=LONG, source=b"deep"),
    Entry(name="long-link", link=LONG),
    Entry(name="empty", source=b""),
)


def test_the_bytes_are_the_ones_of_old() -> None:
    digest = hashlib.sha256(written(*GOLDEN)).hexdigest()
    assert digest == "a1fca6e69d920e2fec235981c20c1d312c0d952e249721de89187b679a2ae2c9", (
        "layers made before would not be found again: count up layer.FORMAT"
    )


def test_the_order_of_entries_does_not_matter() -> None:
    assert written(*GOLDEN) == written(*reversed(GOLDEN))


def test_python_reads_back_names_modes_and_links() -> None:
    with tarfile.open(fileobj=io.BytesIO(written(*GOLDEN))) as members:
        found = {each.name: each for each in members}
    assert [name for name, each in found.items() if each.isdir() and "-" not in name] == ["a", "b", "größe", "tmp"]
    assert found["b/run"].mode == 0o755
    assert found["b/plain.txt"].mode == 0o644
    assert found["tmp"].mode == 0o1777
    assert found["a/link"].linkname == "../b/plain.txt"
    assert found["long-link"].linkname == LONG
    assert {(each.uid, each.gid, each.mtime, each.uname) for each in found.values()} == {(0, 0, 0, "")}


def test_gnu_tar_unpacks_what_went_in(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(written(*GOLDEN))
    subprocess.run(
        ["tar", "-xf", "x.tar", "--no-same-owner"], cwd=tmp_path, check=True, env={"LC_ALL": "C.UTF-8"} | os.environ
    )
    assert (tmp_path / "größe" / "数据.txt").read_text() == "ü"
    assert (tmp_path / LONG).read_text() == "deep"
    assert (tmp_path / "a" / "link").read_text() == "plain\n"


def test_a_folder_is_packed_alike_whatever_its_umask_owner_and_clock(tmp_path: Path) -> None:
    found = []
    for umask, clock in ((0o022, 1), (0o077, 10**9)):
        folder = tmp_path / str(umask)
        old = os.umask(umask)
        (folder / "in").mkdir(parents=True)
        (folder / "in" / "run").write_text("x")
        (folder / "in" / "run").chmod(0o700)
        (folder / "link").symlink_to("in/run")
        os.umask(old)
        os.utime(folder / "in" / "run", (clock, clock))
        found.append(written(*tar.entries(folder, "app")))
    assert found[0] == found[1]
    with tarfile.open(fileobj=io.BytesIO(found[0])) as members:
        assert members.getnames() == ["app", "app/in", "app/in/run", "app/link"]


def test_a_file_over_eight_gigabytes_keeps_its_size(tmp_path: Path) -> None:
    """Sparse, so that it takes no room; only the header and the length of the tar are looked at."""
    size = 9 << 30

    class Counting:
        total, head = 0, b""

        def write(self, data: bytes) -> int:
            self.total += len(data)
            self.head += data[: 4096 - len(self.head)]
            return len(data)

    class Zeros(io.RawIOBase):
        left = size

        def read(self, count: int = -1) -> bytes:
            given = min(count, self.left)
            self.left -= given
            return BLOCK[:given]

    class Source:
        open = staticmethod(Zeros)

    Source.size = size  # type: ignore[attr-defined]
    out = Counting()
    tar.write([Entry(name="huge", source=Source())], out)  # type: ignore[arg-type]
    assert out.total == size + 512 * 5  # PAX header, its record, header, end
    with tarfile.open(fileobj=io.BytesIO(out.head), mode="r:") as members:
        first = members.next()
        assert first is not None
        assert first.size == size


BLOCK = bytes(tar.COPY)


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    class Short:
        size = 10

        def open(self) -> io.BytesIO:
            return io.BytesIO(b"short")

    with pytest.raises(ImageError, match="'x' became shorter"):
        written(Entry(name="x", source=Short()))  # type: ignore[arg-type]


def test_a_socket_cannot_go_into_an_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="neither a file"):
        tar.entry(tmp_path / "pipe", "pipe")


def test_owners_and_modes_of_files_that_are_written_to() -> None:
    whole = written(
        Entry(name="a", mode=0o775, owner=65532), Entry(name="a/b", source=b"b", mode=0o664, owner=65532), *GOLDEN[:1]
    )
    with tarfile.open(fileobj=io.BytesIO(whole)) as members:
        found = {each.name: (each.mode, each.uid, each.gid) for each in members}
    assert found == {"a": (0o775, 65532, 0), "a/b": (0o664, 65532, 0), "b": (0o755, 0, 0), "b/plain.txt": (0o644, 0, 0)}
