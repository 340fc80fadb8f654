"""Functions asked through other protocols: tensors, MLflow's rows, files."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tritonclient.http as triton

from flaskship import artifact, web
from flaskship.predict.codec import Codec
from flaskship.predict.predictor import Predictor
from flaskship.settings import Settings

MODULE = """
import datetime
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from flaskship import BadInput, Boxes, Labels, endpoint


@endpoint
def price(age: int, day: datetime.date, town: str = "Ulm", share: float | None = None) -> float:
    if town == "Atlantis":
        raise BadInput(f"No town {town!r}.")
    return age * (share or 1) + day.day


@endpoint
def doubled(x: NDArray[np.float32]) -> np.ndarray:
    return x * 2


@endpoint
def mood(text: str) -> Labels:
    return Labels({"glad": 0.75, "sad": 0.25} if "good" in text else {"glad": 0.25, "sad": 0.75})


@endpoint
def parts(text: str) -> dict[str, int]:
    return {"letters": len(text)}


@endpoint
def found(text: str) -> Boxes:
    return Boxes(boxes=[], class_ids=[], class_names=[], scores=[])


@endpoint
def seen(image: Image.Image) -> int:
    return image.width


@endpoint
def kept(document: Path) -> int:
    return len(document.read_bytes())


@endpoint
def summed(rows: pd.DataFrame) -> float:
    return float(rows["a"].sum())


@endpoint
def told(text: str) -> Iterator[str]:
    yield text
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("protocols")
    (folder / "asked.py").write_text(MODULE)
    subjects = []
    for name, model in artifact.functions(folder, ".", "asked.py").items():
        made = web.Subject(name=name, codec=Codec(model.signature, hints=model.hints))
        made.open(Predictor(model))
        subjects.append(made)
    return web.create_app(subjects, Settings()).test_client()


def infer(client, name: str, *inputs: tuple[str, str, list[int], list[object]]):
    tensors = [dict(zip(("name", "datatype", "shape", "data"), each, strict=True)) for each in inputs]
    return client.post(f"/v2/models/{name}/infer", json={"inputs": tensors})


def test_scalars_text_and_dates_are_tensors_and_what_has_a_default_may_be_left_out(client):
    sent = [("age", "INT64", [2], [45, 30]), ("day", "BYTES", [2], ["2026-01-31", "2026-01-01"])]
    assert infer(client, "price", *sent).json["outputs"] == [
        {"name": "prediction", "datatype": "FP64", "shape": [2], "data": [76.0, 31.0]}
    ]
    share = ("share", "FP64", [2], [2.0, None])
    assert infer(client, "price", *sent, share).json["outputs"][0]["data"] == [121.0, 31.0]
    refused = infer(client, "price", *sent, ("town", "BYTES", [2], ["Ulm", "Atlantis"]))
    assert (refused.status_code, refused.json) == (400, {"error": "No town 'Atlantis'."})
    late = infer(client, "price", sent[0], ("day", "BYTES", [2], ["soon", "2026-01-01"]))
    assert "'day' takes a date" in late.json["error"]
    assert client.get("/v2/models/price").json["inputs"] == [
        {"name": "age", "datatype": "INT64", "shape": [-1]},
        {"name": "day", "datatype": "BYTES", "shape": [-1]},
        {"name": "town", "datatype": "BYTES", "shape": [-1]},
        {"name": "share", "datatype": "FP64", "shape": [-1]},
    ]


