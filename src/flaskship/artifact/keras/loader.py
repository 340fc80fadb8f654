"""From a file of Keras to a model that Keras answers, on torch."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import keras
import torch

from flaskship.artifact import facts
from flaskship.artifact.keras import archive
from flaskship.artifact.sniff import Sniffed
from flaskship.artifact.torch import loader
from flaskship.artifact.torch.model import TorchModel
from flaskship.artifact.torch.program import Given, Program, Told, quiet
from flaskship.errors import MissingExtra, NotRecognised
from flaskship.schema import Signature

UNKNOWN: Final = re.compile(r"(?:Unknown \w+|Could not locate \w+|class|object):? '([\w>]+)'")
PIXELS: Final = (1 / 255, 1 / 127.5)  # scales of layers that take pixels
USUAL: Final = 32  # values in a dimension that may vary


class Net(torch.nn.Module):  # type: ignore[misc]  # of torch, whose types are not read
    """The model's inputs in their order -> its output, or a dictionary of them by name."""

    def __init__(self, model: Any, made: str) -> None:
        super().__init__()
        self.model, self.made = model, made  # by which version

    def forward(self, *tensors: torch.Tensor) -> Any:
        one = isinstance(self.model, keras.Sequential)
        given = tensors[0] if one else keras.tree.pack_sequence_as(self.model._inputs_struct, list(tensors))
        answers = keras.tree.flatten(self.model(given, training=False))
        return answers[0] if len(answers) == 1 else dict(zip(names_of(self.model), answers, strict=True))


def load(found: Sniffed, *, known: Signature | None = None, trust: bool = False) -> TorchModel:
    """The model in the file. Raises `NotRecognised`, and `UnsafePickle` unless `trust`."""
    net = opened(found, trust=trust)
    about = told(net)
    given = about.named(inputs(net.model, found.path))
    program = Program(call=net, module=net, native=net, names=about.names, given=given, told=about)
    made = loader.model_of(program, repr(found.path.name), known=known)
    pins = facts.pins(["keras", "torch", "h5py", "numpy"])
    made.facts = replace(made.facts, requirements=tuple(each.partition("+")[0] for each in pins))
    return made


def opened(found: Sniffed, *, trust: bool = False) -> Net:
    """The network. Raises as `load`."""
    if keras.backend.backend() != "torch":
        raise MissingExtra(
            f"Keras is imported here with {keras.backend.backend()!r} as its backend: set KERAS_BACKEND=torch before."
        )
    made = archive.version(found, trust=trust)
    with _suffixed(found) as path, quiet():
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=not trust)
        except Exception as error:  # Keras raises what comes, by the configuration's version and by anybody's layers
            raise _refused(found, made, error) from error
    if not getattr(model, "inputs", None):
        raise NotRecognised(f"{found.path.name!r} does not say what it takes: call the model once, and save it then.")
    model.trainable = False
    net = Net(model, made)
    net.eval()
    return net


@contextmanager
def _suffixed(found: Sniffed) -> Iterator[Path]:
    """The file under a name by which Keras tells what it is."""
    suffixes = (".h5", ".hdf5") if found.detail == "HDF5" else (".keras",)
    if found.path.suffix in suffixes:  # a container may have nowhere to write
        yield found.path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, f"model{suffixes[0]}")
        link.symlink_to(found.path.resolve())
        yield link


def _refused(found: Sniffed, made: str, error: Exception) -> NotRecognised:
    said = " ".join(str(error).split())
    if name := UNKNOWN.search(said):
        return archive.unknown(found.path, name[1].rpartition(">")[2])
    return NotRecognised(
        f"{found.path.name!r} cannot be loaded by Keras {keras.__version__}{f', made by {made}' if made else ''}:"
        f" {said[:300]}. Save it anew with Keras 3."
    )


def inputs(model: Any, path: Path) -> tuple[Given, ...]:
    """What each input is, without its rows. Raises `NotRecognised` where it has none."""
    return tuple(_given(each, path) for each in model.inputs)


def _given(tensor: Any, path: Path) -> Given:
    dtype = getattr(torch, str(tensor.dtype), None)
    if dtype is None or not tensor.shape or tensor.shape[0] is not None:
        said = f"{tensor.dtype} of shape {list(tensor.shape)}"
        raise NotRecognised(f"{path.name!r} takes {tensor.name!r}, {said}. Numbers are served, with rows first.")
    shape = tuple(-1 if size is None else size for size in tensor.shape[1:])
    return Given(name=tensor.name, dtype=dtype, shape=shape, usual=tuple(USUAL if size < 0 else size for size in shape))


def names_of(model: Any) -> list[str]:
    """Of its outputs: the keys of a dictionary, else the layers' names."""
    return [str(each) for each in getattr(model, "output_names", None) or ["y"]]


def told(net: Net) -> Told:
    """What the model says of itself that tensors do not."""
    model = net.model
    spans = {
        tensor.name: span
        for tensor in model.inputs
        for layer in model.layers
        if (span := _span(layer)) and any(each is tensor for each in _taken(layer))
    }
    if isinstance(model, keras.Sequential) and (span := next(filter(None, map(_span, model.layers[:1])), None)):
        spans[model.inputs[0].name] = span
    return Told(
        framework="keras",
        version=str(keras.__version__),
        kind=f"Keras {type(model).__name__}",
        names=tuple(each.name for each in model.inputs),
        spans=spans,
        made_with={"keras": net.made} if net.made else {},
    )


def _taken(layer: Any) -> Iterator[Any]:
    """The tensors that a layer is called on in this model."""
    for node in getattr(layer, "_inbound_nodes", ()):
        yield from node.input_tensors


def _span(layer: Any) -> tuple[float, float] | None:
    """The lowest and highest value that is meant for a layer: indices of words, or a picture's values."""
    if isinstance(layer, keras.layers.Embedding):
        return 0.0, float(layer.input_dim - 1)
    if isinstance(layer, keras.layers.Rescaling) and isinstance(layer.scale, float) and layer.scale in PIXELS:
        return 0.0, 255.0
    return None
