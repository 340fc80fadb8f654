"""Functions over HTTP: their addresses, their files, their answers."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import flask
import functions
import pytest
from functions import png
from PIL import Image

from flaskship import artifact, web
from flaskship.errors import UsageError
from flaskship.predict.codec import Codec
from flaskship.predict.predictor import Predictor
from flaskship.settings import Settings

FLAT = {"rooms": 2, "area": 50.0}
PROBLEM = "application/problem+json"


def as_subject(model, name: str = "", path: str | None = None) -> web.Subject:
    made = web.Subject(
        name=name or model.name,
        codec=Codec(model.signature, hints=model.hints),
        path=model.path if path is None else path,
    )
    made.open(Predictor(model, fast=not model.batch, max_batch=model.batch, observe=made.observe))
    return made


@pytest.fixture(scope="module")
def models():
    return artifact.functions(Path(functions.__file__).parent, ".", "functions.py")


@pytest.fixture(scope="module")
def one(models):
    """A client of one function alone."""
    return lambda name, **settings: web.create_app([as_subject(models[name])], Settings(**settings)).test_client()


@pytest.fixture(scope="module")
def several(models):
    """A client of all functions."""
    return web.create_app([as_subject(each) for each in models.values()], Settings()).test_client()


@pytest.mark.parametrize("path", ["/predict", "/price"])
def test_a_sole_function_answers_at_predict_and_at_its_own_path_in_every_form(one, path):
    client = one("price")
    for answer in (
        client.get(path, query_string=FLAT),
        client.post(path, json=FLAT),
        client.post(path, data=FLAT),
        client.post(path, data=FLAT, content_type="multipart/form-data"),
        client.post("/", json=FLAT),
    ):
        assert answer.json == {"prediction": 7000.0}, answer.text
    assert client.post(path, json=[FLAT, [3, 50.0, "Bonn", "1990-05-01", False, "", None]]).json == {
        "predictions": [{"prediction": 7000.0}, {"prediction": 8500.0}]
    }


def test_a_function_without_arguments_is_asked_by_get_and_by_post_without_a_body(one):
    client = one("ready")
    for path in ("/predict", "/ready", "/"):
        for answer in (
            client.post(path, headers={"Accept": "application/json"}),
            client.post(path, json={}),
            client.post(path, data=b"", content_type="application/json"),
            client.post(
                path, data=b"", content_type="application/x-www-form-urlencoded", headers={"Accept": "application/json"}
            ),
        ):
            assert answer.json == {"prediction": True}, (path, answer.text)
    assert client.get("/predict").json == client.get("/ready").json == {"prediction": True}
    assert client.post("/predict", json=[{}, []]).json == {"predictions": [{"prediction": True}] * 2}
    for answer in (client.get("/predict?x=1"), client.post("/predict", json={"x": 1})):
        assert (answer.status_code, answer.json["detail"]) == (422, "No field 'x' in this model. It takes none.")
    assert client.post("/predict", json=[[1]]).json["detail"] == "The row has 1 values, the model takes none."


def test_a_function_without_arguments_takes_neither_files_nor_tensors(one):
    client = one("ready")
    for path, sent in (("/predict_file", b"x\n1\n"), ("/invocations", b"x\n1\n")):
        answer = client.post(path, data=sent, content_type="text/csv")
        assert "The function takes no arguments, so that a file has nothing for it." in answer.text
    assert "so that a tensor has nothing for it" in client.get("/v2/models/ready").text
    assert client.post("/invocations", json={"instances": [{}]}).json == {"predictions": [True]}
    page = client.get("/", headers={"Accept": "text/html"}).text
    assert "It takes no arguments." in page and ">Run</button>" in page and "Many rows" not in page


def test_several_functions_have_their_routes_below_their_names_and_their_own_paths(several):
    for path in ("/price", "/price/predict"):
        assert several.post(path, json=FLAT).json == {"prediction": 7000.0}
    for path in ("/segmentapi", "/segment/predict"):
        assert several.post(path, data={"image": (io.BytesIO(png()), "a.png")}).json["class_names"] == [
            "square",
            "stripe",
        ]
    index = several.get("/").text
    for said in ("Finds a square and a stripe in any picture.", "What a flat costs.", 'href="./segment/"'):
        assert said in index
    assert several.get("/predict", query_string=FLAT).status_code == 404
    assert [each["url"] for each in several.get("/", headers={"Accept": "application/json"}).json["models"]][:2] == [
        "price/",
        "segment/",
    ]


def test_a_browser_that_opens_a_functions_path_comes_to_its_page(several):
    answer = several.get("/price", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "./price/")
    assert several.get("/price", query_string=FLAT, headers={"Accept": "text/html"}).json == {"prediction": 7000.0}


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_other_clients_are_answered_at_a_functions_path_as_at_predict(several, accept):
    for path in ("/price", "/price/predict"):
        answer = several.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.json["detail"]) == (422, "Field 'rooms' is missing. And 1 more.")


def test_rows_that_are_posted_to_a_models_name_alone_are_answered(several):
    assert several.post("/segment", data={"image": (io.BytesIO(png()), "a.png")}).json["class_ids"] == [0, 1]
    assert several.get("/segment").headers["Location"].endswith("/segment/")


def test_a_function_is_part_of_somebodys_app_as_a_blueprint(models):
    app = flask.Flask("somebody's")
    app.register_blueprint(web.blueprint(as_subject(models["segment"]), Settings()), url_prefix="/eyes")
    app.register_blueprint(web.blueprint(as_subject(models["tell"]), Settings()), url_prefix="/mouth")
    client = app.test_client()
    found = client.post("/eyes/segmentapi", data={"image": (io.BytesIO(png()), "a.png")})
    assert found.json["class_names"] == ["square", "stripe"]
    assert "/eyes/segmentapi" in client.get("/eyes/").text
    assert client.post("/mouth/tell", json={"prompt": "a", "words": 1}).text.startswith('data: "a 0"')
    assert 'route="predict",status="200"} 1.0' in client.get("/mouth/metrics").text


def test_requests_to_a_functions_own_path_are_counted_as_predictions(one):
    client = one("price")
    client.post("/price", json=FLAT)
    client.post("/price", data=FLAT)
    found = 'flaskship_requests_total{method="POST",model="price",route="predict",status="200"} 2.0'
    assert found in client.get("/metrics").text


@pytest.mark.parametrize(
    ("names", "paths", "said"),
    [
        (["a", "a"], ["/x", "/y"], "Two models are called 'a'"),
        (["a", "b"], ["/x", "/x"], "another model's"),
        (["a", "b"], ["/b", ""], "another model's"),
        (["a", "b"], ["/b/predict", ""], "another model's"),
        (["a", "b"], ["/", ""], "Flaskship's own"),
        (["metrics", "b"], ["", ""], "Flaskship's own"),
        (["a"], ["/livez"], "Flaskship's own"),
        (["a"], ["/v2/models"], "Flaskship's own"),
    ],
)
def test_addresses_that_clash_are_refused_at_start(models, names, paths, said):
    found = [as_subject(models["mood"], name, path) for name, path in zip(names, paths, strict=True)]
    with pytest.raises(UsageError, match=said):
        web.create_app(found, Settings())


def test_functions_of_one_name_in_several_modules_answer_below_their_modules_names(models):
    found = [as_subject(models["mood"], name, "/predict") for name in ("a", "b", "mood")]
    found[2].path = "/a"
    for each in found:
        each.implied = True
    client = web.create_app(found, Settings()).test_client()
    answers = [client.get(f"/{name}/predict?text=good").json["prediction"] for name in ("a", "b", "mood")]
    assert answers == ["glad"] * 3
    assert [client.get(path, headers={"Accept": "*/*"}).status_code for path in ("/predict", "/a")] == [404, 308]


def test_what_a_function_refuses_and_its_limits_are_422_and_its_failure_says_nothing(one):
    client = one("price")
    refused = client.post("/price", json=FLAT | {"note": "refuse"})
    assert (refused.status_code, refused.mimetype, refused.json["detail"]) == (
        422,
        PROBLEM,
        "This flat is not for sale.",
    )
    limits = client.post("/price", data={"rooms": 0, "area": "1001", "town": "Rome", "built": "soon"})
    assert [each["at"] for each in limits.json["errors"]] == ["rooms", "area", "town", "built"]
    failed = client.post("/price", json=FLAT | {"note": "fail"})
    assert (failed.status_code, failed.mimetype) == (500, PROBLEM)
    assert "secret" not in failed.text


def url(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize("path", ["/predict", "/segmentapi"])
def test_a_picture_comes_as_a_file_of_a_form_as_a_body_and_in_json(one, path):
    client, picture = one("segment"), png(40, 24)
    asked = {"min_score": "0.7"}
    answers = [
        client.post(path, data={"image": (io.BytesIO(picture), "a.png"), **asked}),
        client.post(path, json={"image": url(picture), "min_score": 0.7}),
        client.post(path, data={"image": url(picture), **asked}),
        client.post(path, data=picture, content_type="image/png", query_string=asked),
        client.post(path, data=picture, content_type="application/octet-stream", query_string=asked),
        client.post(path, data=picture, content_type="application/x-www-form-urlencoded", query_string=asked),
        client.post(
            "/", data={"image": (io.BytesIO(picture), "a.png"), **asked}, headers={"Accept": "application/json"}
        ),
    ]
    for answer in answers:
        assert answer.json == {
            "boxes": [[0, 0, 20, 12]], "class_ids": [0], "class_names": ["square"], "scores": [0.9],
            "mask_shape": [1, 24, 40], "object_counts": {"square": 1},
        }, answer.text  # fmt: skip


def test_masks_come_when_they_are_asked_for(one):
    client, picture = one("segment"), png(4, 4)
    runs = client.post("/predict?masks=rle&min_score=0.7", data=picture, content_type="image/png").json["masks"]
    assert runs == [{"size": [4, 4], "counts": [0, 2, 2, 2, 10]}]
    pictures = client.post("/predict?masks=png", json={"image": url(picture)}).json["masks"]
    assert all(each.startswith("data:image/png;base64,") for each in pictures)
    assert client.post("/predict?masks=gif", json={"image": url(picture)}).status_code == 422


def test_a_picture_is_answered_as_a_file_to_whom_accepts_one(one):
    client, picture = one("turn"), png(40, 24)
    answer = client.post("/turn", data=picture, content_type="image/png", headers={"Accept": "image/png"})
    assert answer.mimetype == "image/png"
    assert Image.open(io.BytesIO(answer.data)).size == (24, 40)
    assert client.post("/turn", json={"image": url(picture)}).json["prediction"].startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("body", "content", "status"),
    [
        (b"no picture", "image/png", 422),
        (b"", "image/png", 422),
        (b"x", "multipart/form-data; boundary=b", 400),
        (b"{}", "application/json", 422),
        (b"x" * 300_001, "image/png", 413),
    ],
)
def test_files_that_cannot_be_are_refused(one, body, content, status):
    answer = one("segment", max_body=300_000).post("/segmentapi", data=body, content_type=content)
    assert (answer.status_code, answer.mimetype) == (status, PROBLEM), answer.text


def test_a_browser_that_sends_too_much_gets_the_page_with_why(one):
    client = one("turn", max_body=1000)
    form = {"image": (io.BytesIO(b"x" * 2000), "a.png")}
    answer = client.post("/", data=form, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.mimetype) == (413, "text/html")
    assert "1000 are read at most" in answer.text.partition('id="answer"')[0]  # at the field
    assert "1000 are read at most" in answer.text.partition('id="answer"')[2]


def test_an_upload_is_a_path_while_the_function_runs_and_is_gone_after(one):
    for kind in ("form", "body", "json"):
        client = one("count")
        if kind == "form":
            answer = client.post(
                "/count", data={"file": (io.BytesIO(b"12345"), "../my notes.txt"), "points": '[{"x": 1}]'}
            )
        elif kind == "body":
            answer = client.post("/count", data=b"12345", content_type="application/pdf")
        else:
            answer = client.post("/count", json={"file": "data:text/plain;base64,MTIzNDU="})
        told = answer.json["prediction"]
        assert told["bytes"] == 5
        assert told["name"] == {"form": "my notes.txt", "body": "upload.pdf", "json": "upload.txt"}[kind]
        assert not Path(told["path"]).exists()


def test_lists_of_dataclasses_come_as_json_and_problems_have_their_place(one):
    client = one("area")
    assert client.post("/area", json={"points": [{"x": 1}], "scale": 2}).json == {"prediction": [{"x": 2.0, "y": 0.0}]}
    assert client.post("/area", data={"points": '[{"x": 1}]'}).json == {"prediction": [{"x": 1.0, "y": 0.0}]}
    wrong = client.post("/area", json={"points": [{"x": 1}, {"x": "far"}]})
    assert wrong.json["errors"][0]["at"] == "$.points[1].x"


def test_rows_of_a_file_go_through_a_function_of_scalars(one):
    client = one("price")
    rows = "rooms,area,town,built,garden,note,viewed\n2,50,Ulm,1990-05-01,no,,\n3,50,Bonn,1991-05-01,yes,,\n"
    answer = client.post("/predict_file?format=csv", data={"file": (io.BytesIO(rows.encode()), "flats.csv")})
    assert [line.rpartition(",")[2] for line in answer.text.splitlines()] == ["prediction", "7000.0", "8551.0"]


def test_a_stream_has_no_place_in_a_file(one):
    answer = one("tell").post("/predict_file", data={"file": (io.BytesIO(b"prompt\na\n"), "a.csv")})
    assert (answer.status_code, answer.mimetype) == (404, PROBLEM)
    assert "bit by bit" in answer.json["detail"]


@pytest.mark.parametrize("name", ["price", "segment", "turn", "mood", "tell", "count", "area"])
def test_a_sample_is_there_for_each_field_that_travels_as_a_file(one, models, name):
    client = one(name)
    for each in models[name].signature.inputs:
        answer = client.get(f"/sample/{each.name}")
        assert answer.status_code == (200 if each.type in ("image", "file", "array", "table") else 404)


def test_a_row_that_the_function_refuses_is_a_bad_row_of_its_file(one):
    client, rows = one("price"), b"rooms,area,note\n2,50,\n2,50,refuse\nx,50,\n1,10,refuse\n"
    good = rows.replace(b"x,50", b"3,50")
    refused = client.post("/predict_file", data=good, content_type="text/csv").get_json()
    said = "This flat is not for sale."
    assert [(each["at"], each["message"]) for each in refused["errors"]] == [("row 2", said), ("row 4", said)]
    answer = client.post("/predict_file?on_error=null", data=rows, content_type="text/csv").get_json()
    assert answer == {"rows": 4, "predictions": [7000.0, None, None, None], "unanswered": 3}
    csv = client.post("/predict_file?on_error=null&format=csv", data=rows, content_type="text/csv").text
    assert csv.splitlines()[1:] == ["2,50,,7000.0", "2,50,refuse,", "x,50,,", "1,10,refuse,"]
    sole = client.post("/predict_file?on_error=null", data=rows[:16] + b"2,50,refuse\n", content_type="text/csv")
    assert sole.get_json() == {"rows": 1, "predictions": [None], "unanswered": 1}


def test_the_labels_of_a_file_have_their_probabilities_when_asked_for(one):
    client, rows = one("mood"), b"text\ngood\nbad\n"
    answer = client.post("/predict_file?probabilities=true", data=rows, content_type="text/csv").get_json()
    assert answer["predictions"] == ["glad", "sad"]
    assert answer["probabilities"][1] == {"glad": 0.2, "sad": 0.8}


def test_the_members_of_a_dataclass_that_are_left_out_are_its_own_with_their_defaults(one):
    answer = one("same").post("/predict", json={"points": [{"x": 1}], "size": {"corner": {"x": 2}}})
    corner = {"x": 2.0, "y": 0.0}
    assert answer.json == {
        "prediction": [[{"x": 1.0, "y": 0.0}], {"corner": corner, "width": 1.0}, ["corner", "width"]]
    }