def test_arrays_are_tensors_in_and_out_also_as_bytes(client):
    assert client.get("/v2/models/doubled").json["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, -1]}]
    answer = infer(client, "doubled", ("x", "FP32", [2, 2], [1, 2, 3, 4])).json["outputs"]
    assert answer == [{"name": "prediction", "datatype": "FP64", "shape": [2, 2], "data": [2.0, 4.0, 6.0, 8.0]}]
    values = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    tensor = triton.InferInput("x", [2, 2, 2], "FP32")
    tensor.set_data_from_numpy(values)
    body, size = triton.InferenceServerClient.generate_request_body([tensor])
    headers = {"Inference-Header-Content-Length": str(size)}
    got = client.post("/v2/models/doubled/infer", data=body, headers=headers)
    found = triton.InferenceServerClient.parse_response_body(
        got.data, header_length=got.headers.get("Inference-Header-Content-Length", type=int)
    )
    np.testing.assert_array_equal(found.as_numpy("prediction"), values * 2)


def test_labels_and_objects_are_text_as_tensors(client):
    outputs = infer(client, "mood", ("text", "BYTES", [1], ["good"])).json["outputs"]
    assert outputs == [
        {"name": "prediction", "datatype": "BYTES", "shape": [1], "data": ["glad"]},
        {"name": "probabilities", "datatype": "BYTES", "shape": [1], "data": ['{"glad":0.75,"sad":0.25}']},
    ]
    told = client.get("/v2/models/mood").json["outputs"]
    assert [(each["name"], each["datatype"], each["shape"]) for each in told] == [
        (each["name"], each["datatype"], [-1]) for each in outputs
    ]
    (output,) = infer(client, "parts", ("text", "BYTES", [1], ["abc"])).json["outputs"]
    assert output["data"] == ['{"letters":3}']


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("seen", "'image' takes a picture, which is no tensor. Use POST /predict."),
        ("kept", "'document' takes a file, which is no tensor. Use POST /predict."),
        ("summed", "'rows' takes a table, which is no tensor. Use POST /predict."),
        ("told", "The function answers as a stream, which is no tensor. Use POST /predict."),
    ],
)
def test_what_is_no_tensor_says_where_to_ask(client, name, said):
    answers = [client.get(f"/v2/models/{name}"), infer(client, name, ("text", "BYTES", [1], ["a"]))]
    assert [(each.status_code, each.json) for each in answers] == [(400, {"error": said})] * 2


def test_mlflows_rows_are_a_functions_rows(client):
    for body in (
        {"dataframe_records": [{"age": 45, "day": "2026-01-31"}]},
        {"dataframe_split": {"columns": ["day", "age"], "data": [["2026-01-31", 45]]}},
        {"instances": [[45, "2026-01-31"]]},
        {"inputs": {"age": [45], "day": ["2026-01-31"]}},
    ):
        assert client.post("/price/invocations", json=body).json == {"predictions": [76.0]}
    csv = client.post("/price/invocations", data="age,day\n45,2026-01-31\n", content_type="text/csv")
    assert csv.json == {"predictions": [76.0]}
    whole = {"instances": [["good"]], "params": {"probabilities": True}}
    probabilities = {"glad": 0.75, "sad": 0.25}
    assert client.post("/mood/invocations", json=whole).json == {
        "predictions": [{"prediction": "glad", "probabilities": probabilities}]
    }
    lines = client.post("/mood/invocations", json={"instances": [["good"], ["bad"]]}, headers={"Accept": "text/csv"})
    assert [line.partition(",")[0] for line in lines.text.splitlines()] == ["glad", "sad"]
    assert client.post("/found/invocations", json={"instances": ["a"]}).json["predictions"][0]["boxes"] == []


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("kept", {"document": "aGVsbG8="}, "'document' takes a file, which cannot be sent this way"),
        ("told", {"text": "a"}, ""),
        ("price", {"age": "45", "day": "2026-01-31"}, "'age' takes a whole number"),
    ],
)
def test_what_mlflows_rows_cannot_say_is_refused(client, name, row, said):
    answer = client.post(f"/{name}/invocations", json={"dataframe_records": [row]})
    if not said:
        assert answer.json == {"predictions": [["a"]]}
        return
    assert (answer.status_code, answer.json["error_code"]) == (400, "BAD_REQUEST")
    assert said in answer.json["message"]


def test_a_file_of_rows_goes_through_a_function(client):
    rows = b"day,age,share\n2026-01-31,45,\n2026-01-01,30,2\n"
    got = client.post("/price/predict_file?format=csv", data=rows, content_type="text/csv")
    assert got.data == b"day,age,share,prediction\n2026-01-31,45,,76\n2026-01-01,30,2,61.0\n"
    assert client.post("/price/predict_file", data=rows, content_type="text/csv").json["predictions"] == [76, 61.0]
    lines = client.post("/mood/predict_file?format=jsonl", data=b"text\ngood\n", content_type="text/csv").data
    assert json.loads(lines)["probabilities"] == {"glad": 0.75, "sad": 0.25}
    bad = client.post("/price/predict_file", data=b"day,age\nsoon,x\n", content_type="text/csv").json["errors"]
    assert [each["at"] for each in bad] == ["row 1, column 'age'", "row 1, column 'day'"]
