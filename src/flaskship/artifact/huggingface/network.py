"""A loaded checkpoint: its network, its tokenizer or its image processor, and what these allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers

from flaskship.artifact.huggingface import checkpoint
from flaskship.artifact.huggingface.batches import Read
from flaskship.errors import BadInput, TargetError

SHOWN = 12  # labels, of many
ENDLESS = 10**9  # transformers writes 10**30 where a tokenizer says no limit
SHIFTED = ("roberta", "camembert", "mpnet", "longformer", "data2vec-text", "ibert", "esm", "led", "bertweet")
ENDING = ("xlnet",)  # read a text off the last place, whatever stands there
Tokens = Mapping[str, list[int]]


@dataclass(frozen=True)
class Network:
    folder: Path
    model: Any
    own: bool  # code of its own may run
    read: Read = field(default_factory=Read)

    @property
    def config(self) -> Any:
        return self.model.config

    @property
    def device(self) -> Any:
        return self.model.device

    @cached_property
    def tag(self) -> str:
        return checkpoint.tag(self.folder)

    @cached_property
    def tokenizer(self) -> Any:
        found = self._part(transformers.AutoTokenizer, "tokenizer")
        files = set(getattr(found, "vocab_files_names", {}).values())
        if files and not any((self.folder / each).is_file() for each in files):  # transformers makes an empty one
            raise TargetError(f"{self.folder.name!r} has no tokenizer. Save it there: tokenizer.save_pretrained.")
        found.padding_side = "left" if self.config.model_type in ENDING else "right"  # else padding shifts the places
        if found.pad_token is None:
            found.pad_token = found.eos_token or found.unk_token
        if getattr(self.config, "pad_token_id", 0) is None:  # by which a text's last token is found
            self.config.pad_token_id = found.pad_token_id
        return found

    @cached_property
    def processor(self) -> Any:
        """Of Pillow, also where torchvision is: an image has none, and both would see a little differently."""
        return self._part(transformers.AutoImageProcessor, "image processor", backend="pil")

    def _part(self, auto: Any, what: str, **options: Any) -> Any:
        try:
            return auto.from_pretrained(self.folder, local_files_only=True, trust_remote_code=self.own, **options)
        except (OSError, ValueError, KeyError, ImportError, TypeError, AttributeError, RuntimeError) as error:
            raise TargetError(
                f"{self.folder.name!r} has no {what} that can be loaded. Save it there, by its save_pretrained. It"
                f" said: {first(error, self.folder)}"
            ) from error

    @property
    def sees(self) -> bool:
        """Whether it takes pictures."""
        return "processor" in self.__dict__

    @property
    def spells(self) -> bool:
        """Whether it takes texts."""
        return "tokenizer" in self.__dict__

    @property
    def warnings(self) -> tuple[str, ...]:
        if checkpoint.is_safe(self.folder):
            return ()
        return ("Its weights are a .bin of torch, read without running what is in it. safetensors load faster.",)

    @cached_property
    def limit(self) -> int:
        """The most tokens that it reads at once; 0 where there is no limit."""
        text = getattr(self.config, "get_text_config", lambda: self.config)()
        places = next(
            (n for each in ("max_position_embeddings", "n_positions") if (n := getattr(text, each, None))), ENDLESS
        )
        if any(each in str(self.config.model_type) for each in SHIFTED) and places < ENDLESS:
            places -= (self.config.pad_token_id or 0) + 1
        trained = checkpoint.read(self.folder / "sentence_bert_config.json").get("max_seq_length") or ENDLESS
        found = min(int(places), int(self.tokenizer.model_max_length), int(trained))
        return found if found < ENDLESS else 0

    @property
    def labels(self) -> list[str]:
        return [str(self.config.id2label[each]) for each in sorted(self.config.id2label)]

    @property
    def named_labels(self) -> str:
        """The labels of a few, and how many there are of many."""
        few = ", ".join(self.labels[:SHOWN])
        return few if len(self.labels) <= SHOWN else f"{few} and {len(self.labels) - SHOWN} more"

    def tokens(self, texts: Sequence[Any], *, room: int = 0, what: str = "The text", **options: Any) -> list[Any]:
        """Of each text (or pair) its tokens, or the `BadInput` of one that is longer than the limit less `room`."""
        if not texts:
            return []
        given = zip(*texts, strict=True) if isinstance(texts[0], tuple) else [texts]
        found = self.tokenizer(*map(list, given), verbose=False, **options)
        rows = zip(*found.values(), strict=True)
        return [self._checked(dict(zip(found, row, strict=True)), room, what) for row in rows]

    def _checked(self, found: Tokens, room: int, what: str) -> Any:
        count = len(found["input_ids"])
        if not count:
            return BadInput("The text is empty: nothing can be said of it.")
        if self.limit and count > self.limit - room:
            kept = f" and {room} more are kept for the answer" if room else ""
            return BadInput(
                f"{what} has {count} tokens: this model reads at most {self.limit}{kept}. Send it in parts."
            )
        return found

    def unfit(self, labels: Sequence[str], hypothesis: str) -> BadInput | None:
        """Why these labels cannot be put into this sentence."""
        if "{}" not in hypothesis:
            return BadInput("'hypothesis' needs a {} where the label goes.")
        return BadInput("'labels' names one twice.") if len(set(labels)) < len(labels) else None

    def joined(self, parts: Sequence[Tokens]) -> Any:
        """Tokens of several texts as tensors, padded to the longest of them."""
        names = [name for name in self.tokenizer.model_input_names if name in parts[0]]
        rows = [{name: each[name] for name in names} for each in parts]
        found = self.tokenizer.pad(rows, return_tensors="pt", padding=True, return_attention_mask=True)
        self.read.tokens += found["input_ids"].numel()
        self.read.padding += found["input_ids"].numel() - sum(len(each["input_ids"]) for each in rows)
        return found.to(self.device)

    def __call__(self, inputs: Mapping[str, Any]) -> Any:
        with torch.inference_mode():
            return self.model(**inputs)


def first(error: BaseException, folder: Path) -> str:
    """What an error says in its first sentence, without the way to the folder."""
    text = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".").replace(f"{folder.parent}/", "")
    return f"{type(error).__name__}: {text}."
