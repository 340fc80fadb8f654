"""A net of torch as an ONNX graph, by torch's own exporters.

TorchScript goes through the older one, which is part of torch; a program of torch.export through the newer, which
needs `onnxscript`.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from typing import Any, Final, cast

import onnx
import torch

from flaskship.artifact.onnx.model import METADATA, Bindings, Input, Result, Role
from flaskship.artifact.torch.inputs import DTYPES, is_matrix
from flaskship.artifact.torch.model import TorchModel
from flaskship.artifact.torch.program import Given, quiet
from flaskship.compiler.graph import Unconvertible

MOST: Final = 1_900_000_000  # bytes of weights: a graph is a message of Protocol Buffers, at most 2 GB
CHUNK: Final = 4096  # rows that a graph takes at once


def graph(model: TorchModel) -> bytes:
    """The graph, with its bindings. Raises `Unconvertible`."""
    program = model.program
    if any(DTYPES[each.dtype] != str(each.dtype).removeprefix("torch.") for each in model.given):
        raise Unconvertible("it takes half precision")
    if sum(each.numel() * each.element_size() for each in program.weights) > MOST:
        raise Unconvertible("its weights are more than a graph can hold")
    if isinstance(program.native, torch.nn.Module) and not isinstance(program.native, torch.jit.ScriptModule):
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
