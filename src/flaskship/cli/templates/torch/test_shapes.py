"""The network knows its shapes, called from Python and over HTTP. It is trained where it is not yet."""

import io
from pathlib import Path

import pytest

import flaskship

pytest.importorskip("torch", reason="needs PyTorch: pip install -r requirements.txt")

from shapes import Shapes
from train import drawn, main


@pytest.fixture(scope="session", autouse=True)
def trained():
    if not Path("net.pt").exists():
        main()


@pytest.mark.parametrize("shape", ["circle", "square", "triangle"])
def test_a_shape_is_told_from_the_others(shape):
    found = Shapes().shape([drawn(shape)] * 2)
    assert [max(each.probabilities, key=each.probabilities.get) for each in found] == [shape] * 2


def test_the_api_answers_a_picture():
    client = flaskship.create_app("shapes.py").test_client()
    file = io.BytesIO()
    drawn("circle").save(file, "PNG")
    file.seek(0)
    answer = client.post("/predict", data={"image": (file, "circle.png")})
    assert answer.json["prediction"] == "circle"
    assert set(answer.json["probabilities"]) == {"circle", "square", "triangle"}
