"""Archives of torch that try to get past what looks at them before torch does."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flaskship import artifact
from flaskship.errors import NotRecognised, UnsafePickle

pytestmark = [
    pytest.mark.needs("torch"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of TorchScript, as a whole
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
Members = dict[str, bytes]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    path = tmp_path_factory.mktemp("script") / "net.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(3, 1).eval()), path)
    return path


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    path = tmp_path_factory.mktemp("program") / "net.pt2"
    net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1)).eval()
    free = ({0: torch.export.Dim.DYNAMIC},)
    torch.export.save(torch.export.export(net, (torch.zeros(2, 3),), dynamic_shapes=free), path)
    return path


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, content: Members, packed: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, each in content.items():
            archive.writestr(name, each)
    return path


def saving(content: Members, line: bytes, rename: Callable[[str], str] = str) -> Members:
    """The archive of a script with a line in its forward()."""
    own = next(name for name, each in content.items() if name.endswith(".py") and b"def forward" in each)
    added = content[own].replace(b"    return ", b"    " + line + b"\n    return ", 1)
    assert added != content[own]
    return {(rename(name) if name == own else name): added if name == own else content[name] for name in content}


@pytest.mark.parametrize(
    ("line", "rename"),
    [
        (b"torch . save(input, 'x')", str),
        (b"t = torch; t.save(input, 'x')", str),
        (b"ops.aten .save(input, 'x')", str),
        (b"torch.save(input, 'x')", lambda name: name.replace("/code/", "/CODE/")),
        (b"torch.save(input, 'x')", lambda name: name.replace(".py", ".PY")),
    ],
)
def test_a_script_that_writes_files_is_refused_however_it_is_spelled(
    script: Path, tmp_path: Path, line: bytes, rename: Callable[[str], str]
) -> None:
    decoy = {f"{next(iter(members(script))).partition('/')[0]}/code/decoy.py": b""}
    with pytest.raises(UnsafePickle, match="save"):
        artifact.open(written(tmp_path / "odd.pt", saving(members(script), line, rename) | decoy))


def changed(program: Path, into: Path, change: Callable[[Any], None], name: str = "") -> Path:
    """With `change` applied to its graph, in which "linear" has another name."""
    content = members(program)
    own = next(each for each in content if each.endswith("models/model.json"))
    graph = json.loads(content[own].decode().replace('"linear"', json.dumps(name or "linear")))
    change(graph)
    return written(into, content | {own: json.dumps(graph).encode()})


@pytest.mark.parametrize("name", ["metadata", "target", "as_operator"])
def test_values_of_a_graph_are_looked_at_whatever_they_are_called(program: Path, tmp_path: Path, name: str) -> None:
    def change(graph: Any) -> None:
        values = graph["graph_module"]["graph"]["tensor_values"]
        values[name]["sizes"][0] = {"as_expr": {"expr_str": "print('ran')", "hint": None}}

    with pytest.raises(UnsafePickle, match="shape"):
        artifact.open(changed(program, tmp_path / "odd.pt2", change, name))


@pytest.mark.parametrize("key", ["__enum__", "\\u005f_enum__"])
def test_a_graph_that_has_a_module_imported_is_refused(program: Path, tmp_path: Path, key: str) -> None:
    def change(graph: Any) -> None:
        context = f'{{"{key}": true, "fqn": "antigravity:x", "name": "y"}}'
        spec = {"type": "builtins.tuple", "context": context, "children_spec": []}
        graph["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = json.dumps([1, spec])

    with pytest.raises(UnsafePickle, match="enumeration"):
        artifact.open(changed(program, tmp_path / "odd.pt2", change))


@pytest.mark.parametrize(
    "shape",
    [
        f"{'a' * 60}!",
        "9**9**9**9",
        "1 << 10000000000",
        "Pow(Integer(9), Pow(Integer(9), Pow(Integer(9), Integer(9))))",
        "Pow(Pow(Pow(Integer(9), Integer(999)), Integer(999)), Integer(999))",
        "LShift(Integer(1), 10000000000)",
    ],
)
def test_a_shape_that_takes_for_ever_is_refused_at_once(program: Path, tmp_path: Path, shape: str) -> None:
    def change(graph: Any) -> None:
        graph["graph_module"]["graph"]["sym_int_values"]["x"] = {"as_expr": {"expr_str": shape, "hint": None}}

    with pytest.raises(UnsafePickle, match="shape"):
        artifact.open(changed(program, tmp_path / "odd.pt2", change))


def directory(content: Members, start: int, shift: int = 0, size: int = 0) -> tuple[bytes, bytes]:
    """Members one after the other, and their directory, made `size` bytes long by a comment."""
    body, entries = b"", b""
    for at, (name, each) in enumerate(content.items(), 1):
        sums = struct.pack("<III", zlib.crc32(each), len(each), len(each))
        place, known = start + len(body) - shift, name.encode()
        body += b"PK\3\4" + struct.pack("<HHHHH", 20, 0, 0, 0, 0) + sums
        body += struct.pack("<HH", len(known), 0) + known + each
        missing = size - len(entries) - 46 - len(known) if at == len(content) and size else 0
        entries += b"PK\1\2" + struct.pack("<HHHHHH", 20, 20, 0, 0, 0, 0) + sums
        entries += struct.pack("<HHHHHII", len(known), 0, missing, 0, 0, 0, place) + known + b"x" * missing
    return body, entries


def test_an_archive_that_two_readers_see_differently_is_refused(script: Path, tmp_path: Path) -> None:
    """Python takes the directory right before the end for the last, torch that to which the end points."""
    good, evil = members(script), saving(members(script), b"torch.save(input, 'x')")
    size = len(directory(good, 0)[1])
    first, seen = directory(evil, 0, size=size)
    assert len(first) > size
    second, shown = directory(good, len(first), shift=size)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(evil), len(evil), size, len(first) + len(second), 0)
    path = tmp_path / "odd.pt"
    path.write_bytes(first + second + seen + shown + end)
    assert members(path) == good
    with pytest.raises(UnsafePickle, match="two archives"):
        artifact.open(path)


def test_what_unpacks_to_gigabytes_is_refused(script: Path, tmp_path: Path) -> None:
    large = {**members(script), "net/code/large.py": b" " * (1 << 27)}
    with pytest.raises(UnsafePickle, match=r"unpacks to 0\.1 GB"):
        artifact.open(written(tmp_path / "odd.pt", large, zipfile.ZIP_DEFLATED))


def test_weights_without_their_bytes_are_not_taken_for_zeros(program: Path, tmp_path: Path) -> None:
    empty = next(name for name in members(program) if name.endswith("weight_0"))
    with pytest.raises(NotRecognised, match="is empty"):
        artifact.open(written(tmp_path / "odd.pt2", members(program) | {empty: b""}))


@pytest.mark.parametrize(
    ("end", "content"),
    [
        ("models/model.json", b"{"),
        ("models/model.json", b"\xff\xfe"),
        ("models/model.json", b"[" * 100_000),
        ("model_weights_config.json", b"{}"),
        ("model_weights_config.json", b"[]"),
    ],
)
def test_a_damaged_program_is_a_sentence(program: Path, tmp_path: Path, end: str, content: bytes) -> None:
    own = {name: content for name in members(program) if name.endswith(end)}
    with pytest.raises(NotRecognised, match="damaged"):
        artifact.open(written(tmp_path / "odd.pt2", members(program) | own))
