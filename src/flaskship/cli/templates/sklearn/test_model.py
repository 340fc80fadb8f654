"""The API answers as it should: the model is trained anew, and asked over HTTP as any client would."""

import pytest
from train import main

import flaskship


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    main(folder)
    app = flaskship.create_app(folder / "model.joblib", sample=folder / "flats.csv", target_column="rent")
    return app.test_client()


def test_a_larger_flat_costs_more(client):
    small, large = client.post(
        "/predict",
        json=[{"area": 40, "rooms": 2, "district": "north"}, {"area": 90, "rooms": 4, "district": "north"}],
    ).json["predictions"]
    assert 300 < small["prediction"] < large["prediction"] < 1300


def test_an_unknown_district_is_refused(client):
    answer = client.post("/predict", json={"area": 40, "rooms": 2, "district": "moon"})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["at"] == "$.district"
