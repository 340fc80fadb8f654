"""A program of torch behind one call: tensors in, tensors out, by name."""

from __future__ import annotations

import logging
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
import torch
from torch.export.passes import move_to_device_pass
from torch.utils import _pytree as pytree

from flaskship.artifact.torch import sharing
from flaskship.errors import NotRecognised

TOLD: Final = "flaskship.json"
BFLOAT16, CHANNELS_LAST = "bfloat16", "channels last"
Named: TypeAlias = list[tuple[str, torch.Tensor]]
log = logging.getLogger("flaskship.torch")


def device() -> str:
    """`cuda` where there is a card that computes, else `cpu`: a card may be too new or too old for this torch."""
    if not torch.cuda.is_available():
        return "cpu"
    try:
        torch.zeros(1, device="cuda").add_(1).cpu()
    except (RuntimeError, AssertionError) as error:
        log.warning("The GPU cannot be used, the CPU is: %s", " ".join(str(error).split())[:200])
        return "cpu"
    return "cuda"


DEVICE: Final = device()
ERRORS: Final = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError, NotImplementedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One input, as one row has it."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]  # without the rows; -1 varies
    usual: tuple[int, ...]  # the same, with a size for each
    span: tuple[float, float] | None = None  # of its values, where that is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was known of a net before it became a program; kept in its archive."""

    kind: str  # "Net"
    framework: str = "torch"
    version: str = ""  # of the framework
    names: tuple[str, ...] = ()  # of the inputs
    spans: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # of inputs, by name: lowest, highest value
    made_with: dict[str, str] = field(default_factory=dict)  # distribution -> version that wrote the original

    def named(self, given: Sequence[Given]) -> tuple[Given, ...]:
        names = self.names if len(self.names) == len(given) else [each.name for each in given]
        return tuple(
            replace(each, name=name, span=self.spans.get(name)) for name, each in zip(names, given, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`call` takes the inputs in their order; `given` is what it says of them, None where it says nothing."""

    call: Callable[..., Any]
    module: torch.nn.Module  # whose weights `call` uses
    native: Any  # ExportedProgram or ScriptModule
    names: tuple[str, ...]
    given: tuple[Given, ...] | None
    alone: bool = False  # takes one row at a time
    told: Told
    ways: tuple[str, ...] = ()  # of computing, besides the plain one

    def __call__(self, tensors: Sequence[torch.Tensor]) -> Named:
        """Raises one of `ERRORS`."""
        with torch.inference_mode():
            if not self.ways:
                return flat(self.call(*tensors))
            with torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16 in self.ways):
                return flat(self.call(*map(_last, tensors) if CHANNELS_LAST in self.ways else tensors))

    def computed(self, ways: Sequence[str]) -> Program:
        """The same, in these ways, as far as this CPU has what they need. Its weights are laid out for them."""
        able = tuple(each for each in ways if DEVICE == "cpu" and (each != BFLOAT16 or has_bfloat16()))
        self.module.to(memory_format=torch.channels_last if CHANNELS_LAST in able else torch.contiguous_format)
        return replace(self, ways=able)

    @property
    def weights(self) -> list[torch.Tensor]:
        """The tensors that were learnt, the first layer's first."""
        return list(self.native.parameters())


def has_bfloat16(info: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this CPU multiplies numbers of 16 bits; without that they are slower than those of 32."""
    try:
        flags = re.search(r"^flags\s*:(.*)$", info.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return False
    return bool(flags and {"avx512_bf16", "amx_bf16"} & set(flags[1].split()))


def _last(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def flat(value: Any, name: str = "") -> Named:
    """The tensors in an answer: of a dictionary by its keys, of a tuple y0, y1, …, a sole one ""."""
    if isinstance(value, torch.Tensor):
        return [(name, value)]
    if isinstance(value, dict):
        parts = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(f"y{place}", each) for place, each in enumerate(value)]
    else:
        return []
    return [found for key, each in parts for found in flat(each, f"{name}_{key}" if name else key)]


def script(path: Path) -> Program:
    """TorchScript. Raises `NotRecognised`."""
    torch._C._jit_set_profiling_mode(False)  # else the second call with another number of rows takes 100 ms
    with quiet(), _readable(path):
        module = torch.jit.load(str(path), map_location=DEVICE).eval()
    sharing.share([*module.parameters(), *module.buffers()], path)
    arguments = module.forward.schema.arguments[1:]
    needed = [each for each in arguments if not each.has_default_value()] or arguments
    odd = next((each for each in needed if str(each.type) not in ("Tensor", "Optional[Tensor]")), None)
    if odd is not None:
        raise NotRecognised(f"{path.name!r} takes {odd.name!r}, a {odd.type}. Script a module that takes tensors.")
    kind = module.original_name
    return Program(
        call=module,
        module=module,
        native=module,
        names=tuple(each.name for each in needed),
        given=None,
        told=Told(kind=kind),
    )


def exported(path: Path) -> Program:
    """A program of torch.export. Raises `NotRecognised`."""
    with quiet(), _readable(path):
        program = torch.export.load(str(path))
        program._guards_code = []  # text that would be run; what it checks, the signature does
        if DEVICE != "cpu":
            program = move_to_device_pass(program, DEVICE)  # with what the graph itself makes
        module = program.module(check_guards=False)
    sharing.share([*module.parameters(), *module.buffers()], path)
    names = program.graph_signature.user_inputs
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    told = _told(path)
    given = told.named([_given(str(name), values.get(str(name)), path) for name in names])
    sizes = [values[str(name)].shape[0] for name in names]
    fixed = [size for size in sizes if isinstance(size, int)]
    if any(size != 1 for size in fixed):
        raise NotRecognised(
            f"{path.name!r} takes {fixed[0]} rows, no more and no less. Export it for any number of them:"
            " torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))"
        )
    spec = program.call_spec.in_spec

    def call(*tensors: torch.Tensor) -> Any:
        args, kwargs = pytree.tree_unflatten(tensors, spec)
        return module(*args, **kwargs)

    plain = len(names) == 1 and spec.num_children == 2 and spec == pytree.tree_structure(((0,), {}))
    return Program(
        call=module if plain else call,
        module=module,
        native=program,
        names=tuple(each.name for each in given),
        given=given,
        alone=bool(fixed),
        told=told,
    )


def _told(path: Path) -> Told:
    """What `exporting.write` kept in the archive."""
    with zipfile.ZipFile(path) as archive:
        name = next((each for each in archive.namelist() if each.endswith(f"/extra/{TOLD}")), None)
        try:
            return msgspec.json.decode(archive.read(name), type=Told) if name else Told(kind="torch.export program")
        except msgspec.MsgspecError as error:
            raise NotRecognised(f"{path.name!r} holds an odd {TOLD}: {error}. Make it anew.") from error


def _given(name: str, value: Any, path: Path) -> Given:
    if not isinstance(value, torch.Tensor) or not value.ndim:
        raise NotRecognised(f"{path.name!r} takes {name!r}, which has no rows. Export it with tensors of rows only.")
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape[1:])
    usual = tuple(size if isinstance(size, int) else size.node.hint or 1 for size in value.shape[1:])
    return Given(name=name, dtype=value.dtype, shape=shape, usual=usual)


@contextmanager
def quiet() -> Any:
    """Without what torch says of its own future."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


@contextmanager
def _readable(path: Path) -> Any:
    try:
        yield
    except (*ERRORS, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise NotRecognised(
            f"{path.name!r} cannot be loaded by torch {torch.__version__}: {reason}. Save it anew with this version."
        ) from error
