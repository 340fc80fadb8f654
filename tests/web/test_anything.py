"""Whatever is sent is answered, and never with a 500."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flaskship import web
from flaskship.settings import Settings

ANY = settings(suppress_health_check=list(HealthCheck))
ROW = {"age": 45, "new_user": True, "total pages": 5.5, "land": "de"}
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["de", 45])
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner))
NAMES = st.sampled_from([*ROW, "id", "inputs", "name", "shape", "data", "datatype", "outputs", "parameters", "columns"])
NAMES |= st.sampled_from(["dataframe_split", "dataframe_records", "instances", "binary_data_size", "classification"])
OBJECTS = st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES) | st.lists(st.dictionaries(NAMES, VALUES)))
BODIES = (VALUES | OBJECTS | st.fixed_dictionaries(dict.fromkeys(ROW, LEAVES))).map(json.dumps).map(str.encode)
BODIES |= st.binary(max_size=200)
PATHS = st.sampled_from(
    ["/predict", "/predict_file", "/invocations", "/v2/models/shop/infer", "/", "/v2/repository/index"]
)
TYPES = st.sampled_from(
    [None, "", "application/json", "text/csv", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/x-ndjson", "application/vnd.apache.parquet", "application/octet-stream", "application/json; charset=",
     "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "a;b=c;d", "multipart/form-data"]
)  # fmt: skip
LATIN = st.text(st.characters(max_codepoint=255), max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Accept", "Content-Encoding", "Inference-Header-Content-Length", "Accept-Encoding", "X-Request-ID"]
    ),
    st.sampled_from(["", "gzip", "deflate", "text/csv", "0", "5", "-1", "*/*", "q=0", "text/html;q=x", "\x7f"]),
)


@pytest.fixture(scope="module")
def client(made):
    return web.create_app([made("shop")], Settings(max_body=100_000)).test_client()


def answered(response) -> None:
    assert response.status_code < 500, response.text
    assert response.headers["X-Request-ID"]
    if response.status_code >= 400 and response.mimetype != "text/html":
        assert isinstance(json.loads(response.data), dict)


@ANY
@given(path=PATHS, body=BODIES, content=TYPES, headers=HEADERS)
def test_any_body_is_answered(client, path, body, content, headers):
    answered(client.post(path, data=body, content_type=content, headers=headers))


@ANY
@given(query=LATIN, path=PATHS)
def test_any_query_is_answered(client, query, path):
    for method in ("GET", "POST"):
        answered(client.open(path, method=method, environ_overrides={"QUERY_STRING": query}))


@ANY
@given(
    path=st.text(st.characters(max_codepoint=255), max_size=30), method=st.sampled_from(["GET", "POST", "HEAD", "X"])
)
def test_any_path_is_answered(client, path, method):
    response = client.open("/", method=method, environ_overrides={"PATH_INFO": f"/{path}"})
    assert response.status_code < 500, response.text


CELLS = st.sampled_from(["45", "1", "de", "", "NaN", "1e400", '"', '""', "é", "x,y", "\t", ";", "\x00", "9" * 400])


@ANY
@given(rows=st.lists(st.lists(CELLS, min_size=1, max_size=6), max_size=5), join=st.sampled_from([",", ";", "\t"]))
def test_any_table_is_answered(client, rows, join):
    header = ["age", "new_user", "total pages", "land"]
    text = "\n".join(join.join(row) for row in [header, *rows])
    for query in ("", "?format=csv", "?on_error=null", "?on_error=null&format=jsonl"):
        for data in (text.encode(), text.encode("utf-16")):
            response = client.post(f"/predict_file{query}", data=data, content_type="text/csv")
            assert response.status_code < 500, response.text


@ANY
@given(
    datatype=st.sampled_from(["INT64", "FP64", "FP16", "BOOL", "BYTES", "UINT8"]),
    shape=st.lists(st.integers(-1, 3), max_size=3),
    data=st.lists(VALUES, max_size=3),
    raw=st.none() | st.binary(max_size=20),
    name=st.sampled_from([*ROW, "x"]),
)
def test_any_tensor_is_answered(client, datatype, shape, data, raw, name):
    tensor = {"name": name, "datatype": datatype, "shape": shape, "data": data}
    if raw is not None:
        tensor = {**tensor, "parameters": {"binary_data_size": len(raw)}}
        tensor.pop("data")
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answered(client.post("/v2/models/shop/infer", data=head + (raw or b""), headers=headers))
