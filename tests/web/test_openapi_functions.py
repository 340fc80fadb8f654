"""The OpenAPI document of functions: valid, its examples answered, and its promises kept."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from PIL import Image

from flaskship import artifact, web
from flaskship.predict.codec import Codec
from flaskship.predict.predictor import Predictor
from flaskship.settings import Settings
from flaskship.web import schemas

MODULE = '''
from __future__ import annotations

import datetime
import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from flaskship import Boxes, Labels, Meta, Segmentation, endpoint


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Part:
    name: str
    weight: Annotated[float, Meta(ge=0, le=1000)] = 1.0
    parts: list[Part] = field(default_factory=list)


@dataclass
class Total:
    weight: float
    heaviest: Part | None


@endpoint
def scalars(
    age: Annotated[int, Meta(ge=18, le=120, description="In years.", examples=[45])],
    share: Annotated[float, Meta(gt=0, lt=1)],
    code: Annotated[str, Meta(pattern="^[a-z]{2}$", examples=["ab"])],
    size: Literal["s", "m"],
    colour: Colour,
    day: datetime.date,
    at: datetime.datetime | None,
    smoker: bool = False,
    note: str = "none",
) -> float:
    """What somebody pays.

    Args:
        share: of the whole.
    """
    return age * share


@endpoint("/weigh/all")
def weigh(parts: list[Part], tags: list[str] = [], options: dict[str, int] | None = None) -> Total:
    return Total(sum(each.weight for each in parts), max(parts, key=lambda each: each.weight, default=None))


@endpoint
def anything(value: Any) -> Any:
    return value


@endpoint
def grey(image: Image.Image, times: int = 1) -> Image.Image:
    return image.convert("L")


@endpoint
def labelled(image: Image.Image) -> Labels | None:
    if image.width == 1:
        return None
    return Labels({"cat": 0.75, "dog": 0.25})


@endpoint
def boxed(image: Image.Image | None = None) -> Boxes:
    return Boxes(boxes=[[0, 0, 1, 1]], class_ids=[0], class_names=["a"], scores=[0.5])


@endpoint
def segmented(image: Image.Image) -> Segmentation:
    masks = np.ones((1, image.height, image.width), bool)
    return Segmentation(boxes=[[0, 0, 1, 1]], class_ids=[0], class_names=["a"], scores=[0.5], masks=masks)


@endpoint
def arrays(x: NDArray[np.float32], y: np.ndarray) -> np.ndarray:
    return x * 2


@endpoint
def frames(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


@endpoint
def uploaded(document: Path, comment: str = "") -> int:
    return len(document.read_bytes())


@endpoint
def told(prompt: str, most: int = 3) -> Iterator[str]:
    yield from prompt.split()[:most]


@endpoint
def state() -> dict[str, int]:
    return {"asked": 1}


@endpoint(batch=4)
def shouted(text: list[str], times: list[Annotated[int, Meta(ge=0, le=9)]]) -> list[str]:
    return [each.upper() * time for each, time in zip(text, times)]
'''
NAMES = [
    "scalars",
    "weigh",
    "anything",
    "grey",
    "labelled",
    "boxed",
    "segmented",
    "arrays",
    "frames",
    "uploaded",
    "told",
    "state",
    "shouted",
]
schemathesis.checks.load_all_checks()


@pytest.fixture(scope="module")
def subjects(tmp_path_factory):
    folder = tmp_path_factory.mktemp("described")
    (folder / "described.py").write_text(MODULE)
    found = {}
    for name, model in artifact.functions(folder, ".", "described.py").items():
        made = web.Subject(name=name, codec=Codec(model.signature, hints=model.hints), path=model.path)
        made.open(Predictor(model, fast=not model.batch, max_batch=model.batch))
        found[name] = made
    return found


@pytest.fixture(params=NAMES)
def client(subjects, request):
    return web.create_app([subjects[request.param]], Settings()).test_client()


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json


def checked(document: Any, schema: Any, value: Any) -> None:
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def test_the_document_is_valid_and_its_examples_are_answered_as_it_says(client, document):
    OpenAPIV31SpecValidator(document).validate()
    tried = 0
    for path, operations in document["paths"].items():
        about = operations.get("post", {})
        content = about.get("requestBody", {}).get("content", {}).get("application/json", {})
        examples = [each["value"] for each in content.get("examples", {}).values()]
        for example in examples + ([content["example"]] if "example" in content else []):
            checked(document, content["schema"], example)
            answer = client.post(path, json=example, headers={"Accept": "application/json"})
            assert answer.status_code == 200, (path, example, answer.text)
            checked(document, about["responses"]["200"]["content"]["application/json"]["schema"], answer.json)
            tried += 1
    assert tried >= 2 or "Row" not in document["components"]["schemas"]


def test_the_query_of_the_document_is_answered(client, document):
    about = document["paths"]["/predict"].get("get")
    if about is None:
        assert client.get("/predict?image=x").status_code == 422
        return
    query = {}
    for each in about["parameters"]:
        if each["required"]:
            schema = each.get("schema", {})
            value = each["content"]["application/json"]["example"] if "content" in each else schema["examples"][0]
            query[each["name"]] = value if isinstance(value, str) else json.dumps(value)
    answer = client.get("/predict", query_string=query, headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text


def test_what_the_document_says_of_each_way_in(subjects):
    def of(name: str) -> Any:
        return web.create_app([subjects[name]], Settings()).test_client().get("/openapi.json").json

    scalars = of("scalars")
    assert scalars["info"]["description"].startswith("What somebody pays.")
    assert scalars["components"]["schemas"]["Row"]["required"] == [
        "age",
        "share",
        "code",
        "size",
        "colour",
        "day",
        "at",
    ]
    fields = scalars["components"]["schemas"]["Row"]["properties"]
    assert fields["age"] == {"type": "integer", "minimum": 18, "maximum": 120, "description": "In years."}
    assert fields["share"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": 1,
        "description": "of the whole.",
    }
    assert fields["colour"]["enum"] == ["red", "blue"]
    assert fields["day"] == {"type": "string", "format": "date"}
    assert fields["at"]["type"] == ["string", "null"]
    assert fields["note"] == {"type": "string", "default": "none"}
    assert {"/predict", "/scalars", "/predict_file", "/invocations", "/v2/models/scalars/infer"} <= set(
        scalars["paths"]
    )
    weigh = of("weigh")
    assert weigh["components"]["schemas"]["Part"]["properties"]["parts"]["items"] == {
        "$ref": "#/components/schemas/Part"
    }
    assert weigh["components"]["schemas"]["Answer"]["properties"]["prediction"] == {
        "$ref": "#/components/schemas/Total"
    }
    assert "/weigh/all" in weigh["paths"]
    grey = of("grey")
    post = grey["paths"]["/predict"]["post"]
    assert list(post["requestBody"]["content"]) == ["application/json", "multipart/form-data", "image/*"]
    assert grey["components"]["schemas"]["Parts"]["properties"]["image"]["contentMediaType"] == "image/png"
    assert list(post["responses"]["200"]["content"]) == ["application/json", "image/png"]
    assert "get" not in grey["paths"]["/predict"]
    assert not [path for path in grey["paths"] if path.startswith("/v2")]
    assert "text/event-stream" in of("told")["paths"]["/predict"]["post"]["responses"]["200"]["content"]
    assert of("segmented")["paths"]["/predict"]["parameters"][0]["name"] == "masks"
    assert "/invocations" not in of("uploaded")["paths"]
    state = of("state")
    OpenAPIV31SpecValidator(state).validate()
    assert "requestBody" not in state["paths"]["/predict"]["post"]
    assert set(state["paths"]) == {"/predict", "/state", "/livez", "/readyz", "/metrics"}


def test_among_several_the_own_path_is_said_to_be_at_the_root(subjects):
    client = web.create_app(list(subjects.values()), Settings()).test_client()
    document = client.get("/weigh/openapi.json").json
    OpenAPIV31SpecValidator(document).validate()
    assert [each["url"] for each in document["servers"]] == ["/weigh"]
    assert [each["url"] for each in document["paths"]["/weigh/all"]["servers"]] == ["/"]
    assert client.post("/weigh/all", json={"parts": []}).status_code == 200


def test_a_type_is_one_component_whatever_its_fields_say_of_it():
    box = {"title": "Box", "type": "object", "properties": {"w": {"type": "number"}}, "required": ["w"]}
    told = {
        "a": box | {"default": {"w": 1}, "description": "The first."},
        "b": box | {"type": ["object", "null"]},
        "c": {"type": "array", "items": box},
    }
    there = schemas.ref("Box")
    assert schemas.named({"Row": {"properties": told}}) == {
        "Row": {
            "properties": {
                "a": there | {"description": "The first.", "default": {"w": 1}},
                "b": {"anyOf": [there, {"type": "null"}]},
                "c": {"type": "array", "items": there},
            }
        },
        "Box": box,
    }


def test_the_forms_of_the_document_are_read(subjects):
    out = io.BytesIO()
    Image.new("RGB", (1, 1)).save(out, "PNG")
    unknown = web.create_app([subjects["labelled"]], Settings()).test_client()
    answer = unknown.post("/predict", data=out.getvalue(), content_type="image/png").json
    assert answer == {"prediction": None}
    document = unknown.get("/openapi.json").json
    checked(document, document["components"]["schemas"]["Answer"], answer)
    client = web.create_app([subjects["grey"]], Settings()).test_client()
    sent = {"image": (io.BytesIO(out.getvalue()), "a.png"), "times": "2"}
    assert client.post("/predict", data=sent).json["prediction"].startswith("data:image/png")
    assert client.post("/predict", data=out.getvalue(), content_type="image/png").status_code == 200


@pytest.mark.parametrize("name", ["scalars", "weigh", "anything", "arrays", "frames", "told", "state", "shouted"])
def test_each_answer_is_as_described(subjects, name):
    described = schemathesis.openapi.from_wsgi("/openapi.json", web.create_app([subjects[name]], Settings()))
    operations = [each.ok() for each in described.get_all_operations()]
    accepted = schemathesis.checks.CHECKS.get_one("positive_data_acceptance")
    # An array may be ragged, and that a text of a form is JSON is no rule for who makes it up: not all is accepted.
    loose = (accepted,) if name in ("weigh", "arrays", "frames") else ()
    for operation in operations:
        if operation.path == "/predict":

            @settings(suppress_health_check=list(HealthCheck), max_examples=40)
            @given(case=operation.as_strategy())
            def answered(case):
                case.call_and_validate(excluded_checks=loose)

            answered()
