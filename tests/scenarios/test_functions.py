"""A module of functions and a class (tests/apps/studio): served, packed, run as a container, streamed through nginx."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from apps.models import copied
from containers import DEADLINE, docker, run, server, wait_until
from PIL import Image, ImageDraw

NAME = f"t{os.getpid()}-studio"  # an engine that others use too
IMAGE = f"{NAME}:1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied("studio", tmp_path_factory.mktemp("functions"))


@pytest.fixture(scope="module")
def packed(folder: Path, engine: str, cache: Path, debian: Path) -> Iterator[str]:
    """The module as an image, in the cache."""
    yield run(folder, "build", "studio.py", "-t", IMAGE, "--base", str(debian)).stdout.splitlines()[-1]
    docker("rmi", "--force", IMAGE, check=False)


@pytest.fixture(scope="module", params=["served", "container", "nginx"])
def url(request: pytest.FixtureRequest, folder: Path, cache: Path) -> Iterator[str]:
    """Where it answers: `flaskship serve`, `flaskship run`, `flaskship up`."""
    if request.param == "served":
        with server(folder, "studio.py") as address:
            yield address
        return
    request.getfixturevalue("packed")
    try:
        if request.param == "container":
            yield run(folder, "run", IMAGE, "--name", NAME, "-p", "0").stdout.strip()
        else:
            yield run(folder, "up", IMAGE, "--name", NAME, "--port", "0", "--replicas", "1").stdout.strip()
    finally:
        if request.param == "container":
            docker("rm", "--force", "--volumes", NAME)
        else:
            run(folder, "down", NAME)


def picture(brightness: int = 255) -> bytes:
    """A rectangle of 16 x 10 pixels at (5, 6) on black."""
    image = Image.new("L", (40, 30))
    ImageDraw.Draw(image).rectangle((5, 6, 20, 15), fill=brightness)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def post(url: str, **more: Any) -> Any:
    answer = requests.post(url, timeout=DEADLINE, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.needs("docker-compose")
def test_every_endpoint_answers_wherever_it_runs(url: str) -> None:
    light = {"boxes": [[5, 6, 21, 16]], "class_ids": [1], "class_names": ["light"], "scores": [1.0]}
    expected = {**light, "mask_shape": [1, 30, 40], "object_counts": {"light": 1}}
    for path in ("/segmentapi", "/segment/predict"):
        assert post(f"{url}{path}", files={"image": ("light.png", picture(), "image/png")}) == expected
    masks = post(f"{url}/segmentapi?masks=rle", files={"image": picture()})["masks"]
    assert sum(masks[0]["counts"][1::2]) == 160

    texts = [{"text": "one two three", "max_words": 2}, {"text": "four five", "max_words": 1}]
    assert post(f"{url}/summarise", json=texts) == {"predictions": [{"prediction": "one two"}, {"prediction": "four"}]}
    mood = requests.get(f"{url}/mood?text=yes!!&style=loud", timeout=DEADLINE).json()
    assert mood == {"prediction": "happy", "probabilities": {"happy": pytest.approx(0.8), "calm": pytest.approx(0.2)}}
    visit = {"visit": {"day": "2026-11-21", "rooms": [1, 2]}, "people": 3}
    assert post(f"{url}/price", json=visit) == {"prediction": {"total": 60.0, "currency": "EUR"}}


@pytest.mark.needs("docker-compose")
def test_what_is_wrong_is_said_with_its_place_wherever_it_runs(url: str) -> None:
    wrong = {"visit": {"day": "2026-11-31", "rooms": ["a"]}, "people": 30, "curency": "EUR"}
    answer = requests.post(f"{url}/price", json=wrong, timeout=DEADLINE)
    assert answer.status_code == 422
    places = {each["at"] for each in answer.json()["errors"]}
    assert {"$.people", "$.curency"} <= places
    assert any(each.startswith("$.visit") for each in places)
    dark = requests.post(f"{url}/segmentapi", files={"image": b"no picture"}, timeout=DEADLINE)
    assert dark.status_code == 422


@pytest.mark.needs("docker-compose")
def test_a_stream_comes_as_it_is_made_and_ends_when_its_client_leaves(url: str) -> None:
    kinds = {"text/event-stream": 'data: "0 "', "text/plain": "0 ", "application/x-ndjson": '"0 "'}
    for accept, first in kinds.items():
        with requests.get(
            f"{url}/count?to=100000&pause=0.05", headers={"Accept": accept}, stream=True, timeout=DEADLINE
        ) as it:
            assert it.headers["Content-Type"].startswith(accept)
            assert next(it.iter_content(None)).decode().startswith(first)
    stopped = f"{url}/stopped?besides=0"  # of one worker among several
    wait_until(lambda: requests.get(stopped, timeout=DEADLINE).json()["prediction"] > 0, "a generator is closed")
    whole = requests.get(f"{url}/count?to=3", headers={"Accept": "application/json"}, timeout=DEADLINE).json()
    assert whole == {"prediction": ["0 ", "1 ", "2 "]}
