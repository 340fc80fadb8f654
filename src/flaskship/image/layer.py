"""A layer: a tar, compressed on all cores, known by the digest of what is stored and of what is in it.

The compression is zlib's own, block by block as pigz does it: 2 cores take half the time of one, and the bytes are the
same on every machine (isal and zlib-ng are 2 to 8 times as fast, but give other bytes on another processor).
Weights repeat nothing, but use some bytes more than others: where looking for repeats does not pay, it is left out.
"""

from __future__ import annotations

import hashlib
import os
import struct
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from flaskship.image import tar
from flaskship.image.spec import LAYER_GZIP, Blob
from flaskship.image.store import Store

LEVEL = 5  # 152 MB of wheels become 48 in 1.8 s on 2 cores; level 6 saves 1 % and takes half as long again
BLOCK = 1 << 20  # bytes of tar compressed at a time
WINDOW = 1 << 15  # bytes before it that deflate may refer to
TRIED = 1 << 15  # bytes amid a block by which it is told how to compress it
HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # gzip, no name, time 0, system unknown
FORMAT = 2  # counted up when the bytes of a layer change for equal input

Moved = Callable[[int], None]  # so many bytes more


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    blob: Blob
    diff_id: str  # digest of the tar
    title: str
    made: bool = False  # now, not found in the cache
    seconds: float = 0.0


class Progress(Protocol):
    """Who is told how far a layer (or a transfer) is."""

    def start(self, title: str, size: int) -> Moved: ...


class Silent:
    def start(self, title: str, size: int) -> Moved:
        return lambda count: None


class Gzip:
    """Compresses what is written to it into `out`; `digest` is that of what came in."""

    def __init__(self, out: tar.Sink, moved: Moved) -> None:
        self._out, self._moved = out, moved
        self._raw, self._crc, self._size = hashlib.sha256(), 0, 0
        self._block, self._window = bytearray(), b""
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)
        self._pending: deque[Future[bytes]] = deque()
        out.write(HEADER)

    def write(self, data: bytes) -> int:
        self._raw.update(data)
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._block += data
        while len(self._block) >= BLOCK:
            self._submit(bytes(self._block[:BLOCK]), last=False)
            del self._block[:BLOCK]
        self._moved(len(data))
        return len(data)

    def close(self) -> str:
        """Write what is left. The digest of all that was written."""
        self._submit(bytes(self._block), last=True)
        while self._pending:
            self._out.write(self._pending.popleft().result())
        self._out.write(struct.pack("<LL", self._crc, self._size & 0xFFFFFFFF))
        self.abandon()
        return f"sha256:{self._raw.hexdigest()}"

    def abandon(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _submit(self, block: bytes, *, last: bool) -> None:
        self._pending.append(self._pool.submit(_deflate, block, self._window, last))
        self._window = block[-WINDOW:]
        if len(self._pending) > 2 * (os.cpu_count() or 1):
            self._out.write(self._pending.popleft().result())


def _deflate(block: bytes, window: bytes, last: bool) -> bytes:
    """Of 32 MiB of weights in float32, 93 % are left after 1.1 s with a search for repeats, and after 0.3 s without."""
    middle = len(block) // 2
    tried, before = block[middle : middle + TRIED], block[max(0, middle - WINDOW) : middle]
    searched = _coded(tried, True, zlib.Z_DEFAULT_STRATEGY, before)
    if len(_coded(tried, True, zlib.Z_HUFFMAN_ONLY)) <= len(searched):
        return _coded(block, last, zlib.Z_HUFFMAN_ONLY)
    return _coded(block, last, zlib.Z_DEFAULT_STRATEGY, window)


def _coded(block: bytes, last: bool, strategy: int, window: bytes = b"") -> bytes:
    squeeze = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy, window)
    return squeeze.compress(block) + squeeze.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


def layer(
    store: Store,
    progress: Progress,
    title: str,
    question: tuple[object, ...],
    content: Callable[[Path], Sequence[tar.Entry]],
) -> Layer:
    """The layer that was made for this `question` before, else made now of `content`, given a scratch folder."""
    answer = store.recall("layer", FORMAT, *question)
    if answer and store.layout.has(answer["digest"]):
        return replace(known(store, answer), title=title)
    start = time.perf_counter()
    with store.scratch() as folder:
        blob, diff_id = compressed(store, content(folder), title, progress)
    made = Layer(blob=blob, diff_id=diff_id, title=title, made=True, seconds=time.perf_counter() - start)
    store.remember(facts(made), "layer", FORMAT, *question)
    return made


def facts(made: Layer) -> dict[str, Any]:
    """What `known` needs."""
    return {"digest": made.blob.digest, "size": made.blob.size, "diff_id": made.diff_id, "title": made.title}


def known(store: Store, answer: Mapping[str, Any]) -> Layer:
    """A layer that is in the store."""
    blob = store.layout.blob(answer["digest"], answer["size"], LAYER_GZIP)
    return Layer(blob=blob, diff_id=answer["diff_id"], title=answer["title"])


def compressed(store: Store, entries: Sequence[tar.Entry], title: str, progress: Progress) -> tuple[Blob, str]:
    """The entries as a compressed tar in the store, and the digest of the tar."""
    moved = progress.start(title, tar.length(entries))
    with store.layout.writing(LAYER_GZIP) as writer:
        squeeze = Gzip(writer, moved)
        try:
            tar.write(entries, squeeze)
            diff_id = squeeze.close()
        finally:
            squeeze.abandon()
    return writer.blob, diff_id
