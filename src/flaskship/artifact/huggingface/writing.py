"""How a network writes: its parameters as fields, words drawn by lot, where it stops, all at once or as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from typing import Annotated, Any

import torch
from msgspec import Meta
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TextIteratorStreamer,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from flaskship.artifact.huggingface.batches import CALL, by_length
from flaskship.artifact.huggingface.network import Network
from flaskship.errors import BadInput

LONGEST = 4096  # tokens of an answer, where the network has no limit
USUAL = 128  # where nothing says how long an answer is
OF_DRAWING = ("temperature", "top_p", "top_k", "seed")
OF_BEAMS = ("num_beams", "length_penalty")  # of which a stream has one
LIMITS: dict[str, tuple[Any, Any]] = {  # parameter of `generate` -> its hint, and transformers' own default
    "num_beams": (Annotated[int, Meta(ge=1, le=16, description="How many answers are followed at once")], 1),
    "length_penalty": (Annotated[float, Meta(ge=-5, le=5, description="Of several beams: above 0 for long ones")], 1.0),
    "do_sample": (Annotated[bool, Meta(description="Draw words by lot")], False),
    "temperature": (Annotated[float, Meta(gt=0, le=5, description="Of a draw: low for the probable")], 1.0),
    "top_p": (Annotated[float, Meta(gt=0, le=1, description="Of a draw: among words this probable together")], 1.0),
    "top_k": (Annotated[int, Meta(ge=0, le=1000, description="Of a draw: among so many words; 0 for all")], 50),
    "seed": (
        Annotated[int, Meta(ge=0, lt=2**53, description="Of a draw: the same number draws the same words")] | None,
        None,
    ),
    "repetition_penalty": (Annotated[float, Meta(gt=0, le=10, description="Above 1 against repeating")], 1.0),
    "no_repeat_ngram_size": (Annotated[int, Meta(ge=0, le=50, description="No so many words come twice; 0: all")], 0),
}
Options = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fields:
    """The generation parameters as fields: hints, and defaults of the checkpoint's generation_config.json."""

    takes: Mapping[str, Any]
    defaults: Mapping[str, Any]


def fields(network: Network, longest: int, shown: int = 0) -> Fields:
    """`longest` is the most tokens of an answer; `shown` are those of an example, where that is not the default."""
    said = network.model.generation_config
    wanted = said.max_new_tokens or said.max_length or USUAL
    example = [min(shown, wanted, longest)] if shown else None
    tokens = Annotated[int, Meta(ge=1, le=longest, description="The most tokens of the answer", examples=example)]
    fewest = Annotated[int, Meta(ge=0, le=longest, description="The fewest tokens of the answer")]
    least = said.min_length if network.config.is_encoder_decoder else 0
    defaults = {
        "max_new_tokens": min(wanted, longest),
        "min_new_tokens": min(said.min_new_tokens or least or 0, longest),
    }
    for name, (_, usual) in LIMITS.items():
        given = getattr(said, name, None)
        defaults[name] = usual if given is None or usual is None else type(usual)(given)
    return Fields(
        {"max_new_tokens": tokens, "min_new_tokens": fewest, **{name: hint for name, (hint, _) in LIMITS.items()}},
        defaults,
    )


class Drawn(LogitsProcessor):  # type: ignore[misc]  # transformers has no types
    """Leaves one word of those that each row may have, by a lot of the row's own.

    So neither another caller's rows nor another thread change what a seed draws.
    """

    def __init__(self, seeds: Sequence[int | None], device: Any) -> None:
        self.lots = [torch.Generator(device) for _ in seeds]
        for lot, seed in zip(self.lots, seeds, strict=True):
            _ = lot.seed() if seed is None else lot.manual_seed(seed)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        probable = torch.softmax(scores.float(), -1)
        drawn = [torch.multinomial(each, 1, generator=lot) for each, lot in zip(probable, self.lots, strict=True)]
        return torch.full_like(scores, -torch.inf).scatter(1, torch.stack(drawn), 0.0)


class Stopped(StoppingCriteria):  # type: ignore[misc]  # likewise
    """Ends a row that has written one of its stops after `start` tokens."""

    def __init__(self, network: Network, start: int, stops: Sequence[str]) -> None:
        self.tokenizer, self.start, self.stops = network.tokenizer, start, stops

    def __call__(self, input_ids: Any, scores: Any, **options: Any) -> Any:
        texts = self.tokenizer.batch_decode(input_ids[:, self.start :], skip_special_tokens=True)
        ended = [any(stop in text for stop in self.stops) for text in texts]
        return torch.tensor(ended, device=input_ids.device)


class Left(StoppingCriteria):  # type: ignore[misc]  # likewise
    """Ends the writing when nobody reads any more."""

    def __init__(self) -> None:
        self.event = Event()

    def __call__(self, input_ids: Any, scores: Any, **options: Any) -> Any:
        return torch.full((len(input_ids),), self.event.is_set(), device=input_ids.device)


