"""Programs of torch: what they take and answer, read off them; what could run code is refused."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flaskship import artifact, make
from flaskship.bundle import Bundle
from flaskship.cli import about
from flaskship.errors import MissingExtra, NotRecognised, TargetError, UnsafePickle, UsageError
from flaskship.predict.rules import Rule
from flaskship.schema import FieldType, Task
from flaskship.settings import Settings
from flaskship.target import Target

pytestmark = [
    pytest.mark.needs("torch"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of TorchScript, as a whole
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
NET = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, x):
        return self.layers(x)

number = 3
"""


def layers() -> Any:
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1)).eval()


def scripted(path: Path, net: Any) -> Path:
    import torch

    torch.jit.save(torch.jit.script(net.eval()), path)
    return path


def exported(path: Path, net: Any, *shapes: tuple[int, ...], dynamic: Any = None, dtypes: Any = None) -> Path:
    import torch

    kinds = dtypes or [torch.float32] * len(shapes)
    example = tuple(torch.zeros(shape, dtype=kind) for shape, kind in zip(shapes, kinds, strict=True))
    rows = tuple({0: torch.export.Dim.DYNAMIC} for _ in shapes) if dynamic is None else dynamic
    torch.export.save(torch.export.export(net.eval(), example, dynamic_shapes=rows or None), str(path))
    return path


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with net.py, its weights in both forms, and it as .pt2."""
    import torch

    folder = tmp_path_factory.mktemp("net")
    (folder / "net.py").write_text(NET)
    whole = layers()
    state = {f"layers.{name}": value for name, value in whole.state_dict().items()}
    torch.save(state, folder / "state.pt")
    torch.save({"epoch": 3, "state_dict": state}, folder / "checkpoint.pt")
    torch.save(whole, folder / "whole.pt")
    header, blobs = {}, b""
    for name, value in state.items():
        blob = value.numpy().tobytes()
        place = [len(blobs), len(blobs) + len(blob)]
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": place}
        blobs += blob
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + blobs)
    exported(folder / "net.pt2", whole, (2, 3))
    scripted(folder / "net.pt", whole)
    return folder


X = np.random.default_rng(0).normal(size=(5, 3))
COLUMNS = {f"x{place}": X[:, place] for place in range(3)}


def expected() -> Any:
    import torch

    return layers()(torch.tensor(X, dtype=torch.float32)).detach().numpy()[:, 0]


@pytest.mark.parametrize("file", ["net.pt2", "net.pt"])
def test_a_net_of_columns_answers_a_number_a_row(net: Path, file: str) -> None:
    model = artifact.open(net / file)
    assert model.signature.names == ("x0", "x1", "x2")
    assert model.signature.task is Task.REGRESSION
    np.testing.assert_allclose(model.predict(COLUMNS).values[0], expected(), rtol=1e-5)
    assert model.facts.framework == "torch"
    assert {each.partition("=")[0] for each in model.facts.requirements} == {"torch", "numpy"}
    assert "+" not in "".join(model.facts.requirements)


def test_several_inputs_and_outputs_have_the_names_that_the_program_gives_them(tmp_path: Path) -> None:
    import torch

    class Two(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.last = torch.nn.Embedding(50, 8), torch.nn.Linear(10, 4)

        def forward(self, tokens: Any, extra: Any) -> Any:
            joined = torch.cat([self.words(tokens).mean(1), extra], 1)
            return {"logits": self.last(joined), "total": tokens.sum(1)}

    free = torch.export.Dim.DYNAMIC
    kinds = [torch.int64, torch.float32]
    path = exported(tmp_path / "two.pt2", Two(), (2, 7), (2, 2), dynamic=({0: free, 1: free}, {0: free}), dtypes=kinds)
    model = artifact.open(path)
    assert [(each.name, each.type, each.shape) for each in model.signature.inputs] == [
        ("tokens", FieldType.INTEGER, (-1,)),
        ("extra_0", FieldType.NUMBER, ()),
        ("extra_1", FieldType.NUMBER, ()),
    ]
    assert [each.name for each in model.signature.outputs] == ["logits", "total"]
    answer = model.predict({"tokens": np.ones((2, 5), int), "extra_0": np.zeros(2), "extra_1": np.ones(2)})
    assert answer.values[0].shape == (2, 4)
    assert answer.values[1].tolist() == [5, 5]


def test_pictures_are_taken_in_any_size_and_large_requests_in_parts(tmp_path: Path) -> None:
    import torch

    body = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    model = artifact.open(scripted(tmp_path / "pictures.pt", body))
    assert [(each.shape, each.usual) for each in model.signature.inputs] == [((3, -1, -1), (3, 32, 32))]
    assert [each.name for each in model.signature.outputs] == ["y0", "y1", "y2", "y3"]
    name = model.signature.names[0]
    few = model.predict({name: np.ones((2, 3, 40, 50))}).values[0]
    model.batch = 2  # type: ignore[attr-defined]
    np.testing.assert_allclose(model.predict({name: np.ones((5, 3, 40, 50))}).values[0][3:], few)


def test_a_net_whose_rows_are_steps_needs_a_sample(tmp_path: Path) -> None:
    import torch

    class Series(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps, self.last = torch.nn.LSTM(4, 8, batch_first=True), torch.nn.Linear(8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.steps(x)[0][:, -1])

    path = scripted(tmp_path / "series.pt", Series())
    with pytest.raises(NotRecognised, match="--sample FILE"):
        artifact.open(path)
    model = artifact.open(path, like=np.zeros((6, 5, 4), np.float32))
    assert [each.shape for each in model.signature.inputs] == [(5, 4)]


def test_rows_that_depend_on_each_other_are_refused(tmp_path: Path) -> None:
    import torch

    class Centred(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.nn.Linear(3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(x - x.mean(0))

    with pytest.raises(NotRecognised, match="when others are beside it"):
        artifact.open(scripted(tmp_path / "centred.pt", Centred()))


def test_a_program_of_a_fixed_number_of_rows(tmp_path: Path) -> None:
    assert artifact.open(exported(tmp_path / "one.pt2", layers(), (1, 3), dynamic=())).predict(COLUMNS).rows == 5
    with pytest.raises(NotRecognised, match=r"takes 4 rows.*dynamic_shapes"):
        artifact.open(exported(tmp_path / "four.pt2", layers(), (4, 3), dynamic=()))


def test_weights_alone_say_what_to_give(net: Path) -> None:
    for name in ("state.pt", "checkpoint.pt", "weights.safetensors"):
        with pytest.raises(NotRecognised, match=r"net\.py:Net --weights"):
            artifact.open(net / name)


def made(target: str | Path, into: Path, **settings: Any) -> Bundle:
    found = make.make(Target.of(target), dataclasses.replace(Settings(), **settings), into)
    assert isinstance(found, Bundle)
    return found


@pytest.mark.parametrize("weights", ["checkpoint.pt", "weights.safetensors"])
def test_a_class_with_its_weights_is_a_program_that_needs_the_class_no_more(
    net: Path, tmp_path: Path, weights: str
) -> None:
    (tmp_path / "rows.csv").write_text("age,income,visits,y\n1,2.5,3,0\n4,5.5,6,1\n7,8.5,9,0\n")
    sample = {"sample": tmp_path / "rows.csv", "target_column": "y"}
    bundle = made(f"{net / 'net.py'}:Net", tmp_path / "b", weights=net / weights, compile=False, **sample)
    assert bundle.manifest.name == "net"
    assert bundle.manifest.model == "model.pt2"
    assert bundle.manifest.source.file == weights
    model = bundle.load()
    assert model.signature.names == ("age", "income", "visits")
    columns = dict(zip(model.signature.names, COLUMNS.values(), strict=True))
    np.testing.assert_allclose(model.predict(columns).values[0], expected(), rtol=1e-5)


@pytest.mark.parametrize(
    ("target", "weights", "error", "says"),
    [
        ("net.py:number", "state.pt", TargetError, "no class 'number'"),
        ("net.py:Nett", "state.pt", TargetError, "no class 'Nett'"),
        ("net.py", "state.pt", UsageError, "net.py:Net --weights"),
        ("net.py:Net", "net.pt", UsageError, "is TorchScript; --weights takes"),
        ("net.py:Net", "nothing.pt", UsageError, "No weights at"),
        ("net.py:Net", "whole.pt", UnsafePickle, "--trust"),
    ],
)
def test_what_is_no_class_or_no_weights_says_so(
    net: Path, tmp_path: Path, target: str, weights: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        made(f"{net / target}", tmp_path / "b", weights=net / weights)


def test_a_pickled_module_is_loaded_only_with_trust(net: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsafePickle, match=r"pickled module.*--trust"):
        artifact.open(net / "whole.pt")
    bundle = made(net / "whole.pt", tmp_path / "b", trust=True, compile=False)
    assert bundle.manifest.model == "model.pt2"
    assert not bundle.manifest.trusted or bundle.load(trust=True)


def test_scripts_become_a_graph_that_needs_no_torch(net: Path, tmp_path: Path) -> None:
    bundle = made(net / "net.pt", tmp_path / "b")
    assert bundle.manifest.compilation.compiled, bundle.manifest.compilation.reason
    assert not any(each.startswith("torch") for each in bundle.manifest.requirements)
    np.testing.assert_allclose(bundle.load().predict(COLUMNS).values[0], expected(), rtol=1e-4)


class Words:
    """A scripted net that looks its words up."""

    @staticmethod
    def saved(path: Path) -> Path:
        import torch

        class Mean(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.words, self.last = torch.nn.Embedding(9, 4), torch.nn.Linear(4, 1)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.last(self.words(x).mean(1))

        return scripted(path, Mean())


def test_shapes_are_said_where_nothing_tells_them(tmp_path: Path) -> None:
    path = Words.saved(tmp_path / "words.pt")
    with pytest.raises(NotRecognised, match=r"--shape x=SIZES.*--sample FILE"):
        artifact.open(path)
    for wrong in ("y=5:int64", "x=5:text", "x=0"):
        with pytest.raises(UsageError, match=r"Write --shape x=3,224,224"):
            artifact.open(path, shapes=[wrong])
    bundle = made(path, tmp_path / "b", shape=("any:int64",), compile=False)
    field = bundle.load().signature.inputs[0]
    assert (field.type, field.shape, field.usual) == (FieldType.INTEGER, (-1,), (32,))


def test_a_place_that_a_table_of_words_lacks_never_reaches_the_net(tmp_path: Path) -> None:
    field = artifact.open(Words.saved(tmp_path / "words.pt"), shapes=["x=3:int64"]).signature.inputs[0]
    assert Rule(field).of_json([0, 8, 3]) == [0, 8, 3]
    with pytest.raises(ValueError, match="9 is out of reach for 'x': it takes from 0 to 8"):
        Rule(field).of_json([0, 9, 3])


def test_places_are_limited_of_each_of_several_inputs_and_no_mask_is(tmp_path: Path) -> None:
    import torch

    class Masked(torch.nn.Module):  # type: ignore[misc]  # of torch, whose types are not read
        def __init__(self) -> None:
            super().__init__()
            self.words, self.kinds, self.last = (
                torch.nn.Embedding(9, 4),
                torch.nn.Embedding(2, 4),
                torch.nn.Linear(4, 1),
            )

        def forward(self, words: Any, kinds: Any, mask: Any) -> Any:
            return self.last(((self.words(words) + self.kinds(kinds)) * mask[..., None].float()).sum(1))

    zeros = tuple(torch.zeros(2, 5, dtype=torch.int64) for _ in range(3))
    free = tuple({0: torch.export.Dim.DYNAMIC} for _ in zeros)
    torch.export.save(torch.export.export(Masked().eval(), zeros, dynamic_shapes=free), tmp_path / "masked.pt2")
    found = artifact.open(tmp_path / "masked.pt2").signature.inputs
    assert [(each.name, each.limits.ge, each.limits.le) for each in found] == [
        ("words", 0, 8),
        ("kinds", 0, 1),
        ("mask", None, None),
    ]


def test_several_inputs_of_a_class_have_a_shape_each(net: Path, tmp_path: Path) -> None:

    (tmp_path / "two.py").write_text(
        NET + "\nclass Two(Net):\n    def forward(self, x, z):\n        return self.layers(x) + z"
    )
    target, weights = f"{tmp_path / 'two.py'}:Two", net / "state.pt"
    with pytest.raises(NotRecognised, match=r"--shape x=SIZES --shape z=SIZES"):
        made(target, tmp_path / "b", weights=weights)
    with pytest.raises(UsageError, match=r"say --shape z=SIZES too"):
        made(target, tmp_path / "b", weights=weights, shape=("x=3",))
    bundle = made(target, tmp_path / "b", weights=weights, shape=("x=3", "z=1"), compile=False)
    assert bundle.manifest.signature.names == ("x_0", "x_1", "x_2", "z")
    assert bundle.manifest.facts.kind == "Two"


def test_a_traced_net_of_pictures_takes_the_size_that_it_was_traced_with(tmp_path: Path) -> None:
    import torch

    body = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten(), torch.nn.Linear(2 * 30 * 30, 2)).eval()
    torch.jit.save(torch.jit.trace(body, torch.zeros(1, 3, 32, 32)), tmp_path / "traced.pt")
    assert artifact.open(tmp_path / "traced.pt").signature.inputs[0].shape == (3, 32, 32)


def test_answers_of_a_script_have_the_names_that_it_gives_them(tmp_path: Path) -> None:
    import torch

    class Parts(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            found = self.last(x)
            return {"mean": found, "total": found.sum(1)}

    class Pair(Parts):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            found = self.last(x)
            return found, found.sum(1)

    for kind, names in ((Parts, ["mean", "total"]), (Pair, ["y0", "y1"])):
        model = artifact.open(scripted(tmp_path / "parts.pt", kind()))
        assert [each.name for each in model.signature.outputs] == names
        assert [each.shape for each in model.signature.outputs] == [(2,), ()]


# Where it is computed


def test_a_card_is_used_only_where_it_computes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    from flaskship.artifact.torch import program

    assert program.device() == ("cuda" if torch.cuda.is_available() else "cpu")
    made = torch.zeros
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", lambda *size, device: made(*size))
    assert program.device() == "cuda"

    def refuses(*size: int, device: str) -> Any:
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")

    monkeypatch.setattr(torch, "zeros", refuses)
    assert program.device() == "cpu"
    assert "The GPU cannot be used, the CPU is: CUDA error: no kernel image" in caplog.text


def test_what_a_program_makes_itself_goes_where_it_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from flaskship.artifact.torch import program

    class Placed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.nn.Linear(3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(x + torch.arange(3, device=x.device))

    path = exported(tmp_path / "placed.pt2", Placed(), (2, 3))
    monkeypatch.setattr(program, "DEVICE", "meta")  # which stands for a card
    [(_, answer)] = program.exported(path)([torch.zeros(2, 3, device="meta")])
    assert answer.device.type == "meta"


def pictures(folder: Path) -> Path:
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    return exported(folder / "pictures.pt2", torch.nn.Sequential(*layers, torch.nn.Linear(8, 5)), (2, 3, 32, 32))


def test_ways_of_computing_answer_alike_each_within_its_tolerance(tmp_path: Path) -> None:
    path = pictures(tmp_path)
    plain, last = artifact.open(path), artifact.open(path, ways=["channels last"])
    columns = {plain.signature.names[0]: np.random.default_rng(0).normal(size=(4, 3, 32, 32))}
    wanted = [each.tolist() for each in plain.predict(columns).values]
    np.testing.assert_allclose([each.tolist() for each in last.predict(columns).values], wanted, rtol=1e-4, atol=1e-6)
    rough = artifact.open(path, ways=["bfloat16", "channels last"])  # or not, where this CPU has no such numbers
    np.testing.assert_allclose([each.tolist() for each in rough.predict(columns).values], wanted, atol=2e-2)


@pytest.mark.parametrize("seconds", [{(): 1.0, ("channels last",): 0.5}, {(): 1.0, ("channels last",): 0.95}])
def test_a_way_of_computing_is_taken_where_it_pays_and_kept_in_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: dict[tuple[str, ...], float]
) -> None:
    from flaskship.compiler import Refusal, net

    monkeypatch.setattr(net, "has_bfloat16", lambda: False)
    monkeypatch.setattr(net, "_times", lambda model, rows: [seconds[model.program.ways]] * 2)
    monkeypatch.setattr("flaskship.compiler.compile", lambda model, rows: Refusal(reason="the original is faster"))
    bundle = made(pictures(tmp_path), tmp_path / "b")
    pays = seconds["channels last",] < 0.9
    assert bundle.manifest.compilation.ways == (("channels last",) if pays else ())
    assert bundle.load().native.program.ways == bundle.manifest.compilation.ways
    [table] = about.tables(bundle)
    assert list(table.columns[1].cells) == ["number [3, 32, 32]"]
    shown = dict(about.pairs(bundle))["Compiled"]
    assert shown.startswith("no: the original is faster")
    assert ("Computed in channels last: 64 rows tried" in shown) is pays


def test_numbers_of_16_bits_are_for_a_cpu_that_has_them(tmp_path: Path) -> None:
    from flaskship.artifact.torch.program import has_bfloat16

    (tmp_path / "new").write_text("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 avx512_vnni\n")
    (tmp_path / "old").write_text("processor\t: 0\nflags\t\t: fpu avx2\n")
    assert has_bfloat16(tmp_path / "new")
    assert not has_bfloat16(tmp_path / "old") and not has_bfloat16(tmp_path / "none")


# Weights as training loops leave them


def weights_of(net: Path) -> dict[str, Any]:
    import torch

    found: dict[str, Any] = torch.load(net / "state.pt", weights_only=True)
    return found


@pytest.mark.parametrize("wrapped", ["module.", "_orig_mod.module.", "model."])
def test_weights_of_a_wrapped_net_are_taken(net: Path, tmp_path: Path, wrapped: str) -> None:
    import torch

    beside = {"epoch": np.float64(3), "args": argparse.Namespace(rate=0.1)}
    state = {f"{wrapped}{name}": value for name, value in weights_of(net).items()}
    torch.save({"state_dict": state, **beside}, tmp_path / "last.ckpt")
    bundle = made(f"{net / 'net.py'}:Net", tmp_path / "b", weights=tmp_path / "last.ckpt", compile=False)
    np.testing.assert_allclose(bundle.load().predict(COLUMNS).values[0], expected(), rtol=1e-5)


def test_weights_that_are_missing_or_too_many_are_named(net: Path, tmp_path: Path) -> None:
    import torch

    state = weights_of(net)
    state["other"] = state.pop("layers.0.bias")
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(UsageError, match=r"it lacks 'layers.0.bias', and nothing takes 'other'"):
        made(f"{net / 'net.py'}:Net", tmp_path / "b", weights=tmp_path / "state.pt")


def test_tensors_that_are_one_in_the_net_may_be_one_in_the_file(net: Path, tmp_path: Path) -> None:
    import torch

    tied = "\nclass Tied(Net):\n    def __init__(self):\n        super().__init__()\n        self.same = self.layers\n"
    (tmp_path / "tied.py").write_text(NET + tied)
    bundle = made(f"{tmp_path / 'tied.py'}:Tied", tmp_path / "b", weights=net / "state.pt", compile=False)
    np.testing.assert_allclose(bundle.load().predict(COLUMNS).values[0], expected(), rtol=1e-5)
    torch.save({}, tmp_path / "empty.pt")
    with pytest.raises(UsageError, match=r"it lacks 'layers.0.weight'"):
        made(f"{tmp_path / 'tied.py'}:Tied", tmp_path / "b", weights=tmp_path / "empty.pt")


def test_a_checkpoint_with_more_than_tensors_says_what(net: Path, tmp_path: Path) -> None:
    import torch

    torch.save({"state_dict": weights_of(net), "path": Runs()}, tmp_path / "odd.pt")
    with pytest.raises(UnsafePickle, match=r"more than tensors \(print\).*--trust"):
        made(f"{net / 'net.py'}:Net", tmp_path / "b", weights=tmp_path / "odd.pt")


def test_a_class_that_takes_arguments_needs_a_function_beside_it(net: Path, tmp_path: Path) -> None:
    (tmp_path / "sized.py").write_text(NET.replace("__init__(self)", "__init__(self, width)"))
    with pytest.raises(TargetError, match=r"takes arguments \(width\).*def net\(\): return Net\(…\)"):
        made(f"{tmp_path / 'sized.py'}:Net", tmp_path / "b", weights=net / "state.pt")


# What could run code


def rewritten(path: Path, into: Path, **changes: bytes) -> Path:
    """The archive with members changed, by the ends of their names, or added."""
    left = dict(changes)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(into, "w") as new:
        for name in old.namelist():
            end = next((each for each in changes if name.endswith(each.replace("__", "/"))), None)
            new.writestr(name, old.read(name) if end is None else left.pop(end))
        for name, content in left.items():
            new.writestr(f"{old.namelist()[0].partition('/')[0]}/{name.replace('__', '/')}", content)
    return into


class Runs:
    def __reduce__(self) -> Any:
        return print, ("ran",)


def graph(path: Path, old: str, new: str) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        name = next(each for each in archive.namelist() if each.endswith("models/model.json"))
        text = archive.read(name).decode()
    assert old in text
    return {"models__model.json": text.replace(old, new).encode()}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("torch.ops.aten.relu.default", "torch.os.system", "torch.os.system"),
        ("torch.ops.aten.relu.default", "_operator.methodcaller", "methodcaller"),
        ("torch.ops.aten.relu.default", "torch.ops.aten.from_file.default", "from_file"),
        ("Symbol('", "__import__('os').system('echo') or Symbol('", "__import__"),
        ("Symbol('", "print('ran') or Symbol('", "print"),
    ],
)
def test_a_graph_that_calls_more_than_operators_is_not_loaded(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str
) -> None:
    path = rewritten(net / "net.pt2", tmp_path / "odd.pt2", **graph(net / "net.pt2", old, new))
    with pytest.raises(UnsafePickle, match=says):
        artifact.open(path)
    assert "ran" not in capsys.readouterr().out


def test_an_archive_with_pickles_of_more_than_tensors_is_not_loaded(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    file = io.BytesIO()
    torch.save(Runs(), file)
    for name in ("data__sample_inputs__model.pt", "data__weights__other.pt"):
        with pytest.raises(UnsafePickle, match="holds the pickle"):
            artifact.open(rewritten(net / "net.pt2", tmp_path / "odd.pt2", **{name: file.getvalue()}))
    with pytest.raises(UnsafePickle, match="opaque"):
        artifact.open(rewritten(net / "net.pt2", tmp_path / "odd.pt2", data__constants__opaque_obj_0=b"x"))
    assert "ran" not in capsys.readouterr().out


def test_a_script_that_writes_files_is_not_loaded(net: Path, tmp_path: Path) -> None:
    code = b"def forward(self, x: Tensor) -> Tensor:\n  torch.save(x, '/tmp/x')\n  return x\n"
    with pytest.raises(UnsafePickle, match=r"torch\.save"):
        artifact.open(rewritten(net / "net.pt", tmp_path / "odd.pt", **{"code____torch__.py": code}))


def test_without_torch_its_extra_is_named(monkeypatch: pytest.MonkeyPatch, net: Path) -> None:
    error = ModuleNotFoundError("No module named 'torch'", name="torch")
    assert isinstance(artifact.missing(error, "net.pt"), MissingExtra)
    assert "flaskship[torch]" in artifact.missing(error, "net.pt").detail
