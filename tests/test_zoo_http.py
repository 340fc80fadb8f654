"""Every model of the zoo answers by every door what it answers in its own library, compiled and as it is."""

from __future__ import annotations

import csv
import io
import json
import math
from urllib.parse import urlencode

import numpy as np
import pytest
import zoo
from werkzeug.test import Client

from flaskship import make, web
from flaskship.schema import FieldType, Signature
from flaskship.settings import Settings

ROWS = 40
COMPILED = {}  # name -> whether it was compiled, filled as the suite runs


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("zoo-http")


@pytest.fixture(scope="session", params=[True, False], ids=["compiled", "original"])
def served(request, folder):
    """A client and the case, by name; each model is made and loaded once a way."""
    found = {}

    def get(name):
        if name not in found:
            case = zoo.case(name, folder)
            settings = Settings(compile=request.param)
            made = make.make(case.path, settings, folder / "bundles" / f"{name}-{request.param}")
            if request.param:
                COMPILED[name] = made.manifest.compilation.compiled
            client = Client(web.application([web.subject(made, settings)], settings))
            found[name] = case, made.manifest.signature, client
        return found[name]

    return get


def plain(signature: Signature, case: zoo.Case) -> list[dict[str, object]]:
    """The case's rows as JSON values: NaN is null."""
    columns = zoo.typed(signature, case.columns)
    listed = [
        [None if value != value else bool(value) if field.type is FieldType.BOOLEAN else value for value in values]
        for field, values in ((each, columns[each.name][:ROWS].tolist()) for each in signature.inputs)
    ]
    return [dict(zip(columns, row, strict=True)) for row in zip(*listed, strict=True)]


def same(results: list[dict[str, object]], case: zoo.Case, signature: Signature) -> None:
    """Asserts that each result is the library's answer: equal labels, equal types, numbers within the tolerance."""
    for row, result in enumerate(results):
        prediction = result["prediction"]
        found = list(prediction.values()) if signature.named else [prediction]
        for got, expected in zip(found, (values[row] for values in case.values), strict=True):
            equal(got, expected, case.tolerance)
        if case.probabilities is not None and signature.probabilities:
            for got, expected in zip(result["probabilities"].values(), case.probabilities[row], strict=True):
                equal(got, expected, case.tolerance)
        if case.score is not None and signature.score:
            equal(result["score"], case.score[row], case.tolerance)


def equal(got: object, expected: object, tolerance: float) -> None:
    expected = expected.item() if isinstance(expected, np.generic) else expected
    if isinstance(expected, float) and not isinstance(got, str | bool):
        if math.isnan(expected):
            assert got is None
        else:
            assert got == pytest.approx(expected, rel=tolerance, abs=tolerance * 1e-3)
    else:
        assert (got, type(got)) == (expected, type(expected))


@pytest.mark.parametrize("name", zoo.NAMES)
def test_an_array_of_objects_is_answered_as_by_the_library(name, served):
    case, signature, client = served(name)
    response = client.post("/predict", json=plain(signature, case))
    assert response.status_code == 200, response.text
    same(response.json["predictions"], case, signature)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_one_object_a_query_and_a_form_give_the_same_bytes(name, served):
    case, signature, client = served(name)
    for row in (0, 7):
        values = plain(signature, case)[row]
        one = client.post("/predict", json=values)
        assert one.status_code == 200, one.text
        same_row = {key: value for key, value in one.json.items() if key != "warnings"}
        many = client.post("/predict", json=plain(signature, case)[row : row + 1]).json["predictions"][0]
        assert json.dumps(same_row) == json.dumps(many)
        texts = {key: "" if value is None else str(value) for key, value in values.items()}
        if any(value == "" for value in values.values()):
            continue  # an empty text and a missing one are the same to a form
        assert client.get(f"/predict?{urlencode(texts)}").data == one.data
        assert client.post("/predict", data=texts).data == one.data


@pytest.mark.parametrize("name", zoo.NAMES)
def test_a_file_is_answered_as_by_the_library(name, served):
    case, signature, client = served(name)
    rows = plain(signature, case)
    if any(value == "" or (isinstance(value, str) and "\x00" in value) for row in rows for value in row.values()):
        pytest.skip("an empty text and a missing one are the same in CSV")
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    upload = {"file": (io.BytesIO(text.getvalue().encode()), "rows.csv")}
    response = client.post("/predict_file", data=upload)
    assert response.status_code == 200, response.text
    assert response.json["rows"] == len(rows)
    predictions = response.json["predictions"]
    same([{"prediction": each} for each in predictions], zoo_values(case), signature)


def zoo_values(case: zoo.Case) -> zoo.Case:
    """The case without probabilities and scores, which a file's JSON answer leaves out."""
    return zoo.Case(
        name=case.name,
        path=case.path,
        columns=case.columns,
        values=case.values,
        probabilities=None,
        score=None,
        float32=case.float32,
    )


def test_most_of_the_zoo_is_compiled(request):
    if len(COMPILED) < len(zoo.NAMES):
        pytest.skip("only after the whole suite")
    refused = sorted(name for name, compiled in COMPILED.items() if not compiled)
    assert len(refused) <= len(zoo.NAMES) * 0.35, refused
