"""The app answers as it should, asked by Flask's test client. Its model is trained where there is none yet."""

from pathlib import Path

import pytest
from train import main


@pytest.fixture(scope="session")
def client():
    if not Path("model.joblib").exists():
        main()
    from app import app  # loads the model

    return app.test_client()


def test_a_small_petal_is_a_setosa(client):
    assert client.post("/species", json={"petal_length": 1.4, "petal_width": 0.2}).json == {"species": "setosa"}


def test_the_page_answers_too(client):
    assert "Iris virginica" in client.get("/?petal_length=6&petal_width=2.2").text


def test_a_missing_number_is_refused(client):
    assert client.post("/species", json={"petal_length": 1.4}).status_code == 400
