"""multipart/form-data (RFC 7578) in memory: where each part lies in the body, nothing copied."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from werkzeug.http import parse_options_header

from flaskship.errors import NotJSON, TooLarge

FORM_DATA = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"
TYPES = (FORM_DATA, URLENCODED)
MOST_PARTS = 10_000
LONGEST_HEAD = 2**16  # bytes


@dataclass(frozen=True, slots=True)
class Part:
    """A field; `file` is the name that the client gives its file, None where it is no file."""

    name: str
    file: str | None
    type: str
    start: int
    end: int


def parts(body: bytes, boundary: str) -> Iterator[Part]:
    """The parts of `body`, in order. Raises `NotJSON` where it is cut off or no multipart."""
    mark = b"--" + boundary.encode("latin-1", "replace")
    start = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2  # after a preamble
    if not boundary or (start == 1 and not body.startswith(mark)):
        raise NotJSON("The body is no multipart/form-data with the boundary that its content type names.")
    at, count = start + len(mark), 0
    while body[at : at + 2] == b"\r\n":
        count += 1
        if count > MOST_PARTS:
            raise TooLarge(f"The form has more than {MOST_PARTS} fields.")
        start = body.find(b"\r\n\r\n", at, at + LONGEST_HEAD)
        end = body.find(b"\r\n" + mark, max(start, at))
        if start < 0 or end < 0:
            raise NotJSON("The multipart body is cut off.")
        yield _part(body[at:start].decode("utf-8", "replace"), start + 4, max(end, start + 4))
        at = end + 2 + len(mark)
    if body[at : at + 2] != b"--":
        raise NotJSON("The multipart body is cut off.")


def _part(head: str, start: int, end: int) -> Part:
    headers = {}
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    _, options = parse_options_header(headers.get("content-disposition"))
    kind, _ = parse_options_header(headers.get("content-type"))
    return Part(options.get("name", ""), options.get("filename"), kind, start, end)


class View(io.RawIOBase):
    """A slice of bytes as a file, without a copy of it."""

    def __init__(self, body: bytes, start: int, end: int) -> None:
        self._view = memoryview(body)[start:end]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed has any buffer
        part = self._view[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, len(self._view))[whence])
        return self._at

    def tell(self) -> int:
        return self._at
