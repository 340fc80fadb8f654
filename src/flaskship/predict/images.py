"""Pictures in and out, with Pillow. Imported only where a function takes or answers one."""

from __future__ import annotations

import io
import threading
import warnings
import weakref
from functools import cache

from PIL import Image, ImageOps, UnidentifiedImageError

from flaskship.errors import Overloaded, TooLarge

warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `read` refuses what it warns of
# What malloc takes from the kernel for each block, it gives back: of more than 32 MB. Pillow's own 16 MB stay with it.
Image.core.set_block_size(2**26)  # type: ignore[attr-defined]  # in its documents, and not in its stubs

REFUSED = frozenset({"EPS"})  # Pillow reads it by starting Ghostscript
SAVED = {  # format -> modes that it has
    "PNG": frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}),
    "JPEG": frozenset({"1", "L", "RGB"}),
    "WEBP": frozenset({"RGB", "RGBA"}),
}
TOGETHER = 4  # times the pixels of the largest picture: what is read for one request, at once of a file, or by all
LARGE = 2**24  # pixels from which a picture counts among those of all requests: others are as few as threads
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
    """A picture, wholly decoded, its first frame, turned as its EXIF says.

    Raises `ValueError` with a sentence, and `Overloaded` where too many large ones are in memory.
    """
    try:
        picture = Image.open(io.BytesIO(content), formats=formats())
        _admit(picture, name)
        ROOM.take(picture)
        picture.load()
        _admit(picture, name)  # an icon may hold a larger one than it says
        ImageOps.exif_transpose(picture, in_place=True)
    except UnidentifiedImageError as error:
        what = "is empty" if not len(content) else "is none that can be read"
        raise ValueError(f"{name!r} takes a picture, such as PNG, JPEG, WebP or GIF. The file {what}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, "is too large a picture") from error
    except (Refused, Overloaded):
        raise
    except Exception as error:  # each of some fifty decoders raises what it likes on damaged content
        said = str(error).rstrip(".")
        raise ValueError(f"{name!r} is a picture that is damaged or cut off: {said}.") from error
    return picture


class Refused(ValueError):
    """A sentence of ours, not a decoder's."""


def _admit(picture: Image.Image, name: str) -> None:
    width, height = picture.size
    if Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS:
        raise _too_large(name, f"has {width} × {height} pixels")


def _too_large(name: str, what: str) -> Refused:
    most = f"at most {Image.MAX_IMAGE_PIXELS:,} pixels are read, as PIL.Image.MAX_IMAGE_PIXELS has it"
    return Refused(f"{name!r} {what}: {most}. Send it smaller.")


class Room:
    """Counts the pixels of the large pictures in memory, whoever sent them, each until nobody has it any more."""

    def __init__(self) -> None:
        self._taken = 0
        self._lock = threading.RLock()  # a picture may be let go in the midst of `take`

    def take(self, picture: Image.Image) -> None:
        """Raises `Overloaded` where there is none."""
        pixels = picture.width * picture.height
        if pixels < LARGE or Image.MAX_IMAGE_PIXELS is None:
            return
        with self._lock:
            if self._taken + pixels > (most := TOGETHER * Image.MAX_IMAGE_PIXELS):
                raise Overloaded(f"The pictures that are looked at have {most:,} pixels already. Retry in a moment.")
            self._taken += pixels
        weakref.finalize(picture, self._give, pixels)

    def _give(self, pixels: int) -> None:
        with self._lock:
            self._taken -= pixels


ROOM = Room()


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
