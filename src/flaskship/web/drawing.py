"""What a function found in a picture, over that picture: each object a layer of its own, which can be hidden.

Only plain HTML and SVG, so that it works without scripts and under the page's policy. Pillow is there wherever a
function takes a picture, and is imported then.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from flaskship.results import COLOURS, Boxes, Segmentation, data_url
from flaskship.schema import Columns, FieldType, Signature

LARGEST = 1600  # pixels of a side that are shown; the answer is of the picture as it came
MOST = 100  # objects that are drawn


class Layer(NamedTuple):
    """One object; lengths in pixels of the picture."""

    name: str
    score: str
    colour: str
    x: float
    y: float
    width: float
    height: float
    mask: str  # a PNG as a data URL, white where the object is; "" where there is none


class Drawing(NamedTuple):
    width: int
    height: int
    picture: str  # data URLs: as it came, and with everything on it
    drawn: str
    layers: tuple[Layer, ...]
    counts: tuple[tuple[str, int], ...]
    more: int  # objects that are not drawn

    @property
    def line(self) -> float:
        """The width of a box's line, in pixels of the picture."""
        return max(1.0, max(self.width, self.height) / 250)

    @property
    def font(self) -> float:
        """The height of the letters, in pixels of the picture."""
        return max(6.0, max(self.width, self.height) / 25)


def of(found: object, signature: Signature, columns: Columns) -> Drawing | None:
    """`found` over the picture that it was found in; None where there is no picture, or nothing to be drawn."""
    picture: Any = next((columns[each.name][0] for each in signature.inputs if each.type is FieldType.IMAGE), None)
    if not isinstance(found, Boxes | Segmentation) or not hasattr(picture, "size"):
        return None
    masks = found.pngs() if isinstance(found, Segmentation) else []
    width, height = picture.size
    if isinstance(found, Segmentation) and masks and tuple(found.mask_shape[1:]) != (height, width):
        return None  # of another size than the picture: they cannot be laid over it
    return Drawing(
        width=width,
        height=height,
        picture=shown(picture),
        drawn=shown(found.drawn(picture)),
        layers=tuple(_layer(found, index, masks) for index in range(min(len(found), MOST))),
        counts=tuple(found.object_counts.items()),
        more=max(0, len(found) - MOST),
    )


def _layer(found: Boxes | Segmentation, index: int, masks: Sequence[bytes]) -> Layer:
    x0, y0, x1, y1 = found.boxes[index]
    return Layer(
        name=found.class_names[index],
        score=f"{100 * found.scores[index]:.0f} %" if 0 <= found.scores[index] <= 1 else f"{found.scores[index]:.4g}",
        colour=COLOURS[found.class_ids[index] % len(COLOURS)],
        x=min(x0, x1),
        y=min(y0, y1),
        width=abs(x1 - x0),
        height=abs(y1 - y0),
        mask=data_url(masks[index], "image/png") if masks else "",
    )


def shown(picture: Any) -> str:
    """A `PIL.Image.Image` as a data URL for a page, not larger than it can be seen there."""
    images = importlib.import_module("flaskship.predict.images")  # needs Pillow, which made the picture
    small = picture.copy()
    small.thumbnail((LARGEST, LARGEST))
    photo = small.mode == "RGB" and small.width * small.height > 2**18
    return data_url(images.content(small, "JPEG" if photo else "PNG"), "image/jpeg" if photo else "image/png")
