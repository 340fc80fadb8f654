"""Hugging Face folders as functions: what is refused, what is computed together, what transformers answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs: torch")
transformers = pytest.importorskip("transformers", reason="needs: transformers")
import networks  # noqa: E402  # needs both

from flaskship import artifact  # noqa: E402
from flaskship.artifact.function.model import FunctionModel  # noqa: E402
from flaskship.artifact.huggingface import checkpoint  # noqa: E402
from flaskship.artifact.huggingface.batches import by_length  # noqa: E402
from flaskship.artifact.huggingface.writing import until  # noqa: E402
from flaskship.errors import BadInput, FlaskshipError, TargetError  # noqa: E402
from flaskship.make.kind import kind  # noqa: E402
from flaskship.schema import LEFT_OUT  # noqa: E402
from flaskship.settings import Settings  # noqa: E402
from flaskship.target import Kind, Target  # noqa: E402


def load(folder: Path) -> FunctionModel:
    return next(iter(artifact.functions(folder, ".", checkpoint.CONFIG).values()))


def asked(model: FunctionModel, *rows: dict[str, Any]) -> list[Any]:
    """The model's answers to rows, whose other arguments are its defaults."""
    columns = {each.name: np.empty(len(rows), object) for each in model.arguments}
    for name, column in columns.items():
        for at, row in enumerate(rows):
            column[at] = row.get(name, LEFT_OUT)
    return list(model.predict(columns).values[0])


def answers(model: FunctionModel, texts: list[str]) -> list[Any]:
    """The model's answers, all but the text by its defaults."""
    return asked(model, *({model.arguments[0].name: each} for each in texts))


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


def test_a_text_is_answered_alike_alone_and_beside_others_whatever_side_its_tokenizer_pads(tmp_path: Path) -> None:
    config = transformers.GPT2Config(
        vocab_size=200, n_positions=64, n_embd=32, n_layer=2, n_head=2, eos_token_id=3, **networks.labelled("a", "b")
    )
    bare = networks.tokenizer(ends=False)
    bare.pad_token = None
    folders = [
        networks.save(tmp_path / "vectors", networks.bert("Model"), networks.tokenizer()),
        networks.save(tmp_path / "last", transformers.GPT2ForSequenceClassification(config).eval(), bare),
    ]
    for folder, numbers in zip(folders, (np.asarray, lambda labels: list(labels.probabilities.values())), strict=True):
        told = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps(told | {"padding_side": "left"}))
        model = load(folder)
        short, _ = answers(model, ["ship late", networks.SENTENCES[0]])
        assert numbers(short) == pytest.approx(numbers(answers(model, ["ship late"])[0]), abs=1e-5)


def test_a_picture_of_16_bits_is_seen_as_one_of_8(tmp_path: Path) -> None:
    model = load(networks.picture_models(tmp_path)["photo"])
    levels = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    fine, coarse = Image.fromarray(levels), Image.fromarray((levels >> 8).astype(np.uint8))
    assert fine.mode == "I;16"
    fine, coarse = asked(model, {"image": fine}, {"image": coarse})
    assert fine.probabilities == pytest.approx(coarse.probabilities)


def test_a_folder_of_sentence_transformers_gives_the_vector_that_its_modules_say(tmp_path: Path) -> None:
    folder = networks.save(tmp_path, networks.bert("ForMaskedLM"), networks.tokenizer())
    net = transformers.AutoModel.from_pretrained(folder).eval()
    (folder / "1_Pooling").mkdir()
    modules = [{"type": "x.Transformer", "path": ""}, {"type": "x.Pooling", "path": "1_Pooling"}]
    (folder / "modules.json").write_text(json.dumps([*modules, {"type": "x.Normalize", "path": "2_Normalize"}]))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "travel: "}}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 16, "do_lower_case": True}))

    def pooled(**said: Any) -> FunctionModel:
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(said))
        return load(folder)

    def states(text: str) -> Any:
        with torch.inference_mode():
            return net(**networks.tokenizer()(text, return_tensors="pt")).last_hidden_state[0]

    found = asked(pooled(pooling_mode_cls_token=True), {"text": "Ship"}, {"text": "food", "purpose": "query"})
    wanted = [torch.nn.functional.normalize(states(each)[0], dim=0) for each in ("ship", "travel: food")]
    assert np.allclose(found, np.stack(wanted), atol=1e-5)
    last = asked(pooled(pooling_mode_lasttoken=True), {"text": "ship", "normalise": False})[0]
    assert np.allclose(last, states("ship")[-1], atol=1e-5)
    assert isinstance(answers(load(folder), ["ship " * 20])[0], BadInput)
    with pytest.raises(TargetError, match="pools by pooling_mode_weightedmean_tokens"):
        pooled(pooling_mode_weightedmean_tokens=True)
    (folder / "modules.json").write_text(json.dumps([*modules, {"type": "x.Dense", "path": "2"}]))
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


