"""Every route that can fail, and the words in which it says so."""

from __future__ import annotations

import json

import flask
import pytest

from flaskship import web
from flaskship.settings import Settings

PROBLEM, JSON = "application/problem+json", "application/json"
BIG = b"[" + b" " * 300_000 + b"]"
AGE66 = {"age": 66, "new_user": True, "total pages": 5.5, "land": "de"}  # the model fails
CSV66 = b"age,new_user,total pages,land\n66,1,5,de\n"
TENSORS66 = {
    "inputs": [
        {"name": "age", "shape": [1], "datatype": "INT64", "data": [66]},
        {"name": "new_user", "shape": [1], "datatype": "BOOL", "data": [True]},
        {"name": "total pages", "shape": [1], "datatype": "FP64", "data": [5.5]},
        {"name": "land", "shape": [1], "datatype": "BYTES", "data": ["de"]},
    ]
}

FAILURES = [
    ("GET", "/predict", None, None, 422),
    ("POST", "/predict", b"{", JSON, 400),
    ("POST", "/predict", BIG, JSON, 413),
    ("POST", "/predict", b"x", "image/png", 415),
    ("POST", "/predict", json.dumps(AGE66), JSON, 500),
    ("PUT", "/predict", b"", JSON, 405),
    ("GET", "/predict_file", None, None, 405),
    ("POST", "/predict_file", b"", "text/csv", 422),
    ("POST", "/predict_file", b"", "image/png", 415),
    ("POST", "/predict_file", BIG, "text/csv", 413),
    ("POST", "/predict_file", b"age\n1\n", "text/csv", 422),
    ("POST", "/predict_file?format=xml", CSV66, "text/csv", 422),
    ("POST", "/predict_file", CSV66, "text/csv", 500),
    ("POST", "/predict_file?format=csv", CSV66, "text/csv", 500),
    ("POST", "/", BIG, "application/x-www-form-urlencoded", 413),
    ("POST", "/", b"age=66&new_user=1&total+pages=1&land=de", "application/x-www-form-urlencoded", 500),
    ("DELETE", "/", None, None, 405),
    ("POST", "/openapi.json", None, None, 405),
    ("POST", "/metrics", None, None, 405),
    ("GET", "/assets/..%2fpages.py", None, None, 404),
    ("GET", "/assets/none.js", None, None, 404),
    ("GET", "/nowhere", None, None, 404),
    ("GET", "/invocations", None, None, 405),
    ("POST", "/invocations", b"{", JSON, 400),
    ("POST", "/invocations", b"[1]", JSON, 400),
    ("POST", "/invocations", b"x", "image/png", 415),
    ("POST", "/invocations", b"{}", "application/json; profile=x", 415),
    ("POST", "/invocations", BIG, JSON, 413),
    ("POST", "/invocations", json.dumps({"dataframe_records": [{"age": 1}]}), JSON, 400),
    ("POST", "/invocations", json.dumps({"dataframe_records": [AGE66]}), JSON, 500),
    ("GET", "/v2/nowhere", None, None, 404),
    ("POST", "/v2", None, None, 405),
    ("GET", "/v2/models/other", None, None, 404),
    ("GET", "/v2/models/shop/versions/7", None, None, 404),
    ("GET", "/v2/models/other/ready", None, None, 404),
    ("GET", "/v2/models/other/config", None, None, 404),
    ("GET", "/v2/models/other/stats", None, None, 404),
    ("POST", "/v2/repository/index", b"[1", JSON, 400),
    ("POST", "/v2/repository/models/other/load", None, None, 404),
    ("POST", "/v2/repository/models/shop/unload", None, None, 501),
    ("POST", "/v2/models/other/infer", b"{}", JSON, 404),
    ("POST", "/v2/models/shop/infer", b"{", JSON, 400),
    ("POST", "/v2/models/shop/infer", b"{}", JSON, 400),
    ("POST", "/v2/models/shop/infer", BIG, JSON, 413),
    ("POST", "/v2/models/shop/infer", json.dumps(TENSORS66), JSON, 500),
    ("GET", "/v2/models/shop/infer", None, None, 405),
]


@pytest.fixture(scope="module")
def client(made):
    return web.create_app([made("shop")], Settings(max_body=300_000)).test_client()


@pytest.mark.parametrize(("method", "path", "data", "content", "status"), FAILURES)
def test_a_failure_is_told_in_the_words_of_its_protocol(client, method, path, data, content, status):
    answer = client.open(path, method=method, data=data, content_type=content, headers={"X-Request-ID": "one"})
    assert answer.status_code == status, answer.text
    assert "secret" not in answer.text
    assert ("Allow" in answer.headers) == (status == 405)
    told = json.loads(answer.data)
    if path.startswith("/v2"):
        assert (answer.mimetype, list(told)) == (JSON, ["error"])
        assert isinstance(told["error"], str)
    elif path.startswith("/invocations"):
        assert (answer.mimetype, list(told)) == (JSON, ["error_code", "message"])
    else:
        assert (answer.mimetype, told["status"]) == (PROBLEM, status)
        assert {"type", "title", "detail"} <= set(told)
        assert told["type"] == "about:blank" or told["type"].startswith("/problems/")
        assert ("request_id" in told) == (status == 500)


def test_each_problem_has_its_place(client):
    told = client.post("/predict", json={"agee": 45, "new_user": "no", "total pages": 1, "land": "de"}).json
    assert told["errors"] == [
        {"at": "$.agee", "message": "No field 'agee' in this model. Did you mean 'age'?"},
        {"at": "$.age", "message": "Field 'age' is missing."},
        {"at": "$.new_user", "message": "'new_user' takes true or false, not text ('no')."},
    ]


def test_a_redirect_is_no_problem(made):
    client = web.create_app([made("a"), made("b")], Settings()).test_client()
    assert client.get("/a").status_code == 308


@pytest.mark.parametrize("code", [400, 401, 403, 409, 418, 503])
def test_what_the_apps_owner_aborts_with_is_a_problem_too(made, code):
    app = web.create_app([made("shop")], Settings())
    app.add_url_rule("/own", view_func=lambda: flask.abort(code, "My own reason."))
    answer = app.test_client().get("/own")
    assert (answer.status_code, answer.mimetype, answer.json["detail"]) == (code, PROBLEM, "My own reason.")
