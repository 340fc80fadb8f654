"""The summariser example: its news, its measures, and what its server answers after a few steps of training.

What a whole training is worth is in its README; here the model has learned nothing but to say something.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests
from containers import DEADLINE, server

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}  # several would wait for each other where others work too
EXAMPLE = Path(__file__).parents[2] / "examples" / "summariser"


@pytest.fixture(scope="module")
def story() -> Any:
    return runpy.run_path(str(EXAMPLE / "stories.py"))["story"]


@pytest.fixture(scope="module")
def scores() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLE / "scores.py"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The example's folder after 8 steps, and what training printed."""
    parent = tmp_path_factory.mktemp("examples")
    folder = shutil.copytree(EXAMPLE, parent / "summariser", ignore=shutil.ignore_patterns("model", "*.lock", "__*"))
    few = ["--steps", "8", "--stories", "64", "--unseen", "8"]
    done = subprocess.run(
        [sys.executable, "train.py", *few], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture(scope="module")
def url(trained: tuple[Path, str]) -> Iterator[str]:
    with server(trained[0], "app.py") as address:
        yield address


def ask(url: str, body: Any) -> requests.Response:
    return requests.post(f"{url}/summarise", json=body, timeout=DEADLINE)


def test_the_same_seed_writes_the_same_news_and_each_fact_of_a_summary_is_in_its_story(
    story: Any, scores: dict[str, Any]
) -> None:
    some = [story(Random(seed)) for seed in range(200)]
    assert some == [story(Random(seed)) for seed in range(200)]
    for text, summary in some:
        assert scores["facts"](summary)
        assert scores["facts"](summary) <= scores["facts"](text)
        assert len(summary.split()) <= 25
    sizes = [len(re.findall(r"[.!?]\"?(?: |$)", each.text)) for each in some]
    assert min(sizes) >= 3


def test_rouge_counts_common_words_and_those_in_order(scores: dict[str, Any]) -> None:
    wanted, found = "Upton beat Yarm", "Yarm lost to Upton."
    assert scores["rouge_1"](found, wanted) == pytest.approx(2 * 2 / 7)
    assert scores["rouge_l"](found, wanted) == pytest.approx(2 * 1 / 7)
    assert scores["rouge_1"](wanted, wanted) == scores["rouge_l"](wanted, wanted) == 1
    assert scores["rouge_1"]("", wanted) == scores["rouge_l"]("", wanted) == 0
    assert scores["rouge_l"]("a b c d e", "a x c e b") == pytest.approx(2 * 3 / 10)
    assert scores["rouge_1"]("a a a", "a b") == pytest.approx(2 * 1 / 5)


def test_a_wrong_name_is_a_fact_lost_and_one_made_up(scores: dict[str, Any]) -> None:
    assert scores["facts"]("A storm in Upton left 3 thousand homes.") == {"Upton", "3"}
    worth = scores["measured"](["Upton beat Kelso 3:1."], ["Upton beat Yarm 3:1."], ["Yarm lost 1:3 to Upton."])
    assert worth["exact match"] == 0
    assert worth["facts kept"] == pytest.approx(3 / 4)
    assert worth["facts made up"] == pytest.approx(1 / 4)


@pytest.mark.needs("tokenizers")
@pytest.mark.needs("transformers")
def test_the_tokenizer_gives_back_what_it_was_given(trained: tuple[Path, str], story: Any) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(trained[0] / "model" / "tokenizer.json"))
    texts = [text for seed in range(50) for text in story(Random(seed))]
    texts.append("Zürich's Xylophonists & co. sold 123456 «pieces» for £7.50!")
    for text in texts:
        assert tokenizer.decode(tokenizer.encode(text).ids).strip() == text


@pytest.mark.needs("transformers")
def test_training_writes_a_checkpoint_and_says_what_it_is_worth(trained: tuple[Path, str]) -> None:
    folder, said = trained
    for each in ("Summaries of 8 unseen stories", "exact match", "ROUGE-1", "ROUGE-L", "facts kept", "facts made up"):
        assert each in said
    assert {each.name for each in (folder / "model").iterdir()} >= {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
    }  # fmt: skip


@pytest.mark.needs("transformers")
def test_a_text_is_answered_with_a_summary_and_many_with_many(url: str, story: Any) -> None:
    one = ask(url, {"text": story(Random(1)).text}).json()
    assert isinstance(one["prediction"], str)
    rows = [
        {"text": story(Random(n)).text[: 40 * (n + 1)], "max_words": 5 + n % 3, "beams": 1 + n % 2} for n in range(20)
    ]
    many = ask(url, rows).json()["predictions"]
    assert len(many) == 20
    for row, answer in zip(rows, many, strict=True):
        assert len(answer["prediction"].removesuffix(" …").split()) <= row["max_words"]
    assert many[3] == ask(url, rows[3]).json()


@pytest.mark.needs("transformers")
def test_a_text_that_the_model_cannot_read_at_once_is_refused_alone(url: str, story: Any) -> None:
    long = " ".join(story(Random(n)).text for n in range(20))
    answer = ask(url, {"text": long})
    assert answer.status_code == 422
    assert re.search(r"has \d+ tokens, and the model reads 256 at once", answer.json()["detail"])
    for wrong in ({"text": ""}, {"text": "a" * 20_001}, {"text": "a", "max_words": 0}, {"text": "a", "beams": 9}):
        assert ask(url, wrong).status_code == 422


@pytest.mark.needs("transformers")
def test_its_root_says_what_it_is_to_browsers_and_to_programs(url: str) -> None:
    page = requests.get(url, headers={"Accept": "text/html"}, timeout=DEADLINE).text
    assert "<h1>summariser</h1>" in page
    assert "Summarises news in a sentence" in page
    told = requests.get(url, headers={"Accept": "application/json"}, timeout=DEADLINE).json()
    assert (told["name"], told["path"]) == ("summariser", "/summarise")
    assert told["help"].startswith("Summarises news in a sentence")
    assert [each["name"] for each in told["inputs"]] == ["text", "max_words", "beams"]


@pytest.mark.needs("transformers")
def test_a_checkpoint_takes_the_apps_place_with_one_argument(trained: tuple[Path, str], story: Any) -> None:
    with server(trained[0], "model") as url:
        assert isinstance(ask(url, {"text": story(Random(1)).text}).json()["prediction"], str)
