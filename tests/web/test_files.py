from __future__ import annotations

import gzip
import io
import json

import pytest
from werkzeug.datastructures import MultiDict

from flaskship import web
from flaskship.schema import Field, FieldType, Output, Signature, Task
from flaskship.settings import Settings

HEADER = b"id,age,new_user,total pages,land\n"
ROWS = b"a,45,1,5.5,de\nb,70,0,,fr\n"
CSV = HEADER + ROWS
LABELS = ["leaves", "buys"]


def upload(client, data: bytes, name: str = "rows.csv", query: str = "", **headers: str):
    form = {"file": (io.BytesIO(data), name)}
    return client.post(f"/predict_file{query}", data=form, headers=headers)


def test_a_csv_is_answered_with_its_rows_and_predictions(client):
    assert upload(client, CSV).json == {"rows": 2, "predictions": LABELS}


@pytest.mark.parametrize(
    "content", ["text/csv", "text/csv; charset=utf-8", "text/plain", "application/octet-stream", "", "Text/CSV"]
)
def test_a_bare_body_is_a_file_too(client, content):
    assert client.post("/predict_file", data=CSV, content_type=content).json["predictions"] == LABELS


VARIANTS = {
    "semicolons": CSV.replace(b",", b";"),
    "semicolons and decimal commas": CSV.replace(b",", b";").replace(b"5.5", b"5,5"),
    "tabs": CSV.replace(b",", b"\t"),
    "a byte order mark": b"\xef\xbb\xbf" + CSV,
    "UTF-16": CSV.decode().encode("utf-16"),
    "Windows' line ends": CSV.replace(b"\n", b"\r\n"),
    "no newline at the end": CSV[:-1],
    "quotes": CSV.replace(b"de", b'"de"').replace(b"a,", b'"a,\n""x""",'),
    "Latin-1": CSV.replace(b"a,", "é,".encode("latin-1")),
    "another order": b"land,age,new_user,total pages\nde,45,1,5.5\nfr,70,0,\n",
    "spaces": CSV.replace(b",45,", b", 45 ,"),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_csv_of_any_common_make_is_read(client, name):
    assert upload(client, VARIANTS[name]).json["predictions"] == LABELS


BAD = {
    "empty": (b"", 422),
    "a header alone": (HEADER, 422),
    "a missing column": (b"id,age,new_user,land\na,45,1,de\n", 422),
    "a misspelt column": (CSV.replace(b"age", b"agee"), 422),
    "a column twice": (b"age,age,new_user,total pages,land\n1,1,1,1,de\n", 422),
    "a ragged row": (CSV + b"c,1,1\n", 422),
    "text for a number": (CSV + b"c,old,1,1,de\n", 422),
    "NaN": (CSV + b"c,nan,1,1,de\n", 422),
    "Infinity": (CSV + b"c,1,1,inf,de\n", 422),
    "outside the choices": (CSV + b"c,1,1,1,us\n", 422),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, 415),
}


@pytest.mark.parametrize("query", ["", "?format=csv", "?format=jsonl"])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_whole(client, name, query):
    data, status = BAD[name]
    answer = upload(client, data, query=query)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text


def test_each_bad_row_is_named_with_its_column(client):
    answer = upload(client, HEADER + b"a,45,1,5.5,de\nb,old,1,1,de\nc,1,maybe,1,us\n")
    assert [each["at"] for each in answer.json["errors"]] == [
        "row 2, column 'age'",
        "row 3, column 'new_user'",
        "row 3, column 'land'",
    ]


def test_at_most_a_hundred_problems_are_told(client):
    assert len(upload(client, HEADER + b"b,old,1,1,de\n" * 5000).json["errors"]) == 100


def test_bad_rows_are_answered_with_null_when_that_is_asked_for(client):
    data = HEADER + b"a,45,1,5.5,de\nb,old,1,1,de\n"
    found = upload(client, data, query="?on_error=null").json
    assert (found["predictions"], found["unanswered"]) == (["leaves", None], 1)
    lines = upload(client, data, query="?on_error=null&format=csv").text.splitlines()
    assert lines[2] == "b,old,1,1,de,,,"
    assert upload(client, HEADER + b'"never closed', query="?on_error=null&format=csv").status_code == 422
    none = upload(client, HEADER + b"b,old,1,1,de\n", query="?on_error=null").json
    assert none["predictions"] == [None]


