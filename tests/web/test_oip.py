from __future__ import annotations

import gzip
import json
import zlib

import numpy as np
import pytest

from flaskship import web
from flaskship.schema import Field, FieldType, Output, Signature, Task
from flaskship.settings import Settings

NUMBERS = Signature(
    task=Task.CLASSIFICATION,
    inputs=(Field(name="a"), Field(name="b", type=FieldType.INTEGER), Field(name="c", nullable=True)),
    outputs=(Output(name="prediction", type=FieldType.TEXT),),
    classes=("buys", "leaves"),
    probabilities=True,
)


def inputs(rows: int = 1, **changes: object) -> list[dict[str, object]]:
    tensors = {
        "age": {"datatype": "INT64", "data": [45, 70][:rows]},
        "new_user": {"datatype": "BOOL", "data": [True, False][:rows]},
        "total pages": {"datatype": "FP64", "data": [5.5, None][:rows]},
        "land": {"datatype": "BYTES", "data": ["de", "fr"][:rows]},
    }
    found = [{"name": name, "shape": [rows], **told} for name, told in tensors.items()]
    return [each | changes.get(each["name"], {}) for each in found]


def infer(client, path: str = "/v2/models/shop/infer", **body: object):
    return client.post(path, data=json.dumps(body))  # no content type, as Triton's client sends none


@pytest.mark.parametrize("verb", ["server", "metadata", "live", "ready", "models", "model ready", "index"])
def test_what_the_server_says_of_itself(client, verb):
    paths = {
        "server": ("GET", "/v2"),
        "metadata": ("GET", "/v2/models/shop"),
        "live": ("GET", "/v2/health/live"),
        "ready": ("GET", "/v2/health/ready"),
        "models": ("GET", "/v2/models"),
        "model ready": ("GET", "/v2/models/shop/ready"),
        "index": ("POST", "/v2/repository/index"),
    }
    expected = {
        "live": {"live": True},
        "ready": {"live": True, "ready": True},
        "models": {"models": ["shop"]},
        "model ready": {"name": "shop", "ready": True},
        "index": [{"name": "shop", "version": "1", "state": "READY", "reason": ""}],
        "metadata": {
            "name": "shop",
            "platform": "flaskship_scikit-learn",
            "inputs": [
                {"name": "age", "datatype": "INT64", "shape": [-1]},
                {"name": "new_user", "datatype": "BOOL", "shape": [-1]},
                {"name": "total pages", "datatype": "FP64", "shape": [-1]},
                {"name": "land", "datatype": "BYTES", "shape": [-1]},
            ],
            "outputs": [
                {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
                {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]},
            ],
        },
    }
    method, path = paths[verb]
    told = client.open(path, method=method).json
    if verb == "server":
        assert {"name", "version", "extensions"} == set(told)
        assert "binary_tensor_data" in told["extensions"]
    else:
        assert told == expected[verb]


def test_tensors_are_answered_as_the_json_door_answers_rows(client, row):
    told = infer(client, inputs=inputs(2), id="abc").json
    assert (told["model_name"], told["id"], "model_version" in told) == ("shop", "abc", False)
    assert told["outputs"][0] == {
        "name": "prediction", "datatype": "BYTES", "shape": [2], "data": ["leaves", "buys"]
    }  # fmt: skip
    rows = client.post("/predict", json=[row, {"age": 70, "new_user": False, "total pages": None, "land": "fr"}]).json
    expected = [value for each in rows["predictions"] for value in each["probabilities"].values()]
    assert told["outputs"][1] == {"name": "probabilities", "datatype": "FP64", "shape": [2, 2], "data": expected}


