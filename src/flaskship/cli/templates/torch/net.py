"""The network: a picture of 32 × 32 grey pixels in, a score for each shape out."""

import numpy as np
import torch
from PIL import Image
from torch import nn

SHAPES = ("circle", "square", "triangle")
SIDE = 32  # pixels


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2),
        nn.ReLU(),
        nn.Conv2d(8, 16, 5, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, len(SHAPES)),
    )


def tensor(pictures: list[Image.Image]) -> torch.Tensor:
    """Shape (pictures, 1, SIDE, SIDE), from 0 to 1."""
    grey = [np.asarray(each.convert("L").resize((SIDE, SIDE)), dtype="float32") / 255 for each in pictures]
    return torch.from_numpy(np.stack(grey)[:, None])
