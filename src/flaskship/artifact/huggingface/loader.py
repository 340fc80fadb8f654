"""From a folder to functions, by the architecture in its config. transformers is never let onto the network."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
os.environ.update(OFFLINE)  # before transformers is imported: it looks once

import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors import SafetensorError  # noqa: E402
from transformers.models.auto import modeling_auto as known  # noqa: E402

from flaskship.artifact import facts  # noqa: E402
from flaskship.artifact.function.model import FunctionModel  # noqa: E402
from flaskship.artifact.huggingface import checkpoint, encoders, generators, vision  # noqa: E402
from flaskship.artifact.huggingface.network import Network  # noqa: E402
from flaskship.artifact.huggingface.ways import Way, served  # noqa: E402
from flaskship.errors import TargetError  # noqa: E402
from flaskship.schema import Facts  # noqa: E402

# What transformers calls a kind of architecture -> what loads it, what serves it; an architecture of two kinds is the
# first one's.
TASKS: tuple[tuple[Any, Any, Callable[[Network], list[Way]]], ...] = (
    (known.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES, transformers.AutoModelForSeq2SeqLM, generators.rewriting),
    (
        known.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
        transformers.AutoModelForSequenceClassification,
        encoders.classification,
    ),
    (
        known.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
        transformers.AutoModelForTokenClassification,
        encoders.entities,
    ),
    (known.MODEL_FOR_MASKED_LM_MAPPING_NAMES, transformers.AutoModelForMaskedLM, encoders.filling),
    (known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, transformers.AutoModelForCausalLM, generators.continuing),
    (
        known.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
        transformers.AutoModelForImageClassification,
        vision.classification,
    ),
    (known.MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES, transformers.AutoModelForObjectDetection, vision.detection),
    (
        known.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES,
        transformers.AutoModelForSemanticSegmentation,
        vision.regions,
    ),
    (
        known.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES,
        transformers.AutoModelForUniversalSegmentation,
        vision.segments,
    ),
    (
        known.MODEL_FOR_INSTANCE_SEGMENTATION_MAPPING_NAMES,
        transformers.AutoModelForInstanceSegmentation,
        vision.segments,
    ),
    (known.MODEL_FOR_IMAGE_SEGMENTATION_MAPPING_NAMES, transformers.AutoModelForImageSegmentation, vision.segments),
    (known.MODEL_MAPPING_NAMES, transformers.AutoModel, encoders.embedding),
)
SERVED = (
    "text and token classification, zero-shot classification, fill-mask, embeddings, summarisation, translation, text "
    "generation, image classification, object detection, image segmentation"
)


def load(folder: Path, *, trust: bool = False) -> dict[str, FunctionModel]:
    """The functions of the checkpoint in `folder`, by name. Raises `TargetError` for what it cannot be.

    `trust` lets code that lies in the folder run.
    """
    config = checkpoint.config(folder)
    architectures = config.get("architectures") or []
    own = trust and bool(config.get("auto_map"))
    if config.get("auto_map") and not trust and not _is_known(config):
        raise TargetError(
            f"{folder.name!r} is of a kind, {config.get('model_type')!r}, that transformers does not have: its own code"
            " would run. Read its .py files, then say --trust."
        )
    for names, auto, task in TASKS:
        if any(each in architectures for each in _names(names)) or _mapped(config, auto):
            return _functions(folder, auto, task, own)
    raise TargetError(
        f"{folder.name!r} is a {', '.join(map(str, architectures)) or config.get('model_type')}, which is not served."
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


def _functions(folder: Path, auto: Any, task: Callable[[Network], list[Way]], own: bool) -> dict[str, FunctionModel]:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    network = Network(folder=folder, model=_model(folder, auto, own), own=own)
    ways = task(network)
    about = _facts(network)
    return {each.name: served(each, about) for each in ways}


def _model(folder: Path, auto: Any, own: bool) -> Any:
    """The network with its weights, ready to answer. Raises `TargetError` where weights are damaged or missing."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model, told = auto.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=own,
            use_safetensors=checkpoint.is_safe(folder),
            weights_only=True,
            dtype="auto" if device == "cuda" else torch.float32,
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
        raise TargetError(f"{folder.name!r} cannot be loaded: {_first(error)}") from error
    missing = sorted(told.get("missing_keys") or ())
    if missing and not _poolers(missing):
        raise TargetError(
            f"{folder.name!r} has no weights for {', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}: it would"
            " answer at random. Save the whole model with save_pretrained."
        )
    return model.eval().requires_grad_(False).to(device)


def _poolers(missing: list[str]) -> bool:
    """Whether only a pooler lacks, which embeddings do not use."""
    return all(re.search(r"(^|\.)pooler\.", each) for each in missing)


def _first(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {text}."


def _facts(network: Network) -> Facts:
    used = ["transformers", "torch", "tokenizers", "safetensors", "numpy", "pillow"]  # the last for `vision`, unasked
    used += ["torchvision"] if network.sees else []
    used += ["sentencepiece"] if network.spells else []
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
