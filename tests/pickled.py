"""Pickles put together by hand, and how Flaskship opens them."""

from __future__ import annotations

import struct
from pathlib import Path

from flaskship.artifact import pickles


def written(tmp_path: Path, data: bytes, name: str = "model.pkl") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def opened(path: Path) -> object:
    scan = pickles.scan(path)
    pickles.refuse_unsafe(scan)
    return pickles.load(path, scan)


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def proto(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."
