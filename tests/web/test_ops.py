from __future__ import annotations

import base64
import json
import threading
import time

import pytest
from containers import DEADLINE

from flaskship import web
from flaskship.metrics import Calls, Metrics, Name, busy
from flaskship.predict.predictor import Predictor
from flaskship.settings import Settings
from flaskship.web.subject import State

HEALTH = ["/livez", "/readyz", "/healthz", "/health", "/ping"]
HEALTH += ["/v2/health/live", "/v2/health/ready", "/v2/models/shop/ready"]


def counted(client) -> dict[str, float]:
    """The samples of /metrics."""
    lines = client.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


@pytest.mark.parametrize("path", ["/predict", "/livez", "/nowhere", "/", "/v2", "/metrics", "/predict_file"])
def test_every_response_has_the_id_of_its_request(client, path):
    assert client.get(path, headers={"X-Request-ID": "abc-1.2"}).headers.getlist("X-Request-ID") == ["abc-1.2"]


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, "<script>", "é"])
def test_an_id_that_is_not_sane_is_replaced(client, given):
    headers = {} if given is None else {"X-Request-ID": given}
    first, second = (client.get("/predict", headers=headers).headers["X-Request-ID"] for _ in range(2))
    assert first != second
    assert first.isalnum()


def test_requests_are_counted_by_model_route_method_and_status(client, row):
    for _ in range(3):
        client.post("/predict", json=row)
    client.post("/predict", json={})
    client.get("/never/seen")
    client.open("/predict", method="BREW")
    client.post("/v2/models/shop/infer", json={})
    found = counted(client)
    told = {
        'method="POST",model="shop",route="predict",status="200"': 3,
        'method="POST",model="shop",route="predict",status="422"': 1,
        'method="GET",model="shop",route="other",status="404"': 1,
        'method="other",model="shop",route="predict",status="405"': 1,
        'method="POST",model="shop",route="infer",status="400"': 1,
    }
    for labels, count in told.items():
        assert found[f"flaskship_requests_total{{{labels}}}"] == count
    assert found['flaskship_request_duration_seconds_count{model="shop",route="predict"}'] == 5
    assert found['flaskship_batch_rows_bucket{le="1.0",model="shop"}'] == 3
    assert found['flaskship_model_duration_seconds_count{model="shop"}'] == 3
    assert found["flaskship_requests_in_flight"] == 0


def test_requests_and_rows_of_a_batch_and_what_waits_are_shown(subject, row):
    predictor = Predictor(subject.predictor.model, fast=False, observe=subject.observe, queued=subject.queued)
    subject.open(predictor)
    subject.max_batch = 16
    client = web.create_app([subject], Settings()).test_client()
    client.post("/predict", json=[row, row, row])
    found = counted(client)
    assert found['flaskship_batch_rows_bucket{le="4.0",model="shop"}'] == 1
    assert found['flaskship_batch_rows_sum{model="shop"}'] == 3
    assert found['flaskship_batch_requests_bucket{le="1.0",model="shop"}'] == 1
    assert found['flaskship_requests_waiting{model="shop"}'] == 0
    assert found['flaskship_max_batch{model="shop"}'] == 16
    assert found["flaskship_workers"] == 1
    assert 0 < found['flaskship_model_busy_ratio{model="shop"}'] < 1
    subject.queued(3)
    assert counted(client)['flaskship_requests_waiting{model="shop"}'] == 3


def test_busy_is_the_share_of_the_last_minute_that_the_model_was_at_work(tmp_path):
    metrics, now = Metrics(tmp_path), [6000.0]

    def share() -> float:
        return busy(metrics.read()[Name("busy", ("shop",))], now[0])

    calls = Calls(metrics, "shop", clock=lambda: now[0])
    assert share() == 0
    now[0] += 10
    calls.observe(1, 1, 5.0)
    assert share() == 0.5  # of the ten seconds that there are
    now[0] += 20
    assert share() == pytest.approx(5 / 30)
    now[0] += 60  # the minute before counts by as much as is not yet over a minute ago
    assert share() == pytest.approx(5 * 0.5 / 60)
    calls.observe(1, 1, 90.0)
    assert share() == 1.0
    now[0] += 180
    assert share() == 0
    metrics.close()


