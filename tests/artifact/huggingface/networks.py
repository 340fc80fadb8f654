"""Tiny networks with random weights, saved as their authors save theirs: `save_pretrained`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

SENTENCES = [
    "The ship left the harbour of Hamburg on a fine morning.",
    "A train to Bonn was late again, and nobody was told why.",
    "This example is about travel, or food, or the weather in spring.",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tokenizer(limit: int = 64, *, ends: bool = True) -> Any:
    """Trained on three sentences; with `ends`, a text is [CLS] text [SEP]."""
    made = Tokenizer(models.BPE(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=200, special_tokens=SPECIAL, show_progress=False))
    if ends:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=limit,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        eos_token="[SEP]",
    )


BERT = {
    "vocab_size": 200,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}


def save(folder: Path, model: Any, *parts: Any) -> Path:
    """The network and its tokenizer or processor in `folder`."""
    for each in (model, *parts):
        each.save_pretrained(folder)
    return folder


def labelled(*labels: str) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {each: at for at, each in enumerate(labels)}}


def bert(head: str, *labels: str, **options: Any) -> Any:
    """`bert("ForSequenceClassification", "glad", "sad")`"""
    torch.manual_seed(7)
    config = transformers.BertConfig(**BERT, **(labelled(*labels) if labels else {}), **options)
    return getattr(transformers, f"Bert{head}")(config).eval()
