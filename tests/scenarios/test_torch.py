"""A class of torch and its weights: served at every door, packed without torch, and asked in a container."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from containers import DEADLINE, docker, run, server

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
