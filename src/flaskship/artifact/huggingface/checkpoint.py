"""What a Hugging Face folder holds, by its files: nothing is loaded, transformers is not needed."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from flaskship.artifact.sniff import Format, sniff
from flaskship.errors import NotRecognised, TargetError

OFFLINE = {  # what transformers is told before it is imported
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",  # a worker has the threads of its share
}
CONFIG = "config.json"
MODULES = "modules.json"  # of sentence-transformers
SAFE = ".safetensors"
WEIGHTS = (SAFE, ".bin")
LOADED = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
POINTER = b"version https://git-lfs"
ITS_CODE = (
    "modeling_",
    "configuration_",
    "tokenization_",
    "processing_",
    "image_processing_",
)  # runs with --trust only
TEXTS = (".json", ".jsonl", ".txt", ".model", ".jinja", ".tiktoken", ".spm", ".bpe", ".py", ".md")
LEFT = re.compile(  # of training, or of other frameworks
    r"(^|/)(\.|checkpoint-|runs/|onnx/|openvino/|coreml/|trainer_state\.json|.*results?\.json|optimizer|scheduler|"
    r"training_args|rng_state|flax_model|tf_model|rust_model|requirements\.txt)"
)
TAG = re.compile(r"^pipeline_tag:\s*[\"']?([a-z0-9-]+)", re.MULTILINE)


def is_one(folder: Path) -> bool:
    """Whether `folder` is a checkpoint, and no app that lies beside one."""
    if not (folder / CONFIG).is_file() or (folder / "Procfile").exists():
        return False
    if any(not each.name.startswith(ITS_CODE) for each in folder.glob("*.py")):
        return False
    try:
        return sniff(folder).format is Format.HUGGINGFACE
    except NotRecognised:
        return False


def files(folder: Path) -> dict[str, int]:
    """What is needed to load it, by path, with its size in bytes: of weights those alone that are loaded.

    Raises `TargetError` for a link to a text elsewhere, which is no part of the model.
    """
    names = sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())
    loaded, own = weights(folder), bool(config(folder).get("auto_map"))
    kept = [
        each
        for each in names
        if not LEFT.search(each)
        and (each in loaded or (each.endswith(TEXTS) and each not in LOADED) or (own and is_weights(each)))
    ]
    for each in kept:
        if not is_weights(each) and not _is_own(folder, folder / each):
            raise TargetError(f"{each!r} in {folder.name!r} is a link to a file elsewhere. Put the file itself there.")
    return {each: (folder / each).stat().st_size for each in kept}


def _is_own(folder: Path, path: Path) -> bool:
    """Whether a file lies in the folder, or where the hub's cache keeps those of its snapshots."""
    place, real = path.resolve(), folder.resolve()
    cached = real.parent.name == "snapshots" and place.is_relative_to(real.parent.parent / "blobs")
    return place.is_relative_to(real) or cached


def weights(folder: Path) -> list[str]:
    """The files of its weights that are loaded, an index before those that it names; none where there are none."""
    first = next((each for each in LOADED if (folder / each).is_file()), "")
    parts = set(read(folder / first).get("weight_map", {}).values()) if first.endswith(".json") else set()
    return [first, *sorted(parts)] if first else []


def check(folder: Path) -> None:
    """Raises `TargetError` for a folder that transformers would not load, or not rightly."""
    said, name = config(folder), repr(folder.name)
    if "architecture" in said or "pretrained_cfg" in said:
        raise TargetError(f"{name} is a model of timm, which is not served. Export it with torch.export, as a .pt2.")
    if not said.get("architectures") or not isinstance(said["architectures"], list):
        raise TargetError(
            f"{name} has a config.json without 'architectures', so its task is unknown. Save it with save_pretrained."
        )
    if kind := (said.get("quantization_config") or {}).get("quant_method"):
        raise TargetError(f"{name} is quantised by {kind!r}, which is not served. Take it as it was before.")
    found = weights(folder)
    if not found:
        other = next(iter(sorted(each.name for each in folder.glob(f"*{SAFE}"))), "none")
        raise TargetError(
            f"{name} has its weights in {other!r}. Name that 'model.safetensors', as transformers reads it."
        )
    for each in found:
        if not (folder / each).is_file():
            raise TargetError(f"{name} lacks {each!r}, one of the {len(found) - 1} files of its weights. Put it there.")
        with (folder / each).open("rb") as file:
            if file.read(len(POINTER)) == POINTER:
                raise TargetError(f"{each!r} in {name} is a Git LFS pointer, not the file itself: run git lfs pull")


