"""The segmentation example as an image: packed, pushed, pulled under another name, asked offline, and behind nginx.

Its network has learned nothing here: what comes out is the same all along the way, and that is looked at.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from containers import DEADLINE, docker, run, wait_until
from PIL import Image

from flaskship import ship
from flaskship.image.ref import Ref
from flaskship.image.spec import Blob

pytestmark = pytest.mark.needs("torch")
EXAMPLE = Path(__file__).parents[2] / "examples" / "segmentation"
NAME = f"t{os.getpid()}-deep"  # an engine that others use too
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}  # several would wait for each other where others work too
WEIGHTS = "bundle/code/shapes.pt"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, with weights that nobody trained."""
    place = tmp_path_factory.mktemp("deep") / "shapes"
    place.mkdir()
    for each in [*EXAMPLE.glob("*.py"), EXAMPLE / "requirements.txt"]:
        shutil.copy(each, place)
    code = "import torch, net; torch.manual_seed(0); net.save(net.Net(), 'shapes.pt')"
    subprocess.run([sys.executable, "-c", code], cwd=place, env=ENVIRONMENT, check=True)
    return place


@pytest.fixture(scope="module")
def built(folder: Path, cache: Path, debian: Path) -> str:
    """The reference with its digest, in the cache that all scenarios share."""
    made = run(folder, "build", "app.py", "-t", f"{NAME}/built:1", "--base", str(debian), env=ENVIRONMENT)
    return made.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def pulled(built: str, folder: Path, registry: str, engine: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its name in the engine, as on a machine that knows nothing of the one that built it."""
    away = f"{registry}/{NAME}/shapes:2"
    assert run(folder, "push", built, "--as", away).stdout.strip() == f"{away}@{built.partition('@')[2]}"
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    env = {"FLASKSHIP_CACHE": str(elsewhere)}
    name = f"{NAME}/here:3"
    told = run(folder, "pull", away, "--tag", name, "--load", env=env).stdout.strip()
    assert told == f"{name}@{built.partition('@')[2]}"
    shutil.rmtree(elsewhere)
    return name


@pytest.fixture(scope="module")
def picture() -> bytes:
    """A PNG of 10 MB: noise, which cannot be smaller."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (1830, 1830, 3), np.uint8)).save(file, "PNG")
    assert file.tell() > 10_000_000
    return file.getvalue()


def ask(url: str, picture: bytes) -> Any:
    answer = requests.post(f"{url}/segmentapi", files={"image": picture}, data={"min_score": "0"}, timeout=DEADLINE)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=DEADLINE).status_code == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def answer(pulled: str, picture: bytes) -> Iterator[Any]:
    """Of a container that reaches nobody, writes nowhere and has no /tmp; it ends well."""
    network, name = f"{NAME}-alone", f"{NAME}-one"
    docker("network", "create", "--internal", network)
    try:
        hardened = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        docker("run", "--detach", "--name", name, "--network", network, *hardened, pulled)
        address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
        wait_until(lambda: ready(f"http://{address}:8000"), "the container is ready")
        yield ask(f"http://{address}:8000", picture)
        docker("stop", "--time", str(DEADLINE), name)
        assert docker("inspect", "-f", "{{.State.ExitCode}}", name) == "0"  # neither waited nor was killed
    finally:
        docker("rm", "--force", name, check=False)
        docker("network", "rm", network, check=False)


def names(layer: Blob) -> list[str]:
    with layer.open() as file, tarfile.open(fileobj=file) as members:
        return [each.name for each in members if not each.isdir()]


def test_torch_is_the_build_for_cpus_and_the_weights_have_a_layer_of_their_own(built: str) -> None:
    image = ship.store().get(Ref.parse(built))
    titles = [each["comment"] for each in image.settings()["history"]]
    layers = dict(zip(titles, image.layers, strict=True))
    (torch,) = [each for each in titles if each.startswith("torch ")]
    assert torch.endswith("+cpu")
    assert not [each for each in titles if "nvidia" in each or "cuda" in each]
    assert titles[-3:] == ["weights", "code", "manifest"]
    assert names(layers["weights"]) == [WEIGHTS]
    assert {"bundle/code/app.py", "bundle/code/net.py"} <= {*names(layers["code"])}
    assert WEIGHTS not in names(layers["code"])
    assert image.settings()["config"]["User"] == "65532:65532"
    assert layers[torch].size > 10 * sum(layers[each].size for each in titles[-3:])


def test_another_training_makes_the_weights_anew_and_no_other_layer(built: str, folder: Path, debian: Path) -> None:
    with (folder / "shapes.pt").open("ab") as file:
        file.write(bytes(1))  # which torch passes over
    run(folder, "build", "app.py", "-t", f"{NAME}/built:2", "--base", str(debian), env=ENVIRONMENT)
    first, second = (ship.store().get(Ref.parse(each)) for each in (built, f"{NAME}/built:2"))
    same = [one.digest == other.digest for one, other in zip(first.layers, second.layers, strict=True)]
    assert same == [*[True] * (len(same) - 3), False, True, False]  # the manifest has the weights' digest


def test_pulled_under_another_name_it_answers_10_megabytes_offline(answer: Any) -> None:
    assert answer["mask_shape"][1:] == [1830, 1830]
    assert len(answer["boxes"]) == len(answer["scores"]) == len(answer["class_names"])


@pytest.mark.needs("docker-compose")
def test_two_replicas_behind_nginx_answer_pictures_of_10_megabytes_at_once(
    pulled: str, folder: Path, picture: bytes, answer: Any
) -> None:
    try:
        url = run(folder, "up", pulled, "--replicas", "2", "--port", "0", "--name", NAME).stdout.strip()
        with ThreadPoolExecutor(8) as callers:
            found = list(callers.map(lambda _: ask(url, picture), range(16)))
        assert all(json.dumps(each) == json.dumps(answer) for each in found)
        large = requests.post(f"{url}/segmentapi", files={"image": bytes(65_000_000)}, timeout=DEADLINE)
        assert (large.status_code, large.json()["title"]) == (413, "Body too large")
    finally:
        run(folder, "down", NAME, check=False)
        docker("rmi", "--force", pulled, check=False)
