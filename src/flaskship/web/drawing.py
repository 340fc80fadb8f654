"""What a function found in a picture, over that picture: each object a layer of its own, which can be hidden.

Only plain HTML and SVG, so that it works without scripts and under the page's policy. All lengths are in pixels of the
picture as it is shown, which is made smaller or larger than the one that came.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from flaskship.results import COLOURS, Boxes, Segmentation, ink
from flaskship.schema import Columns, FieldType, Signature

if TYPE_CHECKING:
    from flaskship.web.layers import Mask

LARGEST, SMALLEST = 1600, 800  # pixels of the longer side as it is shown; the answer is of the picture as it came
MOST = 100  # objects that are drawn
LINES, LETTERS = 320, 40  # of a box's lines, and of its label's height, that make the longer side


class Layer(NamedTuple):
    """One object."""

    name: str
    score: str
    colour: str
    ink: str  # a colour that is read on `colour`
    x: float
    y: float
    width: float
    height: float
    mask: Mask | None


class Count(NamedTuple):
    name: str
    number: int
    colour: str


class Drawing(NamedTuple):
    width: int
    height: int
    picture: str  # a data URL
    layers: tuple[Layer, ...]
    counts: tuple[Count, ...]
    more: int  # objects that are not drawn
    drawn: Callable[[], str]  # a data URL of the picture with everything on it, made when it is asked for

    @property
    def line(self) -> float:
        """The width of a box's line."""
        return max(self.width, self.height) / LINES

    @property
    def font(self) -> float:
        """The height of the letters."""
        return max(self.width, self.height) / LETTERS

    @property
    def masks(self) -> bool:
        return any(each.mask for each in self.layers)


def of(found: object, signature: Signature, columns: Columns) -> Drawing | None:
    """`found` over the picture that it was found in; None where there is no picture, or nothing to be drawn."""
    picture: Any = next((columns[each.name][0] for each in signature.inputs if each.type is FieldType.IMAGE), None)
    if not isinstance(found, Boxes | Segmentation) or not hasattr(picture, "size"):
        return None
    layers = importlib.import_module("flaskship.web.layers")  # needs Pillow, which made the picture
    size = fit(*picture.size)
    first = fitting(found, picture.size, size)
    small = layers.resized(picture, size)

    def drawn() -> str:
        whole = first
        if isinstance(whole, Segmentation) and whole.masks is not None:
            whole = replace(whole, masks=layers.fitted(whole.masks, size))
        return str(layers.jpeg(whole.drawn(small)))

    colours = {name: colour(number) for name, number in zip(found.class_names, found.class_ids, strict=True)}
    return Drawing(
        width=size[0],
        height=size[1],
        picture=layers.jpeg(small),
        layers=tuple(_layer(first, index, size) for index in range(len(first))),
        counts=tuple(Count(name, count, colours[name]) for name, count in found.object_counts.items()),
        more=len(found) - len(first),
        drawn=drawn,
    )


def fit(width: int, height: int) -> tuple[int, int]:
    """The size in which a picture is shown."""
    scale = min(max(SMALLEST, width, height), LARGEST) / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def fitting(found: Boxes | Segmentation, picture: tuple[int, int], size: tuple[int, int]) -> Boxes | Segmentation:
    """Those objects that are drawn, their boxes on a picture of `size`; their masks, if these are of its shape."""
    along, down = size[0] / picture[0], size[1] / picture[1]
    kept: dict[str, Any] = {
        "boxes": [[x0 * along, y0 * down, x1 * along, y1 * down] for x0, y0, x1, y1 in found.boxes[:MOST]],
        "class_ids": found.class_ids[:MOST],
        "class_names": found.class_names[:MOST],
        "scores": found.scores[:MOST],
    }
    if isinstance(found, Segmentation) and found.masks is not None and _alike(found.masks.shape[1:], picture):
        return Segmentation(**kept, masks=found.masks[:MOST])
    return Boxes(**kept)


def _alike(mask: tuple[int, ...], picture: tuple[int, int]) -> bool:
    """Whether a mask (height, width) is the picture (width, height) in another size, but for what is rounded."""
    height, width = mask
    return abs(width * picture[1] - height * picture[0]) <= max(picture)


def _layer(found: Boxes | Segmentation, index: int, size: tuple[int, int]) -> Layer:
    x0, y0, x1, y1 = found.boxes[index]
    score, own = found.scores[index], colour(found.class_ids[index])
    masks = found.masks if isinstance(found, Segmentation) else None
    return Layer(
        name=found.class_names[index],
        score=f"{100 * score:.0f} %" if 0 <= score <= 1 else f"{score:.4g}",
        colour=own,
        ink=ink(own),
        x=min(x0, x1),
        y=min(y0, y1),
        width=abs(x1 - x0),
        height=abs(y1 - y0),
        mask=None if masks is None else importlib.import_module("flaskship.web.layers").tinted(masks[index], size, own),
    )


def colour(number: int) -> str:
    """That of a class."""
    return COLOURS[number % len(COLOURS)]
