"""Functions as somebody writes them, one of each kind, for the tests of routes, streams and pages."""

import datetime
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image

from flaskship import BadInput, Labels, Meta, Segmentation, endpoint

closed: list[str] = []


@dataclass
class Point:
    x: float
    y: float = 0.0


@dataclass(frozen=True)
class Size:
    corner: Point
    width: float = 1.0


@endpoint
def price(
    rooms: Annotated[int, Meta(ge=1, le=20, description="Rooms without the kitchen")],
    area: Annotated[float, Meta(gt=0, le=1000, examples=[72.5])],
    town: Literal["Ulm", "Bonn"] = "Ulm",
    built: datetime.date = datetime.date(1990, 5, 1),
    garden: bool = False,
    note: Annotated[str, Meta(max_length=12)] = "",
    viewed: datetime.datetime | None = None,
) -> float:
    """What a flat costs.

    A made-up formula.
    """
    if note == "refuse":
        raise BadInput("This flat is not for sale.")
    if note == "fail":
        raise RuntimeError("secret of the inside")
    return rooms * 1000 + area * 100 + (500 if town == "Bonn" else 0) + (built.year - 1990) + (50 if garden else 0)


@endpoint("/segmentapi")
def segment(image: Image.Image, min_score: Annotated[float, Meta(ge=0, le=1)] = 0.5) -> Segmentation:
    """Finds a square and a stripe in any picture."""
    width, height = image.size
    masks = np.zeros((2, height, width), bool)
    masks[0, : height // 2, : width // 2] = True
    masks[1, -2:, :] = True
    scores = [0.9, 0.6]
    kept = [index for index, score in enumerate(scores) if score >= min_score]
    boxes = [[0, 0, width // 2, height // 2], [0, height - 2, width, height]]
    return Segmentation(
        boxes=[boxes[index] for index in kept],
        class_ids=list(kept),
        class_names=[["square", "stripe"][index] for index in kept],
        scores=[scores[index] for index in kept],
        masks=masks[kept],
    )


@endpoint
def turn(image: Image.Image) -> Image.Image:
    """Turns a picture by a quarter."""
    return image.rotate(90, expand=True)


@endpoint
def ready() -> bool:
    """Whether it is up."""
    return True


@endpoint
def mood(text: str) -> Labels:
    """Whether a text is glad."""
    glad = 0.9 if "good" in text else 0.2
    return Labels({"glad": glad, "sad": 1 - glad})


@endpoint
def tell(prompt: str, words: Annotated[int, Meta(ge=0)] = 3, pause: float = 0.0, fail: bool = False) -> Iterator[str]:
    """Tells a story, word by word."""
    if prompt == "refuse":
        raise BadInput("No such story.")
    try:
        for number in range(words):
            if number and pause:
                time.sleep(pause)
            if fail and number == 2:
                raise RuntimeError("secret of the inside")
            yield f"{prompt} {number}"
    finally:
        closed.append(prompt)


@endpoint
def count(file: Path, points: list[Point] | None = None) -> dict[str, int | str]:
    """Counts the bytes of a file."""
    return {"name": file.name, "bytes": len(file.read_bytes()), "points": len(points or []), "path": str(file)}


@endpoint
def lines(file: Path) -> Iterator[str]:
    """The lines of a file, after where it is."""
    yield str(file)
    with file.open() as opened:
        yield from opened


@endpoint
def area(points: list[Point], scale: float = 1.0) -> list[dict[str, float]]:
    """The points, scaled."""
    return [{"x": each.x * scale, "y": each.y * scale} for each in points]


@endpoint
def same(points: list[Point], size: Size) -> list[Any]:
    """What came."""
    return [points, size, sorted(vars(size))]


def png(width: int = 40, height: int = 24, colour: str = "teal") -> bytes:
    """A picture for a test."""
    written = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(written, "PNG")
    return written.getvalue()
