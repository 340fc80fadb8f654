"""What a function may answer besides plain values: labels, boxes, segmented objects.

    return Labels({"cat": 0.9, "dog": 0.1})
    return Boxes(boxes=[[4, 8, 60, 50]], class_ids=[1], class_names=["dog"], scores=[0.93])
    return Segmentation(boxes=…, class_ids=…, class_names=…, scores=…, masks=net(image) > 0.5)

Lists, NumPy arrays and whatever else has `tolist` (tensors of torch) are taken; what is kept is plain Python, and the
masks as an array. What cannot be (lengths that differ, a score that is no number) is a `ValueError`.
"""

from __future__ import annotations

import base64
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from flaskship.errors import MissingExtra

if TYPE_CHECKING:
    from PIL import Image

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")
OPACITY = 0.45  # of a mask over the picture
SLACK = 1e-6  # by which a probability in float32 may be off


@dataclass(frozen=True, slots=True)
class Labels:
    """Probabilities by label: `{"prediction": "cat", "probabilities": {"cat": 0.9, "dog": 0.1}}`.

    Labels are text or whole numbers. Probabilities lie between 0 and 1; they need not add up to 1, as an object may be
    of several kinds.
    """

    probabilities: Mapping[str | int, float]

    def __post_init__(self) -> None:
        if not isinstance(self.probabilities, Mapping) or not self.probabilities:
            raise ValueError(f"Labels takes a dictionary of label to probability, not {self.probabilities!r}.")
        found = {_plain(label): float(value) for label, value in self.probabilities.items()}
        for label, value in found.items():
            if not isinstance(label, str | int):
                raise ValueError(f"The label {label!r} is neither text nor a whole number.")
            if not -SLACK <= value <= 1 + SLACK:
                raise ValueError(f"The probability of {label!r} is {value:g}: it lies between 0 and 1.")
        object.__setattr__(self, "probabilities", {label: min(max(value, 0.0), 1.0) for label, value in found.items()})

    @property
    def best(self) -> str | int:
        """The most probable label, the first of equal ones."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    def record(self) -> dict[str, Any]:
        """The answer as an object of plain JSON."""
        return {
            "prediction": self.best,
            "probabilities": {str(label): value for label, value in self.probabilities.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """Objects found in a picture, one a box.

    boxes        [x0, y0, x1, y1] each, in pixels from the left and the top: (objects, 4)
    class_ids    the number of the class of each
    class_names  its name
    scores       how sure the model is of each
    """

    boxes: Sequence[Sequence[float]]
    class_ids: Sequence[int]
    class_names: Sequence[str]
    scores: Sequence[float]

    def __post_init__(self) -> None:
        _check(self)

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def object_counts(self) -> dict[str, int]:
        """How many there are of each class, the most frequent first."""
        return dict(Counter(self.class_names).most_common())

    def record(self) -> dict[str, Any]:
        """The answer as an object of plain JSON."""
        return {**_listed(self), "object_counts": self.object_counts}

    def drawn(self, image: Image.Image) -> Image.Image:
        """A copy of `image` with the boxes, their names and scores on it, in RGB."""
        return _drawn(image, self, None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segmentation:
    """Objects found in a picture, each with the pixels that are its own. The rest is as in `Boxes`.

    masks        (objects, height, width), true where the object is; of the size of the picture, or of the picture made
                 smaller. None: there are none
    """

    boxes: Sequence[Sequence[float]]
    class_ids: Sequence[int]
    class_names: Sequence[str]
    scores: Sequence[float]
    masks: npt.NDArray[np.bool_] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check(self)
        if self.masks is None:
            return
        masks = np.asarray(self.masks)
        if masks.ndim != 3 and masks.size == 0 and not self.boxes:
            masks = np.zeros((0, 0, 0), np.bool_)
        if masks.ndim != 3 or len(masks) != len(self.boxes):
            raise ValueError(
                f"The masks have shape {masks.shape}: they are ({len(self.boxes)}, height, width), one for each box."
            )
        if masks.dtype != np.bool_ and not np.isin(masks, (0, 1)).all():
            raise ValueError(f"The masks hold {masks.dtype} other than 0 and 1. Compare them, as in `masks > 0.5`.")
        object.__setattr__(self, "masks", masks.astype(np.bool_, copy=False))

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def object_counts(self) -> dict[str, int]:
        """How many there are of each class, the most frequent first."""
        return dict(Counter(self.class_names).most_common())

    @property
    def mask_shape(self) -> list[int]:
        """[objects, height, width]; of no size where there are no masks."""
        return [len(self), 0, 0] if self.masks is None else list(self.masks.shape)

    def record(self, masks: str = "") -> dict[str, Any]:
        """The answer as an object of plain JSON; with the `masks` too, as "rle" or "png"."""
        found = {**_listed(self), "mask_shape": self.mask_shape, "object_counts": self.object_counts}
        if masks == "rle":
            found["masks"] = self.run_lengths()
        elif masks == "png":
            found["masks"] = [data_url(each, "image/png") for each in self.pngs()]
        elif masks:
            raise ValueError(f"masks={masks!r} cannot be had. Ask for 'rle' or 'png'.")
        return found

    def run_lengths(self) -> list[dict[str, list[int]]]:
        """Each mask as COCO's uncompressed run-length encoding, which pycocotools reads.

        `{"size": [height, width], "counts": [3, 2, …]}`: column after column from the left, each from the top, 3 pixels
        that are not the object's, then 2 that are, and so on. The counts add up to height x width.
        Source: https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.h
        """
        return [] if self.masks is None else [_run_lengths(mask) for mask in self.masks]

    def pngs(self) -> list[bytes]:
        """Each mask as a PNG of one bit a pixel, white where the object is. Needs Pillow."""
        if self.masks is None:
            return []
        return [_png(_pillow().fromarray(mask)) for mask in self.masks]

    def drawn(self, image: Image.Image) -> Image.Image:
        """A copy of `image` with the masks in colour, the boxes, their names and scores on it, in RGB."""
        return _drawn(image, self, self.masks)


NUMBERS = {"type": "array", "items": {"type": "number"}}
OBJECTS = {
    "boxes": {"type": "array", "items": {**NUMBERS, "minItems": 4, "maxItems": 4}, "description": "x0, y0, x1, y1"},
    "class_ids": {"type": "array", "items": {"type": "integer"}},
    "class_names": {"type": "array", "items": {"type": "string"}},
    "scores": NUMBERS,
}
COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}
SHAPE = {"type": "array", "items": {"type": "integer"}, "description": "objects, height, width"}
SCHEMAS: dict[type, dict[str, Any]] = {  # of what `record` gives
    Labels: {
        "type": "object",
        "properties": {
            "prediction": {"type": ["string", "integer"]},
            "probabilities": {"type": "object", "additionalProperties": {"type": "number"}},
        },
        "required": ["prediction", "probabilities"],
    },
    Boxes: {
        "type": "object",
        "properties": {**OBJECTS, "object_counts": COUNTS},
        "required": [*OBJECTS, "object_counts"],
    },
    Segmentation: {
        "type": "object",
        "properties": {**OBJECTS, "mask_shape": SHAPE, "object_counts": COUNTS, "masks": {"type": "array"}},
        "required": [*OBJECTS, "mask_shape", "object_counts"],
    },
}


def _plain(value: Any) -> Any:
    """A NumPy or torch value as plain Python."""
    return value.tolist() if hasattr(value, "tolist") else value


def _check(found: Boxes | Segmentation) -> None:
    """Makes the four lists plain. Raises `ValueError` where they do not go together."""
    boxes = [[_number("box", each) for each in _sequence("box", box)] for box in _sequence("boxes", found.boxes)]
    for box in boxes:
        if len(box) != 4:
            raise ValueError(f"The box {box} has {len(box)} numbers: it is [x0, y0, x1, y1], in pixels.")
    ids = [int(_plain(each)) for each in _sequence("class_ids", found.class_ids)]
    names = [str(each) for each in _sequence("class_names", found.class_names)]
    scores = [_number("score", each) for each in _sequence("scores", found.scores)]
    for name, values in (("class_ids", ids), ("class_names", names), ("scores", scores)):
        if len(values) != len(boxes):
            raise ValueError(f"There are {len(boxes)} boxes and {len(values)} {name}: each box has one.")
    for name, value in (("boxes", boxes), ("class_ids", ids), ("class_names", names), ("scores", scores)):
        object.__setattr__(found, name, value)


def _sequence(name: str, values: Any) -> list[Any]:
    values = _plain(values)
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f"{name!r} takes a list or an array, not {type(values).__name__}.")
    return list(values)


def _number(what: str, value: Any) -> float:
    number = float(_plain(value))
    if not math.isfinite(number):
        raise ValueError(f"A {what} holds {number}, which is not finite.")
    return number


def _listed(found: Boxes | Segmentation) -> dict[str, Any]:
    return {name: list(getattr(found, name)) for name in ("boxes", "class_ids", "class_names", "scores")}


def _run_lengths(mask: npt.NDArray[np.bool_]) -> dict[str, list[int]]:
    pixels = mask.flatten(order="F")
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    edges = [0, *changes.tolist(), pixels.size]
    counts = np.diff(edges).tolist() if pixels.size else []
    return {"size": list(mask.shape), "counts": [0, *counts] if pixels.size and pixels[0] else counts}


def _pillow() -> Any:
    try:
        from PIL import Image  # heavy, and not everywhere: only who draws pays for it
    except ModuleNotFoundError as error:
        raise MissingExtra("Masks as PNG need Pillow: pip install 'flaskship[image]'") from error
    return Image


def _png(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def data_url(content: bytes, kind: str) -> str:
    """`data:image/png;base64,…`"""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def ink(colour: str) -> str:
    """Black or white, whichever is read better on a colour such as "#3cb44b". https://www.w3.org/TR/WCAG22/"""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares)
    return "#000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#fff"


