"""Summaries of short news.

    flaskship serve app.py
    curl localhost:8000/summarise -d 'text=Upton won 3:1 against Yarm. Clara Novak scored 2 of the goals for Upton.'

The folder `model` beside this file has the checkpoint, as `save_pretrained` writes it: another one may be put there.

The texts of several callers are summarised together, those of alike length, so that little of what is computed is
padding. Nothing is fetched from the network, ever.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Annotated

import torch

os.environ["HF_HUB_OFFLINE"] = "1"  # transformers reads it when it is imported
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.utils import logging

from flaskship import BadInput, Meta, endpoint

CHECKPOINT = "model"  # a folder beside this file
PADDING = 0.5  # of what is computed at once, the share that may be
TOKENS = 2  # that are generated for a word, at most

EXAMPLE = (
    "Zoe Abbott will lead Nimbus Energy, the company announced on Thursday. The 51 year old follows Hana Fischer, who "
    "leaves after 2 years. The board voted without dissent."
)

Text = Annotated[
    str, Meta(min_length=1, max_length=20_000, description="News, of up to some 200 words", examples=[EXAMPLE])
]
Words = Annotated[int, Meta(ge=5, le=200, description="Where the summary is cut off")]
Beams = Annotated[int, Meta(ge=1, le=4, description="Wordings that are followed up: more are slower, and a bit better")]


class Summariser:
    def __init__(self) -> None:
        torch.set_num_threads(1)  # the server's workers are what uses several cores
        logging.disable_progress_bar()
        self.tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT, local_files_only=True)
        self.model = AutoModelForSeq2SeqLM.from_pretrained(CHECKPOINT, local_files_only=True).eval()
        config = self.model.config
        self.longest = min(self.tokenizer.model_max_length, getattr(config, "max_position_embeddings", 512))  # tokens
        tasks = getattr(config, "task_specific_params", None) or {}
        self.prefix = tasks.get("summarization", {}).get("prefix", "")  # a T5 has "summarize: "

    @endpoint("/summarise", batch=16)
    def summarise(
        self, text: list[Text], max_words: Sequence[Words] = (40,), beams: Sequence[Beams] = (1,)
    ) -> list[str | BadInput]:
        """Summarises news in a sentence. Names and numbers are kept; what is cut off ends in "…"."""
        tokens = self.tokenizer([self.prefix + each for each in text]).input_ids
        answers: list[str | BadInput] = [self._too_long(len(each)) for each in tokens]
        fitting = [n for n, each in enumerate(tokens) if len(each) <= self.longest]
        for width in set(beams):
            some = [n for n in fitting if beams[n] == width]
            for together in alike(some, [len(each) for each in tokens]):
                most = max(max_words[n] for n in together)
                for n, summary in zip(
                    together, self._generated([tokens[n] for n in together], most, width), strict=True
                ):
                    answers[n] = cut(summary, max_words[n])
        return answers

    def _generated(self, tokens: Sequence[Sequence[int]], words: int, beams: int) -> list[str]:
        given = self.tokenizer.pad({"input_ids": tokens}, return_tensors="pt")
        with torch.inference_mode():
            found = self.model.generate(**given, max_new_tokens=TOKENS * words, num_beams=beams, do_sample=False)
        return [each.strip() for each in self.tokenizer.batch_decode(found, skip_special_tokens=True)]

    def _too_long(self, tokens: int) -> BadInput:
        return BadInput(f"The text has {tokens} tokens, and the model reads {self.longest} at once. Send it in parts.")


def alike(some: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """`some` in groups of alike `lengths`: the share of padding in each is PADDING at most."""
    group: list[int] = []
    for n in sorted(some, key=lambda n: lengths[n]):
        total = sum(lengths[each] for each in group) + lengths[n]
        if group and 1 - total / ((len(group) + 1) * lengths[n]) > PADDING:
            yield group
            group = []
        group.append(n)
    if group:
        yield group


def cut(summary: str, words: int) -> str:
    """The summary, or its first words and "…"."""
    found = summary.split()
    return summary if len(found) <= words else " ".join(found[:words]).rstrip(",;:") + " …"
