"""Pictures in and out, with Pillow. Imported only where a function takes or answers one."""

from __future__ import annotations

import io
from functools import cache

from PIL import Image, ImageOps, UnidentifiedImageError

from flaskship.errors import TooLarge

REFUSED = frozenset({"EPS"})  # Pillow reads it by starting Ghostscript
SAVED = {  # format -> modes that it has
    "PNG": frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}),
    "JPEG": frozenset({"1", "L", "RGB"}),
    "WEBP": frozenset({"RGB", "RGBA"}),
}
TOGETHER = 4  # times the pixels of the largest picture: what is read for one request, or at once of a file
STEPS = {  # mode -> that on its way to one that is saved; others go to RGB
    "F": "L",
    "I": "I;16",
    "I;16": "L",
    "I;16B": "I",
    "I;16L": "I",
    "La": "LA",
    "LA": "RGBA",
    "P": "RGBA",
    "PA": "RGBA",
    "RGBa": "RGBA",
}


def read(content: bytes | memoryview, name: str) -> Image.Image:
    """A picture, wholly decoded, its first frame, turned as its EXIF says. Raises `ValueError` with a sentence."""
    try:
        picture = Image.open(io.BytesIO(content), formats=formats())
        width, height = picture.size
        if Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS:
            raise _too_large(name, f"has {width} × {height} pixels")
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)
    except UnidentifiedImageError as error:
        what = "is empty" if not len(content) else "is none that can be read"
        raise ValueError(f"{name!r} takes a picture, such as PNG, JPEG, WebP or GIF. The file {what}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, "is too large a picture") from error
    except Refused:
        raise
    except Exception as error:  # each of some fifty decoders raises what it likes on damaged content
        said = str(error).rstrip(".")
        raise ValueError(f"{name!r} is a picture that is damaged or cut off: {said}.") from error
    return picture


class Refused(ValueError):
    """A sentence of ours, not a decoder's."""


def _too_large(name: str, what: str) -> Refused:
    return Refused(f"{name!r} {what}: at most {Image.MAX_IMAGE_PIXELS:,} pixels are read. Send it smaller.")


class Pixels:
    """Counts what is read together: a small file may hold a large picture, and a small request many of these."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, picture: object, name: str) -> None:
        """Raises `TooLarge`. What is no picture, such as null, counts nothing."""
        if isinstance(picture, Image.Image):
            self._count += picture.width * picture.height
        if Image.MAX_IMAGE_PIXELS is not None and self._count > (most := TOGETHER * Image.MAX_IMAGE_PIXELS):
            raise TooLarge(f"The pictures in {name!r} have more than {most:,} pixels in all. Send fewer at once.")


@cache
def formats() -> tuple[str, ...]:
    """What is read: Pillow's own formats, and those of plugins that were imported before this is asked first."""
    Image.init()
    return tuple(each for each in Image.ID if each not in REFUSED)


def content(picture: Image.Image, format: str = "PNG") -> bytes:
    """The picture as a PNG, JPEG or WEBP, in a mode that the format has."""
    while picture.mode not in SAVED[format]:
        picture = picture.convert(STEPS.get(picture.mode, "RGB"))
    written = io.BytesIO()
    picture.save(written, format)
    return written.getvalue()
