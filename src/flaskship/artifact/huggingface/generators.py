"""Tasks of networks that write: summaries, translations, texts that go on, at once or as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Event, Thread
from typing import Annotated, Any

import torch
from msgspec import Meta
from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

from flaskship.artifact.huggingface import checkpoint
from flaskship.artifact.huggingface.batches import CALL, by_length
from flaskship.artifact.huggingface.encoders import SENTENCE, Text
from flaskship.artifact.huggingface.network import Network
from flaskship.artifact.huggingface.ways import Way
from flaskship.errors import BadInput

LONGEST = 4096  # tokens of an answer, where the network has no limit
USUAL = 128  # where nothing says how long an answer is
SUMMARISERS = ("pegasus", "pegasus_x", "bigbird_pegasus", "led")
TRANSLATORS = ("marian", "m2m_100", "mbart", "nllb-moe", "fsmt")
OF_SAMPLING = ("temperature", "top_p", "top_k")  # say nothing of an answer that is not drawn by lot
OF_BEAMS = ("num_beams", "length_penalty")  # of which a stream has one
LIMITS: dict[str, tuple[Any, Any]] = {  # parameter of `generate` -> its hint, and transformers' own default
    "num_beams": (Annotated[int, Meta(ge=1, le=16, description="How many answers are followed at once")], 1),
    "length_penalty": (Annotated[float, Meta(ge=-5, le=5, description="Of several beams: above 0 for long ones")], 1.0),
    "do_sample": (Annotated[bool, Meta(description="Draw words by lot")], False),
    "temperature": (Annotated[float, Meta(gt=0, le=5, description="Of a draw: low for the probable")], 1.0),
    "top_p": (Annotated[float, Meta(gt=0, le=1, description="Of a draw: among words this probable together")], 1.0),
    "top_k": (Annotated[int, Meta(ge=0, le=1000, description="Of a draw: among so many words; 0 for all")], 50),
    "repetition_penalty": (Annotated[float, Meta(gt=0, le=10, description="Above 1 against repeating")], 1.0),
    "no_repeat_ngram_size": (Annotated[int, Meta(ge=0, le=50, description="No so many words come twice; 0: all")], 0),
}
Options = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fields:
    """The generation parameters as fields: hints, and defaults of the checkpoint's generation_config.json."""

    takes: Mapping[str, Any]
    defaults: Mapping[str, Any]


def _fields(network: Network, longest: int) -> Fields:
    said = network.model.generation_config
    wanted = said.max_new_tokens or said.max_length or USUAL
    tokens = Annotated[int, Meta(ge=1, le=longest, description="The most tokens of the answer")]
    defaults = {"max_new_tokens": min(wanted, longest)}
    for name, (_, usual) in LIMITS.items():
        given = getattr(said, name, None)
        defaults[name] = usual if given is None else type(usual)(given)
    return Fields({"max_new_tokens": tokens, **{name: hint for name, (hint, _) in LIMITS.items()}}, defaults)


def _of_lot(options: Options) -> Options:
    """What `generate` is given: of what is not drawn, no parameter of drawing, of one beam none of several."""
    idle = {
        *(() if options["do_sample"] else OF_SAMPLING),
        *(() if options.get("num_beams", 1) > 1 else ("length_penalty",)),
    }
    return {name: value for name, value in options.items() if name not in idle}


def rewriting(network: Network) -> list[Way]:
    """A text to a text: a summary, a translation, or what the checkpoint was trained for."""
    name, about = _purpose(network)
    fields = _fields(network, min(network.limit or LONGEST, LONGEST))
    prefix = str(getattr(network.config, "prefix", None) or _prefix(network, name))
    languages = _languages(network)

    def rewrite(text: list[str], **given: list[Any]) -> list[Any]:
        rows = [dict(zip(given, values, strict=True)) for values in zip(*given.values(), strict=True)]
        tokens = [_tokens(network, prefix + each, options) for each, options in zip(text, rows, strict=True)]
        return _written(network, tokens, rows)

    return [
        Way(
            name=name,
            call=rewrite,
            takes={"text": Text, **{each: hint for each, (hint, _) in languages.items()}, **fields.takes},
            defaults={**{each: usual for each, (_, usual) in languages.items()}, **fields.defaults},
            answers=str,
            help=about + (f" At most {network.limit} tokens." if network.limit else ""),
        )
    ]


def _purpose(network: Network) -> tuple[str, str]:
    """The endpoint's name and its help."""
    params = checkpoint.config(network.folder).get("task_specific_params") or {}
    kind = network.config.model_type
    if network.tag == "summarization" or kind in SUMMARISERS or (not network.tag and set(params) == {"summarization"}):
        return "summarise", "A summary of a text."
    if network.tag == "translation" or kind in TRANSLATORS:
        return "translate", "A text in another language."
    return "rewrite", "What the model makes of a text."


def _prefix(network: Network, name: str) -> str:
    params = checkpoint.config(network.folder).get("task_specific_params") or {}
    return str(params.get("summarization", {}).get("prefix", "")) if name == "summarise" else ""


def _languages(network: Network) -> dict[str, tuple[Any, str]]:
    """Fields for the languages, of a tokenizer that has several."""
    source = getattr(network.tokenizer, "src_lang", None)
    if not source:
        return {}
    target = getattr(network.tokenizer, "tgt_lang", None) or source
    code = Annotated[str, Meta(description=f"A code such as {source!r}")]
    return {"source_language": (code, source), "target_language": (code, target)}


