from __future__ import annotations

import io
import json

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from flaskship import web
from flaskship.schema import Field, FieldType, Output, Signature, Task
from flaskship.settings import Settings

NUMBER, INTEGER, TEXT, BOOLEAN = FieldType.NUMBER, FieldType.INTEGER, FieldType.TEXT, FieldType.BOOLEAN
SIGNATURES = {
    "everything": Signature(
        task=Task.CLASSIFICATION,
        inputs=(
            Field(name="plain"),
            Field(name="in range", low=-1.5, high=2.5, seen="in training", help="Metres."),
            Field(name="whole", type=INTEGER, low=17, high=123, default=30.0),
            Field(name="maybe", type=INTEGER, nullable=True),
            Field(name="closed", type=TEXT, choices=("a", "b"), closed=True, nullable=True),
            Field(name="open", type=TEXT, choices=("x", "y")),
            Field(name="numbered", type=INTEGER, choices=(1, 2), closed=True),
            Field(name="flag", type=BOOLEAN),
            Field(name="flag or not", type=BOOLEAN, nullable=True),
            Field(name="matrix", shape=(2, -1)),
        ),
        outputs=(Output(name="prediction", type=TEXT),),
        classes=("buys", "leaves"),
        probabilities=True,
    ),
    "regression": Signature(task=Task.REGRESSION, inputs=(Field(name="a"),)),
    "outliers": Signature(task=Task.OUTLIER, inputs=(Field(name="a"),), score=True),
    "several outputs": Signature(
        task=Task.MULTIOUTPUT, inputs=(Field(name="a"),), outputs=(Output(name="y0"), Output(name="y1"))
    ),
}


@pytest.fixture(scope="module", params=SIGNATURES)
def client(made, request):
    return web.create_app([made("m", SIGNATURES[request.param])], Settings()).test_client()


@pytest.fixture(scope="module")
def document(client):
    return client.get("/openapi.json").json


def test_the_document_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_with_a_key_it_is_valid_too(made):
    client = web.create_app([made("m")], Settings(api_key="k")).test_client()
    document = client.get("/openapi.json", headers={"X-API-Key": "k"}).json
    OpenAPIV31SpecValidator(document).validate()
    assert document["paths"]["/livez"]["get"]["security"] == []


def test_every_example_of_a_body_is_answered(client, document):
    tried = 0
    for path, operations in document["paths"].items():
        for content, about in operations.get("post", {}).get("requestBody", {}).get("content", {}).items():
            examples = [each["value"] for each in about.get("examples", {}).values()]
            examples += [about["example"]] if "example" in about else []
            for example in examples:
                answer = client.post(path, data=json.dumps(example), content_type=content)
                assert answer.status_code == 200, answer.text
                tried += 1
    assert tried == 5


def test_the_example_of_the_query_is_answered(client, document):
    query = {}
    for each in document["paths"]["/predict"]["get"]["parameters"]:
        value = json.dumps(each["content"]["application/json"]["example"]) if "content" in each else None
        query[each["name"]] = value or each["schema"]["examples"][0]
    assert client.get("/predict", query_string=query).status_code == 200


def test_answers_are_as_the_document_says(client, document):
    def valid(name: str, value: object) -> None:
        Draft202012Validator({"$ref": f"#/components/schemas/{name}", **document}).validate(value)

    post = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    row = post["one"]["value"]
    valid("Row", row)
    valid("Answer", client.post("/predict", json=row).json)
    valid("Answers", client.post("/predict", json=[row, row]).json)
    valid("Problem", client.post("/predict", json={}).json)
    rows = "\n".join(json.dumps(row) for _ in range(2)).encode()
    valid("FileAnswer", client.post("/predict_file", data={"file": (io.BytesIO(rows), "rows.jsonl")}).json)
    valid("TensorError", client.post("/v2/models/m/infer", data=b"{}").json)
