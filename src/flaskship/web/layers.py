"""The pictures of a drawing, with Pillow. Imported only where there is one, so that Pillow is there."""

from __future__ import annotations

import io
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor

from flaskship.results import OPACITY, data_url

QUALITY = 88  # of a JPEG
EDGE = 500  # the share of a picture's longer side that the outline of a mask is wide, as 1 / EDGE


class Mask(NamedTuple):
    """A mask in its colour, its outline darker; lengths in pixels of the picture that it lies on."""

    url: str
    x: int
    y: int
    width: int
    height: int


def resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A copy of that size in RGB; what is clear in it is white, and of 16 bits the upper 8 are seen."""
    if picture.mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    elif picture.mode in ("1", "P", "PA"):  # their values are no brightness, and cannot be averaged
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    small = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2)  # before it is copied to another mode
    if small.has_transparency_data:
        small = Image.alpha_composite(Image.new("RGBA", size, "white"), small.convert("RGBA"))
    return small.convert("RGB")


def jpeg(picture: Image.Image) -> str:
    """A picture in RGB as a data URL."""
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=QUALITY)
    return data_url(written.getvalue(), "image/jpeg")


def fitted(masks: npt.NDArray[np.bool_], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """(objects, height, width): masks as they lie on a picture of `size` (width, height)."""
    found = np.empty((len(masks), size[1], size[0]), np.bool_)
    for place, mask in zip(found, masks, strict=True):
        place[:] = _resampled(mask, size, (0, 0, mask.shape[1], mask.shape[0]))
    return found


def tinted(mask: npt.NDArray[np.bool_], size: tuple[int, int], colour: str) -> Mask | None:
    """What is to be laid on a picture of `size` (width, height); None where the mask is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    along, down = size[0] / mask.shape[1], size[1] / mask.shape[0]
    left, right = math.floor(columns[0] * along), math.ceil((columns[-1] + 1) * along)
    top, bottom = math.floor(rows[0] * down), math.ceil((rows[-1] + 1) * down)
    box = (left / along, top / down, min(right / along, mask.shape[1]), min(bottom / down, mask.shape[0]))
    part = _resampled(mask, (right - left, bottom - top), box)
    image = Image.fromarray(part.astype(np.uint8) + _edge(part, round(max(size) / EDGE)))
    image.putpalette([0, 0, 0, *ImageColor.getrgb(colour), *ImageColor.getrgb(colour)])
    written = io.BytesIO()
    image.save(written, "PNG", transparency=bytes([0, round(255 * OPACITY), 255]), bits=2)
    return Mask(data_url(written.getvalue(), "image/png"), left, top, right - left, bottom - top)


def _resampled(
    mask: npt.NDArray[np.bool_], size: tuple[int, int], box: tuple[float, float, float, float]
) -> npt.NDArray[np.bool_]:
    """(height, width): a part of a mask in another size (width, height)."""
    plain = Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0)))
    found: npt.NDArray[np.bool_] = np.asarray(plain.resize(size, Image.Resampling.BILINEAR, box=box)) > 127
    return found


def _edge(mask: npt.NDArray[np.bool_], width: int) -> npt.NDArray[np.bool_]:
    """Those pixels of a mask that are less than `width` from its end."""
    wide = np.pad(mask, width)
    height, breadth = mask.shape
    near = [(0, width), (2 * width, width), (width, 0), (width, 2 * width)]
    inner: npt.NDArray[np.bool_] = np.logical_and.reduce([wide[y : y + height, x : x + breadth] for y, x in near])
    return mask & ~inner
