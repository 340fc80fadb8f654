from __future__ import annotations

import flask
import pytest

from flaskship import web
from flaskship.settings import Settings


def test_routes_blueprints_and_extensions_of_the_owner_work(subject, row):
    app = web.create_app([subject], Settings())
    extra = flask.Blueprint("extra", __name__)

    @extra.get("/hello")
    def hello():
        return "hello"

    app.register_blueprint(extra)
    client = app.test_client()
    assert client.get("/hello").text == "hello"
    assert client.post("/predict", json=row).json["prediction"] == "leaves"


def test_of_several_models_each_has_its_routes_under_its_name(made, row):
    client = web.create_app([made("shop"), made("lager é")], Settings()).test_client()
    for name in ("shop", "lager é"):
        assert client.post(f"/{name}/predict", json=row).json["prediction"] == "leaves"
        assert client.get(f"/{name}/readyz").status_code == 200
        assert client.get(f"/{name}/openapi.json").json["servers"][0]["url"].startswith("/")
        assert client.get(f"/{name}/").status_code == 200
    assert client.get("/shop").headers["Location"].endswith("/shop/")
    assert client.post("/predict", json=row).status_code == 404
    assert client.get("/readyz").status_code == 200


def test_the_index_lists_the_models(made):
    client = web.create_app([made("shop"), made("lager")], Settings()).test_client()
    assert 'href="./lager/"' in client.get("/").text
    listed = client.get("/", headers={"Accept": "application/json"}).json
    assert [each["name"] for each in listed["models"]] == ["shop", "lager"]
    assert [each["name"] for each in client.post("/v2/repository/index").json] == ["shop", "lager"]


def test_a_blueprint_serves_in_somebody_elses_app(made, row):
    app = flask.Flask("shop")
    app.register_blueprint(web.blueprint(made("sales"), Settings()), url_prefix="/sales")
    app.register_blueprint(web.blueprint(made("petrol"), Settings()), url_prefix="/petrol")
    client = app.test_client()
    answer = client.post("/sales/predict", json=row, headers={"X-Request-ID": "mine"})
    assert (answer.json["prediction"], answer.headers["X-Request-ID"]) == ("leaves", "mine")
    assert client.get("/petrol/openapi.json").json["servers"] == [{"url": "/petrol"}]
    assert client.post("/sales/predict", json={}).mimetype == "application/problem+json"
    assert client.get("/sales/").status_code == 200
    assert client.get("/sales/readyz").status_code == 200
    assert 'route="predict",status="422"} 1.0' in client.get("/sales/metrics").text
    assert client.get("/nowhere").mimetype == "text/html"  # the rest of the app is as it was


def test_a_blueprint_asks_for_the_key_but_not_for_health(made, row):
    app = flask.Flask("shop")
    app.register_blueprint(web.blueprint(made("sales"), Settings(api_key="k")))
    client = app.test_client()
    assert client.post("/predict", json=row).status_code == 401
    assert client.post("/predict", json=row, headers={"X-API-Key": "k"}).status_code == 200
    assert client.get("/livez").status_code == client.get("/v2/health/ready").status_code == 200


def test_an_app_below_another_path_says_so_in_its_documents(subject):
    client = web.create_app([subject], Settings()).test_client()
    assert client.get("/openapi.json").json["servers"] == [{"url": "/"}]
    below = client.get("/openapi.json", environ_overrides={"SCRIPT_NAME": "/models"})
    assert below.json["servers"] == [{"url": "/models"}]


@pytest.mark.parametrize("name", ["a.b", "a b", "1", "ü"])
def test_any_name_of_a_model_is_served(made, row, name):
    client = web.create_app([made(name)], Settings()).test_client()
    assert client.post("/predict", json=row).status_code == 200
    assert client.get(f"/v2/models/{name}").json["name"] == name
