"""Pictures of overlapping shapes on textured grounds, with the class and the pixels of each: data that makes itself.

scene = draw(np.random.default_rng(1))
scene.picture   (128, 128, 3) uint8
scene.classes   (n,) int64, indexes into CLASSES
scene.masks     (n, 128, 128) bool: what is seen of each shape, so that no two share a pixel
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

CLASSES = ("circle", "square", "triangle", "star", "cross")
SIZE = 128  # pixels of a side
MOST = 7  # shapes in a picture
RADII = (0.09, 0.24)  # of a shape, as shares of the picture's side
SMOOTH = 2  # drawn so many times as large, then made smaller: edges without stairs
SEEN = 0.35  # share of a shape that must be seen for it to count
LEAST = 40  # pixels that must be
CONTRAST = 60  # of 255, between a shape and the ground, in one channel at least

Floats = npt.NDArray[np.float64]
Points = list[tuple[float, float]]


class Scene(NamedTuple):
    picture: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.int64]
    masks: npt.NDArray[np.bool_]


def draw(rng: np.random.Generator, size: int = SIZE) -> Scene:
    """None to seven shapes, the later ones over the earlier ones."""
    ground = picture = texture(rng, size, rng.uniform(0, 255, 3), rng.uniform(5, 40))
    masks: list[npt.NDArray[np.bool_]] = []
    classes, areas = [], []
    for _ in range(int(rng.integers(0, MOST + 1))):
        kind = int(rng.integers(len(CLASSES)))
        cover = covered(rng, CLASSES[kind], size)
        fill = texture(rng, size, colour_beside(rng, ground.mean((0, 1))), rng.uniform(0, 25))
        picture = picture * (1 - cover[..., None]) + fill * cover[..., None]
        mask = cover > 0.5
        masks = [each & ~mask for each in masks] + [mask]
        classes.append(kind)
        areas.append(int(mask.sum()))
    picture = picture + rng.normal(0, rng.uniform(0, 8), picture.shape)
    kept = [n for n, mask in enumerate(masks) if mask.sum() >= max(LEAST, SEEN * areas[n])]
    return Scene(
        picture=np.clip(picture, 0, 255).astype(np.uint8),
        classes=np.array([classes[n] for n in kept], np.int64),
        masks=np.array([masks[n] for n in kept], np.bool_).reshape(-1, size, size),
    )


def colour_beside(rng: np.random.Generator, ground: Floats) -> Floats:
    """A colour that can be told from the ground's."""
    while True:
        colour = rng.uniform(0, 255, 3)
        if np.abs(colour - ground).max() >= CONTRAST:
            return colour


def texture(rng: np.random.Generator, size: int, colour: Floats, strength: float) -> Floats:
    """(size, size, 3): stripes or noise of several scales, around a colour."""
    value = np.zeros((size, size))
    if rng.random() < 0.3:
        angle, wave = rng.uniform(0, math.pi), rng.uniform(4, 20)
        y, x = np.mgrid[:size, :size]
        value = np.sin((x * math.cos(angle) + y * math.sin(angle)) * 2 * math.pi / wave)
    else:
        for cells in (4, 12, 32):
            noise = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
            value += np.asarray(noise.resize((size, size), Image.Resampling.BICUBIC)) / 2
    return colour + strength * value[..., None] * rng.uniform(0.6, 1.0, 3)


def covered(rng: np.random.Generator, name: str, size: int) -> Floats:
    """(size, size): how much of each pixel a shape covers, 0 to 1. Its place, size and turn are random."""
    radius = rng.uniform(*RADII) * size * SMOOTH
    x, y = rng.uniform(0.1, 0.9, 2) * size * SMOOTH
    turn = rng.uniform(0, 2 * math.pi)
    canvas = Image.new("L", (size * SMOOTH, size * SMOOTH))
    pen = ImageDraw.Draw(canvas)
    if name == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    else:
        corners = [(radius * away, turn + 2 * math.pi * round_) for away, round_ in outline(name)]
        pen.polygon([(x + away * math.cos(angle), y + away * math.sin(angle)) for away, angle in corners], fill=255)
    return np.asarray(canvas.resize((size, size), Image.Resampling.BOX), np.float64) / 255


def outline(name: str) -> Points:
    """The corners, as distances from the centre in radii and angles in turns."""
    if name == "square":
        return [(1.0, k / 4) for k in range(4)]
    if name == "triangle":
        return [(1.1, k / 3) for k in range(3)]
    if name == "star":
        return [(1.15 if k % 2 == 0 else 0.48, k / 10) for k in range(10)]
    arm = 0.33  # half of its width
    quarter = [(arm, 1.0), (arm, arm), (1.0, arm), (1.0, -arm), (arm, -arm), (arm, -1.0)]
    cross = quarter + [(-x, -y) for x, y in quarter]
    return [(math.hypot(x, y), math.atan2(y, x) / (2 * math.pi)) for x, y in cross]
