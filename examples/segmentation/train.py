"""Draws pictures of shapes, trains the network to find them, and says what that is worth on pictures it has not seen.

    python train.py [--steps 1000] [--minutes 9] [--pictures 6000] [--threads 1] [FOLDER]

FOLDER (this one where not given) gets

    shapes.pt    the network's weights, for app.py
    example.png  a picture to try it with, which the network has not seen

The same seed draws the same pictures, and gives the same network wherever torch computes alike and the steps keep ahead
of the minutes. One thread adds up in one order, whatever cores there are; several wait for each other, and where others
work too that is slower than one.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from average_precision import THRESHOLDS, Objects, average_precision
from net import FINE, GRID, Net, detect, load, masks, save
from PIL import Image
from shapes import CLASSES, SIZE, draw
from torch import Tensor
from torch.nn import functional

SEED = 7
UNSEEN = 10**6  # seeds of pictures to test with begin here, those to train with end before
CHUNK = 100  # that a process draws at once
BATCH = 16
RATE = 3e-3  # of learning, at most
WARMING = 100  # steps in which it is reached
NEAR = 0.25  # of the cells beside a centre, the share that is trained as if it were one, each time anew


class Lesson(NamedTuple):
    """A picture as the network learns from it, or a stack of them."""

    picture: Tensor  # (3, 128, 128) uint8
    centres: Tensor  # (classes, 32, 32): 1 at a centre, less around it
    owners: Tensor  # (32, 32) uint8: the number of the object whose centre is here, from 1; 0 for none
    near: Tensor  # (32, 32) uint8: the same for the cells beside the centres
    masks: Tensor  # (7, 64, 64) uint8: the pixels of four that are the object's


def lesson(seed: int) -> Lesson:
    scene = draw(np.random.default_rng(seed))
    cells = SIZE // GRID
    rows, columns = np.mgrid[:cells, :cells]
    centres = np.zeros((len(CLASSES), cells, cells), np.float32)
    owners, near = np.zeros((2, cells, cells), np.uint8)
    small = np.zeros((8, SIZE // FINE, SIZE // FINE), np.uint8)
    for n, (kind, mask) in enumerate(zip(scene.classes, scene.masks, strict=True)):
        y, x = (each // GRID for each in middle(mask))
        spread = max(1.0, 0.18 * math.sqrt(mask.sum()) / GRID)  # cells
        bump = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * spread**2))
        centres[kind] = np.maximum(centres[kind], bump)
        near[(abs(rows - y) + abs(columns - x) == 1) & (near == 0)] = n + 1
        owners[y, x] = n + 1
        small[n] = mask.reshape(SIZE // FINE, FINE, SIZE // FINE, FINE).sum((1, 3))
    picture = np.ascontiguousarray(scene.picture.transpose(2, 0, 1))
    return Lesson(*(torch.from_numpy(each) for each in (picture, centres, owners, near * (owners == 0), small)))


def middle(mask: np.ndarray) -> tuple[int, int]:
    """Row and column of the pixel of the mask that is nearest to its centre of mass."""
    rows, columns = np.nonzero(mask)
    nearest = ((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2).argmin()
    return int(rows[nearest]), int(columns[nearest])


def lessons(count: int) -> Lesson:
    """`count` pictures in one stack, drawn by as many processes as there are cores."""
    if count <= CHUNK:
        return Lesson(*(torch.stack(each) for each in zip(*map(lesson, range(count)), strict=True)))
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        drawn = list(pool.map(_arrays, range(count), chunksize=CHUNK))
    return Lesson(*(torch.from_numpy(np.stack(each)) for each in zip(*drawn, strict=True)))


def _arrays(seed: int) -> tuple[np.ndarray, ...]:  # tensors would be handed over through open files, thousands of them
    return tuple(each.numpy() for each in lesson(seed))


def batches(all_of_them: Lesson) -> Iterator[Lesson]:
    """Without end: 16 at random (fewer where there are fewer), turned and mirrored."""
    count = len(all_of_them.picture)
    while True:
        some = torch.randint(count, (min(BATCH, count),))
        turns, mirrored = int(torch.randint(4, ())), bool(torch.randint(2, ()))
        turned = [torch.rot90(each[some], turns, (-2, -1)) for each in all_of_them]
        yield Lesson(*(each.flip(-1) if mirrored else each for each in turned))


def loss(net: Net, given: Lesson) -> Tensor:
    """Focal loss of the centres, and twice the Dice loss of the masks."""
    pictures = (given.picture.float() / 255).contiguous(memory_format=torch.channels_last)
    centres, weights, features = net(pictures)
    likely = centres.sigmoid().clamp(1e-4, 1 - 1e-4)
    here = given.centres == 1
    right = (1 - likely) ** 2 * likely.log() * here
    wrong = (1 - given.centres) ** 4 * likely**2 * (1 - likely).log() * ~here
    focal = -(right + wrong).sum() / here.sum().clamp(min=1)

    owners = given.owners + given.near * (torch.rand(given.near.shape) < NEAR)
    picture, y, x = owners.nonzero(as_tuple=True)
    if not len(picture):
        return focal
    found = masks(features[picture], weights[picture, :, y, x], x, y).sigmoid()
    true = given.masks[picture, owners[picture, y, x].long() - 1] / FINE**2
    common, sizes = (found * true).sum((1, 2)), (found**2).sum((1, 2)) + (true**2).sum((1, 2))
    return focal + 2 * (1 - (2 * common + 1) / (sizes + 1)).mean()


def progress(step: int, steps: int, late: float) -> float:
    """The share of the training that is done. `late` is that of its time: it decides where steps are behind it."""
    return max(step / steps, late if step > WARMING or late >= 1 else 0.0)


def train(steps: int, minutes: float, pictures: int) -> Net:
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # it costs a fifth of the time; all memory is written
    began = time.monotonic()
    stack = lessons(pictures)
    print(f"{pictures:,} pictures drawn in {time.monotonic() - began:.0f} s.", flush=True)
    net = Net().to(memory_format=torch.channels_last)
    print(f"{sum(each.numel() for each in net.parameters()):,} parameters, {torch.get_num_threads()} threads.")
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-3)
    smooth = math.nan
    ready = time.monotonic()
    for step, given in zip(range(1, steps + 1), batches(stack), strict=False):
        done = progress(step - 1, steps, (time.monotonic() - ready) / (60 * minutes - (ready - began)))
        if done >= 1:
            print(f"The {minutes:g} minutes are over, after {step - 1:,} of {steps:,} steps.")
            break
        rate = RATE * min(1, step / WARMING) * max(0.01, (1 + math.cos(math.pi * done)) / 2)
        optimizer.param_groups[0]["lr"] = rate
        value = loss(net, given)
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        smooth = value.item() if math.isnan(smooth) else 0.98 * smooth + 0.02 * value.item()
        if step % 50 == 0 or step == steps:
            seconds = f"{time.monotonic() - began:4.0f} s  {time.process_time():.0f} s of processors"
            print(f"step {step:>5}  loss {smooth:.3f}  {seconds}", flush=True)
    return net


def found_in(net: Net, picture: np.ndarray) -> Objects:
    """What the network finds in a picture of (128, 128, 3), with masks of its size."""
    (found,) = detect(net, torch.from_numpy(picture.transpose(2, 0, 1)[None] / np.float32(255)))
    large = functional.interpolate(found.masks[:, None], scale_factor=FINE, mode="bilinear", align_corners=False)[:, 0]
    return Objects(classes=found.classes.numpy(), masks=(large > 0).numpy(), scores=found.scores.double().numpy())


def report(net: Net, pictures: int) -> dict[str, float]:
    """Prints and answers mask AP at 0.5 and from 0.5 to 0.95, on pictures that were not trained with."""
    scenes = [draw(np.random.default_rng(UNSEEN + n)) for n in range(pictures)]
    true = [Objects(classes=each.classes, masks=each.masks, scores=np.ones(len(each.classes))) for each in scenes]
    found = [found_in(net, each.picture) for each in scenes]
    by_threshold = [average_precision(found, true, iou) for iou in THRESHOLDS]
    worth = {"AP 0.5": by_threshold[0], "AP 0.75": by_threshold[5], "AP 0.5:0.95": float(np.mean(by_threshold))}
    print(
        f"Mask AP on {pictures} unseen pictures:",
        *(f"  {name:<12}{value:.3f}" for name, value in worth.items()),
        sep="\n",
    )
    for n, name in enumerate(CLASSES):
        ours, theirs = ([_only(each, n) for each in both] for both in (found, true))
        print(f"    {name:<10}{average_precision(ours, theirs, 0.5):.3f} at 0.5")
    return worth


def _only(objects: Objects, number: int) -> Objects:
    some = objects.classes == number
    return Objects(*(each[some] for each in objects))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--steps", type=int, default=1000, help="of 16 pictures each (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=9.0, help="after which it ends (default: %(default)s)")
    parser.add_argument("--pictures", type=int, default=6000, help="to train with (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="that torch computes in (default: %(default)s)")
    parser.add_argument("--unseen", type=int, default=200, help="pictures to test with (default: %(default)s)")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(asked.threads)
    net = train(asked.steps, asked.minutes, asked.pictures)
    save(net, asked.folder / "shapes.pt")
    Image.fromarray(draw(np.random.default_rng(UNSEEN - 1), 512).picture).save(asked.folder / "example.png")
    report(load(asked.folder / "shapes.pt"), asked.unseen)
    print(f"Written to {str(asked.folder)!r}: shapes.pt and example.png.")


if __name__ == "__main__":
    main()
