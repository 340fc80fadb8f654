"""Tasks of networks that read a text: labels, entities, vectors, a masked word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray

from flaskship.artifact.huggingface import checkpoint
from flaskship.artifact.huggingface.batches import by_length
from flaskship.artifact.huggingface.network import Network
from flaskship.artifact.huggingface.ways import Way
from flaskship.errors import BadInput, TargetError
from flaskship.results import Labels

SENTENCE = "The ship left the harbour of Hamburg on a fine morning."
Text = Annotated[str, Meta(description="A text", examples=[SENTENCE])]

Named = Annotated[
    list[str], Meta(min_length=1, max_length=100, description="What it may be", examples=[["travel", "food"]])
]
Hypothesis = Annotated[str, Meta(description="The sentence that each label is put into, in the place of {}")]


class Entity(TypedDict):
    """What was found where: characters from the text's start, the last one not included."""

    entity: str
    text: str
    start: int
    end: int
    score: float


class Candidate(TypedDict):
    token: str
    score: float
    text: str  # with it in its place


def classification(network: Network) -> list[Way]:
    """Labels of a text; with a head of natural-language inference, of labels that the caller names."""
    entailed = [at for at, label in enumerate(network.labels) if label.lower().startswith("entail")]
    if entailed and network.tag in ("", "zero-shot-classification"):
        return [_zero_shot(network, entailed[0])]
    kind, labels = getattr(network.config, "problem_type", None), network.labels
    number = kind == "regression" or len(network.labels) == 1

    def answer(logits: Any) -> Any:
        if number:
            return float(logits[0]) if len(logits) == 1 else logits.tolist()
        found = torch.sigmoid(logits) if kind == "multi_label_classification" else torch.softmax(logits, -1)
        return Labels(dict(zip(labels, found.tolist(), strict=True)))

    def classify(text: list[str]) -> list[Any]:
        return in_parts(network, network.tokens(text), lambda out, row, _: answer(out.logits[row].float()))

    answers = (float if len(network.labels) == 1 else list[float]) if number else Labels
    about = "A number for a text." if number else f"Which label a text has: {network.named_labels}."
    return [Way(name="classify", call=classify, takes={"text": Text}, answers=answers, help=about + _limit(network))]


def _limit(network: Network) -> str:
    return f" At most {network.limit} tokens." if network.limit else ""


def in_parts(network: Network, tokens: Sequence[Any], answer: Callable[[Any, int, int], Any]) -> list[Any]:
    """The answers to texts, computed together by length. `answer` is given the network's output, the row in it, and
    the text's index. A `BadInput` among the tokens stands for itself."""
    found = list(tokens)
    good = [at for at, each in enumerate(tokens) if not isinstance(each, BadInput)]
    for part in by_length([len(tokens[at]["input_ids"]) for at in good]):
        places = [good[each] for each in part]
        output = network(network.joined([tokens[at] for at in places]))
        for row, at in enumerate(places):
            found[at] = answer(output, row, at)
    return found


def _zero_shot(network: Network, entailed: int) -> Way:
    against = next((at for at, each in enumerate(network.labels) if each.lower().startswith("contra")), None)

    def row(text: str, labels: list[str], hypothesis: str) -> Any:
        if wrong := network.unfit(labels, hypothesis):
            return wrong
        return [(text, hypothesis.replace("{}", label)) for label in labels]

    def classify(text: list[str], labels: list[list[str]], each_alone: list[bool], hypothesis: list[str]) -> list[Any]:
        pairs = [row(*given) for given in zip(text, labels, hypothesis, strict=True)]
        flat = [pair for each in pairs if not isinstance(each, BadInput) for pair in each]
        logits = iter(in_parts(network, network.tokens(flat), lambda out, at, _: out.logits[at].float()))
        return [
            each if isinstance(each, BadInput) else scores([next(logits) for _ in each], named, alone)
            for each, named, alone in zip(pairs, labels, each_alone, strict=True)
        ]

    def scores(logits: list[Any], labels: list[str], each_alone: bool) -> Any:
        if wrong := next((each for each in logits if isinstance(each, BadInput)), None):
            return wrong
        rows = torch.stack(logits)
        if each_alone or len(labels) == 1:
            both = rows[:, [against, entailed]] if against is not None else rows
            found = torch.softmax(both, -1)[:, 1 if against is not None else entailed]
        else:
            found = torch.softmax(rows[:, entailed], -1)
        return Labels(dict(zip(labels, found.tolist(), strict=True)))

    return Way(
        name="classify",
        call=classify,
        takes={
            "text": Text,
            "labels": Named,
            "each_alone": Annotated[bool, Meta(description="Whether several labels may be right")],
            "hypothesis": Hypothesis,
        },
        defaults={"each_alone": False, "hypothesis": "This example is {}."},
        answers=Labels,
        help="Which of the labels that you name a text has." + _limit(network),
    )


