"""What a studio does with pictures and texts: several endpoints of one module."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Iterator, Literal, Optional

import numpy as np
from PIL import Image

from flaskship import BadInput, Labels, Meta, Segmentation, endpoint


class Style(Enum):
    PLAIN = "plain"
    LOUD = "loud"


@dataclass
class Visit:
    day: date
    rooms: list[int]


class Studio:
    def __init__(self) -> None:
        self.settings = json.loads(Path("studio.json").read_text())
        print("the studio opens")

    @endpoint("/segmentapi")
    def segment(self, image: Image.Image, min_score: float = 0.5) -> Segmentation:
        """Finds what is bright."""
        bright = np.asarray(image.convert("L")) > self.settings["bright"]
        if not bright.any():
            return Segmentation(boxes=[], class_ids=[], class_names=[], scores=[], masks=np.zeros((0, *bright.shape), bool))
        rows, columns = np.where(bright)
        score = float(bright[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].mean())
        if score < min_score:
            raise BadInput(f"The brightest part is sure by {score:.2f} only.")
        box = [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]
        return Segmentation(boxes=[box], class_ids=[1], class_names=["light"], scores=[score], masks=bright[None])

    @endpoint(batch=8)
    def summarise(self, text: list[str], max_words: list[int]) -> list[str]:
        return [" ".join(each.split()[:words]) for each, words in zip(text, max_words)]


@endpoint
def mood(text: str, style: Style = Style.PLAIN) -> Labels:
    happy = min(text.count("!") * 0.3 + (style is Style.LOUD) * 0.2, 1.0)
    return Labels({"happy": happy, "calm": 1 - happy})


@endpoint
async def price(
    visit: Visit,
    people: Annotated[int, Meta(ge=1, le=20, description="How many come", examples=[2])],
    currency: Literal["EUR", "GBP"] = "EUR",
    voucher: Optional[str] = None,
) -> dict[str, float | str]:
    await asyncio.sleep(0)
    total = people * len(visit.rooms) * 10.0
    return {"total": total if voucher is None else total / 2, "currency": currency}


left = 0  # streams whose client went away


@endpoint
def count(to: int = 3, pause: float = 0.0) -> Iterator[str]:
    global left
    try:
        for number in range(to):
            yield f"{number} "
            time.sleep(pause)
    except GeneratorExit:
        left += 1
        raise


@endpoint
def stopped(besides: int = 0) -> int:
    return left - besides
