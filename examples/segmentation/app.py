"""Finds the shapes in a picture: what each is, where, and which pixels are its own.

    flaskship serve app.py
    curl localhost:8000/segmentapi -F image=@example.png

The picture is made smaller (or larger) until its longer side has 128 pixels, as in training: shapes of a fifth to a
half of it are found. What is found is told in pixels of the picture that was sent; of one with more than 12.5
megapixels the masks are as much smaller, and `mask_shape` says how large. So a request takes bounded memory: there are
20 masks at most, and pictures of more than 150 megapixels are refused.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
from net import FINE, STRIDE, detect, load
from PIL import Image
from shapes import CLASSES, SIZE
from torch import Tensor
from torch.nn import functional

from flaskship import Meta, Segmentation, endpoint

Image.MAX_IMAGE_PIXELS = 150_000_000  # of a picture that is read: 12,000 × 12,000, and 600 MB while it is looked at
LARGEST = 12_500_000  # pixels of a mask: those of a telephone's photograph


class Shapes:
    def __init__(self) -> None:
        torch.set_num_threads(1)  # the server's workers are what uses several cores
        self.net = load("shapes.pt")
        detect(self.net, torch.zeros(1, 3, SIZE, SIZE))  # the first time takes longest

    @endpoint("/segmentapi")
    def segment(
        self,
        image: Image.Image,
        min_score: Annotated[float, Meta(ge=0, le=1, description="Leave out what is less sure than this.")] = 0.5,
    ) -> Segmentation:
        """Finds circles, squares, triangles, stars and crosses in a picture, and the pixels of each."""
        pixels = small(image)
        (found,) = detect(self.net, filled(pixels), min_score)
        masks = enlarged(found.masks, pixels.shape[:2], (image.height, image.width))
        seen = masks.any((1, 2))  # what lies beyond the picture, where its edge was repeated, is not
        classes = found.classes[seen].tolist()
        return Segmentation(
            boxes=boxes(masks[seen], image.width, image.height),
            class_ids=classes,
            class_names=[CLASSES[each] for each in classes],
            scores=[round(each, 4) for each in found.scores[seen].tolist()],
            masks=masks[seen],
        )


def small(image: Image.Image) -> npt.NDArray[np.float32]:
    """(height, width, 3) from 0 to 1, the longer side 128. Clear pixels are white; of 16 bits the upper 8 are seen."""
    size = tuple(max(1, round(side * SIZE / max(image.size))) for side in image.size)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("1", "P", "PA"):  # their values are no brightness, and cannot be averaged
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image = image.resize(size, Image.Resampling.BOX, reducing_gap=2)  # before it is copied to another mode
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", size, "white"), image.convert("RGBA"))
    return np.asarray(image.convert("RGB"), np.float32) / 255


def filled(pixels: npt.NDArray[np.float32]) -> Tensor:
    """(1, 3, height, width), the edge repeated to the right and below until the sides are multiples of 32."""
    margins = [(0, -side % STRIDE) for side in pixels.shape[:2]]
    return torch.from_numpy(np.pad(pixels, [*margins, (0, 0)], mode="edge").transpose(2, 0, 1)[None])


def enlarged(masks: Tensor, part: tuple[int, ...], picture: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """(objects, height, width): of each mask that `part` of its pixels which is the picture's, as large as the picture.

    One after the other, as each takes four bytes a pixel on its way.
    """
    scale = min(1.0, math.sqrt(LARGEST / (picture[0] * picture[1])))
    height, width = (min(LARGEST, max(1, math.floor(side * scale))) for side in picture)
    rows, columns = (math.ceil(side / FINE) for side in part)
    size = [round(height * rows * FINE / part[0]), round(width * columns * FINE / part[1])]
    found = np.empty((len(masks), height, width), np.bool_)
    for place, mask in zip(found, masks, strict=True):
        large = functional.interpolate(mask[None, None, :rows, :columns], size=size, mode="bilinear")
        np.greater(large[0, 0, :height, :width].numpy(), 0, out=place)
    return found


def boxes(masks: npt.NDArray[np.bool_], width: int, height: int) -> list[list[float]]:
    """[x0, y0, x1, y1] around each mask, in pixels of a picture of that size."""
    along, down = width / masks.shape[2], height / masks.shape[1]
    found = []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = (columns[0] * along, rows[0] * down, (columns[-1] + 1) * along, (rows[-1] + 1) * down)
        found.append([round(float(side), 1) for side in box])
    return found