@pytest.mark.parametrize(
    "age",
    [
        {"shape": [1, 1], "data": [[45]]},
        {"shape": [1, 1], "data": [45]},
        {"datatype": "UINT8"},
        {"datatype": "INT32"},
        {"datatype": "FP32", "data": [45.0]},
        {"datatype": "FP64"},
        {"data": [45.0]},
    ],
)
def test_a_whole_number_may_come_in_many_ways(client, age):
    assert infer(client, inputs=inputs(age=age)).json["outputs"][0]["data"] == ["leaves"]


BAD = {
    "no inputs": {"inputs": []},
    "inputs no array": {"inputs": {"age": 1}},
    "missing": {"inputs": inputs()[1:]},
    "unknown": {"inputs": [*inputs(), {"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}]},
    "repeated": {"inputs": [*inputs(), inputs()[0]]},
    "unknown datatype": {"inputs": inputs(age={"datatype": "INT128"})},
    "text for a number": {"inputs": inputs(age={"data": ["45"]})},
    "BYTES for a number": {"inputs": inputs(age={"datatype": "BYTES", "data": ["45"]})},
    "a number for text": {"inputs": inputs(land={"datatype": "INT64", "data": [1]})},
    "BOOL for a number": {"inputs": inputs(age={"datatype": "BOOL", "data": [True]})},
    "part of a whole number": {"inputs": inputs(age={"datatype": "FP64", "data": [45.5]})},
    "null": {"inputs": inputs(age={"data": [None]})},
    "NaN": {"inputs": inputs(age={"datatype": "FP64", "data": [float("nan")]})},
    "over its datatype": {"inputs": inputs(age={"datatype": "UINT8", "data": [256]})},
    "huge": {"inputs": inputs(age={"data": [10**40]})},
    "huge float": {"inputs": inputs(**{"total pages": {"data": [10**400]}})},
    "a shape that does not fit": {"inputs": inputs(age={"shape": [2]})},
    "no shape": {"inputs": inputs(age={"shape": None})},
    "a negative shape": {"inputs": inputs(age={"shape": [-1]})},
    "a boolean shape": {"inputs": inputs(age={"shape": [True]})},
    "an empty shape": {"inputs": inputs(age={"shape": []})},
    "too many dimensions": {"inputs": inputs(age={"shape": [1, 1, 1]})},
    "no rows": {"inputs": [each | {"shape": [0], "data": []} for each in inputs()]},
    "different rows": {"inputs": inputs(age={"shape": [2], "data": [1, 2]})},
    "data that mixes": {"inputs": inputs(age={"data": [[45], 1]})},
    "data of objects": {"inputs": inputs(age={"data": [{}]})},
    "no data": {"inputs": inputs(age={"data": None})},
    "outside the choices": {"inputs": inputs(land={"data": ["us"]})},
    "unknown output": {"inputs": inputs(), "outputs": [{"name": "x"}]},
    "outputs no array": {"inputs": inputs(), "outputs": {}},
    "an id that is no text": {"inputs": inputs(), "id": 1},
    "parameters that are none": {"inputs": inputs(), "parameters": []},
    "bytes that are not there": {"inputs": inputs(age={"data": None, "parameters": {"binary_data_size": 8}})},
    "classes of text": {"inputs": inputs(), "outputs": [{"name": "prediction", "parameters": {"classification": 1}}]},
    "no classes": {"inputs": inputs(), "outputs": [{"name": "probabilities", "parameters": {"classification": 0}}]},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_told_why(client, name):
    answer = infer(client, **BAD[name])
    assert (answer.status_code, list(answer.json)) == (400, ["error"])
    assert answer.json["error"].endswith(".")


@pytest.mark.parametrize("name", ["x", "input-0", "a"])
def test_a_model_of_numbers_takes_one_tensor_of_all_its_fields(made, name):
    client = web.create_app([made("shop", NUMBERS)], Settings()).test_client()
    whole = {"name": name, "shape": [2, 3], "datatype": "FP32", "data": [[45, 1, 2], [70, 1, 2]]}
    assert infer(client, inputs=[whole]).json["outputs"][0]["data"] == ["leaves", "buys"]
    bad = infer(client, inputs=[whole | {"data": [[45, 1.5, 2], [70, 1, 2]]}])
    assert (bad.status_code, "'b'" in bad.json["error"]) == (400, True)


def test_requested_outputs_alone_are_answered_in_their_order(client):
    wanted = [{"name": "probabilities"}, {"name": "prediction"}]
    told = infer(client, inputs=inputs(), outputs=wanted).json
    assert [each["name"] for each in told["outputs"]] == ["probabilities", "prediction"]


def test_classification_answers_the_best_classes_as_text(client):
    wanted = [{"name": "probabilities", "parameters": {"classification": 1}}]
    told = infer(client, inputs=inputs(2), outputs=wanted).json["outputs"]
    assert told == [
        {
            "name": "probabilities",
            "datatype": "BYTES",
            "shape": [2, 1],
            "data": ["0.622459:1:leaves", "0.880797:0:buys"],
        }
    ]


def test_a_raw_body_is_the_one_tensor_of_a_model_with_one_field(made):
    one = Signature(task=Task.REGRESSION, inputs=(Field(name="a"),))
    client = web.create_app([made("one", one)], Settings()).test_client()
    headers = {"Inference-Header-Content-Length": "0"}
    answer = client.post("/v2/models/one/infer", data=np.array([1.5, 2.5]).tobytes(), headers=headers)
    length = int(answer.headers["Inference-Header-Content-Length"])
    assert np.frombuffer(answer.data[length:]).tolist() == [1.5, 2.5]
    assert client.post("/v2/models/one/infer", data=b"abc", headers=headers).status_code == 400


@pytest.mark.parametrize("length", ["-1", "abc", "99999", "9" * 5000])
def test_a_header_length_that_cannot_be_is_refused(client, length):
    headers = {"Inference-Header-Content-Length": length}
    answer = client.post("/v2/models/shop/infer", data=b"{}", headers=headers)
    assert (answer.status_code, list(answer.json)) == (400, ["error"])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x02\x00\x00\x00d",
        b"\xff\xff\xff\xffde",
        b"\x02\x00\x00",
        b"\x01\x00\x00\x00\xff",
        b"\x02\x00\x00\x00de\x00",
    ],
)
def test_bytes_that_are_cut_off_are_refused(client, raw):
    given = inputs(land={"parameters": {"binary_data_size": len(raw)}})
    given[3].pop("data")
    head = json.dumps({"inputs": given}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = client.post("/v2/models/shop/infer", data=head + raw, headers=headers)
    assert (answer.status_code, list(answer.json)) == (400, ["error"])


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_bodies_are_packed_both_ways(client, encoding, pack):
    body = pack(json.dumps({"inputs": inputs()}).encode())
    headers = {"Content-Encoding": encoding, "Accept-Encoding": encoding}
    answer = client.post("/v2/models/shop/infer", data=body, headers=headers)
    assert "Content-Encoding" not in answer.headers  # too small to be worth it
    rows = 500
    many = [each | {"shape": [rows], "data": each["data"] * rows} for each in inputs()]
    answer = client.post("/v2/models/shop/infer", data=pack(json.dumps({"inputs": many}).encode()), headers=headers)
    assert answer.headers["Content-Encoding"] == encoding
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert len(json.loads(zlib.decompress(answer.data, 47))["outputs"][0]["data"]) == rows


@pytest.mark.parametrize("accepted", ["gzip;q=0", "br", ""])
def test_an_answer_is_packed_only_for_whom_takes_it(client, accepted):
    many = [each | {"shape": [500], "data": each["data"] * 500} for each in inputs()]
    body = json.dumps({"inputs": many})
    answer = client.post("/v2/models/shop/infer", data=body, headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers


def test_a_version_is_told_where_the_model_has_one(made):
    client = web.create_app([made("shop", version="7")], Settings()).test_client()
    assert client.get("/v2/models/shop").json["versions"] == ["7"]
    assert infer(client, "/v2/models/shop/versions/7/infer", inputs=inputs()).json["model_version"] == "7"
    assert client.get("/v2/models/shop/versions/8").status_code == 404


# What follows speaks through the real client.

tritonclient = pytest.importorskip("tritonclient.http")
utils = pytest.importorskip("tritonclient.utils")


@pytest.fixture
def triton(subject, server):
    client = tritonclient.InferenceServerClient(server(web.create_app([subject], Settings())))
    yield client
    client.close()


ARRAYS = {
    "age": np.array([45, 70], np.int64),
    "new_user": np.array([True, False]),
    "total pages": np.array([5.5, np.nan]),
    "land": np.array(["de", "fr"], dtype=object),
}


def given(binary: bool = True) -> list[object]:
    found = []
    for name, values in ARRAYS.items():
        one = tritonclient.InferInput(name, list(values.shape), tritonclient_type(values))
        one.set_data_from_numpy(values, binary_data=binary or name == "total pages")  # JSON has no NaN
        found.append(one)
    return found


def tritonclient_type(values: np.ndarray) -> str:
    return utils.np_to_triton_dtype(values.dtype)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
def test_tritons_client_is_answered(triton, binary, packing):
    wanted = [tritonclient.InferRequestedOutput(name, binary_data=binary) for name in ("prediction", "probabilities")]
    result = triton.infer(
        "shop", given(binary), outputs=wanted, request_id="1",
        request_compression_algorithm=packing, response_compression_algorithm=packing,
    )  # fmt: skip
    assert result.get_response()["id"] == "1"
    assert [value if isinstance(value, str) else value.decode() for value in result.as_numpy("prediction")] == [
        "leaves",
        "buys",
    ]
    assert result.as_numpy("probabilities").shape == (2, 2)


def test_tritons_client_gets_all_outputs_in_binary_when_it_names_none(triton):
    result = triton.infer("shop", given())
    assert result.as_numpy("prediction").tolist() == [b"leaves", b"buys"]
    assert result.as_numpy("probabilities").dtype == np.float64


def test_tritons_client_gets_classes(triton):
    wanted = [tritonclient.InferRequestedOutput("probabilities", class_count=2)]
    classes = triton.infer("shop", given(), outputs=wanted).as_numpy("probabilities")
    assert classes[0].tolist() == [b"0.622459:1:leaves", b"0.377541:0:buys"]


def test_tritons_client_is_told_all_that_it_asks(triton):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("shop")
    assert not triton.is_model_ready("other")
    assert triton.get_server_metadata()["name"] == "flaskship"
    assert triton.get_model_metadata("shop")["name"] == "shop"
    assert triton.get_model_config("shop")["input"][0] == {"name": "age", "data_type": "TYPE_INT64", "dims": [-1]}
    assert triton.get_model_repository_index()[0]["state"] == "READY"
    triton.load_model("shop")
    triton.infer("shop", given())
    (stats,) = triton.get_inference_statistics("shop")["model_stats"]
    assert (stats["inference_count"], stats["execution_count"]) == (2, 1)


def test_tritons_client_understands_errors(triton):
    with pytest.raises(utils.InferenceServerException, match="No model 'other'"):
        triton.infer("other", given())
    with pytest.raises(utils.InferenceServerException, match="Input 'land' is missing"):
        triton.infer("shop", given()[:3])
    with pytest.raises(utils.InferenceServerException, match="keeps its models"):
        triton.unload_model("shop")


def test_tritons_client_finds_a_model_below_a_path(made, server):
    host = server(web.create_app([made("shop"), made("lager ü")], Settings()))
    for address in (host, f"{host}/lager%20%C3%BC"):
        client = tritonclient.InferenceServerClient(address)
        assert client.infer("lager ü", given()).as_numpy("prediction").tolist() == [b"leaves", b"buys"]
        client.close()
