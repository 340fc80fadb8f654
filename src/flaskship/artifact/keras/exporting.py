"""A model of Keras becomes a program of torch.export, which needs Keras no more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import keras
import torch

from flaskship.artifact.keras import loader
from flaskship.artifact.sniff import Sniffed
from flaskship.artifact.torch import exporting, program
from flaskship.artifact.torch.program import Given
from flaskship.errors import NotRecognised

ROWS: Final = 3  # on which the program is compared with Keras
TOLERANCE: Final = 1e-4  # of the largest value


def export(found: Sniffed, into: Path, *, trust: bool = False) -> bool:
    """Writes `into` the program, for any number of rows. False where torch.export cannot follow the model.

    Raises as `loader.load`.
    """
    with keras.device("cpu"):
        net = loader.opened(found, trust=trust)
        about = loader.told(net)
        given = about.named(loader.inputs(net.model, found.path))
        try:
            exporting.write(net, given, into, repr(found.path.name), about)
        except NotRecognised:
            return False
        return _agrees(net, given, into)


def _agrees(net: loader.Net, given: Sequence[Given], into: Path) -> bool:
    random = torch.Generator().manual_seed(0)
    rows = []
    for each in given:
        low, high = each.span or ((-1.0, 1.0) if each.dtype.is_floating_point else (0.0, 1.0))
        drawn = torch.rand(ROWS, *each.usual, generator=random) * (high - low) + low
        rows.append((drawn if each.dtype.is_floating_point else drawn.round()).to(each.dtype))
    with torch.inference_mode():
        wanted = program.flat(net(*rows))
    made = dict(program.exported(into)([each.to(program.DEVICE) for each in rows]))
    return all(_close(each, made[name].cpu()) for name, each in wanted)


def _close(wanted: torch.Tensor, made: torch.Tensor) -> bool:
    most = float(wanted.abs().max()) * TOLERANCE
    return wanted.shape == made.shape and bool(torch.allclose(wanted, made, rtol=0, atol=most, equal_nan=True))
