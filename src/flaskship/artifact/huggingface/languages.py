"""Languages and prefixes: how a network is told from what into what it is to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta

from flaskship.artifact.huggingface.network import Network

CODE = re.compile(r"[a-z]{2,3}_[A-Z]\w{1,3}")  # "de_DE" of mBART, "deu_Latn" of NLLB
MARKED = re.compile(r">>(.+)<<")  # ">>deu<<" of Marian, where it writes several


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """Fields, and `begin`: takes them out of a row's options, which then are the network's own.

    It answers what stands before the text that is read next.
    """

    takes: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    begin: Callable[[dict[str, Any]], str]


def direction(network: Network, prefixes: Mapping[str, str]) -> Direction:
    """By the tokenizer's languages, else by the `prefixes` of the tasks that it was trained on."""
    if getattr(network.tokenizer, "src_lang", None) and (codes := _codes(network.tokenizer)):
        return _between(network, codes)
    marks = map(MARKED.fullmatch, getattr(network.tokenizer, "supported_language_codes", ()))
    if marked := tuple(sorted(each[1] for each in marks if each)):
        return _marked(marked)
    if len(prefixes) > 1:
        return _prefixed(prefixes)
    prefix = next(iter(prefixes.values()), "")
    return Direction(begin=lambda options: prefix)


def _codes(tokenizer: Any) -> tuple[str, ...]:
    known = getattr(tokenizer, "lang_code_to_id", None) or filter(CODE.fullmatch, tokenizer.all_special_tokens)
    return tuple(sorted(each for each in known if _number(tokenizer, each) is not None))


def _number(tokenizer: Any, code: str) -> int | None:
    for each in (code, f"__{code}__"):  # NLLB and mBART, M2M100
        number = tokenizer.convert_tokens_to_ids(each)
        if number is not None and number != tokenizer.unk_token_id:
            return int(number)
    return None


def _between(network: Network, codes: tuple[str, ...]) -> Direction:
    tokenizer = network.tokenizer
    begun = network.model.generation_config.forced_bos_token_id
    usual = tokenizer.tgt_lang or next((each for each in codes if _number(tokenizer, each) == begun), None)

    def begin(options: dict[str, Any]) -> str:
        tokenizer.src_lang = options.pop("source_language")
        options["forced_bos_token_id"] = _number(tokenizer, options.pop("target_language"))
        return ""

    return Direction(
        takes={
            "source_language": Annotated[Literal[codes], Meta(description="Of the text")],
            "target_language": Annotated[Literal[codes], Meta(description="Of the answer")],
        },
        defaults={"source_language": tokenizer.src_lang, **({"target_language": usual} if usual in codes else {})},
        begin=begin,
    )


def _marked(codes: tuple[str, ...]) -> Direction:
    return Direction(
        takes={"target_language": Annotated[Literal[codes], Meta(description="Of the answer")]},
        begin=lambda options: f">>{options.pop('target_language')}<< ",
    )


def _prefixed(prefixes: Mapping[str, str]) -> Direction:
    return Direction(
        takes={"task": Annotated[Literal[tuple(prefixes)], Meta(description="What to make of the text")]},
        defaults={"task": next(iter(prefixes))},
        begin=lambda options: prefixes[options.pop("task")],
    )
