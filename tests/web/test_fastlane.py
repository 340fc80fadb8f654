from __future__ import annotations

import json

import flask
import pytest

from flaskship import web
from flaskship.settings import Settings

ROW = {"age": 45, "new_user": True, "total pages": 5.5, "land": "de"}
JSON = "application/json"


def body(**changes: object) -> bytes:
    return json.dumps(ROW | changes).encode()


REQUESTS = {
    "one row": ("POST", "", JSON, body()),
    "null": ("POST", "", JSON, body(**{"total pages": None})),
    "a warning": ("POST", "", JSON, body(age=1000)),
    "spaces": ("POST", "", JSON, b"\n " + body() + b"\n"),
    "many rows": ("POST", "", JSON, json.dumps([ROW, ROW | {"age": 70}]).encode()),
    "lists": ("POST", "", JSON, b'[[45, true, 5.5, "de"], [70, false, null, "fr"]]'),
    "no rows": ("POST", "", JSON, b"[]"),
    "charset": ("POST", "", "application/json; charset=utf-8", body()),
    "charset in capitals": ("POST", "", "Application/JSON; charset=UTF-8", body()),
    "wrong charset": ("POST", "", "application/json; charset=utf-16", body()),
    "vendor's JSON": ("POST", "", "application/vnd.shop+json", body()),
    "no content type": ("POST", "", None, body()),
    "no content type, no JSON": ("POST", "", None, b"age=45"),
    "form": ("POST", "", "application/x-www-form-urlencoded", b"age=45&new_user=true&total+pages=5.5&land=de"),
    "curl -d with JSON": ("POST", "", "application/x-www-form-urlencoded", body()),
    "other content": ("POST", "", "image/png", b"\x89PNG"),
    "csv": ("POST", "", "text/csv", b"age\n45\n"),
    "empty": ("POST", "", JSON, b""),
    "not JSON": ("POST", "", JSON, b'{"age": 45'),
    "not UTF-8": ("POST", "", JSON, b'{"age": "\xff"}'),
    "byte order mark": ("POST", "", JSON, b"\xef\xbb\xbf" + body()),
    "a number": ("POST", "", JSON, b"45"),
    "deep nesting": ("POST", "", JSON, b"[" * 100_000),
    "deep nesting in a field": ("POST", "", JSON, b'{"age":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "missing": ("POST", "", JSON, b'{"age": 45}'),
    "misspelt": ("POST", "", JSON, body(agee=45)),
    "repeated": ("POST", "", JSON, body()[:-1] + b', "age": 46}'),
    "text for a number": ("POST", "", JSON, body(age="45")),
    "boolean for a number": ("POST", "", JSON, body(age=True)),
    "part of a whole number": ("POST", "", JSON, body(age=45.5)),
    "NaN": ("POST", "", JSON, body(**{"total pages": float("nan")})),
    "Infinity": ("POST", "", JSON, body(**{"total pages": float("inf")})),
    "1e400": ("POST", "", JSON, body().replace(b"5.5", b"1e400")),
    "huge integer": ("POST", "", JSON, body(age=10**40)),
    "outside the choices": ("POST", "", JSON, body(land="us")),
    "too large": ("POST", "", JSON, b" " * 300_001),
    "the model fails": ("POST", "", JSON, body(age=66)),
    "query": ("GET", "age=45&new_user=0&total%20pages=5.5&land=de", None, b""),
    "query with plus": ("GET", "age=45&new_user=0&total+pages=&land=fr", None, b""),
    "query with a warning": ("GET", "age=1000&new_user=0&total+pages=5&land=de", None, b""),
    "empty query": ("GET", "", None, b""),
    "repeated in the query": ("GET", "age=45&age=46&new_user=0&total+pages=5&land=de", None, b""),
    "no UTF-8 in the query": ("GET", "age=45&new_user=0&total+pages=5&land=%ff", None, b""),
    "raw bytes in the query": ("GET", "age=45&new_user=0&total+pages=5&land=d\u00c3\u00a9", None, b""),
    "raw bytes that are no UTF-8": ("GET", "age=45&new_user=0&total+pages=5&land=\u00ff", None, b""),
    "text in the query": ("GET", "age=old&new_user=0&total+pages=5&land=de", None, b""),
    "head": ("HEAD", "age=45&new_user=0&total+pages=5&land=de", None, b""),
    "options": ("OPTIONS", "", None, b""),
    "delete": ("DELETE", "", None, b""),
    "put": ("PUT", "", JSON, body()),
}


def ask(app, method: str, query: str, content: str | None, data: bytes, path: str = "/predict"):
    """Status, headers as they were sent, and body."""
    client = app.test_client()
    headers = {"X-Request-ID": "fixed"}
    response = client.open(
        path, method=method, data=data, content_type=content, headers=headers, environ_overrides={"QUERY_STRING": query}
    )
    return response.status, list(response.headers), response.data


@pytest.fixture(scope="module")
def doors(made):
    settings = Settings(max_body=300_000)
    fast, slow = (web.create_app([made("shop")], settings) for _ in range(2))
    slow.before_request(lambda: None)  # a hook: the fast lane stands aside
    return fast, slow


@pytest.mark.parametrize("name", REQUESTS)
def test_both_doors_answer_with_the_same_status_headers_and_bytes(doors, name):
    fast, slow = (ask(app, *REQUESTS[name]) for app in doors)
    assert fast == slow


@pytest.mark.parametrize("name", REQUESTS)
def test_a_slash_at_the_end_changes_nothing(doors, name):
    plain, slashed = (ask(doors[0], *REQUESTS[name], path=path) for path in ("/predict", "/predict/"))
    assert (plain[0], plain[2]) == (slashed[0], slashed[2])


STATUS = {
    "wrong charset": 415, "no content type, no JSON": 415, "other content": 415, "csv": 415, "empty": 400,
    "not JSON": 400, "not UTF-8": 400, "byte order mark": 400, "deep nesting": 400, "deep nesting in a field": 400,
    "too large": 413, "the model fails": 500, "delete": 405, "put": 405, "no UTF-8 in the query": 400,
    "raw bytes that are no UTF-8": 400,
} | dict.fromkeys((
    "no rows", "a number", "missing", "misspelt", "repeated", "text for a number", "boolean for a number",
    "part of a whole number", "NaN", "Infinity", "1e400", "huge integer", "outside the choices", "empty query",
    "repeated in the query", "raw bytes in the query", "text in the query",
), 422)  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_every_request_has_the_status_that_the_design_says(doors, name):
    status, headers, data = ask(doors[0], *REQUESTS[name])
    assert int(status[:3]) == STATUS.get(name, 200)
    if int(status[:3]) >= 400:
        assert dict(headers)["Content-Type"] == "application/problem+json"
        problem = json.loads(data)
        assert {"type", "title", "status", "detail"} <= set(problem)
        assert problem["status"] == int(status[:3])


def test_a_method_that_is_not_allowed_is_told_which_are(doors):
    status, headers, _ = ask(doors[0], "DELETE", "", None, b"")
    assert (status[:3], dict(headers)["Allow"]) == ("405", "GET, HEAD, OPTIONS, POST")


def test_a_failure_of_the_model_says_nothing_of_the_inside(doors, caplog):
    _, _, data = ask(doors[0], *REQUESTS["the model fails"])
    assert b"secret" not in data
    assert json.loads(data)["request_id"] == "fixed"
    assert "fixed" in caplog.text
    assert "secret of the inside" in caplog.text


def hook_before(app, seen):
    app.before_request(lambda: seen.append("before"))


def hook_after(app, seen):
    app.after_request(lambda response: seen.append("after") or response)


def hook_teardown(app, seen):
    app.teardown_request(lambda error: seen.append("teardown"))


def hook_context(app, seen):
    app.teardown_appcontext(lambda error: seen.append("context"))


@pytest.mark.parametrize("hook", [hook_before, hook_after, hook_teardown, hook_context])
def test_hooks_of_the_apps_owner_see_every_prediction(subject, row, hook):
    app, seen = web.create_app([subject], Settings()), []
    hook(app, seen)
    assert app.test_client().post("/predict", json=row).status_code == 200
    assert len(seen) == 1


def test_an_error_handler_of_the_apps_owner_is_used(subject):
    app = web.create_app([subject], Settings())

    @app.errorhandler(ValueError)
    def never(error):
        return "never"

    @app.errorhandler(Exception)
    def own(error):
        return "own words", 418

    assert app.test_client().post("/predict", json={}).text == "own words"


def test_a_signals_receiver_sees_every_prediction(subject, row):
    app, seen = web.create_app([subject], Settings()), []

    def receive(sender, **more):
        seen.append(sender)

    flask.request_started.connect(receive, app)
    app.test_client().post("/predict", json=row)
    assert seen == [app]