def _asked(network: Network, options: Options, seeds: Sequence[int | None]) -> Options:
    """What `generate` is given: of what is not drawn, no parameter of drawing, of one beam none of several."""
    beams = options.get("num_beams", 1)
    own = {name: value for name, value in options.items() if name not in (*OF_DRAWING, "stop", "length_penalty")}
    own["min_new_tokens"] = min(options["min_new_tokens"], options["max_new_tokens"])
    if beams > 1:
        drawing = {name: options[name] for name in OF_DRAWING[:-1]} if options["do_sample"] else {}
        return {**own, "length_penalty": options["length_penalty"], **drawing}
    if not options["do_sample"]:
        return own
    least = getattr(network.model.generation_config, "min_p", None)
    warpers = [
        TemperatureLogitsWarper(options["temperature"]),
        *([TopKLogitsWarper(options["top_k"])] if options["top_k"] else ()),
        *([TopPLogitsWarper(options["top_p"])] if options["top_p"] < 1 else ()),
        *([MinPLogitsWarper(least)] if least else ()),
    ]
    drawn = Drawn(seeds, network.device)
    return {**own, "do_sample": False, "logits_processor": LogitsProcessorList([*warpers, drawn])}


def unfit(options: Options) -> BadInput | None:
    """What of the parameters does not go together."""
    if options.get("seed") is not None and options.get("num_beams", 1) > 1 and options["do_sample"]:
        return BadInput("A 'seed' is for one beam: let 'num_beams' be 1.")
    return None


def written(network: Network, tokens: list[Any], rows: list[Options], *, prompted: bool = False) -> list[Any]:
    """What is written for each; those of equal options together, by length. What is `prompted` begins with its text."""
    found = [unfit(row) or each for each, row in zip(tokens, rows, strict=True)]
    good = [at for at, each in enumerate(found) if not isinstance(each, BadInput)]
    alike = [repr([value for name, value in rows[at].items() if name != "seed"]) for at in good]
    steps = max((rows[at]["max_new_tokens"] for at in good), default=0)  # each of which takes as long as a call
    for part in by_length([len(tokens[at]["input_ids"]) for at in good], alike, call=CALL * steps):
        places = [good[each] for each in part]
        inputs = network.joined([tokens[at] for at in places])
        start = inputs["input_ids"].shape[1] if prompted else 0
        options, stops = rows[places[0]], rows[places[0]].get("stop", ())
        criteria = [Stopped(network, start, stops)] if stops else []
        with torch.inference_mode():
            made = network.model.generate(
                **inputs,
                **_asked(network, options, [rows[at]["seed"] for at in places]),
                stopping_criteria=StoppingCriteriaList(criteria),
            )
        begun = options.get("forced_bos_token_id")  # a language, which not every tokenizer takes for special
        own = [[each for each in row if each != begun] for row in made[:, start:].tolist()]
        texts = network.tokenizer.batch_decode(own, skip_special_tokens=True)
        for at, text in zip(places, texts, strict=True):
            found[at] = "".join(until([text], stops)) if prompted else text.strip()
    return found


def until(parts: Iterable[str], stops: Sequence[str]) -> Iterator[str]:
    """The text up to the first of `stops`; an end that may begin one is held back.

    until(["one", ". tw", "o"], [". t"])    -> "one"
    """
    held = ""
    for part in parts:
        held += part
        found = [at for stop in stops if (at := held.find(stop)) >= 0]
        if found:
            held = held[: min(found)]
            break
        begun = (size for stop in stops for size in range(1, len(stop)) if held.endswith(stop[:size]))
        ready = len(held) - max(begun, default=0)
        if ready:
            yield held[:ready]
            held = held[ready:]
    if held:
        yield held


def streamed(network: Network, tokens: Any, options: Options) -> Iterator[str]:
    """Words as they come, written by a thread that ends when the iterator is closed."""
    streamer = TextIteratorStreamer(network.tokenizer, skip_prompt=True, skip_special_tokens=True)
    left, wrong = Left(), []

    def write() -> None:
        try:
            with torch.inference_mode():
                network.model.generate(
                    **network.joined([tokens]),
                    **_asked(network, options, [options["seed"]]),
                    num_beams=1,
                    streamer=streamer,
                    stopping_criteria=StoppingCriteriaList([left]),
                )
        except Exception as error:  # noqa: BLE001  # nothing is above in this thread: the reader, who waits, raises it
            wrong.append(error)
            streamer.on_finalized_text("", stream_end=True)

    writer = Thread(target=write, daemon=True)
    writer.start()
    try:
        yield from until(filter(None, streamer), options["stop"])
    finally:
        left.event.set()
        writer.join()
    if wrong:
        raise wrong[0]