def _drawn(image: Image.Image, found: Boxes | Segmentation, masks: npt.NDArray[np.bool_] | None) -> Image.Image:
    from PIL import ImageColor, ImageDraw, ImageFont  # as above

    pixels = np.asarray(image.convert("RGB")).copy()
    colours = [COLOURS[number % len(COLOURS)] for number in found.class_ids]
    if masks is not None and len(masks) and masks.shape[1:] != pixels.shape[:2]:
        height, width = masks.shape[1:]
        raise ValueError(f"The masks are {width} x {height} pixels, the picture is {image.width} x {image.height}.")
    for mask, colour in zip([] if masks is None else masks, colours, strict=False):
        tint = np.array(ImageColor.getrgb(colour))
        pixels[mask] = (pixels[mask] * (1 - OPACITY) + tint * OPACITY).astype(np.uint8)
    drawn: Image.Image = _pillow().fromarray(pixels)
    draw = ImageDraw.Draw(drawn)
    line = max(1, round(min(drawn.size) / 200))
    font = ImageFont.load_default(size=max(10, 6 * line))
    for (x0, y0, x1, y1), name, score, colour in zip(
        found.boxes, found.class_names, found.scores, colours, strict=True
    ):
        draw.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), outline=colour, width=line)
        place = draw.textbbox((min(x0, x1), min(y0, y1)), f"{name} {score:.2f}", font=font)
        draw.rectangle(place, fill=colour)
        draw.text((min(x0, x1), min(y0, y1)), f"{name} {score:.2f}", fill=ink(colour), font=font)
    return drawn
