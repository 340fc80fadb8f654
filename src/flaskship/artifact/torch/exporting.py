"""A `torch.nn.Module` and its weights become a program of torch.export, which needs the class no more."""

from __future__ import annotations

import argparse
import inspect
import json
import mmap
import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import torch

from flaskship.artifact.function import modules
from flaskship.artifact.sniff import Format, Sniffed
from flaskship.artifact.torch import inputs
from flaskship.artifact.torch.program import DEVICE, TOLD, Given, Program, Told, quiet
from flaskship.errors import NotRecognised, TargetError, UnsafePickle, UsageError

PLAIN: Final = (  # what training loops keep beside weights, and what makes a number or a name only
    argparse.Namespace,
    np.dtype,
    *((np.float64(0).__reduce__()[0], f"numpy.{each}.multiarray.scalar") for each in ("core", "_core")),
    *(type(np.dtype(each)) for each in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")),
)
ROWS: Final = 2  # of the example; with one, torch would take rows for fixed
DTYPES: Final = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


def of_class(file: Path, name: str, weights: Sniffed, rows: inputs.Rows, into: Path, *, trust: bool = False) -> None:
    """Writes `into` what the class `name` of a module does with these weights.

    Raises `TargetError` where it is none, `UsageError` where the weights are another's, `NotRecognised` where
    torch.export cannot follow it.
    """
    with modules.in_place(file):
        kind = getattr(modules.loaded(file), name, None)
        if not (inspect.isclass(kind) and issubclass(kind, torch.nn.Module)) and not callable(kind):
            raise TargetError(f"{file.name!r} has no class {name!r} that is a torch.nn.Module.")
        _refuse_arguments(kind, f"{name!r} in {file.name!r}", name)
        with modules.told(file, f"{name}()"):
            net = kind()
    if not isinstance(net, torch.nn.Module):
        raise TargetError(f"{name!r} in {file.name!r} gives a {type(net).__name__}, not a torch.nn.Module.")
    _take(net, state(weights, trust=trust), f"{weights.path.name!r} do not fit {name!r} in {file.name!r}")
    export(net, rows, into, f"{name!r} in {file.name!r}")


def _refuse_arguments(kind: Any, what: str, name: str) -> None:
    needed = [
        each.name
        for each in inspect.signature(kind).parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if needed:
        raise TargetError(
            f"{what} takes arguments ({', '.join(needed)}). Name a function beside it that takes none, as"
            f" def net(): return {name}(…)"
        )


def _take(net: torch.nn.Module, tensors: dict[str, torch.Tensor], what: str) -> None:
    """Gives the net its weights. Raises `UsageError` where one is missing, too many, or of another size.

    What training loops wrap a net in (DataParallel, torch.compile, Lightning) stands before every name; of tensors that
    are one in the net, a file may have one.
    """
    own = net.state_dict()
    while not own.keys() & tensors.keys() and len({name.partition(".")[0] for name in tensors}) == 1:
        tensors = {name.partition(".")[2]: each for name, each in tensors.items()}
    try:
        missing, odd = net.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise UsageError(f"The weights in {what}: {' '.join(str(error).split())[:500]}") from error
    there = {own[name].data_ptr() for name in tensors if name in own}
    missing = [name for name in missing if own[name].data_ptr() not in there]
    said = [f"{words} {_some(names)}" for words, names in (("it lacks", missing), ("nothing takes", odd)) if names]
    if said:
        raise UsageError(f"The weights in {what}: {', and '.join(said)}. Give those of this class.")


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (f", … ({len(names)} in all)" if len(names) > 5 else "")


def of_pickle(path: Path, rows: inputs.Rows, into: Path) -> None:
    """Writes `into` what the module does that torch.save pickled whole; only for who trusts whoever made it."""
    with modules.in_place(path.resolve()), modules.told(path.resolve(), repr(path.name)):
        net = torch.load(path.resolve(), map_location="cpu", weights_only=False)
    if not isinstance(net, torch.nn.Module):
        raise NotRecognised(_alone(path))
    export(net, rows, into, repr(path.name))


def state(weights: Sniffed, *, trust: bool = False) -> dict[str, torch.Tensor]:
    """The tensors of a state dict or of safetensors, mapped from the file. Raises `UnsafePickle`, `NotRecognised`."""
    if weights.format is Format.SAFETENSORS:
        return _safetensors(weights.path)
    if weights.format is not Format.STATE_DICT:
        raise UsageError(
            f"{weights.path.name!r} is {weights.format.value}; --weights takes a state dict or safetensors."
        )
    try:
        with torch.serialization.safe_globals([*PLAIN]):
            found = torch.load(weights.path, map_location="cpu", weights_only=not trust, mmap=True)
    except pickle.UnpicklingError as error:
        raise UnsafePickle(_whole(weights.path, str(error))) from error
    except RuntimeError as error:
        raise NotRecognised(f"{weights.path.name!r} cannot be read by torch {torch.__version__}: {error}") from error
    for key in ("state_dict", "model_state_dict", "model"):  # as a checkpoint of a training loop has it
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(isinstance(each, torch.Tensor) for each in found.values()):
        raise NotRecognised(
            f"{weights.path.name!r} holds no state dict: torch.save(model.state_dict(), {str(weights.path)!r})"
        )
    return found


def refuse(found: Sniffed) -> None:
    """Says what to give beside weights, or in place of a pickled module."""
    if found.format is Format.STATE_DICT:
        state(found)
    raise NotRecognised(_alone(found.path))


def _alone(path: Path) -> str:
    return (
        f"{path.name!r} holds weights, not what is computed with them. Name the class too:"
        f" flaskship serve net.py:Net --weights {path.name}. Or save the program: torch.export.save(…, 'model.pt2')"
    )


def _whole(path: Path, said: str) -> str:
    name = re.search(r"GLOBAL ([\w.]+)", said)
    return (
        f"{path.name!r} is not loaded: it is a pickled module, or holds more than tensors"
        f"{f' ({name[1]})' if name else ''}, and unpickling it could run any code. If you trust"
        " whoever made it: --trust. Else save the program,"
        " torch.export.save(torch.export.export(model, (example,)), 'model.pt2'), or its weights,"
        " torch.save(model.state_dict(), …), and name its class."
    )


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    """https://github.com/huggingface/safetensors#format"""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    start = 8 + int.from_bytes(mapped[:8], "little")
    found = {}
    try:
        for name, each in json.loads(mapped[8:start]).items():
            if name != "__metadata__":
                low, high = each["data_offsets"]
                dtype = DTYPES[each["dtype"]]
                flat = torch.empty(0, dtype=dtype)
                if high > low:
                    flat = torch.frombuffer(
                        mapped, dtype=dtype, count=(high - low) // dtype.itemsize, offset=start + low
                    )
                found[name] = flat.reshape(each["shape"])
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise NotRecognised(f"{path.name!r} begins as safetensors do, and is damaged ({error}).") from error
    return found


def export(net: torch.nn.Module, rows: inputs.Rows, into: Path, what: str) -> None:
    """Writes the program of `net`, for any number of rows, `into` a file. Raises `NotRecognised`."""
    net = net.eval().to("cpu")
    write(net, _given(net, rows, what), into, what, Told(kind=type(net).__name__))


def write(net: torch.nn.Module, given: Sequence[Given], into: Path, what: str, told: Told) -> None:
    """As `export`, of a net whose inputs are known."""
    example = tuple(torch.zeros(ROWS, *each.usual, dtype=each.dtype) for each in given)
    free = tuple(_free(each) for each in given)
    takes = next(iter(inspect.signature(net.forward).parameters.values()), None)
    packed = takes is not None and takes.kind is takes.VAR_POSITIONAL
    try:
        with quiet():
            made = torch.export.export(net, example, dynamic_shapes=(free,) if packed else free)
            torch.export.save(made, str(into), extra_files={TOLD: msgspec.json.encode(told).decode()})
    except Exception as error:  # of torch's compiler, or of anybody's forward()
        reason = " ".join(str(error).split()).partition(" Caused by: ")[0].partition(" For more info")[0][:400]
        raise NotRecognised(
            f"torch.export cannot follow {what}: {reason} Save it with torch.jit.script, or write a function that"
            " calls it."
        ) from error


def _free(given: Given) -> dict[int, Any]:
    """The dimensions that may vary: the rows, and what no example settles."""
    varying = [at + 1 for at, size in enumerate(given.shape) if size < 0]
    return dict.fromkeys((0, *varying), torch.export.Dim.DYNAMIC)


def _given(net: torch.nn.Module, rows: inputs.Rows, what: str) -> tuple[Given, ...]:
    parameters = inspect.signature(net.forward).parameters.values()
    names = tuple(each.name for each in parameters if each.default is each.empty)
    called = Program(call=net, module=net, native=net, names=names, given=None, told=Told(kind=""))
    net.to(DEVICE)
    try:
        return inputs.of(called, rows, None, what)
    finally:
        net.to("cpu")