def test_busy_is_the_mean_over_living_workers(made, row, tmp_path):
    clients = [web.create_app([made("shop")], Settings(), shared=tmp_path).test_client() for _ in range(2)]
    other = Metrics(tmp_path)
    Calls(other, "shop", clock=lambda: time.monotonic() - 1).observe(1, 1, 60.0)
    other.place("in_flight")
    clients[0].post("/predict", json=row)
    found = counted(clients[1])
    assert found["flaskship_workers"] == 3
    assert 0.3 < found['flaskship_model_busy_ratio{model="shop"}'] < 0.5
    other.close()
    found = counted(clients[1])
    assert found["flaskship_workers"] == 2
    assert found['flaskship_model_busy_ratio{model="shop"}'] < 0.3


def test_probes_and_scrapes_are_not_counted(client):
    for path in [*HEALTH, "/metrics"]:
        assert client.get(path).status_code == 200
    assert not [key for key in counted(client) if key.startswith("flaskship_requests_total")]


def test_paths_that_clients_choose_make_no_labels(made, row):
    client = web.create_app([made("shop"), made("lager")], Settings()).test_client()
    for number in range(20):
        client.get(f"/x{number}")
        client.get(f"/shop/{number}")
        client.get(f"/v2/models/{number}")
        client.get(f"/v2/models/shop/versions/{number}")
    client.post("/lager/predict", json=row)
    names = [key for key in counted(client) if key.startswith("flaskship_requests_total")]
    assert len(names) == 6


def test_metrics_have_the_format_that_is_asked_for(client):
    assert client.get("/metrics").content_type.startswith("text/plain; version=0.0.4")
    openmetrics = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.content_type.startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")


def test_counts_are_summed_over_processes_and_kept_after_their_end(tmp_path):
    here, there = Metrics(tmp_path), Metrics(tmp_path)
    for metrics in (here, there):
        metrics.add("requests", "shop", "predict", "POST", "200")
        metrics.add("in_flight")
    there.add("requests", "shop", "predict", "POST", "500")
    there.histogram("batch_rows", "shop", bounds=(1.0, 2.0))(2)
    expected = {
        Name("requests", ("shop", "predict", "POST", "200")): [2.0],
        Name("requests", ("shop", "predict", "POST", "500")): [1.0],
        Name("batch_rows", ("shop",)): [0.0, 1.0, 0.0, 2.0],
    }
    assert here.read() == expected | {Name("in_flight", ()): [2.0]}
    there.close()  # as the end of its process does
    assert here.read() == expected | {Name("in_flight", ()): [1.0]}
    here.close()


def test_a_process_that_writes_a_name_just_now_does_not_disturb_the_reader(tmp_path):
    metrics = Metrics(tmp_path)
    metrics.add("requests", "a")
    with next(tmp_path.glob("*.names")).open("ab") as file:
        file.write(b'["requests", 1, "half')
    assert metrics.read() == {Name("requests", ("a",)): [1.0]}
    metrics.close()


def test_workers_of_one_server_answer_a_scrape_for_all(made, row, tmp_path):
    one, other = (web.create_app([made("shop")], Settings(), shared=tmp_path).test_client() for _ in range(2))
    one.post("/predict", json=row)
    other.post("/predict", json=row)
    key = 'flaskship_requests_total{method="POST",model="shop",route="predict",status="200"}'
    assert counted(one)[key] == counted(other)[key] == 2


