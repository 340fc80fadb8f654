"""Reading a file through its compression, as joblib, gzip, zlib and their like write it."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import os
import zlib
from pathlib import Path
from typing import IO, Any

MAGIC = (
    ("gzip", b"\x1f\x8b"),
    ("bz2", b"BZh"),
    ("xz", b"\xfd7zXZ\x00"),
    ("lzma", b"\x5d\x00\x00"),
    ("lz4", b"\x04\x22\x4d\x18"),
    ("zstd", b"\x28\xb5\x2f\xfd"),
)
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, OSError, ValueError)  # what a damaged stream raises
CHUNK = 1 << 18
LEAST, RATIO = 1 << 30, 100  # bytes that any file may unpack to, and times its size that a larger one may


class TooLong(Exception):
    """The file unpacks to more bytes than were allowed."""


def compression(head: bytes) -> str:
    """The compression that a file beginning with `head` has, by its magic bytes; "" for none."""
    for name, magic in MAGIC:
        if head.startswith(magic):
            return name
    zlib_header = len(head) > 1 and head[0] == 0x78 and (head[0] * 256 + head[1]) % 31 == 0
    return "zlib" if zlib_header and _inflates(head) else ""


def _inflates(head: bytes) -> bool:
    try:
        zlib.decompressobj().decompress(head, 1)
    except zlib.error:
        return False
    return True


def identity(descriptor: int) -> tuple[int, ...]:
    """What tells a file from another, and from itself before it was written to."""
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def opened(path: str | Path, limit: int) -> tuple[io.BufferedReader, str]:
    """A stream of what is in the file, and its compression.

    A compressed one raises `TooLong` after `limit` bytes, or after far more than a model's unpack to, and one of
    `BROKEN` where it is damaged. `lz4` needs the package of that name.
    """
    file = Path(path).open("rb")  # noqa: SIM115  # handed over to the caller
    packed = compression(file.peek(256)[:256])
    if not packed:
        return file, ""
    try:
        most = min(limit, max(LEAST, RATIO * os.fstat(file.fileno()).st_size))
        return io.BufferedReader(_Bounded(file, packed, most), CHUNK), packed
    except BaseException:  # whatever it is goes on up: nobody else has the file yet, to close it
        file.close()
        raise


class _Bounded(io.RawIOBase):
    """The unpacked bytes of a file, at most `limit` of them."""

    def __init__(self, file: io.BufferedReader, packed: str, limit: int) -> None:
        self._file, self._limit, self._at = file, limit, 0
        self._source = _unpacker(file, packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        if self._at > self._limit:
            raise TooLong(f"unpacks to more than {self._limit:,} bytes")
        return len(data)

    def fileno(self) -> int:
        return self._file.fileno()

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        self._file.close()
        super().close()


def _unpacker(file: io.BufferedReader, packed: str) -> IO[bytes]:
    if packed == "gzip":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]  # an IO[bytes] in all but name
    if packed == "bz2":
        return bz2.BZ2File(file)
    if packed in ("xz", "lzma"):
        return lzma.LZMAFile(file)
    if packed == "lz4":
        return importlib.import_module("lz4.frame").LZ4FrameFile(file)  # type: ignore[no-any-return]
    if packed == "zlib":
        return _Inflater(file)  # type: ignore[return-value]
    raise ValueError(f"{packed} is not supported")


class _Inflater:
    def __init__(self, file: io.BufferedReader) -> None:
        self._file, self._zlib = file, zlib.decompressobj()

    def read(self, size: int) -> bytes:
        while not self._zlib.eof:
            packed = self._zlib.unconsumed_tail or self._file.read(CHUNK)
            data = self._zlib.decompress(packed, size)
            if data:
                return data
            if not packed:
                raise EOFError("compressed file ended before the end of its stream")
        return b""
