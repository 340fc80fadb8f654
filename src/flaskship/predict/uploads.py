"""Files that callers send, as parts of a form, data URLs or base64; and as paths for a function that wants these.

Upload(name="image", filename="cat.png", content_type="image/png", body=b"\\x89PNG…")
"""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

from flaskship.errors import FileError

DATA_URL = re.compile(r"data:(?P<type>[^,;]*)(?:;(?!base64,)[^,;]*)*(?P<base64>;base64)?,", re.IGNORECASE)
SPACE = re.compile(r"[\r\n\t ]+")
ODD = re.compile(r"[^\w. ()+-]")
LONGEST = 60  # characters of a file's name that are kept: of four bytes each, they still make a name of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file as its sender names it; a browser sends a form's empty control as a file without name and content."""

    name: str  # of the field
    filename: str = ""
    content_type: str = ""
    body: bytes | memoryview = b""

    @property
    def missing(self) -> bool:
        return not self.filename and not len(self.body)

    def text(self) -> str:
        """Raises `ValueError` where it is no UTF-8."""
        try:
            return bytes(self.body).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.name!r} is no text: byte {error.start} of the file is not UTF-8.") from error


Given: TypeAlias = str | Upload


def of_text(text: str, name: str, noun: str) -> Upload:
    """What a data URL or bare base64 holds, for the field `name`. Raises `ValueError` with a sentence."""
    found = DATA_URL.match(text[:300])
    content = text[found.end() :] if found else text
    kind = found["type"].lower() if found else ""
    if found and not found["base64"]:
        return Upload(name=name, filename=named(kind), content_type=kind, body=unquote_to_bytes(content))
    try:
        body = base64.b64decode(SPACE.sub("", content), validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: characters beyond ASCII
        hint = " An address is not fetched." if text.startswith(("http:", "https:")) else ""
        raise ValueError(f"{name!r} takes {noun} as a data URL or as base64, and it is neither.{hint}") from error
    return Upload(name=name, filename=named(kind), content_type=kind, body=body)


def named(kind: str) -> str:
    """A name for content of some type: `upload.pdf`."""
    return f"upload{mimetypes.guess_extension(kind) or ''}"


def safe(filename: str) -> str:
    """A sender's file name as one that is safe here: no folders, no odd characters, its ending kept."""
    name = ODD.sub("_", PurePath(filename.replace("\\", "/")).name).strip(" .")
    path = PurePath(name or "upload")
    suffix = path.suffix[:LONGEST]
    return f"{path.stem[: LONGEST - len(suffix)]}{suffix}"


class Files:
    """The uploads of one request, as files in a folder of its own until `close`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="flaskship-", ignore_cleanup_errors=True)
        self._count = 0

    def put(self, upload: Upload) -> Path:
        """The path of a new file with this content. Raises `FileError`."""
        self._count += 1
        folder = Path(self._folder.name) / str(self._count)  # two files may have one name
        path = folder / safe(upload.filename)
        try:
            folder.mkdir()
            path.write_bytes(upload.body)
        except OSError as error:
            raise FileError.of(error) from error
        return path

    def close(self) -> None:
        self._folder.cleanup()
