"""A class of torch and its weights: served at every door, packed without torch, and asked in a container."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from containers import DEADLINE, docker, run, server, wait_until

from flaskship.serve import cpu

pytestmark = pytest.mark.needs("torch", "onnxscript")
NAME = f"t{os.getpid()}-net"  # an engine that others use too
IMAGE = f"{NAME}:1"
NET = """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.last = torch.nn.Linear(3, 1)

    def forward(self, x):
        return torch.relu(self.last(x))
"""
ROWS = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [-1.0, 0.5, 0.0]]
NAMES = ["age", "income", "visits"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    place = tmp_path_factory.mktemp("net")
    (place / "net.py").write_text(NET)
    weights = {"last.weight": torch.tensor([[1.0, 2.0, 0.5]]), "last.bias": torch.tensor([0.25])}
    torch.save(weights, place / "weights.pt")
    lines = [",".join(NAMES), *(",".join(map(str, row)) for row in ROWS)]
    (place / "rows.csv").write_text("\n".join(lines) + "\n")
    return place


def expected() -> list[float]:
    return np.maximum(np.array(ROWS) @ np.array([1, 2, 0.5]) + 0.25, 0).tolist()


TARGET = ("net.py:Net", "--weights", "weights.pt", "--sample", "rows.csv")


@pytest.fixture(scope="module", params=["torch", "graph", "container"])
def url(request: pytest.FixtureRequest, folder: Path, cache: Path) -> Iterator[str]:
    """Where it answers: by torch itself, by the graph that it becomes, and that in a container."""
    if request.param != "container":
        more = ["--no-compile"] if request.param == "torch" else []
        with server(folder, *TARGET, *more) as address:
            yield address
        return
    for name in ("engine", "debian"):
        request.getfixturevalue(name)
    run(folder, "build", *TARGET, "-t", IMAGE, "--base", str(request.getfixturevalue("debian")))
    try:
        yield run(folder, "run", IMAGE, "--name", NAME, "-p", "0").stdout.strip()
    finally:
        docker("rm", "--force", "--volumes", NAME, check=False)
        docker("rmi", "--force", IMAGE, check=False)


def test_every_door_answers_as_the_net_does(url: str, folder: Path) -> None:
    row = dict(zip(NAMES, ROWS[0], strict=True))
    assert requests.get(f"{url}/predict", params=row, timeout=DEADLINE).json() == {"prediction": expected()[0]}
    many = requests.post(f"{url}/predict", json=ROWS, timeout=DEADLINE).json()["predictions"]
    assert [each["prediction"] for each in many] == expected()
    with (folder / "rows.csv").open("rb") as file:
        found = requests.post(f"{url}/predict_file", files={"file": file}, timeout=DEADLINE).json()
    assert found == {"rows": 3, "predictions": expected()}
    tensor = {"name": "x", "shape": [3, 3], "datatype": "FP32", "data": ROWS}
    told = requests.post(f"{url}/v2/models/net/infer", json={"inputs": [tensor]}, timeout=DEADLINE).json()
    assert told["outputs"][0]["data"] == expected()
    assert requests.post(f"{url}/predict", json={**row, "age": "x"}, timeout=DEADLINE).status_code == 422
    assert requests.get(f"{url}/", timeout=DEADLINE).status_code == 200


WIDE = """\
import torch

class Wide(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 600), torch.nn.ReLU(), torch.nn.Linear(600, 600))

    def forward(self, x):
        return self.layers(x).sum(1, keepdim=True)
"""


@pytest.fixture
def wide(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with a class, and its weights in another one."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "net.py").write_text(WIDE)
    saved(tmp_path / "weights.pt", 0.5)
    return tmp_path / "code", tmp_path / "weights.pt"


def saved(path: Path, value: float) -> None:
    """Weights that are all `value`."""
    import torch

    sizes = {"0.weight": (600, 3), "0.bias": (600,), "2.weight": (600, 600), "2.bias": (600,)}
    state = {f"layers.{name}": torch.full(size, value) for name, size in sizes.items()}
    torch.save(state, path.with_suffix(".draft"))
    path.with_suffix(".draft").replace(path)


def test_two_workers_share_weights_and_cores_and_follow_the_file_of_weights(wide: tuple[Path, Path]) -> None:
    folder, weights = wide
    options = ("--weights", str(weights), "--no-compile", "--reload")
    command = [sys.executable, "-m", "flaskship", "serve", "net.py:Wide", *options, "--workers", "2", "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        url = next(line for line in process.stderr if line.startswith("Serving ")).split()[-1]
        workers = children(process.pid)
        assert len(workers) == 2
        assert "libtorch" not in Path(f"/proc/{process.pid}/maps").read_text()  # it is forked to make bundles
        for each in workers:
            assert not children(each)
            size, alone = mapped(each, "model.pt2")
            assert size > 1_000_000 and alone < size / 4, (size, alone)
            variables = Path(f"/proc/{each}/environ").read_text().split("\0")
            assert f"OMP_NUM_THREADS={max(1, int(cpu.available() / 2))}" in variables
        saved(weights, 0.25)
        right = 600 * (600 * 0.25 * (0.25 * 7) + 0.25)
        wait_until(lambda: np.isclose(answered(url), right), "the new weights answer")  # the old ones may for a moment
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE)


def children(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in threads for child in each.read_text().split()]


def mapped(pid: int, name: str) -> tuple[int, int]:
    """Bytes of a file that are mapped into memory, and those of them that no other process has."""
    blocks = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path(f"/proc/{pid}/smaps").read_text(), flags=re.MULTILINE)
    own = "".join(each for each in blocks if each.partition("\n")[0].endswith(name))
    sums = {key: sum(map(int, re.findall(rf"^{key}: +(\d+) kB", own, re.MULTILINE))) * 1024 for key in KEYS}
    return sums["Rss"], sums["Private_Clean"] + sums["Private_Dirty"]


KEYS = ("Rss", "Private_Clean", "Private_Dirty")


def answered(url: str) -> float:
    answer = requests.post(f"{url}/predict", json=[[1, 2, 3]], timeout=DEADLINE).json()
    return float(answer["predictions"][0]["prediction"])
