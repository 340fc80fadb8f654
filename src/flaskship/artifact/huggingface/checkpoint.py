"""What a Hugging Face folder holds, by its files: nothing is loaded, transformers is not needed."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from flaskship.artifact.sniff import Format, sniff
from flaskship.errors import NotRecognised, TargetError

CONFIG = "config.json"
SAFE = ".safetensors"
WEIGHTS = (SAFE, ".bin")
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
    """What is needed to load it, by path, with its size in bytes.

    Of weights that are there in several formats, safetensors alone.
    """
    names = sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())
    names = [each for each in names if not LEFT.search(each)]
    safe = [each for each in names if each.endswith(SAFE) and "/" not in each]
    kept = [
        each for each in names if each.endswith(TEXTS) or each.endswith(SAFE) or (each.endswith(".bin") and not safe)
    ]
    return {each: (folder / each).stat().st_size for each in kept if not (safe and each.endswith(".bin.index.json"))}


def is_weights(name: str) -> bool:
    return PurePosixPath(name).suffix in WEIGHTS


def is_safe(folder: Path) -> bool:
    """Whether its weights are safetensors, from which nothing can run."""
    return any(folder.glob(f"*{SAFE}"))


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
    """How sentence-transformers makes one vector of a text's: "mean", "cls" or "max", and whether it has length 1.

    Raises `TargetError` for modules that are none of these.
    """
    place = folder / "modules.json"
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
    modes = [name for name in ("mean", "cls", "max") if said.get(POOLING[name])]
    mode = modes or [name for name in POOLING if name == said.get("pooling_mode")] or ["mean"]
    if len(mode) > 1:
        raise TargetError(f"{folder.name!r} joins the poolings {', '.join(mode)}, which is not served.")
    return mode[0], any(kind == "Normalize" for kind, _ in modules)


POOLING = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens"}
