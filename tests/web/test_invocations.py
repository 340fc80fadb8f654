from __future__ import annotations

import json

import pytest

from flaskship import web
from flaskship.schema import Field, FieldType, Signature, Task
from flaskship.settings import Settings

COLUMNS = ["age", "new_user", "total pages", "land"]
ROWS = [[45, True, 5.5, "de"], [70, False, None, "fr"]]
OBJECTS = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
LABELS = ["leaves", "buys"]

FORMS = {
    "split": {"dataframe_split": {"columns": COLUMNS, "index": [7, 8], "data": ROWS}},
    "split in another order": {
        "dataframe_split": {"columns": COLUMNS[::-1], "data": [row[::-1] for row in ROWS]},
    },
    "records": {"dataframe_records": OBJECTS},
    "instances": {"instances": OBJECTS},
    "instances as lists": {"instances": ROWS, "parameters": {}},
    "inputs": {"inputs": ROWS},
    "inputs by name": {"inputs": {name: [row[index] for row in ROWS] for index, name in enumerate(COLUMNS)}},
    "with params": {"dataframe_records": OBJECTS, "params": {"unknown": 1}},
}


@pytest.mark.parametrize("name", FORMS)
def test_a_payload_of_any_form_is_answered_with_bare_predictions(client, name):
    assert client.post("/invocations", json=FORMS[name]).json == {"predictions": LABELS}


def test_whole_answers_are_given_when_asked_for(client):
    told = client.post("/invocations", json={"instances": ROWS, "parameters": {"probabilities": True}}).json
    assert [set(each) for each in told["predictions"]] == [{"prediction", "probabilities"}] * 2


@pytest.mark.parametrize("header", [b"age,new_user,total pages,land\n", b""])
@pytest.mark.parametrize("content", ["text/csv", "text/csv; charset=utf-8"])
def test_a_csv_has_a_header_or_none(client, header, content):
    answer = client.post("/invocations", data=header + b"45,1,5.5,de\n70,0,,fr\n", content_type=content)
    assert answer.json == {"predictions": LABELS}


@pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\n\r"])
def test_the_lines_of_a_csv_may_end_in_any_way(client, end):
    answer = client.post("/invocations", data=b"45,1,5.5,de\n70,0,,fr\n".replace(b"\n", end), content_type="text/csv")
    assert answer.json == {"predictions": LABELS}
    assert client.post("/invocations", data=end + b"x", content_type="text/csv").status_code == 400


def test_csv_comes_back_to_whom_accepts_it(client):
    headers = {"Accept": "text/csv"}
    answer = client.post("/invocations", data=b"45,1,5.5,de\n70,0,,fr", content_type="text/csv", headers=headers)
    assert (answer.text, answer.mimetype) == ("leaves\nbuys\n", "text/csv")


def test_a_sole_field_needs_no_brackets(made):
    one = Signature(task=Task.REGRESSION, inputs=(Field(name="a"),))
    client = web.create_app([made("m", one)], Settings()).test_client()
    for body in ({"instances": [1.5, 2.5]}, {"inputs": [1.5, 2.5]}, {"inputs": {"a": [1.5, 2.5]}}):
        assert client.post("/invocations", json=body).json == {"predictions": [1.5, 2.5]}
    assert client.post("/invocations", json={"inputs": {"a": 1.5}}).json == {"predictions": [1.5]}


def test_a_field_of_several_numbers_is_a_nested_array(made):
    wide = Signature(task=Task.REGRESSION, inputs=(Field(name="a", type=FieldType.NUMBER, shape=(2,)),))
    client = web.create_app([made("m", wide)], Settings()).test_client()
    assert client.post("/invocations", json={"instances": [{"a": [1, 2]}, [[3, 4]]]}).json == {
        "predictions": [1.0, 3.0]
    }


BAD = {
    "a bare list": ROWS,
    "nothing": {},
    "two forms": {"inputs": ROWS, "instances": ROWS},
    "an unknown key": {"inputs": ROWS, "x": 1},
    "no rows": {"inputs": []},
    "no object": {"dataframe_split": ROWS},
    "no columns": {"dataframe_split": {"data": ROWS}},
    "a column twice": {"dataframe_split": {"columns": ["age"] * 4, "data": ROWS}},
    "a ragged row": {"dataframe_split": {"columns": COLUMNS, "data": [[1]]}},
    "a missing field": {"dataframe_records": [{"age": 45}]},
    "a wrong value": {"inputs": [["old", True, 5.5, "de"]]},
    "lengths that differ": {"inputs": {"age": [1, 2], "new_user": [True]}},
    "no names": {"inputs": {}},
    "no array": {"instances": {"age": 45}},
    "params that are none": {"inputs": ROWS, "params": [1]},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_payload_is_told_why(client, name):
    answer = client.post("/invocations", data=json.dumps(BAD[name]), content_type="application/json")
    assert (answer.status_code, answer.json["error_code"]) == (400, "BAD_REQUEST")
    assert answer.json["message"]


def test_a_problem_says_where_it_is(client):
    bad = {"dataframe_records": [OBJECTS[0], OBJECTS[1] | {"age": "old", "land": 1}]}
    message = client.post("/invocations", json=bad).json["message"]
    assert "$.dataframe_records[1].age" in message
    assert "$.dataframe_records[1].land" in message


def test_routes_that_vertex_names_are_served(made, monkeypatch):
    monkeypatch.setenv("AIP_PREDICT_ROUTE", "/v1/endpoints/1:predict")
    monkeypatch.setenv("AIP_HEALTH_ROUTE", "/v1/endpoints/1")
    client = web.create_app([made("shop")], Settings(api_key="k")).test_client()
    assert client.get("/v1/endpoints/1").status_code == 200
    asked = {"json": {"instances": ROWS}, "headers": {"X-API-Key": "k"}}
    assert client.post("/v1/endpoints/1:predict", **asked).json == {"predictions": LABELS}
    bad = client.post("/v1/endpoints/1:predict", json={}, headers=asked["headers"])
    assert list(bad.json) == ["error_code", "message"]
    metrics = client.get("/metrics", headers=asked["headers"]).text
    assert 'route="invocations",status="200"} 1.0' in metrics


def test_a_route_of_ours_that_vertex_names_is_for_vertex(made, monkeypatch):
    monkeypatch.setenv("AIP_PREDICT_ROUTE", "/predict")
    monkeypatch.setenv("AIP_HEALTH_ROUTE", "/ping")
    client = web.create_app([made("shop")], Settings()).test_client()
    assert client.post("/predict", json={"instances": ROWS}).json == {"predictions": LABELS}
    assert client.get("/predict?age=45&new_user=1&total+pages=&land=de").json["prediction"] == "leaves"
    assert client.get("/ping").status_code == 200


@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_probes_of_sagemaker_and_mlflow_are_answered(client, path):
    assert client.get(path).status_code == 200
