"""A net of torch as an ONNX graph, by torch's own exporters.

TorchScript goes through the older one, which is part of torch; a program of torch.export through the newer, which
needs `onnxscript`.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import numpy as np
import onnx
import torch

from flaskship.artifact.onnx.model import METADATA, Bindings, Input, Result, Role
from flaskship.artifact.torch.inputs import DTYPES, is_matrix
from flaskship.artifact.torch.model import TorchModel
from flaskship.artifact.torch.program import BFLOAT16, CHANNELS_LAST, DEVICE, ERRORS, Given, has_bfloat16, quiet
from flaskship.compiler.graph import Unconvertible
from flaskship.compiler.parity import Parity, measure, seconds
from flaskship.errors import PredictionFailed
from flaskship.schema import Columns

MOST: Final = 1_900_000_000  # bytes of weights: a graph is a message of Protocol Buffers, at most 2 GB
CHUNK: Final = 4096  # rows that a graph takes at once
TRIED, SEVERAL = 64, 8  # rows in a way of computing, and those of a call that is timed
GAIN: Final = 1.15  # times as fast, that a way must be
ROUGH: Final = 1e-2  # of the largest value, by which numbers of 16 bits may differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Quicker:
    """Ways of computing that pay here, and how the answers compare."""

    ways: tuple[str, ...]
    parity: Parity
    seconds: float  # for one row


def quicker(model: TorchModel, rows: Columns, tolerance: float) -> Quicker | None:
    """The fastest way in which the net answers `rows` alike; None where it is the plain one.

    Numbers of 16 bits are for nets that answer several a row, as a score for each class: the highest must stay so.
    """
    rows = {name: column[:TRIED] for name, column in rows.items()}
    plain = _times(model, rows)
    best: Quicker | None = None
    for ways in _candidates(model):
        rough = BFLOAT16 in ways
        try:
            other = replace(model, program=model.program.computed(ways))
            parity = measure(
                model.signature, model.predict, other.predict, rows, ROUGH if rough else tolerance, scaled=True
            )
            times = _times(other, rows)
            alike = parity.exact and not (rough and _reordered(model, other, rows))
        except (PredictionFailed, *ERRORS):  # a layout or a type that one of its operators does not take
            continue
        gains = [before / after for before, after in zip(plain, times, strict=True)]
        if alike and min(gains) > GAIN and (best is None or times[0] < best.seconds):
            best = Quicker(ways=ways, parity=parity, seconds=times[0])
    model.program.computed(best.ways if best else ())  # the weights' layout
    return best


def _candidates(model: TorchModel) -> list[tuple[str, ...]]:
    if DEVICE != "cpu" or is_module(model.program.native):
        return []
    sizes = {each.ndim for each in model.program.weights}
    found: list[tuple[str, ...]] = [(CHANNELS_LAST,)] if 4 in sizes and 5 not in sizes else []
    return [*found, *([(BFLOAT16,), *((BFLOAT16, *each) for each in found)] if has_bfloat16() else [])]


def is_module(native: Any) -> bool:
    """Whether it is neither a script nor a program: a model that Keras answers."""
    return isinstance(native, torch.nn.Module) and not isinstance(native, torch.jit.ScriptModule)


def _times(model: TorchModel, rows: Columns) -> list[float]:
    """Seconds of one row, and of several at once."""
    return [seconds(model.predict, {name: column[:count] for name, column in rows.items()}) for count in (1, SEVERAL)]


def _reordered(model: TorchModel, other: TorchModel, rows: Columns) -> bool:
    """Whether the highest number of a row is another one, or a row has one number only."""
    for want, have in zip(model.raw(rows), other.raw(rows), strict=True):
        want, have = want.reshape(len(want), -1), have.reshape(len(have), -1)
        if want.shape[1] < 2 or bool(np.any(want.argmax(1) != have.argmax(1))):
            return True
    return False


def graph(model: TorchModel) -> bytes:
    """The graph, with its bindings. Raises `Unconvertible`."""
    program = model.program
    if any(DTYPES[each.dtype] != str(each.dtype).removeprefix("torch.") for each in model.given):
        raise Unconvertible("it takes half precision")
    if sum(each.numel() * each.element_size() for each in program.weights) > MOST:
        raise Unconvertible("its weights are more than a graph can hold")
    if is_module(program.native):
        raise Unconvertible("torch.export cannot follow it")
    made = _scripted(model) if isinstance(program.native, torch.jit.ScriptModule) else _exported(program.native)
    given, answers = [each.name for each in made.graph.input], [each.name for each in made.graph.output]
    places = max(each.place for each in model.results) + 1
    if len(given) != len(model.given) or len(answers) < places:
        raise Unconvertible(f"its graph takes {len(given)} inputs and answers {len(answers)}")
    results = tuple(
        Result(name=answers[each.place], role=Role.VALUE, column=each.column, flat=each.flat) for each in model.results
    )
    bindings = Bindings(inputs=_inputs(given, model.given), results=results, batch=min(model.batch, CHUNK))
    entry = made.metadata_props.add()
    entry.key, entry.value = METADATA, bindings.to_json()
    content: bytes = made.SerializeToString()
    return content


def _inputs(names: Sequence[str], given: Sequence[Given]) -> tuple[Input, ...]:
    found, start = [], 0
    for name, each in zip(names, given, strict=True):
        width = each.shape[0] if is_matrix(each) else 1
        places = tuple(range(start, start + width))
        found.append(Input(name=name, fields=places, dtype=DTYPES[each.dtype], whole=not is_matrix(each)))
        start += width
    return tuple(found)


def _scripted(model: TorchModel) -> Any:
    example = tuple(torch.zeros(2, *each.usual, dtype=each.dtype) for each in model.given)
    names = [f"in_{each.name}" for each in model.given]
    answers = [f"out_{place}" for place in range(max(each.place for each in model.results) + 1)]
    free = {
        name: {0: "rows"} | {at + 1: f"{name}_{at}" for at, size in enumerate(each.shape) if size < 0}
        for name, each in zip(names, model.given, strict=True)
    }
    file = io.BytesIO()
    with quiet():
        torch.onnx.export(
            model.program.native, example, cast("Any", file), dynamo=False, input_names=names, output_names=answers,
            dynamic_axes=free | {name: {0: "rows"} for name in answers},
        )  # fmt: skip
    return onnx.load_model_from_string(file.getvalue())


def _exported(program: Any) -> Any:
    if importlib.util.find_spec("onnxscript") is None:
        raise Unconvertible("torch.onnx needs onnxscript, which is not installed: pip install onnxscript")
    with quiet():
        made = torch.onnx.export(program, dynamo=True, verbose=False)
    if made is None:
        raise Unconvertible("torch.onnx gave no graph")
    return made.model_proto
