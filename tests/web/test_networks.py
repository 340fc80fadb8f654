"""Networks of torch as they are served: how many rows are joined is found when they are loaded, or set."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs: transformers")
pytest.importorskip("torch", reason="needs: torch")

import networks

from flaskship import make, web
from flaskship.bundle import Bundle
from flaskship.predict.calibration import LEAST
from flaskship.settings import Settings
from flaskship.target import Target


@pytest.fixture(scope="module")
def mood(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("networks") / "mood"
    networks.save(folder, networks.bert("ForSequenceClassification", "glad", "sad"), networks.tokenizer())
    return make.cached(Target.of(folder), Settings(), linked=True)


def test_how_many_rows_a_network_is_given_is_found_once_for_all_processes(mood: Bundle, tmp_path: Path) -> None:
    (first,), (second,) = (web.subjects(mood, Settings(), tmp_path) for _ in range(2))
    assert LEAST <= first.max_batch <= 64
    assert second.max_batch == first.predictor.batcher.max_batch == first.max_batch
    assert len(list(tmp_path.iterdir())) == 1
    client = web.create_app([first], Settings()).test_client()
    assert f'flaskship_max_batch{{model="mood"}} {float(first.max_batch)}' in client.get("/metrics").text


def test_what_is_set_is_not_tried(mood: Bundle, tmp_path: Path) -> None:
    (found,) = web.subjects(mood, Settings(max_batch=5), tmp_path)
    assert (found.max_batch, list(tmp_path.iterdir())) == (5, [])
    (found,) = web.subjects(mood, Settings(max_batch=500), tmp_path)
    assert found.max_batch == 64  # the function takes no more