def _tokens(network: Network, text: str, options: Options) -> Any:
    """Of one text; its languages become what the network is begun with."""
    source, target = options.pop("source_language", None), options.pop("target_language", None)
    if source is not None:
        for code in (source, target):
            if _language(network, code) is None:
                return BadInput(f"This model has no language {code!r}.")
        network.tokenizer.src_lang = source
        options["forced_bos_token_id"] = _language(network, target)
    return network.tokens([text])[0]


def _language(network: Network, code: str) -> int | None:
    tokenizer = network.tokenizer
    for each in (code, f"__{code}__"):  # NLLB and mBART, M2M100
        number = tokenizer.convert_tokens_to_ids(each)
        if number is not None and number != tokenizer.unk_token_id and each in tokenizer.all_special_tokens:
            return int(number)
    return None


def _written(network: Network, tokens: list[Any], rows: list[Options], *, prompted: bool = False) -> list[Any]:
    """What is written for each; those of equal options together, by length. What is `prompted` begins with its text."""
    found = list(tokens)
    good = [at for at, each in enumerate(tokens) if not isinstance(each, BadInput)]
    alike = [tuple(rows[at].items()) for at in good]
    steps = max((rows[at]["max_new_tokens"] for at in good), default=0)  # each of which takes as long as a call
    for part in by_length([len(tokens[at]["input_ids"]) for at in good], alike, call=CALL * steps):
        places = [good[each] for each in part]
        inputs = network.joined([tokens[at] for at in places])
        with torch.inference_mode():
            made = network.model.generate(**inputs, **_of_lot(rows[places[0]]))
        made = made[:, inputs["input_ids"].shape[1] :] if prompted else made
        for at, text in zip(places, network.tokenizer.batch_decode(made, skip_special_tokens=True), strict=True):
            found[at] = text.strip() if not prompted else text
    return found


def continuing(network: Network) -> list[Way]:
    """A text that goes on from a prompt: whole, and as it comes."""
    network.tokenizer.padding_side = "left"  # what is written comes after the text, not after padding
    fields = _fields(network, max(1, min(network.limit or LONGEST, LONGEST) - 1))
    chats = bool(getattr(network.tokenizer, "chat_template", None))
    prompt = Annotated[str, Meta(min_length=1, description="What it goes on from", examples=[SENTENCE])]
    system = {"system": Annotated[str, Meta(description="What it is told before the prompt")]} if chats else {}
    usual = {**({"system": ""} if chats else {}), **fields.defaults}
    usual["max_new_tokens"] = min(usual["max_new_tokens"], max(1, (network.limit or LONGEST) // 2))

    def prompted(text: str, options: Options) -> Any:
        room = options["max_new_tokens"]
        if not chats:
            return network.tokens([text], room=room)[0]
        told = [{"role": "system", "content": said}] if (said := options.pop("system")) else []
        whole = network.tokenizer.apply_chat_template(
            [*told, {"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
        )
        return network.tokens([whole], room=room, add_special_tokens=False)[0]

    def generate(prompt: list[str], **given: list[Any]) -> list[Any]:
        rows = [dict(zip(given, values, strict=True)) for values in zip(*given.values(), strict=True)]
        tokens = [prompted(each, options) for each, options in zip(prompt, rows, strict=True)]
        return _written(network, tokens, rows, prompted=True)

    def stream(prompt: str, **options: Any) -> Iterator[str]:
        tokens = prompted(prompt, options)
        if isinstance(tokens, BadInput):
            raise tokens
        yield from _streamed(network, tokens, options)

    takes = {"prompt": prompt, **system, **fields.takes}
    alone = {name: hint for name, hint in takes.items() if name not in OF_BEAMS}
    defaults = {name: value for name, value in usual.items() if name in alone}
    about = f" Prompt and answer have at most {network.limit} tokens." if network.limit else ""
    return [
        Way(name="generate", call=generate, takes=takes, defaults=usual, answers=str, help=f"Goes on.{about}"),
        Way(
            name="stream",
            call=stream,
            takes=alone,
            defaults=defaults,
            answers=Iterator[str],
            help=f"Goes on, word by word as they come.{about}",
            batch=0,
        ),
    ]


class Left(StoppingCriteria):  # type: ignore[misc]  # transformers has no types
    """Ends the writing when nobody reads any more."""

    def __init__(self) -> None:
        self.event = Event()

    def __call__(self, input_ids: Any, scores: Any, **options: Any) -> Any:
        return torch.full((len(input_ids),), self.event.is_set(), device=input_ids.device)


def _streamed(network: Network, tokens: Any, options: Options) -> Iterator[str]:
    """Words as they come, written by a thread that ends when the iterator is closed."""
    streamer = TextIteratorStreamer(network.tokenizer, skip_prompt=True, skip_special_tokens=True)
    left, wrong = Left(), []

    def write() -> None:
        try:
            with torch.inference_mode():
                network.model.generate(
                    **network.joined([tokens]),
                    **_of_lot(options),
                    num_beams=1,
                    streamer=streamer,
                    stopping_criteria=StoppingCriteriaList([left]),
                )
        except Exception as error:  # noqa: BLE001  # raised in the reader's thread
            wrong.append(error)
            streamer.on_finalized_text("", stream_end=True)

    writer = Thread(target=write, daemon=True)
    writer.start()
    try:
        yield from filter(None, streamer)
    finally:
        left.event.set()
        writer.join()
    if wrong:
        raise wrong[0]
