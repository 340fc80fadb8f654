from __future__ import annotations

import json
import re
from urllib.parse import urljoin

import pytest

from flaskship import web
from flaskship.schema import Field, Signature, Task
from flaskship.settings import Settings
from flaskship.vendored import place

FORM = {"age": "45", "new_user": "true", "total pages": "5.5", "land": "de"}


def test_the_page_has_a_form_with_each_field(client):
    page = client.get("/").text
    for name in FORM:
        assert f'name="{name}"' in page
    assert re.search(r'type="number" inputmode="numeric" step="1" [^>]*name="age"[^>]* required>', page)
    assert '<option value="fr">fr</option>' in page
    assert "17 to 123 seen in training" in page
    assert "LogisticRegression" in page


def test_the_form_is_answered_on_the_page_and_keeps_what_was_entered(client):
    answer = client.post("/", data=FORM | {"age": "200"})
    assert answer.status_code == 200
    assert '<p class="large">buys</p>' in answer.text
    assert "outside the 17 to 123" in answer.text
    assert re.search(r'value="200" [^>]*name="age"', answer.text)


def test_behind_a_proxy_the_page_does_not_lead_to_what_is_for_those_inside(client):
    inside = ('href="./metrics"', 'href="./readyz"')
    behind = client.get("/", headers={"X-Forwarded-For": "192.0.2.1"}).text
    assert all(each in client.get("/").text and each not in behind for each in inside)


def test_what_is_wrong_is_said_on_the_page(client):
    answer = client.post("/", data=FORM | {"age": "old"}, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "takes a whole number, not text (&#39;old&#39;)" in answer.text


def test_what_is_entered_is_escaped(client):
    answer = client.post("/", data=FORM | {"age": '"><script>alert(1)</script>'})
    assert "<script>alert" not in answer.text


def test_names_and_cards_are_escaped(made):
    odd = Signature(task=Task.REGRESSION, inputs=(Field(name='<b>"x', help="<i>"),))
    client = web.create_app([made("<u>m", odd, card={"warnings": ["<s>"]})], Settings()).test_client()
    page = client.get("/").text
    assert not re.search(r"<(b|i|u|s)>", page)


def test_the_card_is_json_for_whom_accepts_that(client):
    card = client.get("/", headers={"Accept": "application/json"}).json
    assert (card["name"], card["task"], card["framework"]) == ("shop", "classification", "scikit-learn")
    assert card["inputs"][0] == {
        "name": "age", "type": "integer", "low": 17, "high": 123, "seen": "in training", "default": 30,
        "nullable": False, "closed": False,
    }  # fmt: skip
    assert card["classes"] == ["buys", "leaves"]


@pytest.mark.parametrize("accept", ["text/html", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_browsers_and_others_get_the_page(client, accept):
    assert client.get("/", headers={"Accept": accept}).mimetype == "text/html"


def test_a_model_of_too_many_fields_takes_a_row_as_json(made):
    wide = Signature(task=Task.REGRESSION, inputs=tuple(Field(name=f"x{index}") for index in range(1000)))
    client = web.create_app([made("wide", wide)], Settings()).test_client()
    assert "A row of 1,000 fields, as JSON" in client.get("/").text
    answer = client.post("/", data={"row": json.dumps({f"x{index}": 21 for index in range(1000)})})
    assert '<p class="large">21</p>' in answer.text


def test_pages_allow_nothing_from_elsewhere_and_nothing_inline(client):
    for path in ("/", "/apidocs", "/apidocs/"):
        answer = client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"(src|href)=\"(https?:)?//|<script>|style=|onload=", answer.text)


def test_every_asset_of_the_pages_is_there(client):
    for path in ("/", "/apidocs", "/apidocs/"):
        for link in re.findall(r'(?:src|href)="(\.\.?/[^"]+)"', client.get(path).text):
            assert client.get(urljoin(path, link)).status_code == 200, link


def test_nothing_else_is_an_asset(client):
    for name in ("index.html", "../pages.py", "..%2fpages.py", "swagger-ui.js", ".", "%00"):
        assert client.get(f"/assets/{name}").status_code == 404


def test_swagger_ui_is_of_a_version_that_reads_openapi_3_1():
    assert int((place("flask_swagger_ui", "dist") / "VERSION").read_text().lstrip("v").partition(".")[0]) >= 5