def is_weights(name: str) -> bool:
    return PurePosixPath(name).suffix in WEIGHTS


def is_safe(folder: Path) -> bool:
    """Whether its weights are safetensors, from which nothing can run."""
    return any(each.endswith(SAFE) for each in weights(folder))


def config(folder: Path) -> dict[str, Any]:
    return read(folder / CONFIG)


def read(path: Path) -> dict[str, Any]:
    """An object of JSON, empty where there is no file. Raises `TargetError`."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise TargetError(f"{path.name!r} in {path.parent.name!r} is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise TargetError(f"{path.name!r} in {path.parent.name!r} holds no object.")
    return found


def tag(folder: Path) -> str:
    """The task that its card names ("summarization"), "" where it says none."""
    try:
        head = (folder / "README.md").read_text(encoding="utf-8", errors="replace")[:10_000]
    except OSError:
        return ""
    found = TAG.search(head)
    return found[1] if found and head.startswith("---") else ""


def pooling(folder: Path) -> tuple[str, bool]:
    """How sentence-transformers makes one vector of a text's, of `POOLING`, and whether it has length 1.

    Raises `TargetError` for modules that are none of these.
    """
    place = folder / MODULES
    if not place.is_file():
        return "mean", False
    try:
        modules = [(str(each["type"]).rpartition(".")[2], str(each["path"])) for each in json.loads(place.read_bytes())]
    except (ValueError, TypeError, KeyError) as error:
        raise TargetError(f"'modules.json' in {folder.name!r} cannot be read: {error!r}.") from error
    unknown = [kind for kind, _ in modules if kind not in ("Transformer", "Pooling", "Normalize")]
    if unknown:
        raise TargetError(
            f"{folder.name!r} has a module {unknown[0]!r} of sentence-transformers, which is not served. Write a"
            " function that loads it: flaskship new NAME --from function"
        )
    said = next((read(folder / path / CONFIG) for kind, path in modules if kind == "Pooling"), {})
    modes = [each for each, chosen in said.items() if each.startswith("pooling_mode_") and chosen is True]
    modes = modes or [said.get("pooling_mode") or "mean"]
    mode = POOLING.get(str(modes[0]), "") if len(modes) == 1 else ""
    if not mode or said.get("include_prompt") is False:
        raise TargetError(f"{folder.name!r} pools by {', '.join(map(str, modes))}, which is not served.")
    return mode, any(kind == "Normalize" for kind, _ in modules)


def prompts(folder: Path) -> tuple[dict[str, str], str]:
    """What sentence-transformers puts before a text, by the name of its purpose ("query"), and which it usually is."""
    said = read(folder / "config_sentence_transformers.json")
    found = {str(name): str(text) for name, text in (said.get("prompts") or {}).items()}
    usual = str(said.get("default_prompt_name") or "none")
    return ({"none": "", **found}, usual) if any(found.values()) else ({}, usual)


def is_lower(folder: Path) -> bool:
    """Whether sentence-transformers makes each text lower case."""
    return bool(read(folder / "sentence_bert_config.json").get("do_lower_case"))


def spelled_by(folder: Path) -> list[str]:
    """What its tokenizer needs besides tokenizers: nothing, where it is a tokenizer.json."""
    if (folder / "tokenizer.json").is_file():
        return []
    needs = {"sentencepiece": ("*.model", "*.spm"), "sacremoses": ("*.spm",), "tiktoken": ("*tiktoken*",)}
    return [each for each, patterns in needs.items() if any(any(folder.glob(pattern)) for pattern in patterns)]


POOLING = {
    **{f"pooling_mode_{each}_tokens": each.replace("_", "") for each in ("mean", "max")},
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "lasttoken",
    **{each: each for each in ("mean", "max", "cls", "lasttoken")},
}
