"""The network: finds the centre of each object, and for each centre a small network of its own that marks its pixels.

    net = load("shapes.pt")
    found, = detect(net, pictures)     pictures (1, 3, height, width) from 0 to 1; sides are multiples of STRIDE
    found.scores     (n,) from 0 to 1, the best first
    found.classes    (n,) int64
    found.masks      (n, height / 2, width / 2): above 0 where the object is

Source: Tian, Shen, Chen, Conditional Convolutions for Instance Segmentation (https://arxiv.org/abs/2003.05664), with
the centres of Zhou, Wang, Krähenbühl, Objects as Points (https://arxiv.org/abs/1904.07850).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from shapes import CLASSES
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

WIDTH = 32  # channels at a quarter of the picture's size; deeper ones have two to four times as many
NECK = 48  # channels of the pyramid
STRIDE = 32  # pixels: what the sides of a picture are multiples of
GRID = 4  # pixels of the picture for a cell where a centre may be
FINE = 2  # pixels of the picture for one of a mask
FEATURES = 8  # of each pixel, and units in each layer of an object's own network
REACH = 32.0  # mask pixels by which distances from a centre are divided
LAYERS = ((FEATURES, FEATURES + 2), (FEATURES, FEATURES), (1, FEATURES))  # of that network: outputs, inputs
WEIGHTS = sum(out * (inputs + 1) for out, inputs in LAYERS)  # 169
MOST = 20  # objects that are found in a picture
LEAST = 5  # mask pixels of an object
OVERLAP = 0.5  # intersection over union above which two masks are of one object


class Found(NamedTuple):
    scores: Tensor
    classes: Tensor
    masks: Tensor


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(*convolution(channels, channels), *convolution(channels, channels)[:2])

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.inner(x))


class Net(nn.Module):
    """(b, 3, h, w) to centres (b, 5, h/4, w/4) as logits, own weights (b, 169, h/4, w/4), features (b, 8, h/2, w/2)."""

    def __init__(self) -> None:
        super().__init__()
        widths = [WIDTH // 2, WIDTH, 2 * WIDTH, 3 * WIDTH, 4 * WIDTH]
        self.stem = convolution(3, widths[0], 2)
        self.down = nn.ModuleList(
            nn.Sequential(convolution(above, width, 2), Residual(width)) for above, width in pairwise(widths)
        )
        self.beside = nn.ModuleList(nn.Conv2d(width, NECK, 1) for width in widths[1:])
        self.up = nn.ModuleList(convolution(NECK, NECK) for _ in widths[2:])
        self.centres = nn.Sequential(convolution(NECK, NECK), nn.Conv2d(NECK, len(CLASSES), 1))
        self.weights = nn.Sequential(convolution(NECK, NECK), nn.Conv2d(NECK, WEIGHTS, 1))
        self.features = nn.Sequential(convolution(NECK + widths[0], NECK // 2), nn.Conv2d(NECK // 2, FEATURES, 1))
        nn.init.constant_(self.centres[1].bias, -4.0)  # few cells are centres

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = below = self.stem(x)
        levels = []
        for down, beside in zip(self.down, self.beside, strict=True):
            below = down(below)
            levels.append(beside(below))
        top = levels.pop()
        for up in self.up:
            level = levels.pop()
            top = up(level + functional.interpolate(top, size=level.shape[-2:], mode="nearest"))
        wide = functional.interpolate(top, size=fine.shape[-2:], mode="bilinear", align_corners=False)
        return self.centres(top), self.weights(top), self.features(torch.cat([wide, fine], 1))


def masks(features: Tensor, weights: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """What the networks of n objects say of each pixel: (n, h, w), above 0 where the object is.

    features (n or 1, 8, h, w), weights (n, 169), and the cell of each centre, x and y (n,).
    """
    count, (height, width) = len(weights), features.shape[-2:]
    middle = GRID / FINE / 2 - 0.5  # of a cell, in mask pixels from its first
    along = (torch.arange(width) - (x * GRID / FINE + middle)[:, None]) / REACH
    down = (torch.arange(height) - (y * GRID / FINE + middle)[:, None]) / REACH
    away = [along[:, None, None, :].expand(-1, 1, height, -1), down[:, None, :, None].expand(-1, 1, -1, width)]
    found = torch.cat([features.expand(count, -1, -1, -1), *away], 1).flatten(2)
    start = 0
    for outputs, inputs in LAYERS:
        bias = weights[:, start : start + outputs, None]
        start += outputs
        kernel = weights[:, start : start + outputs * inputs].reshape(count, outputs, inputs)
        start += outputs * inputs
        found = torch.baddbmm(bias, kernel, functional.relu(found) if inputs == FEATURES else found)
    return found.reshape(count, height, width)


@torch.inference_mode()
def detect(net: nn.Module, pictures: Tensor, least: float = 0.05) -> list[Found]:
    """At most 20 objects of each picture with a score of `least`; of overlapping ones, the best."""
    centres, weights, features = net(pictures.contiguous(memory_format=torch.channels_last))
    likely = centres.sigmoid()
    likely = likely * (functional.max_pool2d(likely, 3, 1, 1) == likely)  # highest among its neighbours
    scores, places = likely.flatten(1).topk(min(MOST, likely[0].numel()))
    return [
        _objects(features[n : n + 1], weights[n], scores[n][some], places[n][some], least)
        for n, some in enumerate((scores >= least) & (scores > 0))
    ]


def _objects(features: Tensor, weights: Tensor, scores: Tensor, places: Tensor, least: float) -> Found:
    height, width = weights.shape[-2:]
    y, x = places % (height * width) // width, places % width
    found = masks(features, weights[:, y, x].T, x, y)
    inside = found > 0
    areas = inside.sum((1, 2))
    sure = (found.sigmoid() * inside).sum((1, 2)) / areas.clamp(min=1)  # of its pixels, on average
    scores = scores * sure
    kept: list[int] = []
    for n in scores.argsort(descending=True).tolist():
        common = (inside[n] & inside[kept]).sum((1, 2))
        if scores[n] >= least and areas[n] >= LEAST and (common <= OVERLAP * (areas[n] + areas[kept] - common)).all():
            kept.append(n)
    return Found(scores=scores[kept], classes=(places // (height * width))[kept], masks=found[kept])


def fused(net: Net) -> Net:
    """The same network with each batch normalisation in the convolution before it: faster, and only for inference."""
    for block in [each for each in net.eval().modules() if isinstance(each, nn.Sequential)]:
        for n, (one, other) in enumerate(zip(list(block), list(block)[1:], strict=False)):
            if isinstance(one, nn.Conv2d) and isinstance(other, nn.BatchNorm2d):
                block[n], block[n + 1] = fuse_conv_bn_eval(one, other), nn.Identity()
    return net


def save(net: Net, path: Path) -> None:
    """Ready for inference, each weight in two bytes."""
    torch.save({name: value.half() for name, value in fused(net).state_dict().items()}, path)


def load(path: Path | str) -> Net:
    """Raises `FileNotFoundError`."""
    net = fused(Net())
    net.load_state_dict(torch.load(path, weights_only=True))
    return net.to(memory_format=torch.channels_last).requires_grad_(False)
