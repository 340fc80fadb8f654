"""Writes news, trains a small BART to summarise it, and says what its summaries of unseen news are worth.

    python train.py [--steps 1500] [--minutes 4.5] [--stories 30000] [--threads 1] [FOLDER]

FOLDER (model, beside this file, where not given) gets what `save_pretrained` writes: config.json, model.safetensors,
tokenizer.json and their like, which app.py serves. The same seed writes the same news, and trains the same model
wherever torch computes alike and the steps keep ahead of the minutes. One thread adds up in one order, whatever cores
there are; several wait for each other, and where others work too that is slower than one.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import torch
from scores import measured
from stories import Story, story
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from torch import Tensor
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

SEED = 7
UNSEEN = 10**6  # seed of the stories to test with
SIZE = 128  # of what stands for a token
BATCH = 32
RATE = 2e-3  # of learning, at most
WARMING = 200  # steps in which it is reached
LONGEST = 256  # tokens
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]  # as BART numbers them
IGNORED = -100  # a label that no loss is computed of


def tokenizer_of(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Every word and number of `texts` is a token, with the space before it; others are spelled letter by letter."""
    cut = pre_tokenizers.Sequence([
        pre_tokenizers.Metaspace(split=False),
        pre_tokenizers.Split(Regex(r"▁?\w+|▁?[^\w▁]"), "isolated"),
    ])  # fmt: skip
    found = {token for text in set(texts) for token, _ in cut.pre_tokenize_str(text)}
    letters = {chr(code) for code in [*range(33, 127), *range(161, 383)]} | {"▁"}
    vocabulary = [*SPECIAL, *sorted(letters | found)]
    model = models.WordPiece(
        {token: n for n, token in enumerate(vocabulary)}, unk_token="<unk>", continuing_subword_prefix=""
    )
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = cut
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        model_max_length=LONGEST,
    )  # fmt: skip


def network(vocabulary: int) -> BartForConditionalGeneration:
    sizes = {f"{part}_{name}": value for part in ("encoder", "decoder")
             for name, value in {"layers": 2, "attention_heads": 4, "ffn_dim": 384}.items()}  # fmt: skip
    config = BartConfig(
        vocab_size=vocabulary, d_model=SIZE, max_position_embeddings=LONGEST, **sizes,
        dropout=0.0, attention_dropout=0.0, activation_dropout=0.0,
        bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None,
        task_specific_params={"summarization": {}},  # what says to others that it is for summaries
    )  # fmt: skip
    model = BartForConditionalGeneration(config)
    # Of length 1 rather than BART's 0.2: a rare number can be copied, by its likeness to itself, before it is learned.
    torch.nn.init.normal_(model.get_input_embeddings().weight, std=SIZE**-0.5)
    return model


def padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])


def progress(step: int, steps: int, late: float) -> float:
    """The share of the training that is done. `late` is that of its time: it decides where steps are behind it."""
    return max(step / steps, late if step > WARMING or late >= 1 else 0.0)


def train(
    stories: Sequence[Story], steps: int, minutes: float
) -> tuple[BartForConditionalGeneration, PreTrainedTokenizerFast]:
    torch.manual_seed(SEED)
    began = time.monotonic()
    tokenizer = tokenizer_of([text for each in stories for text in each])
    model = network(len(tokenizer))
    texts, summaries = (tokenizer(list(each)).input_ids for each in zip(*stories, strict=True))
    print(f"{model.num_parameters():,} parameters, {len(tokenizer):,} tokens, {torch.get_num_threads()} threads.")
    order = sorted(range(len(stories)), key=lambda n: len(texts[n]))  # alike lengths go together: little padding
    batches = [order[n : n + BATCH] for n in range(0, len(order), BATCH)]
    optimizer = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.01)
    smooth = math.nan
    for step in range(1, steps + 1):
        done = progress(step - 1, steps, (time.monotonic() - began) / 60 / minutes)
        if done >= 1:
            print(f"The {minutes:g} minutes are over, after {step - 1:,} of {steps:,} steps.")
            break
        rate = RATE * min(1, step / WARMING) * max(0.01, (1 + math.cos(math.pi * done)) / 2)
        optimizer.param_groups[0]["lr"] = rate
        some = batches[int(torch.randint(len(batches), ()))]
        given = padded([texts[n] for n in some], 1)
        wanted = padded([summaries[n] for n in some], IGNORED)
        loss = model(input_ids=given, attention_mask=given != 1, labels=wanted).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        smooth = loss.item() if math.isnan(smooth) else 0.97 * smooth + 0.03 * loss.item()
        if step % 100 == 0 or step == steps:
            seconds = f"{time.monotonic() - began:4.0f} s  {time.process_time():.0f} s of processors"
            print(f"step {step:>5}  loss {smooth:.4f}  {seconds}", flush=True)
    return model.eval(), tokenizer


def report(model: BartForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, count: int) -> dict[str, float]:
    """Prints and answers what the summaries of `count` unseen stories are worth."""
    random = Random(UNSEEN)
    stories = [story(random) for _ in range(count)]
    found: list[str] = []
    for n in range(0, count, 50):
        given = tokenizer([each.text for each in stories[n : n + 50]], padding=True, return_tensors="pt")
        made = model.generate(
            input_ids=given.input_ids, attention_mask=given.attention_mask, max_new_tokens=64, num_beams=1
        )
        found += [each.strip() for each in tokenizer.batch_decode(made, skip_special_tokens=True)]
    worth = measured(found, [each.summary for each in stories], [each.text for each in stories])
    print(
        f"Summaries of {count} unseen stories:",
        *(f"  {name:<14}{value:.3f}" for name, value in worth.items()),
        sep="\n",
    )
    wrong = [(each.summary, text) for each, text in zip(stories, found, strict=True) if text != each.summary]
    for wanted, text in wrong[:3]:
        print(f"Wanted: {wanted}\n   Got: {text}")
    return worth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent / "model")
    parser.add_argument("--steps", type=int, default=1500, help="of 32 stories each (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=4.5, help="after which it ends (default: %(default)s)")
    parser.add_argument("--stories", type=int, default=30000, help="to train with (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="that torch computes in (default: %(default)s)")
    parser.add_argument("--unseen", type=int, default=500, help="stories to test with (default: %(default)s)")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    random = Random(SEED)
    model, tokenizer = train([story(random) for _ in range(asked.stories)], asked.steps, asked.minutes)
    model.save_pretrained(asked.folder)
    tokenizer.save_pretrained(asked.folder)
    report(model, tokenizer, asked.unseen)
    print(f"Written to {str(asked.folder)!r}.")


if __name__ == "__main__":
    main()
