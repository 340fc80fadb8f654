"""The class answers as it should, called from Python and over HTTP."""

import pytest
from rent import Rent

import flaskship


@pytest.fixture(scope="session")
def client():
    return flaskship.create_app("rent.py").test_client()


def test_a_balcony_costs_more():
    assert Rent().rent(area=50, district="north", balcony=True) > Rent().rent(area=50, district="north")


def test_the_api_answers_as_the_class_does(client):
    answer = client.post("/predict", json={"area": 62.5, "district": "centre"})
    assert answer.json == {"prediction": Rent().rent(area=62.5, district="centre")}


def test_a_flat_without_room_is_refused(client):
    answer = client.get("/predict?area=0")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["at"] == "area"
