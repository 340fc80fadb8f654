"""The networks that are compared, with random weights: saved once, in `build/benchmarks`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from benchmarks.models import BUILD
from benchmarks.report import say

TEXT = (
    "the ship left the harbour of Hamburg on a fine morning and nobody was told why it had to go out so early in such"
    " weather"
)
VALUES = [round(place / 64, 3) for place in range(64)]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LABELS = {0: "glad", 1: "sad"}


def net() -> Path:
    """A perceptron of 64 inputs, twice 512 units and 10 outputs, as TorchScript."""
    path = BUILD / "net.pt"
    if not path.exists():
        torch.manual_seed(7)
        layers = [torch.nn.Linear(64, 512), torch.nn.ReLU(), torch.nn.Linear(512, 512), torch.nn.ReLU()]
        torch.jit.script(torch.nn.Sequential(*layers, torch.nn.Linear(512, 10)).eval()).save(str(path))
    return path


def transformer() -> Path:
    """BERT of 3 layers and 192 units that says which of two labels a text has, with its tokenizer of whole words."""
    path = BUILD / "transformer"
    if not path.exists():
        torch.manual_seed(7)
        config = transformers.BertConfig(
            vocab_size=8000, hidden_size=192, num_hidden_layers=3, num_attention_heads=3, intermediate_size=768,
            max_position_embeddings=128, id2label=LABELS, label2id={label: at for at, label in LABELS.items()},
        )  # fmt: skip
        tokenizer().save_pretrained(path)
        transformers.BertForSequenceClassification(config).save_pretrained(path)
    return path


def tokenizer() -> transformers.PreTrainedTokenizerFast:
    words = dict.fromkeys([*SPECIAL, *TEXT.split()])
    made = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, model_max_length=128, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]",
    )  # fmt: skip


def bundle(model: Path) -> Path:
    """What is saved at `model`, as Flaskship serves it."""
    path = BUILD / f"{model.stem}.bundle"
    if not path.exists():
        say(f"Making the bundle of {model.stem}.")
        subprocess.run([sys.executable, "-m", "flaskship", "bundle", model, "-o", path], check=True)
    return path


def glad() -> float:
    """The share of the first label that the transformer gives the text."""
    saved = transformer()
    tokens = transformers.AutoTokenizer.from_pretrained(saved)([TEXT], return_tensors="pt")
    with torch.inference_mode():
        logits = transformers.AutoModelForSequenceClassification.from_pretrained(saved).eval()(**tokens).logits
    return float(torch.softmax(logits, -1)[0, 0])
