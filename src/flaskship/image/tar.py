"""Tar files whose bytes depend on names, modes, owners and contents: sorted, group 0, time 0, PAX where ustar ends."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from flaskship.errors import ImageError

COPY = 1 << 20  # bytes


class Sink(Protocol):
    """Where a tar goes."""

    def write(self, data: bytes, /) -> int: ...


class Source(Protocol):
    """Bytes of a known size, opened when their turn comes."""

    @property
    def size(self) -> int: ...

    @property
    def open(self) -> Callable[[], BinaryIO]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One member: a file (`source`), a symlink (`link`), or a directory (neither). `name` is relative, with slashes."""

    name: str
    source: Path | bytes | Source | None = None
    link: str = ""
    executable: bool = False
    mode: int = 0  # where it is neither 0755 nor 0644
    owner: int = 0  # the user; the group is 0

    @property
    def size(self) -> int:
        if self.source is None:
            return 0
        if isinstance(self.source, bytes):
            return len(self.source)
        return self.source.stat().st_size if isinstance(self.source, Path) else self.source.size

    def open(self) -> BinaryIO:
        assert self.source is not None
        if isinstance(self.source, bytes):
            return io.BytesIO(self.source)
        return self.source.open("rb") if isinstance(self.source, Path) else self.source.open()


def entries(folder: Path, name: str) -> Iterator[Entry]:
    """All that is in `folder`, under `name`: modes become 0755 or 0644, symlinks stay symlinks."""
    for place, folders, files in os.walk(folder):
        here = PurePosixPath(name) / Path(place).relative_to(folder).as_posix()
        for each in folders:
            path = Path(place) / each
            linked = path.is_symlink()
            yield Entry(name=str(here / each), link=str(path.readlink()) if linked else "")
        for each in files:
            yield entry(Path(place) / each, str(here / each))


def entry(path: Path, name: str) -> Entry:
    """The file or symlink at `path`, under `name`. Raises `ImageError` for a socket, a device, a pipe."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return Entry(name=name, link=str(path.readlink()))
    if not stat.S_ISREG(mode):
        raise ImageError(f"{str(path)!r} is neither a file, a directory nor a symlink: it cannot go into an image.")
    return Entry(name=name, source=path, executable=bool(mode & stat.S_IXUSR))


def write(found: Iterable[Entry], out: Sink) -> None:
    """Write the entries to `out`, sorted by name, with the directories that lead to them."""
    named = {each.name: each for each in found}
    for name in list(named):
        for parent in PurePosixPath(name).parents:
            if str(parent) != ".":
                named.setdefault(str(parent), Entry(name=str(parent)))
    for name in sorted(named, key=lambda each: each.split("/")):
        _write_one(named[name], out)
    out.write(bytes(2 * tarfile.BLOCKSIZE))


def _write_one(one: Entry, out: Sink) -> None:
    info = tarfile.TarInfo(one.name)
    if one.link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, one.link, 0o777
    elif one.source is None:
        info.type, info.mode = tarfile.DIRTYPE, one.mode or 0o755
    else:
        info.size, info.mode = one.size, one.mode or (0o755 if one.executable else 0o644)
    info.uid = one.owner
    out.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
    if one.source is None:
        return
    left = info.size
    with one.open() as file:
        while left and (data := file.read(min(COPY, left))):
            out.write(data)
            left -= len(data)
    if left:
        raise ImageError(f"{one.name!r} became shorter while it was read. Build again when nothing writes to it.")
    out.write(bytes(-info.size % tarfile.BLOCKSIZE))


def length(found: Iterable[Entry]) -> int:
    """Bytes that the files will take, nearly: for a progress bar."""
    return sum(512 + each.size for each in found)
