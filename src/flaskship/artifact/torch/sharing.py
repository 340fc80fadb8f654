"""Weights that lie in a file are mapped from there, so that all workers have them in memory once.

Torch's archives hold each tensor's bytes as they are, uncompressed and aligned.
"""

from __future__ import annotations

import mmap
import struct
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import torch

LEAST: Final = 1 << 16  # bytes of a tensor that is worth it


def share(tensors: Sequence[torch.Tensor], path: Path) -> int:
    """Has each tensor that lies in the archive at `path`, byte by byte, use these bytes. How many bytes that are.

    What is written to it stays with the process. Tensors on a card stay there.
    """
    large = [each for each in tensors if each.device.type == "cpu" and each.is_contiguous() and _size(each) >= LEAST]
    if not large:
        return 0
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    places = dict[int, list[int]]()
    for start, size in _stored(path, mapped):
        places.setdefault(size, []).append(start)
    shared = 0
    for each in large:
        own = each.detach().reshape(-1).view(torch.uint8)
        for start in places.get(len(own), ()):
            there = torch.frombuffer(mapped, dtype=torch.uint8, count=len(own), offset=start)
            if start % each.element_size() == 0 and torch.equal(own, there):
                each.data = there.view(each.dtype).reshape(each.shape)
                shared += len(own)
                break
    return shared


def _size(tensor: torch.Tensor) -> int:
    return int(tensor.numel() * tensor.element_size())


def _stored(path: Path, mapped: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Where the bytes of each member begin, and how many there are, of those that are not compressed."""
    with zipfile.ZipFile(path) as archive:
        for each in archive.infolist():
            if each.compress_type == zipfile.ZIP_STORED and each.file_size >= LEAST:
                name, extra = struct.unpack_from("<HH", mapped, each.header_offset + 26)  # of the local header
                yield each.header_offset + 30 + name + extra, each.file_size
