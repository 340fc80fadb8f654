"""Tasks of networks that write: summaries, translations, texts that go on, at once or as they come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypedDict

from jinja2 import TemplateError
from msgspec import Meta

from flaskship.artifact.huggingface import checkpoint, writing
from flaskship.artifact.huggingface.encoders import SENTENCE, Text
from flaskship.artifact.huggingface.languages import direction
from flaskship.artifact.huggingface.network import Network
from flaskship.artifact.huggingface.ways import Way
from flaskship.artifact.huggingface.writing import LONGEST, OF_BEAMS, Options, written
from flaskship.errors import BadInput

SUMMARISERS = ("pegasus", "pegasus_x", "bigbird_pegasus", "led")
TRANSLATORS = ("marian", "m2m_100", "mbart", "nllb-moe", "fsmt")
SENTENCES = re.compile(r"(?<=[.!?…])(?=\s)|(?<=[。！？])|(?<=\S)(?=\s*\n)")  # where one ends
PARTS = 64  # of a text that is translated
SHOWN = 16  # tokens of an example, which is also what is answered when a bundle is made and when it is loaded
STOPS = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=100)]],
    Meta(max_length=8, description="Texts before which it ends"),
]


class Message(TypedDict):
    """What was said in a conversation, and by whom."""

    role: Literal["system", "user", "assistant"]
    content: str


def rewriting(network: Network) -> list[Way]:
    """A text to a text: a summary, a translation, or what the checkpoint was trained for."""
    name, about, params = _purpose(network)
    if len(params) == 1:
        network.model.generation_config.update(defaults_only=True, **next(iter(params.values())))
    prefixes = {each: said["prefix"] for each, said in params.items() if said.get("prefix")}
    before = str(getattr(network.config, "prefix", None) or "")
    if name == "rewrite" and len(prefixes) > 1:
        prefixes = {"none": before, **prefixes}
    way = direction(network, prefixes or {"": before})
    fields = writing.fields(network, min(network.limit or LONGEST, LONGEST))
    split = name == "translate"

    def rewrite(text: list[str], **given: list[Any]) -> list[str | BadInput]:
        tokens, rows, parts = [], [], []
        for at, each in enumerate(text):
            options = {field: values[at] for field, values in given.items()}
            prefix = way.begin(options)
            parts.append(_parts(network, each, prefix) if split else [each])
            what = "A sentence" if len(parts[-1]) > 1 else "The text"
            tokens += network.tokens([prefix + part.strip() for part in parts[-1]], what=what)
            rows += [options] * len(parts[-1])
        answers = iter(written(network, tokens, rows))
        return [_joined(each, [next(answers) for _ in each]) for each in parts]

    if network.limit:
        about += f" At most {network.limit} tokens{' are read at once: a longer text goes by sentences' * split}."
    return [
        Way(
            name=name,
            call=rewrite,
            takes={"text": Text, **way.takes, **fields.takes},
            defaults={**way.defaults, **fields.defaults},
            answers=str,
            help=about,
        )
    ]


def _purpose(network: Network) -> tuple[str, str, dict[str, dict[str, Any]]]:
    """The endpoint's name, its help, and the parameters of the tasks that it may be for, as config.json has them."""
    params = checkpoint.config(network.folder).get("task_specific_params") or {}
    kind = network.config.model_type
    if network.tag == "summarization" or kind in SUMMARISERS or (not network.tag and set(params) == {"summarization"}):
        return "summarise", "A summary of a text.", {each: params[each] for each in params if each == "summarization"}
    if network.tag == "translation" or kind in TRANSLATORS:
        into = {each: said for each, said in params.items() if each.startswith("translation")}
        return "translate", "A text in another language.", into
    return "rewrite", "What the model makes of a text.", params


def _parts(network: Network, text: str, prefix: str) -> list[str]:
    """`text` as it is where it can be read at once, else as many of its sentences in a part as can be."""

    def fits(part: str) -> bool:
        return not network.limit or len(network.tokenizer(prefix + part, verbose=False)["input_ids"]) <= network.limit

    if fits(text):
        return [text]
    parts = [""]
    for sentence in SENTENCES.split(text):
        if parts[-1].strip() and not fits(parts[-1] + sentence):
            parts.append("")
        parts[-1] += sentence
        if len(parts) > PARTS:
            return [text]
    return parts


def _joined(parts: list[str], answers: list[Any]) -> str | BadInput:
    """One text, with the space between its parts that was there."""
    wrong = next((each for each in answers if isinstance(each, BadInput)), None)
    spaces = [part[: len(part) - len(part.lstrip())] for part in parts]
    return wrong or "".join(f"{space}{each}" for space, each in zip(["", *spaces[1:]], answers, strict=True))


def continuing(network: Network) -> list[Way]:
    """A text that goes on from a prompt: whole, and as it comes."""
    network.tokenizer.padding_side = "left"  # what is written comes after the text, not after padding
    fields = writing.fields(network, max(1, min(network.limit or LONGEST, LONGEST) - 1), SHOWN)
    takes, before = _said(bool(getattr(network.tokenizer, "chat_template", None)))
    takes |= {**fields.takes, "stop": STOPS}
    usual = {**before, **fields.defaults, "stop": []}
    usual["max_new_tokens"] = min(usual["max_new_tokens"], max(1, (network.limit or LONGEST) // 2))

    def generate(prompt: list[str], **given: list[Any]) -> list[Any]:
        rows = [dict(zip(given, values, strict=True)) for values in zip(*given.values(), strict=True)]
        tokens = [_prompted(network, each, options) for each, options in zip(prompt, rows, strict=True)]
        return written(network, tokens, rows, prompted=True)

    def stream(prompt: str, **options: Any) -> Iterator[str]:
        tokens = _prompted(network, prompt, options)
        if isinstance(tokens, BadInput):
            raise tokens
        yield from writing.streamed(network, tokens, options)

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


def _said(chats: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of what it goes on from, and their defaults: of a network that `chats`, also what was said before."""
    prompt = Annotated[
        str, Meta(min_length=None if chats else 1, description="What it goes on from", examples=[SENTENCE])
    ]
    if not chats:
        return {"prompt": prompt}, {}
    system = Annotated[str, Meta(description="What it is told before all")]
    messages = Annotated[
        list[Message], Meta(max_length=1000, description="What was said before the prompt, or with it")
    ]
    return {"prompt": prompt, "system": system, "messages": messages}, {"prompt": "", "system": "", "messages": []}


def _prompted(network: Network, prompt: str, options: Options) -> Any:
    """The tokens that it goes on from, or the `BadInput` of what its template or its limit refuses."""
    room = options["max_new_tokens"]
    if "messages" not in options:
        return network.tokens([prompt], room=room)[0]
    told = [{"role": "system", "content": said}] if (said := options.pop("system")) else []
    told += options.pop("messages")
    told += [{"role": "user", "content": prompt}] if prompt else []
    if not told:
        return BadInput("Nothing is said: give a 'prompt', or 'messages'.")
    try:
        whole = network.tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True)
    except TemplateError as error:
        return BadInput(f"This model's template does not take these messages: {error}")
    return network.tokens([whole], room=room, add_special_tokens=False)[0]
