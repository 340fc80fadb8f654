"""The sales and the petrol model, served as their users would, over real HTTP."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import requests
from containers import DEADLINE, server

from flaskship.cli import invoke as run

FIELDS = ["age", "new_user", "total_pages_visited"]


@pytest.fixture(scope="module")
def address(sales) -> Iterator[str]:
    with server(sales, "sales.joblib", "--sample", "online_sales.csv", "--target-column", "converted") as url:
        yield url


@pytest.fixture(scope="module")
def model(sales):
    return joblib.load(sales / "sales.joblib")


@pytest.fixture(scope="module")
def customers(sales) -> pd.DataFrame:
    return pd.read_csv(sales / "online_sales.csv")[FIELDS]


def test_one_customer_by_query_is_answered_as_by_scikit_learn(address, model):
    answer = requests.get(f"{address}/predict?age=45&new_user=0&total_pages_visited=5", timeout=DEADLINE).json()
    row = pd.DataFrame([[45, 0, 5]], columns=FIELDS)
    assert answer["prediction"] == model.predict(row)[0]
    assert list(answer["probabilities"].values()) == pytest.approx(model.predict_proba(row)[0], rel=1e-6)
    assert list(answer["probabilities"]) == ["0", "1"]


def test_an_object_and_an_array_are_answered_as_by_scikit_learn(address, model, customers):
    rows = customers.head(200).to_dict("records")
    one = requests.post(f"{address}/predict", json=rows[0], timeout=DEADLINE).json()
    many = requests.post(f"{address}/predict", json=rows, timeout=DEADLINE).json()["predictions"]
    assert one == many[0]
    assert [each["prediction"] for each in many] == model.predict(customers.head(200)).tolist()
    found = np.array([list(each["probabilities"].values()) for each in many])
    np.testing.assert_allclose(found, model.predict_proba(customers.head(200)), rtol=1e-6)


def test_a_file_of_fifty_is_answered_as_by_scikit_learn(address, model, sales):
    path = sales / "online_sales_unlabelled.csv"
    with path.open("rb") as file:
        answer = requests.post(f"{address}/predict_file", files={"file": file}, timeout=DEADLINE).json()
    assert answer == {"rows": 50, "predictions": model.predict(pd.read_csv(path)).tolist()}


def test_all_316_200_rows_are_answered_as_by_scikit_learn(address, model, customers, sales):
    content = (sales / "online_sales.csv").read_bytes()
    answer = requests.post(f"{address}/predict_file", files={"file": ("a.csv", content)}, timeout=DEADLINE).json()
    assert answer["rows"] == 316_200
    assert answer["predictions"] == model.predict(customers).tolist()
    accept = {"Accept": "text/csv"}
    text = requests.post(
        f"{address}/predict_file", files={"file": ("a.csv", content)}, headers=accept, timeout=DEADLINE
    ).text
    table = pd.read_csv(io.StringIO(text))
    assert list(table) == [*FIELDS, "converted", "prediction", "probability_0", "probability_1"]
    np.testing.assert_allclose(table[["probability_0", "probability_1"]], model.predict_proba(customers), rtol=1e-6)
    original = list(csv.reader(io.StringIO(content.decode())))
    assert [row[:4] for row in csv.reader(io.StringIO(text))] == original


@pytest.mark.needs("curl")
def test_curl_does_what_the_documentation_shows(address, sales):
    def curl(*arguments: str) -> dict[str, object]:
        done = subprocess.run(["curl", "-sf", *arguments], cwd=sales, capture_output=True, check=True, timeout=DEADLINE)
        return json.loads(done.stdout)

    assert curl(f"{address}/predict?age=45&new_user=0&total_pages_visited=5")["prediction"] == 0
    assert curl(f"{address}/predict", "--json", '{"age":25,"new_user":0,"total_pages_visited":20}')["prediction"] == 1
    assert curl(f"{address}/predict_file", "-F", "file=@online_sales_unlabelled.csv")["rows"] == 50


def test_check_replays_the_golden_rows_against_the_server(address, sales, monkeypatch, capfd):
    monkeypatch.chdir(sales)
    arguments = ["--golden", "sales.joblib", "--sample", "online_sales.csv", "--target-column", "converted"]
    assert run(["check", address, *arguments]) == 0
    assert "16 golden rows: the same answers" in capfd.readouterr().out


def test_check_finds_a_server_with_another_model(address, sales, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLASKSHIP_CACHE", str(tmp_path / "cache"))
    other = joblib.load(sales / "sales.joblib")
    other.intercept_ = other.intercept_ + 0.5
    joblib.dump(other, "other.joblib")
    assert run(["check", address, "--golden", "other.joblib"]) == 4
    assert "Golden row" in capfd.readouterr().err
    assert run(["check", f"{address}/nowhere", "--golden", "other.joblib"]) == 4
    assert "404" in capfd.readouterr().err


def test_the_pages_of_the_api_answer(address):
    assert "swagger" in requests.get(f"{address}/apidocs", timeout=DEADLINE).text.lower()
    assert requests.get(f"{address}/openapi.json", timeout=DEADLINE).json()["openapi"].startswith("3.1")
    for path in ("livez", "readyz", "healthz", "ping"):
        assert requests.get(f"{address}/{path}", timeout=DEADLINE).status_code == 200
    assert "flaskship_requests_total" in requests.get(f"{address}/metrics", timeout=DEADLINE).text


def raw(petrol: Path) -> dict[str, float]:
    return pd.read_csv(petrol / "petrol.csv").drop(columns="Petrol_Consumption").iloc[0].to_dict()


@pytest.mark.parametrize("sample", [[], ["--sample", "petrol.csv", "--target-column", "Petrol_Consumption"]])
@pytest.mark.parametrize("way", ["--compile", "--no-compile"])
def test_a_forest_trained_on_scaled_columns_is_told_that_it_gets_raw_ones(petrol, sample, way, monkeypatch, capfd):
    monkeypatch.chdir(petrol)
    with server(petrol, "petrol_scaled.joblib", *sample, way) as url:
        answer = requests.post(f"{url}/predict", json=[list(raw(petrol).values())], timeout=DEADLINE).json()
    assert any("trained on scaled columns" in warning for warning in answer["warnings"])
    assert run(["inspect", "petrol_scaled.joblib", *sample, way]) == 0
    assert "scaler" in capfd.readouterr().out


@pytest.mark.parametrize("name", ["petrol", "petrol_pipeline"])
def test_a_forest_that_gets_what_it_was_trained_on_is_told_nothing(petrol, name, capfd):
    with server(petrol, f"{name}.joblib", "--sample", "petrol.csv", "--target-column", "Petrol_Consumption") as url:
        answer = requests.post(f"{url}/predict", json=raw(petrol), timeout=DEADLINE).json()
        page = requests.get(url, timeout=DEADLINE).text
    assert set(answer) == {"prediction"}
    expected = joblib.load(petrol / f"{name}.joblib").predict(pd.DataFrame([raw(petrol)]))[0]
    assert answer["prediction"] == pytest.approx(expected, rel=1e-6)
    assert "Population_Driver_licence(%)" in page
    assert run(["inspect", str(petrol / f"{name}.joblib")]) == 0
    assert "Warning" not in capfd.readouterr().out


def test_two_models_stand_side_by_side(sales, petrol):
    with server(sales, "sales.joblib", f"fuel={petrol / 'petrol_pipeline.joblib'}") as url:
        assert requests.get(f"{url}/sales/predict?age=45&new_user=0&total_pages_visited=5", timeout=DEADLINE).json()
        assert requests.post(f"{url}/fuel/predict", json=raw(petrol), timeout=DEADLINE).json()["prediction"] > 300
        assert "fuel" in requests.get(url, timeout=DEADLINE).text
        assert requests.get(f"{url}/predict?age=45", timeout=DEADLINE).status_code == 404


def test_a_model_that_cannot_be_served_is_told_at_start(tmp_path):
    (tmp_path / "broken.joblib").write_bytes(b"\x80\x04no pickle at all")
    command = [sys.executable, "-m", "flaskship", "serve", "broken.joblib", "--port", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 3
    assert "broken.joblib" in done.stderr
    assert "Traceback" not in done.stderr