@pytest.mark.parametrize("ask", [{"query": "?format=csv"}, {"Accept": "text/csv"}, {"Accept": "text/csv, */*;q=0.1"}])
def test_as_csv_the_rows_come_back_with_their_answers(client, ask):
    answer = upload(client, CSV, name="März 1.csv", **ask)
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"M_rz 1_predictions.csv\"; filename*=UTF-8''M%C3%A4rz%201_predictions.csv"
    )
    lines = answer.text.splitlines()
    assert lines[0] == "id,age,new_user,total pages,land,prediction,probability_buys,probability_leaves"
    assert lines[1].startswith("a,45,1,5.5,de,leaves,0.377540668798145")


def test_json_lines_go_in_and_out(client):
    one = b'{"age":45,"new_user":true,"total pages":5.5,"land":"de","x":[1]}'
    data = one + b'\n{"age":70,"new_user":false,"total pages":null,"land":"fr"}\n'
    answer = upload(client, data, name="rows.jsonl", query="?format=jsonl")
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["prediction"] for row in rows] == LABELS
    assert client.post("/predict_file", data=data, content_type="application/x-ndjson").json["predictions"] == LABELS


@pytest.mark.needs("pyarrow")
def test_parquet_goes_in_and_out(client):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    out = io.BytesIO()
    columns = {"age": [45, 70], "new_user": [True, False], "total pages": [5.5, None], "land": ["de", "fr"]}
    parquet.write_table(pyarrow.table(columns), out)
    assert upload(client, out.getvalue(), name="rows.bin").json["predictions"] == LABELS
    answer = upload(client, out.getvalue(), name="rows.parquet", query="?format=parquet")
    read = parquet.read_table(io.BytesIO(answer.data))
    assert read["prediction"].to_pylist() == LABELS


def test_probabilities_are_in_the_json_when_asked_for(client):
    found = upload(client, CSV, query="?probabilities=true").json["probabilities"]
    assert [set(each) for each in found] == [{"buys", "leaves"}] * 2


def test_a_value_outside_the_range_is_answered_with_a_warning(client):
    assert "outside the 17 to 123" in upload(client, CSV.replace(b"45", b"999")).json["warnings"][0]


def test_a_file_of_many_blocks_has_one_answer(client):
    found = client.post("/predict_file", data=HEADER + ROWS * 30_000, content_type="text/csv").json
    assert (found["rows"], found["predictions"]) == (60_000, LABELS * 30_000)


def test_a_packed_file_is_unpacked(client):
    headers = {"Content-Encoding": "gzip"}
    answer = client.post("/predict_file", data=gzip.compress(CSV), content_type="text/csv", headers=headers)
    assert answer.json["rows"] == 2


@pytest.mark.parametrize("form", [{}, {"file": "text"}, {"data": (io.BytesIO(CSV), "a.csv")}])
def test_a_form_without_the_file_says_what_it_needs(client, form):
    answer = client.post("/predict_file", data=form, content_type="multipart/form-data")
    assert answer.status_code == 422


def test_two_files_are_one_too_many(client):
    form = [("file", (io.BytesIO(CSV), "a.csv")), ("file", (io.BytesIO(CSV), "b.csv"))]
    assert client.post("/predict_file", data=MultiDict(form)).status_code == 422


@pytest.mark.parametrize("query", ["?format=xml", "?on_error=ignore", "?probabilities=yes", "?formt=csv"])
def test_an_option_that_there_is_not_is_refused(client, query):
    answer = upload(client, CSV, query=query)
    assert answer.status_code == 422
    assert "There are" in answer.json["detail"] or "It may be" in answer.json["detail"]


def test_a_boundary_that_the_file_holds_in_part_does_not_end_it(client):
    data = CSV.replace(b"a,45", b"--x,45")
    body = b'--xy\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + data + b"\r\n--xy--\r\n"
    answer = client.post("/predict_file", data=body, content_type='multipart/form-data; boundary="xy"')
    assert answer.json["predictions"] == LABELS


def test_several_outputs_are_objects_by_name(made):
    outputs = tuple(Output(name=name, type=FieldType.NUMBER) for name in ("y0", "y1"))
    signature = Signature(task=Task.MULTIOUTPUT, inputs=(Field(name="a"),), outputs=outputs)
    client = web.create_app([made("m", signature)], Settings()).test_client()
    assert upload(client, b"a\n1\n2\n").json["predictions"] == [{"y0": 1.0, "y1": 2.0}, {"y0": 2.0, "y1": 4.0}]
