"""Functions that find the same in any picture, for the tests of what a page draws."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from PIL import Image

from flaskship import Boxes, Meta, Segmentation, endpoint

SHARES = [(0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0), (0.1, 0.6, 0.4, 0.9)]  # x0, y0, x1, y1 of width and height


def boxes(image: Image.Image) -> list[list[float]]:
    return [[x0 * image.width, y0 * image.height, x1 * image.width, y1 * image.height] for x0, y0, x1, y1 in SHARES]


@endpoint
def segment(image: Image.Image, coarse: Annotated[int, Meta(ge=1, le=8)] = 1) -> Segmentation:
    """Finds two cats and a dog; the masks are as much smaller than the picture."""
    masks = np.zeros((3, max(1, image.height // coarse), max(1, image.width // coarse)), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, SHARES, strict=True):
        height, width = mask.shape
        mask[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)] = True
    return Segmentation(
        boxes=boxes(image), class_ids=[0, 1, 0], class_names=["cat", "dog", "cat"], scores=[0.98, 0.8, 0.6], masks=masks
    )


@endpoint
def detect(image: Image.Image) -> Boxes:
    """Finds the same, without masks."""
    return Boxes(boxes=boxes(image), class_ids=[0, 1, 0], class_names=["cat", "dog", "cat"], scores=[0.98, 0.8, 0.6])


@endpoint
def shorten(text: Annotated[str, Meta(min_length=1, max_length=2000)]) -> str:
    """The first words."""
    return " ".join(text.split()[:20])
