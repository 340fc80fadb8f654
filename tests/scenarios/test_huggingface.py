"""Hugging Face folders, one a task, tiny: `flaskship serve`, `predict`, `inspect` and `build`, never online."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from containers import run, server
from PIL import Image

pytest.importorskip("torch", reason="needs: torch")
pytest.importorskip("transformers", reason="needs: transformers")
import networks  # needs both

TEXT = networks.SENTENCES[0]
LONG = TEXT * 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    networks.text_models(made)
    networks.picture_models(made)
    return made


@pytest.fixture(scope="module")
def url(folder: Path, cache: Path) -> Iterator[str]:
    """One server of all of them, each below its name."""
    with server(
        folder, *sorted(each.name for each in folder.iterdir()), env={"HTTPS_PROXY": "http://127.0.0.1:9"}
    ) as at:
        yield at


def ask(url: str, path: str, **body: Any) -> Any:
    answer = requests.post(f"{url}/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def picture(width: int = 60, height: int = 40) -> bytes:
    image = Image.linear_gradient("L").resize((width, height))
    file = io.BytesIO()
    Image.merge("RGB", [image, image.rotate(90, resample=0).resize(image.size), image]).save(file, "PNG")
    return file.getvalue()


def seen(url: str, path: str, *, size: tuple[int, int] = (60, 40), **fields: Any) -> Any:
    answer = requests.post(f"{url}/{path}", files={"image": picture(*size)}, data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_classifier_answers_labels(url: str) -> None:
    found = ask(url, "mood/predict", text=TEXT)
    assert found["probabilities"].keys() == {"glad", "sad"}
    assert sum(found["probabilities"].values()) == pytest.approx(1)
    assert sum(ask(url, "topics/predict", text=TEXT)["probabilities"].values()) != pytest.approx(1)  # each for itself
    assert isinstance(ask(url, "score/predict", text=TEXT)["prediction"], float)


def test_many_texts_are_answered_as_one_alone_is(url: str) -> None:
    texts = [TEXT, "ship", "A train to Bonn was late.", TEXT + TEXT, "food"] * 20
    rows = requests.post(f"{url}/mood/predict", json=[{"text": each} for each in texts]).json()["predictions"]
    with ThreadPoolExecutor(8) as callers:
        alone = list(callers.map(lambda text: ask(url, "mood/predict", text=text), texts[:40]))
    for one, many in zip(alone, rows, strict=False):
        assert one["probabilities"] == pytest.approx(many["probabilities"], abs=1e-5)
    said = requests.get(f"{url}/metrics").text
    counted = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in said.splitlines() if line[0] != "#"}
    assert 0 < counted['flaskship_padding_total{model="mood"}'] < 0.5 * counted['flaskship_tokens_total{model="mood"}']


def test_a_text_that_is_too_long_is_refused_with_the_limit_in_tokens(url: str) -> None:
    for path in ("mood/predict", "vectors/predict", "brief/predict"):
        answer = requests.post(f"{url}/{path}", json={"text": LONG})
        assert answer.status_code == 422
        assert "this model reads at most 6" in answer.json()["detail"]
    answer = requests.post(f"{url}/mood/predict", json=[{"text": LONG}, {"text": TEXT}])
    assert [each["at"] for each in answer.json()["errors"]] == ["$[0]"]


def test_labels_that_the_caller_names_are_weighed_by_inference(url: str) -> None:
    found = ask(url, "about/predict", text=TEXT, labels=["travel", "food", "weather"])
    assert list(found["probabilities"]) == ["travel", "food", "weather"]
    assert sum(found["probabilities"].values()) == pytest.approx(1)
    alone = ask(url, "about/predict", text=TEXT, labels=["travel", "food"], each_alone=True)
    assert sum(alone["probabilities"].values()) != pytest.approx(1)
    refused = requests.post(f"{url}/about/predict", json={"text": TEXT, "labels": ["a"], "hypothesis": "no place"})
    assert refused.status_code == 422


def test_entities_have_places_in_the_text_however_long_it_is(url: str) -> None:
    for text in (TEXT, LONG):
        found = ask(url, "places/predict", text=text)["prediction"]
        assert found
        assert all(each["text"] == text[each["start"] : each["end"]] for each in found)
        assert [each["start"] for each in found] == sorted(each["start"] for each in found)
        assert {each["entity"] for each in found} == {"PLACE"}
    assert found[-1]["end"] > len(LONG) * 0.9


def test_a_masked_word_has_candidates(url: str) -> None:
    found = ask(url, "mask/predict", text="The ship left the [MASK] of Hamburg.", top_k=3)["prediction"]
    assert len(found) == 3
    assert found[0]["text"] == f"The ship left the {found[0]['token']} of Hamburg."
    refused = requests.post(f"{url}/mask/predict", json={"text": "No mask."})
    assert (refused.status_code, "one [MASK]" in refused.json()["detail"]) == (422, True)


def test_a_text_becomes_a_vector(url: str) -> None:
    found = ask(url, "vectors/predict", text=TEXT, normalise=True)["prediction"]
    assert len(found) == 32
    assert sum(each * each for each in found) == pytest.approx(1, abs=1e-5)


def test_a_summary_obeys_its_parameters(url: str) -> None:
    fields = {"text": TEXT, "max_new_tokens": 6}
    assert isinstance(ask(url, "brief/predict", **fields)["prediction"], str)
    assert isinstance(ask(url, "rewrite/predict", **fields, do_sample=True, temperature=0.5)["prediction"], str)
    for wrong in ({"temperature": 0}, {"top_p": 1.5}, {"num_beams": 99}, {"max_new_tokens": 10_000}):
        assert requests.post(f"{url}/brief/predict", json={"text": TEXT, **wrong}).status_code == 422


def test_a_story_comes_whole_or_as_it_is_written(url: str) -> None:
    asked = {"prompt": "The ship", "max_new_tokens": 12, "do_sample": False}
    whole = ask(url, "generate/predict", **asked)["prediction"]
    with requests.post(f"{url}/stream/predict", json=asked, headers={"Accept": "text/plain"}, stream=True) as answer:
        assert answer.status_code == 200
        assert "".join(answer.iter_content(None, decode_unicode=True)) == whole
    long = requests.post(f"{url}/stream/predict", json={"prompt": LONG})
    assert (long.status_code, "tokens" in long.json()["detail"]) == (422, True)


def test_a_picture_has_labels_boxes_and_masks(url: str) -> None:
    assert seen(url, "photo/predict")["probabilities"].keys() == {"cat", "dog", "ship"}
    boxes = seen(url, "finder/predict", threshold=0)
    assert len(boxes["boxes"]) == 5
    assert all(0 <= x0 <= x1 <= 60 and 0 <= y0 <= y1 <= 40 for x0, y0, x1, y1 in boxes["boxes"])
    ground = seen(url, "ground/predict")
    assert ground["mask_shape"][1:] == [40, 60]
    assert set(ground["class_names"]) <= {"sky", "sea"}
    for kind in ("panoptic", "instance"):
        shapes = seen(url, "shapes/predict", kind=kind, threshold=0.0)
        assert len(shapes["boxes"]) == len(shapes["scores"])


def test_pictures_of_several_sizes_are_answered_as_alone(url: str) -> None:
    sizes = [(60, 40), (40, 60), (60, 40), (32, 32)]
    alone = [seen(url, "finder/predict", size=size, threshold=0) for size in sizes]
    with ThreadPoolExecutor(4) as callers:
        together = list(callers.map(lambda size: seen(url, "finder/predict", size=size, threshold=0), sizes))
    for one, other in zip(alone, together, strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)


def test_the_page_and_openapi_show_the_limits(url: str) -> None:
    page = requests.get(f"{url}/brief/").text
    assert "max_new_tokens" in page
    fields = requests.get(f"{url}/brief/openapi.json").text
    assert '"exclusiveMinimum":0' in fields.replace(" ", "")


def test_a_file_of_texts_is_answered_offline(folder: Path, cache: Path) -> None:
    (folder.parent / "texts.csv").write_text("id,text\n1,The ship\n2,A train to Bonn\n3,food\n")
    out = run(folder, "predict", "mood", "--input", str(folder.parent / "texts.csv")).stdout
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [each["id"] for each in rows] == ["1", "2", "3"]
    assert {each["prediction"] for each in rows} <= {"glad", "sad"}


def test_it_is_inspected_and_laid_out_for_an_image(folder: Path, cache: Path) -> None:
    told = json.loads(run(folder, "inspect", "brief", "--json").stdout)
    assert told["facts"]["kind"] == "BartForConditionalGeneration"
    assert {each.partition("==")[0] for each in told["requirements"]} >= {"torch", "transformers", "tokenizers"}
    assert not any("+" in each for each in told["requirements"])
    listed = run(folder, "build", "brief", "--dry-run").stdout
    assert "model.safetensors" in listed
    assert "weights (" in listed
