"""Draws shapes, trains the network on them, and writes net.pt. `python train.py triangle.png` draws one shape."""

import random
import sys
from pathlib import Path

import torch
from net import SHAPES, SIDE, network, tensor
from PIL import Image, ImageDraw
from torch import nn


def drawn(shape: str) -> Image.Image:
    """A white shape on black, anywhere on the picture."""
    picture = Image.new("L", (2 * SIDE, 2 * SIDE))
    size = random.randint(SIDE // 2, SIDE)
    left, top = (random.randint(2, 2 * SIDE - size - 2) for _ in "xy")
    box = (left, top, left + size, top + size)
    draw = ImageDraw.Draw(picture)
    if shape == "circle":
        draw.ellipse(box, fill=255)
    elif shape == "square":
        draw.rectangle(box, fill=255)
    else:
        draw.polygon([(left, top + size), (left + size, top + size), (left + size // 2, top)], fill=255)
    return picture


def main(folder: Path = Path(), steps: int = 300) -> None:
    random.seed(0)
    torch.manual_seed(0)
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
    for _ in range(steps):
        wanted = random.choices(range(len(SHAPES)), k=32)
        loss = nn.functional.cross_entropy(net(tensor([drawn(SHAPES[each]) for each in wanted])), torch.tensor(wanted))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"Loss of the last {len(wanted)} pictures: {loss.item():.4f}")
    torch.save(net.state_dict(), folder / "net.pt")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        drawn(Path(sys.argv[1]).stem).save(sys.argv[1])
    else:
        main()
