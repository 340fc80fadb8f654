"""From a folder to functions, by the architecture in its config. transformers is never let onto the network."""

from __future__ import annotations

import importlib
import os
import pickle
import re
from pathlib import Path
from typing import Any

from flaskship.artifact.huggingface import checkpoint

os.environ.update(checkpoint.OFFLINE)  # before transformers is imported: it looks once

import torch
import transformers
from safetensors import SafetensorError
from transformers.models.auto import modeling_auto as known

from flaskship.artifact import facts
from flaskship.artifact.function.model import FunctionModel
from flaskship.artifact.huggingface.network import Network, first
from flaskship.artifact.huggingface.ways import served
from flaskship.artifact.torch.program import DEVICE
from flaskship.errors import TargetError
from flaskship.schema import Facts

# What transformers calls a kind of architecture -> what loads it, and what serves it, of a module of ours; an
# architecture of two kinds is the first one's.
TASKS: tuple[tuple[Any, Any, str], ...] = (
    (known.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES, transformers.AutoModelForSeq2SeqLM, "generators.rewriting"),
    (
        known.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
        transformers.AutoModelForSequenceClassification,
        "encoders.classification",
    ),
    (
        known.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
        transformers.AutoModelForTokenClassification,
        "encoders.entities",
    ),
    (known.MODEL_FOR_MASKED_LM_MAPPING_NAMES, transformers.AutoModelForMaskedLM, "encoders.filling"),
    (known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, transformers.AutoModelForCausalLM, "generators.continuing"),
    (
        known.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
        transformers.AutoModelForImageClassification,
        "vision.classification",
    ),
    (
        known.MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES,
        transformers.AutoModelForZeroShotImageClassification,
        "vision.zero_shot",
    ),
    (known.MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES, transformers.AutoModelForObjectDetection, "vision.detection"),
    (
        known.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES,
        transformers.AutoModelForSemanticSegmentation,
        "vision.regions",
    ),
    (
        known.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES,
        transformers.AutoModelForUniversalSegmentation,
        "vision.segments",
    ),
    (
        known.MODEL_FOR_INSTANCE_SEGMENTATION_MAPPING_NAMES,
        transformers.AutoModelForInstanceSegmentation,
        "vision.segments",
    ),
    (known.MODEL_FOR_IMAGE_SEGMENTATION_MAPPING_NAMES, transformers.AutoModelForImageSegmentation, "vision.segments"),
    (known.MODEL_MAPPING_NAMES, transformers.AutoModel, "encoders.embedding"),
)
SERVED = (
    "text and token classification, zero-shot classification, fill-mask, embeddings, summarisation, translation, text "
    "generation, image classification, object detection, image segmentation"
)


def load(folder: Path, *, trust: bool = False) -> dict[str, FunctionModel]:
    """The functions of the checkpoint in `folder`, by name. Raises `TargetError` for what it cannot be.

    `trust` lets code that lies in the folder run.
    """
    checkpoint.check(folder)
    config = checkpoint.config(folder)
    architectures = config["architectures"]
    own = trust and bool(config.get("auto_map"))
    if config.get("auto_map") and not trust and not _is_known(config):
        raise TargetError(
            f"{folder.name!r} is of a kind, {config.get('model_type')!r}, that transformers does not have: its own code"
            " would run. Read its .py files, then say --trust."
        )
    if (folder / checkpoint.MODULES).is_file():
        return _functions(folder, transformers.AutoModel, "encoders.embedding", own)
    for names, auto, task in TASKS:
        if any(each in architectures for each in _names(names)) or _mapped(config, auto):
            return _functions(folder, auto, task, own)
    raise TargetError(
        f"{folder.name!r} is a {', '.join(map(str, architectures))}, which is not served."
        f" Of Hugging Face's tasks these are: {SERVED}."
    )


def _is_known(config: dict[str, Any]) -> bool:
    return config.get("model_type") in known.CONFIG_MAPPING_NAMES


def _mapped(config: dict[str, Any], auto: Any) -> bool:
    """Whether the folder's own code says that it is of this kind."""
    return not _is_known(config) and auto.__name__ in config.get("auto_map", {})


def _names(mapping: Any) -> list[str]:
    """The architectures of a mapping, whose values are names or tuples of them."""
    return [name for each in mapping.values() for name in ([each] if isinstance(each, str) else each)]


def _functions(folder: Path, auto: Any, task: str, own: bool) -> dict[str, FunctionModel]:
    """`task` is a module beside this one, and a function in it: of the one for pictures alone an image has Pillow."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    module, _, name = task.partition(".")
    ways = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    network = Network(folder=folder, model=_model(folder, auto, own), own=own)
    found = ways(network)
    about = _facts(network)
    read = None if network.sees else network.read
    return {each.name: served(each, about, read if each.batch else None) for each in found}


def _model(folder: Path, auto: Any, own: bool) -> Any:
    """The network with its weights, ready to answer. Raises `TargetError` where weights are damaged or missing."""
    try:
        model, told = auto.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=own,
            use_safetensors=checkpoint.is_safe(folder),
            weights_only=True,
            dtype="auto" if DEVICE == "cuda" else torch.float32,
            ignore_mismatched_sizes=True,  # they are told, and refused below
            output_loading_info=True,
        )
    except pickle.UnpicklingError as error:
        raise TargetError(
            f"{folder.name!r} cannot be loaded: its .bin holds more than weights, which could run any code. Save it"
            " anew where it was made: save_pretrained writes safetensors."
        ) from error
    except (
        SafetensorError,
        OSError,
        ValueError,
        RuntimeError,
        KeyError,
        ImportError,
        TypeError,
        AttributeError,
    ) as error:
        raise TargetError(f"{folder.name!r} cannot be loaded: {first(error, folder)}") from error
    if unfit := sorted(each[0] for each in told.get("mismatched_keys") or ()):
        raise TargetError(
            f"{folder.name!r} has a config.json that is not of its weights: they differ in the size of"
            f" {_few(unfit)}. Save both with save_pretrained."
        )
    missing = sorted(told.get("missing_keys") or ())
    if missing and not _poolers(missing):
        raise TargetError(
            f"{folder.name!r} has no weights for {_few(missing)}: it would answer at random. Save the whole model with"
            " save_pretrained."
        )
    return model.eval().requires_grad_(False).to(DEVICE)


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _poolers(missing: list[str]) -> bool:
    """Whether only a pooler lacks, which embeddings do not use."""
    return all(re.search(r"(^|\.)pooler\.", each) for each in missing)


def _facts(network: Network) -> Facts:
    used = ["transformers", "torch", "tokenizers", "safetensors", "numpy"]
    used += ["pillow"] if network.sees else []
    used += checkpoint.spelled_by(network.folder) if network.spells else []
    config = checkpoint.config(network.folder)
    made = {"transformers": str(config["transformers_version"])} if config.get("transformers_version") else {}
    return Facts(
        framework="transformers",
        kind=type(network.model).__name__,
        version=facts.version("transformers"),
        made_with=made,
        requirements=tuple(each.partition("+")[0] for each in facts.pins(used)),
        float32=True,
        warnings=network.warnings,
    )