BROKEN: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {  # its files (None: removed), config, what is said
    "adapter": ({"adapter_config.json": "{}", "model.safetensors": None}, {}, "holds an adapter"),
    "diffusers": ({"model_index.json": "{}", "config.json": None}, {}, "is a pipeline of diffusers"),
    "gguf": ({"model.gguf": "GGUF", "model.safetensors": None}, {}, "holds a GGUF language model"),
    "onnx": ({"model.onnx": "", "model.safetensors": None}, {}, "name the .onnx file itself"),
    "tensorflow": ({"tf_model.h5": "", "model.safetensors": None}, {}, "holds weights of TensorFlow"),
    "weightless": ({"model.safetensors": None}, {}, "without weights"),
    "tokenizerless": ({"tokenizer.json": None, "tokenizer_config.json": None}, {}, "has no tokenizer"),
    "pointer": ({"model.safetensors": "version https://git-lfs.github.com/spec/v1"}, {}, "git lfs pull"),
    "renamed": ({"model.safetensors": None, "net.safetensors": ""}, {}, "Name that 'model.safetensors'"),
    "partial": (
        {"model.safetensors": None, "model.safetensors.index.json": '{"weight_map": {"a": "model-1.safetensors"}}',
         "model-2.safetensors": ""}, {}, "lacks 'model-1.safetensors'"
    ),
    "unnamed": ({}, {"architectures": None}, "without 'architectures'"),
    "timm": ({}, {"architecture": "resnet50", "architectures": None}, "a model of timm"),
    "quantised": ({}, {"quantization_config": {"quant_method": "gptq"}}, "quantised by 'gptq'"),
    "other": ({}, {"hidden_size": 64}, "differ in the size of"),
    "unserved": ({}, {"architectures": ["BertForQuestionAnswering"]}, "is a BertForQuestionAnswering, which is not"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_folder_that_cannot_be_served_is_told_why_in_a_sentence(name: str, mood: Path, tmp_path: Path) -> None:
    files, config, said = BROKEN[name]
    folder = tmp_path / name
    shutil.copytree(mood, folder, ignore=shutil.ignore_patterns("onnx", "checkpoint-*", "*.pt", "*.h5"))
    (folder / "config.json").write_text(json.dumps(json.loads((mood / "config.json").read_text()) | config))
    for each, text in files.items():
        (folder / each).unlink() if text is None else (folder / each).write_text(text)
    with pytest.raises(FlaskshipError, match=said) as error:
        assert kind(Target(path=folder), Settings()) is Kind.CHECKPOINT
        load(folder)
    assert repr(name) in error.value.detail
    assert str(tmp_path) not in error.value.detail


def test_a_link_to_a_text_elsewhere_goes_into_no_bundle_but_the_cache_of_the_hub_is_its_own(
    mood: Path, tmp_path: Path
) -> None:
    snapshot = tmp_path / "models--me--mood" / "snapshots" / "1a2b"
    shutil.copytree(mood, snapshot, ignore=shutil.ignore_patterns("onnx", "checkpoint-*", "*.pt", "*.h5"))
    blobs = tmp_path / "models--me--mood" / "blobs"
    blobs.mkdir()
    for each in ("config.json", "model.safetensors"):
        (snapshot / each).rename(blobs / each)
        (snapshot / each).symlink_to(f"../../blobs/{each}")
    assert {"config.json", "model.safetensors"} <= {*checkpoint.files(snapshot)}
    (tmp_path / "credentials").write_text("secret")
    (snapshot / "vocab.txt").unlink(missing_ok=True)
    (snapshot / "vocab.txt").symlink_to(tmp_path / "credentials")
    with pytest.raises(TargetError, match=r"'vocab\.txt' in '1a2b' is a link"):
        checkpoint.files(snapshot)


def test_weights_in_several_files_are_one_network(mood: Path, tmp_path: Path) -> None:
    model = transformers.AutoModelForSequenceClassification.from_pretrained(mood)
    model.save_pretrained(tmp_path, max_shard_size="50KB")
    networks.tokenizer().save_pretrained(tmp_path)
    assert len([each for each in checkpoint.files(tmp_path) if each.endswith(".safetensors")]) > 1
    assert answers(load(tmp_path), ["ship"]) == answers(load(mood), ["ship"])


def test_what_training_and_other_frameworks_left_stays_out(mood: Path, tmp_path: Path) -> None:
    for name in (
        "optimizer.pt",
        "tf_model.h5",
        "pytorch_model.bin",
        "consolidated.safetensors",
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
        for name in ("pytorch_model.bin", "consolidated.safetensors"):
            (mood / name).unlink()


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


def test_padding_is_counted(mood: Path) -> None:
    model = load(mood)
    answers(model, ["ship", "ship"])
    assert (model.read.tokens, model.read.padding) == (6, 0)  # [CLS] ship [SEP]
    answers(model, ["ship", "food ship"])
    assert (model.read.tokens, model.read.padding) == (14, 1)


def test_weights_stay_in_their_file_so_that_workers_share_them(mood: Path) -> None:
    held = next(each.cell_contents for each in of(load(mood)).__closure__ if hasattr(each.cell_contents, "model"))
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if str(mood) in line]
    mapped = [tuple(int(each, 16) for each in line[0].split("-")) for line in lines]
    assert all(any(a <= each.data_ptr() < b for a, b in mapped) for each in held.model.parameters())


def of(model: FunctionModel) -> Any:
    """The function of ours that a model calls."""
    return model.native.__closure__[0].cell_contents.call


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


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FunctionModel]:
    folder = networks.chat(tmp_path_factory.mktemp("chat"))
    return artifact.functions(folder, ".", checkpoint.CONFIG)


def test_a_conversation_is_a_prompt_or_messages_as_the_template_has_them(chat: dict[str, FunctionModel]) -> None:
    said = {"role": "user", "content": "ship"}
    prompt, messages, late, nothing = asked(
        chat["generate"],
        {"prompt": "ship"},
        {"messages": [said]},
        {"messages": [said, {"role": "system", "content": "food"}]},
        {},
    )
    assert prompt == messages
    assert "does not take these messages: too late" in late.detail
    assert "give a 'prompt', or 'messages'" in nothing.detail


def test_a_seed_draws_the_same_words_whoever_asks_besides(chat: dict[str, FunctionModel]) -> None:
    drawn = {"prompt": "The ship", "do_sample": True, "temperature": 2.0, "max_new_tokens": 20}
    one, two, again, other, _ = asked(
        chat["generate"],
        *({**drawn, "seed": seed} for seed in (1, 2, 1)),
        {**drawn, "prompt": "food", "seed": 1},
        drawn,
    )
    assert one == again == asked(chat["generate"], {**drawn, "seed": 1})[0]
    assert len({one, two, other}) == 3
    assert "".join(asked(chat["stream"], {**drawn, "seed": 1})[0]) == one
    stop = one.split()[3]
    ended = one[: one.index(stop)]
    assert asked(chat["generate"], {**drawn, "seed": 1, "stop": [stop]}) == [ended]
    assert "".join(asked(chat["stream"], {**drawn, "seed": 1, "stop": [stop]})[0]) == ended
    refused = asked(chat["generate"], {**drawn, "seed": 1, "num_beams": 2})[0]
    assert "for one beam" in refused.detail


def test_a_text_ends_before_a_stop_wherever_it_is_cut() -> None:
    text = "one. two. three"
    for at in range(len(text)):
        assert "".join(until([text[:at], text[at:]], [". th", "x"])) == "one. two"
        assert "".join(until([text[:at], text[at:]], ["ee!"])) == text


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mBART: its tokenizer has the languages."""
    torch.manual_seed(7)
    letters = sorted({letter for each in networks.SENTENCES for letter in each if letter != " "})
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    vocabulary += [*((each, -2.0) for each in letters), *((each, 0.0) for each in ("en_XX", "de_DE", "ro_RO"))]
    texts = transformers.MBartTokenizer(vocab=[*vocabulary, ("<mask>", 0.0)], tgt_lang="ro_RO", model_max_length=64)
    config = transformers.MBartConfig(
        vocab_size=len(texts), d_model=32, max_position_embeddings=64, init_std=0.5, **networks.LAYERS
    )
    folder = tmp_path_factory.mktemp("interpreter")
    return networks.save(folder, transformers.MBartForConditionalGeneration(config), texts)


def test_languages_are_choices_and_each_text_is_translated_from_and_into_its_own(interpreter: Path) -> None:
    model = load(interpreter)
    fields = {each.name: each for each in model.signature.inputs}
    assert {"en_XX", "de_DE", "ro_RO"} <= set(fields["source_language"].choices)
    assert (fields["source_language"].default, fields["target_language"].default) == ("en_XX", "ro_RO")
    length = {"max_new_tokens": 8, "min_new_tokens": 8}
    rows = [("A ship", "de_DE", "en_XX"), ("ship", "en_XX", "de_DE"), ("ship", "en_XX", "ro_RO")]
    mine = asked(model, *({"text": text, "source_language": a, "target_language": b, **length} for text, a, b in rows))
    texts = transformers.AutoTokenizer.from_pretrained(interpreter)
    net = transformers.AutoModelForSeq2SeqLM.from_pretrained(interpreter).eval()
    for (text, source, target), found in zip(rows, mine, strict=True):
        texts.src_lang = source
        begun = texts.convert_tokens_to_ids(target)
        theirs = net.generate(**texts(text, return_tensors="pt"), forced_bos_token_id=begun, **length)
        assert found == texts.decode(theirs[0], skip_special_tokens=True).strip()
    assert any(mine)


def test_a_long_text_is_translated_by_its_sentences_and_one_that_is_too_long_is_told(interpreter: Path) -> None:
    model = load(interpreter)
    length = {"max_new_tokens": 8, "min_new_tokens": 8}
    first, second = "A ship left the harbour of Hamburg.", "A train to Bonn was late again."
    together, *alone = asked(model, *({"text": each, **length} for each in (f"{first}\n\n{second}", first, second)))
    assert together == "\n\n".join(alone)
    refused = asked(model, {"text": f"{first} {'ship ' * 50}"})[0]
    assert "A sentence has" in refused.detail
    assert "at most 64" in refused.detail


def test_the_tasks_that_a_network_was_trained_on_are_choices(tmp_path: Path) -> None:
    tasks = {
        "summarization": {"prefix": "food: ", "num_beams": 3, "max_length": 40, "min_length": 2},
        "translation_en_to_de": {"prefix": "travel: "},
        "translation_en_to_fr": {"prefix": "weather: "},
    }
    config = transformers.T5Config(
        vocab_size=200, d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2, pad_token_id=0, eos_token_id=3,
        decoder_start_token_id=0, initializer_factor=20.0, task_specific_params=tasks,
    )  # fmt: skip
    folder = networks.save(tmp_path, transformers.T5ForConditionalGeneration(config), networks.tokenizer())
    plain = load(folder)
    field = next(each for each in plain.signature.inputs if each.name == "task")
    assert (field.choices, field.default) == (("none", *tasks), "none")
    written = [
        plain,
        {"text": "ship", "task": "summarization", "min_new_tokens": 5},
        {"text": "food: ship", "min_new_tokens": 5},
    ]
    assert len(set(asked(*written))) == 1
    (folder / "README.md").write_text("---\npipeline_tag: summarization\n---\n")
    model = load(folder)
    defaults = {each.name: each.default for each in model.signature.inputs}
    assert (model.name, "task" in defaults) == ("summarise", False)
    assert (defaults["num_beams"], defaults["max_new_tokens"], defaults["min_new_tokens"]) == (3, 40, 2)
    (folder / "README.md").write_text("---\npipeline_tag: translation\n---\n")
    field = next(each for each in load(folder).signature.inputs if each.name == "task")
    assert field.choices == ("translation_en_to_de", "translation_en_to_fr")


def test_labels_that_the_caller_names_are_weighed_for_a_picture_as_transformers_own_pipeline_does(
    tmp_path: Path,
) -> None:
    folder = networks.clip(tmp_path)
    pictures = [Image.linear_gradient("L").convert("RGB"), Image.radial_gradient("L").resize((40, 60)).convert("RGB")]
    asked_of = [["ship", "a train to Bonn"], ["food", "weather", "ship"]]
    pipeline = transformers.pipeline("zero-shot-image-classification", str(folder), backend="pil")
    rows = [{"image": picture, "labels": labels} for picture, labels in zip(pictures, asked_of, strict=True)]
    *mine, twice, long = asked(
        load(folder), *rows, {**rows[0], "labels": ["a", "a"]}, {**rows[0], "labels": ["a " * 80]}
    )
    for picture, labels, found in zip(pictures, asked_of, mine, strict=True):
        theirs = pipeline(picture, candidate_labels=labels)
        assert found.probabilities == pytest.approx({each["label"]: each["score"] for each in theirs}, abs=1e-4)
    assert "names one twice" in twice.detail
    assert "A label has" in long.detail


def test_requirements_are_what_serving_needs_alone(mood: Path, tmp_path: Path) -> None:
    def needed(folder: Path) -> set[str]:
        return {each.partition("==")[0] for each in load(folder).facts.requirements}

    core = {"transformers", "torch", "tokenizers", "safetensors", "numpy"}
    assert needed(mood) == core
    config = transformers.ViTConfig(
        image_size=32, patch_size=8, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    size = {"height": 32, "width": 32}
    photo = networks.save(
        tmp_path / "photo", transformers.ViTForImageClassification(config), transformers.ViTImageProcessor(size=size)
    )
    assert needed(photo) == {*core, "pillow"}
    for name, needs in {"spiece.model": ["sentencepiece"], "source.spm": ["sentencepiece", "sacremoses"]}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
        assert checkpoint.spelled_by(tmp_path / name) == needs


ALONE = """
import sys
from pathlib import Path
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise SystemExit(f"{event} {args}")
sys.addaudithook(refuse)
from flaskship import artifact
models = artifact.functions(Path(sys.argv[1]), ".", "config.json")
print(*models)
"""


def test_nobody_is_called_and_nothing_is_said_when_a_folder_is_loaded(written: dict[str, Path]) -> None:
    found = subprocess.run(
        [sys.executable, "-c", ALONE, str(written["brief"])], capture_output=True, text=True, check=False
    )
    assert (found.stdout, found.stderr, found.returncode) == ("summarise\n", "", 0)


def test_a_network_is_on_the_card_where_there_is_one_and_in_float32_where_there_is_none(
    mood: Path, tmp_path: Path
) -> None:
    model = transformers.AutoModelForSequenceClassification.from_pretrained(mood, dtype=torch.float16)
    folder = networks.save(tmp_path, model, networks.tokenizer())
    held = next(each.cell_contents for each in of(load(folder)).__closure__ if hasattr(each.cell_contents, "model"))
    here = ("cuda", torch.float16) if torch.cuda.is_available() else ("cpu", torch.float32)
    assert (held.device.type, held.model.dtype) == here