def entities(network: Network) -> list[Way]:
    """Names, places and the like in a text. One longer than the limit is read in windows that overlap."""

    def find(text: list[str]) -> list[Any]:
        windows, owner = [], []
        for at, each in enumerate(text):
            found = _windows(network, each)
            windows += found
            owner += [at] * len(found)
        scored = in_parts(network, windows, lambda out, row, at: _words(network, out.logits[row], windows[at]))
        answers: list[Any] = []
        for at, each in enumerate(text):
            mine = [words for words, whose in zip(scored, owner, strict=True) if whose == at]
            answers.append(_merged(each, mine))
        return answers

    return [
        Way(
            name="find",
            call=find,
            takes={"text": Text},
            answers=list[Entity],
            help=f"Finds in a text: {', '.join(sorted({_kind(each) for each in network.labels} - {'O', ''}))}.",
        )
    ]


def _windows(network: Network, text: str) -> list[dict[str, Any]]:
    """The text's tokens, in windows of the limit, each overlapping the one before by a quarter."""
    whole = network.tokenizer.num_special_tokens_to_add() + 1
    limited = {"truncation": True, "max_length": network.limit, "stride": max(0, (network.limit - whole) // 4)}
    found = network.tokenizer(
        text,
        return_offsets_mapping=True,
        return_overflowing_tokens=True,
        return_special_tokens_mask=True,
        verbose=False,
        **(limited if network.limit else {}),
    )
    names = [each for each in found if each != "overflow_to_sample_mapping"]
    return [
        {**{name: found[name][at] for name in names}, "words": found.word_ids(at)}
        for at in range(len(found["input_ids"]))
    ]


Word = tuple[int, int, int, str, float]  # start, end, tokens to the window's nearer edge, label, score


def _words(network: Network, logits: Any, window: dict[str, Any]) -> list[Word]:
    """Each word with the label of its first token."""
    count = len(window["words"])
    own = logits[-count:] if network.tokenizer.padding_side == "left" else logits[:count]
    scores, best = torch.softmax(own.float(), -1).max(-1)
    found: list[Word] = []
    last = None
    for at, word in enumerate(window["words"]):
        start, end = window["offset_mapping"][at]
        if word is None or window["special_tokens_mask"][at] or start == end:
            continue
        if word == last:
            begun = found[-1]
            found[-1] = (begun[0], end, *begun[2:])
        else:
            found.append((start, end, min(at, count - at), network.labels[int(best[at])], float(scores[at])))
        last = word
    return found


def _merged(text: str, windows: list[list[Word]]) -> list[Entity]:
    """Entities of words that follow each other: B-X begins one, I-X (or X) goes on. Of a word in two windows that one
    counts which has more of the text around it."""
    best: dict[int, Word] = {}
    for word in (word for words in windows for word in words):
        if word[0] not in best or best[word[0]][2] < word[2]:
            best[word[0]] = word
    found: list[tuple[str, int, int, list[float]]] = []
    going = ""
    for start, end, _, label, score in (best[each] for each in sorted(best)):
        kind = "" if label == "O" else _kind(label)
        if kind and kind == going and not label.startswith("B-"):
            name, begun, _, scores = found[-1]
            found[-1] = (name, begun, end, [*scores, score])
        elif kind:
            found.append((kind, start, end, [score]))
        going = kind
    return [
        Entity(entity=kind, text=text[start:end], start=start, end=end, score=sum(scores) / len(scores))
        for kind, start, end, scores in found
    ]


def _kind(label: str) -> str:
    return label[2:] if label[:2] in ("B-", "I-", "E-", "S-", "L-", "U-") else label


def filling(network: Network) -> list[Way]:
    mask = network.tokenizer.mask_token
    number = network.tokenizer.mask_token_id

    def fill(text: list[str], top_k: list[int]) -> list[Any]:
        tokens = network.tokens(text)
        for at, each in enumerate(tokens):
            if not isinstance(each, BadInput) and each["input_ids"].count(number) != 1:
                tokens[at] = BadInput(f"'text' needs one {mask} where a word is to be found.")

        def answer(out: Any, row: int, at: int) -> list[Candidate]:
            ids = tokens[at]["input_ids"]
            place = ids.index(number)
            left = network.tokenizer.padding_side == "left"
            place += out.logits.shape[1] - len(ids) if left else 0
            scores, best = torch.softmax(out.logits[row, place].float(), -1).topk(min(top_k[at], out.logits.shape[-1]))
            words = [network.tokenizer.decode([each]).strip() for each in best.tolist()]
            return [
                Candidate(token=word, score=score, text=text[at].replace(mask, word))
                for word, score in zip(words, scores.tolist(), strict=True)
            ]

        return in_parts(network, tokens, answer)

    example = SENTENCE.replace("harbour", mask)
    return [
        Way(
            name="fill",
            call=fill,
            takes={
                "text": Annotated[str, Meta(description=f"A text with one {mask}", examples=[example])],
                "top_k": Annotated[int, Meta(ge=1, le=100, description="How many words")],
            },
            defaults={"top_k": 5},
            answers=list[Candidate],
            help=f"The words that may stand at {mask}." + _limit(network),
        )
    ]


def embedding(network: Network) -> list[Way]:
    mode, unit = checkpoint.pooling(network.folder)
    prompts, usual = checkpoint.prompts(network.folder)
    lower = checkpoint.is_lower(network.folder)
    seen = network.model.main_input_name != "input_ids" or hasattr(network.config, "vision_config")
    if seen or network.config.is_encoder_decoder:
        kind = type(network.model).__name__
        raise TargetError(f"{network.folder.name!r} is a {kind} without a head: it has no vector of a text alone.")

    def embed(text: list[str], normalise: list[bool], purpose: Sequence[str] = ()) -> list[Any]:
        begun = [prompts[each] for each in purpose] or [""] * len(text)
        whole = [prompt + (each.lower() if lower else each) for prompt, each in zip(begun, text, strict=True)]
        tokens = network.tokens(whole)

        def answer(out: Any, row: int, at: int) -> NDArray[np.float32]:
            count = len(tokens[at]["input_ids"])
            states = out.last_hidden_state[row].float()
            states = states[-count:] if network.tokenizer.padding_side == "left" else states[:count]
            vector = POOLS[mode](states)
            if normalise[at]:
                vector = torch.nn.functional.normalize(vector, dim=0)
            return vector.cpu().numpy()  # type: ignore[no-any-return]  # torch's own

        return in_parts(network, tokens, answer)

    chosen = (
        {"purpose": Annotated[Literal[tuple(prompts)], Meta(description="What the vector is for")]} if prompts else {}
    )
    size = getattr(network.config, "hidden_size", 0)
    return [
        Way(
            name="embed",
            call=embed,
            takes={
                "text": Text,
                "normalise": Annotated[bool, Meta(description="Whether the vector's length is 1")],
                **chosen,
            },
            defaults={"normalise": unit, **dict.fromkeys(chosen, usual)},
            answers=NDArray[np.float32],
            help=f"A text as a vector{f' of {size} numbers' if size else ''}, by {mode} pooling." + _limit(network),
        )
    ]


POOLS: dict[str, Callable[[Any], Any]] = {  # of states (tokens, size)
    "mean": lambda states: states.mean(0),
    "max": lambda states: states.amax(0),
    "cls": lambda states: states[0],
    "lasttoken": lambda states: states[-1],
}
