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
    made.train_from_iterator(
        SENTENCES, trainers.BpeTrainer(vocab_size=200, special_tokens=SPECIAL, show_progress=False)
    )
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


LAYERS = {f"{part}_{what}": 2 for part in ("encoder", "decoder") for what in ("layers", "attention_heads")}
LAYERS |= {"encoder_ffn_dim": 32, "decoder_ffn_dim": 32}  # of BART and its like


def text_models(folder: Path) -> dict[str, Path]:
    """A folder a task of text."""
    torch.manual_seed(7)
    texts = tokenizer()
    tags = ("O", "B-PLACE", "I-PLACE")
    bart = transformers.BartConfig(
        vocab_size=200,
        d_model=32,
        **LAYERS,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        decoder_start_token_id=2,
        forced_eos_token_id=3,
        task_specific_params={"summarization": {"num_beams": 2}},
    )
    t5 = transformers.T5Config(
        vocab_size=200, d_model=32, d_kv=16, d_ff=32, num_layers=2, num_heads=2, pad_token_id=0, eos_token_id=3,
        decoder_start_token_id=0,
    )  # fmt: skip
    gpt = transformers.GPT2Config(
        vocab_size=200, n_positions=64, n_embd=32, n_layer=2, n_head=2, bos_token_id=2, eos_token_id=3
    )
    saved = {
        "mood": bert("ForSequenceClassification", "glad", "sad"),
        "score": bert("ForSequenceClassification", "LABEL_0"),
        "topics": bert("ForSequenceClassification", "sea", "land", problem_type="multi_label_classification"),
        "about": bert("ForSequenceClassification", "contradiction", "neutral", "entailment"),
        "places": bert("ForTokenClassification", *tags),
        "mask": bert("ForMaskedLM"),
        "vectors": bert("Model"),
        "brief": transformers.BartForConditionalGeneration(bart),
        "rewrite": transformers.T5ForConditionalGeneration(t5),
    }
    found = {name: save(folder / name, model, texts) for name, model in saved.items()}
    return {**found, "story": save(folder / "story", transformers.GPT2LMHeadModel(gpt), tokenizer(ends=False))}


CHAT = (  # a template that lets a system speak first alone
    "{% for each in messages %}{% if each.role == 'system' and not loop.first %}{{ raise_exception('too late') }}"
    "{% endif %}{{ each.role }}: {{ each.content }}\n{% endfor %}"
)


def chat(folder: Path) -> Path:
    """A folder of a network that talks."""
    torch.manual_seed(7)
    config = transformers.GPT2Config(
        vocab_size=200, n_positions=64, n_embd=32, n_layer=2, n_head=2, bos_token_id=2, eos_token_id=3
    )
    texts = tokenizer(ends=False)
    texts.chat_template = CHAT
    return save(folder, transformers.GPT2LMHeadModel(config), texts)


def clip(folder: Path) -> Path:
    """A folder of a network that compares pictures with texts."""
    torch.manual_seed(7)
    sized = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.CLIPConfig(
        text_config={**sized, "vocab_size": 200, "max_position_embeddings": 64, "eos_token_id": 3, "bos_token_id": 2},
        vision_config={**sized, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    size = {"height": 32, "width": 32}
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size)
    return save(folder, transformers.CLIPModel(config), tokenizer(), processor)


def picture_models(folder: Path) -> dict[str, Path]:
    """A folder a task of pictures."""
    torch.manual_seed(7)
    size = {"height": 32, "width": 32}
    vit = transformers.ViTConfig(
        image_size=32, patch_size=8, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        **labelled("cat", "dog", "ship"),
    )  # fmt: skip
    yolos = transformers.YolosConfig(
        image_size=[32, 32], patch_size=8, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, num_detection_tokens=5, **labelled("cat", "dog"),
    )  # fmt: skip
    segformer = transformers.SegformerConfig(
        hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 1, 1], decoder_hidden_size=16,
        **labelled("sky", "sea"),
    )  # fmt: skip
    backbone = transformers.SwinConfig(
        image_size=32, patch_size=2, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=2,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    maskformer = transformers.Mask2FormerConfig(
        backbone_config=backbone, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=16,
        dim_feedforward=16, num_attention_heads=2, encoder_layers=1, decoder_layers=2, num_queries=5,
        **labelled("ship", "buoy"),
    )  # fmt: skip
    return {
        "photo": save(
            folder / "photo", transformers.ViTForImageClassification(vit), transformers.ViTImageProcessor(size=size)
        ),
        "finder": save(
            folder / "finder",
            transformers.YolosForObjectDetection(yolos),
            transformers.YolosImageProcessor(size={"shortest_edge": 32, "longest_edge": 48}),
        ),
        "ground": save(
            folder / "ground",
            transformers.SegformerForSemanticSegmentation(segformer),
            transformers.SegformerImageProcessor(size=size),
        ),
        "shapes": save(
            folder / "shapes",
            transformers.Mask2FormerForUniversalSegmentation(maskformer),
            transformers.Mask2FormerImageProcessor(size={"shortest_edge": 32, "longest_edge": 48}),
        ),
    }