def test_a_server_that_drains_is_not_ready_but_answers(made, row, tmp_path):
    client = web.create_app([made("shop")], Settings(), shared=tmp_path).test_client()
    assert client.get("/readyz").status_code == 200
    (tmp_path / "draining").touch()
    for path in ("/readyz", "/healthz", "/ping", "/v2/health/ready", "/v2/models/shop/ready"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert client.get("/livez").status_code == client.get("/v2/health/live").status_code == 200
    assert client.post("/predict", json=row).status_code == 200


def test_no_process_is_ready_while_another_one_loads(made, row, tmp_path):
    client = web.create_app([made("shop")], Settings(), shared=tmp_path).test_client()
    (tmp_path / "starting").touch()
    assert client.get("/readyz").status_code == 503
    assert client.post("/predict", json=row).status_code == 200
    (tmp_path / "starting").unlink()
    assert client.get("/readyz").status_code == 200


def test_while_the_model_is_loaded_only_life_and_counts_are_answered(subject, row):
    predictor, subject.state = subject.predictor, State.LOADING
    client = web.create_app([subject], Settings()).test_client()
    for path in ("/livez", "/metrics", "/v2/health/live"):
        assert client.get(path).status_code == 200
    for path in ("/", "/predict", "/readyz", "/apidocs", "/v2/models/shop", "/nowhere"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    subject.open(predictor)
    assert client.post("/predict", json=row).status_code == client.get("/readyz").status_code == 200


def test_a_model_that_failed_says_why(subject):
    subject.fail("Golden row 3 is answered 1, the original answered 0.")
    answer = web.create_app([subject], Settings()).test_client().get("/readyz")
    assert (answer.status_code, "Golden row 3" in answer.json["detail"]) == (503, True)


def test_the_star_of_options_is_no_path(client):
    answer = client.open("/", method="OPTIONS", environ_overrides={"PATH_INFO": "*"})
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def basic(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


KEYS = [{"Authorization": "Bearer s3cret"}, {"X-API-Key": "s3cret"}, basic(":s3cret"), basic("anyone:s3cret")]
NO_KEYS = [{"X-API-Key": "s3cres"}, {"X-API-Key": "é"}, {"Authorization": "Basic s3cret"}, {"Authorization": "Basic ü"}]
NO_KEYS += [basic("s3cret"), basic("s3cret:"), {"Authorization": "Bearer"}, {"Authorization": ""}]


@pytest.mark.parametrize("headers", KEYS)
def test_with_a_key_all_but_health_asks_for_it(subject, row, headers):
    client = web.create_app([subject], Settings(api_key="s3cret")).test_client()
    for path in ("/", "/predict", "/metrics", "/openapi.json", "/v2", "/assets/style.css", "/nowhere"):
        refused = client.get(path)
        asked = refused.headers.getlist("WWW-Authenticate")
        assert (refused.status_code, asked[0]) == (401, "Bearer")
        assert asked[1:] == ['Basic realm="The key is the password", charset=UTF-8']
    for path in HEALTH:
        assert client.get(path).status_code == 200
    assert client.post("/predict", json=row, headers=headers).status_code == 200
    for wrong in NO_KEYS:
        assert client.post("/predict", json=row, headers=wrong).status_code == 401


class Gate:
    """A predictor that answers when it is let to."""

    def __init__(self, predictor) -> None:
        self.predictor, self.entered, self.open = predictor, threading.Semaphore(0), threading.Event()

    def __call__(self, columns):
        self.entered.release()
        assert self.open.wait(DEADLINE)
        return self.predictor(columns)

    def warnings(self, columns):
        return []


def test_one_request_more_than_may_wait_is_told_to_come_back(subject, row):
    gate = subject.predictor = Gate(subject.predictor)
    app = web.create_app([subject], Settings(max_queue=1))
    statuses = []

    def ask() -> None:
        statuses.append(app.test_client().post("/predict", json=row).status_code)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert gate.entered.acquire(timeout=DEADLINE)
    refused = app.test_client().post("/predict", json=row)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert app.test_client().get("/livez").status_code == 200
    assert counted(app.test_client())["flaskship_requests_in_flight"] == 2
    gate.open.set()
    for thread in threads:
        thread.join()
    assert statuses == [200, 200]
    rejected = 'flaskship_requests_rejected_total{model="shop",route="predict",status="429"}'
    assert counted(app.test_client())[rejected] == 1


def test_the_access_log_has_one_line_of_json_for_each_request_but_probes(subject, row, capsys):
    client = web.create_app([subject], Settings(access_log=True)).test_client()
    client.post("/predict?secret=1", json=row, headers={"X-Request-ID": "one"})
    client.get("/livez")
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["request_id"], told["path"], told["status"]) == ("one", "/predict", 422 if "secret" in line else 200)
    assert {"time", "client", "method", "seconds"} <= set(told)


def test_what_nobody_foresaw_is_answered_without_the_inside_and_logged(subject, caplog):
    app = web.create_app([subject], Settings())

    @app.get("/broken")
    def broken():
        raise ZeroDivisionError("secret of the inside")

    answer = app.test_client().get("/broken", headers={"X-Request-ID": "one"})
    assert (answer.status_code, answer.json["request_id"], "secret" in answer.text) == (500, "one", False)
    assert "secret of the inside" in caplog.text


def test_a_streamed_answer_is_in_flight_until_its_end(subject):
    app = web.create_app([subject], Settings())

    @app.get("/stream")
    def stream():
        return (part for part in ("one", "two"))

    client = app.test_client()
    answer = client.get("/stream", buffered=False)
    assert counted(client)["flaskship_requests_in_flight"] == 1
    assert answer.text == "onetwo"
    answer.close()
    assert counted(client)["flaskship_requests_in_flight"] == 0
