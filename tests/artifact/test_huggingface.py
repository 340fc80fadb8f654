"""Hugging Face folders as functions: what is refused, what is computed together, what transformers answers."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs: torch")
transformers = pytest.importorskip("transformers", reason="needs: transformers")
import networks  # noqa: E402  # needs both

from flaskship import artifact  # noqa: E402
from flaskship.artifact.function.model import FunctionModel  # noqa: E402
from flaskship.artifact.huggingface import checkpoint  # noqa: E402
from flaskship.artifact.huggingface.batches import by_length  # noqa: E402
from flaskship.errors import TargetError  # noqa: E402
from flaskship.make.kind import kind  # noqa: E402
from flaskship.schema import LEFT_OUT  # noqa: E402
from flaskship.settings import Settings  # noqa: E402
from flaskship.target import Kind, Target  # noqa: E402


def load(folder: Path) -> FunctionModel:
    return next(iter(artifact.functions(folder, ".", checkpoint.CONFIG).values()))


def answers(model: FunctionModel, texts: list[str]) -> list[object]:
    """The model's answers, all but the text by its defaults."""
    rest = {each.name: np.array([LEFT_OUT] * len(texts), object) for each in model.arguments[1:]}
    return list(model.predict({model.arguments[0].name: np.array(texts, object), **rest}).values[0])


@pytest.fixture(scope="module")
def mood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    head = networks.bert("ForSequenceClassification", "glad", "sad")
    return networks.save(tmp_path_factory.mktemp("one") / "mood", head, networks.tokenizer())


def test_labels_are_those_of_transformers_own_pipeline(mood: Path) -> None:
    pipeline = transformers.pipeline("text-classification", str(mood), top_k=None)
    mine = answers(load(mood), networks.SENTENCES)
    for labels, theirs in zip(mine, pipeline(networks.SENTENCES), strict=True):
        assert labels.probabilities == pytest.approx({each["label"]: each["score"] for each in theirs}, abs=1e-5)


def test_vectors_are_means_over_the_text_alone(tmp_path: Path) -> None:
    folder = networks.save(tmp_path / "vectors", networks.bert("Model"), networks.tokenizer())
    long, short = answers(load(folder), [networks.SENTENCES[0], "ship"])
    assert np.allclose(short, answers(load(folder), ["ship"])[0], atol=1e-5)
    assert not np.allclose(long, short)
    (folder / "modules.json").write_text(
        json.dumps([{"type": "x.Transformer", "path": ""}, {"type": "x.Dense", "path": "2"}])
    )
    with pytest.raises(TargetError, match="'Dense' of sentence-transformers"):
        load(folder)


def test_weights_that_are_missing_are_refused(mood: Path, tmp_path: Path) -> None:
    folder = networks.save(tmp_path / "half", networks.bert("Model"), networks.tokenizer())
    (folder / "config.json").write_bytes((mood / "config.json").read_bytes())
    with pytest.raises(TargetError, match=r"no weights for classifier\.bias"):
        load(folder)


def test_code_of_a_folder_runs_with_trust_alone(mood: Path, tmp_path: Path) -> None:
    config = json.loads((mood / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "modeling_own.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((mood / "model.safetensors").read_bytes())
    (tmp_path / "modeling_own.py").write_text("raise SystemExit('it ran')")
    assert kind(Target(path=tmp_path), Settings()) is Kind.CHECKPOINT
    with pytest.raises(TargetError, match="--trust"):
        load(tmp_path)


def test_weights_of_torch_are_read_without_running_them(mood: Path, tmp_path: Path) -> None:
    model = transformers.AutoModelForSequenceClassification.from_pretrained(mood)
    networks.save(tmp_path, model, networks.tokenizer())
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    assert answers(load(tmp_path), ["ship"])[0].best == answers(load(mood), ["ship"])[0].best

    class Surprise:
        def __reduce__(self):
            return (print, ("it ran",))

    torch.save({"surprise": Surprise()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(TargetError, match=r"its \.bin holds more than weights"):
        load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((mood / "model.safetensors").read_bytes()[:-1000])
    with pytest.raises(TargetError, match="cannot be loaded"):
        load(tmp_path)


def test_what_training_and_other_frameworks_left_stays_out(mood: Path, tmp_path: Path) -> None:
    for name in (
        "optimizer.pt",
        "tf_model.h5",
        "pytorch_model.bin",
        "checkpoint-5/model.safetensors",
        "onnx/model.onnx",
    ):
        (mood / name).parent.mkdir(exist_ok=True)
        (mood / name).write_bytes(b"x")
    try:
        assert list(checkpoint.files(mood)) == [
            "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
        ]  # fmt: skip
    finally:
        (mood / "pytorch_model.bin").unlink()


def padding(lengths: list[int], parts: list[list[int]]) -> float:
    """The share of what is computed that is padding."""
    return 1 - sum(lengths) / sum(max(lengths[each] for each in part) * len(part) for part in parts)


def test_texts_of_like_length_go_together_so_that_little_is_padding() -> None:
    lengths = np.random.default_rng(1).lognormal(4, 0.8, 64).clip(3, 512).astype(int).tolist()
    parts = list(by_length(lengths))
    assert sorted(each for part in parts for each in part) == list(range(64))
    assert padding(lengths, parts) < 0.15
    assert padding(lengths, [list(range(32)), list(range(32, 64))]) > 0.5  # as they come
    assert all(len({at % 2 for at in part}) == 1 for part in by_length(lengths, [at % 2 for at in range(64)]))
    assert max(map(len, by_length([5] * 100, rows=8))) == 8


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return networks.text_models(tmp_path_factory.mktemp("text"))


@pytest.mark.parametrize("name", ["brief", "rewrite", "story"])
def test_what_is_written_for_several_is_what_is_written_for_each(name: str, written: dict[str, Path]) -> None:
    model = load(written[name])
    texts = [networks.SENTENCES[0], "ship", "A train to Bonn was late again"]
    assert answers(model, texts) == [answers(model, [each])[0] for each in texts]


def test_defaults_are_those_of_the_checkpoint(written: dict[str, Path]) -> None:
    said = written["brief"] / "generation_config.json"
    kept = json.loads(said.read_text())
    said.write_text(json.dumps({**kept, "num_beams": 3, "max_length": 33}))
    defaults = {each.name: each.default for each in load(written["brief"]).signature.inputs}
    assert (defaults["num_beams"], defaults["max_new_tokens"], defaults["do_sample"]) == (3, 33, False)


def test_a_stream_that_nobody_reads_any_more_ends(written: dict[str, Path]) -> None:
    model = artifact.functions(written["story"], ".", checkpoint.CONFIG)["stream"]
    before = threading.active_count()
    stream = answers(model, ["The ship"])[0]
    next(stream)
    stream.close()
    assert threading.active_count() == before
