"""Tasks of networks that see: labels, boxes, masks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from msgspec import Meta
from PIL import Image

from flaskship.artifact.huggingface.batches import by_length
from flaskship.artifact.huggingface.encoders import Hypothesis, Named
from flaskship.artifact.huggingface.network import Network
from flaskship.artifact.huggingface.ways import Way
from flaskship.errors import BadInput
from flaskship.results import Boxes, Labels, Segmentation

TOGETHER = 8  # pictures
MANY = 20  # labels, of which only the first few are answered
MOST = 25_000_000  # pixels of a picture whose masks are answered
COMPUTED = 1_500_000  # pixels in which masks are made, before they are enlarged
Picture = Annotated[Image.Image, Meta(description="A picture")]
Threshold = Annotated[float, Meta(ge=0, le=1, description="Only what the model is this sure of")]
Answered = Callable[[Any, Sequence[tuple[int, int]]], list[Any]]  # the network's output, and (height, width) of each


def _seen(
    network: Network,
    pictures: Sequence[Image.Image],
    alike: Sequence[Hashable],
    answer: Callable[..., list[Any]],
    besides: Callable[[Any], Any] = lambda alike: {},
) -> list[Any]:
    """The answers to pictures; those that the network sees in one shape, with equal `alike`, are computed together.

    `answer` is given the network's output, the pictures' sizes as (height, width), and what is alike; `besides` makes
    of the latter what the network is given with the pictures.
    """
    if not pictures:
        return []
    inputs = [network.processor(images=_plain(each), return_tensors="pt") for each in pictures]
    keys = [(tuple(inputs[at]["pixel_values"].shape), key) for at, key in enumerate(alike)]
    found: list[Any] = [None] * len(pictures)
    for part in by_length([1] * len(pictures), keys, rows=TOGETHER):
        names = [name for name in inputs[0] if name in ("pixel_values", "pixel_mask")]
        joined = {name: torch.cat([inputs[at][name] for at in part]).to(network.device) for name in names}
        output = network(
            {**joined, **besides(alike[part[0]]), "pixel_values": joined["pixel_values"].to(network.model.dtype)}
        )
        sizes = [(pictures[at].height, pictures[at].width) for at in part]
        for at, each in zip(part, answer(output, sizes, alike[part[0]]), strict=True):
            found[at] = each
    return found


def _plain(picture: Image.Image) -> Image.Image:
    """In RGB; of 16 bits the upper 8 are seen, where Pillow would take all but the darkest for white."""
    if picture.mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    return picture.convert("RGB")


def classification(network: Network) -> list[Way]:
    processor, labels = network.processor, network.labels
    usual = len(labels) if len(labels) <= MANY else 5

    def classify(image: list[Any], top_k: list[int]) -> list[Any]:
        def answer(output: Any, sizes: Any, count: int) -> list[Any]:
            scores, best = torch.softmax(output.logits.float(), -1).topk(min(count, len(labels)))
            rows = zip(scores.tolist(), best.tolist(), strict=True)
            return [Labels({labels[at]: score for score, at in zip(*row, strict=True)}) for row in rows]

        return _seen(network, image, top_k, answer)

    assert processor
    return [
        Way(
            name="classify",
            call=classify,
            takes={
                "image": Picture,
                "top_k": Annotated[int, Meta(ge=1, le=1000, description="How many labels, the most probable first")],
            },
            defaults={"top_k": usual},
            answers=Labels,
            help=f"Which label a picture has: {network.named_labels}.",
        )
    ]


def zero_shot(network: Network) -> list[Way]:
    """Labels that the caller names, of networks that compare a picture with texts, as CLIP and SigLIP do."""
    sigmoid = "siglip" in network.config.model_type  # each label for itself, by texts of full length
    _ = network.processor

    def texts(asked: tuple[str, tuple[str, ...]]) -> Any:
        told = [asked[0].replace("{}", label) for label in asked[1]]
        padding = "max_length" if sigmoid else True
        return network.tokenizer(told, padding=padding, return_tensors="pt").to(network.device)

    def unfit(labels: Sequence[str], hypothesis: str) -> BadInput | None:
        tokens = network.tokens([hypothesis.replace("{}", label) for label in labels], what="A label")
        return network.unfit(labels, hypothesis) or next((each for each in tokens if isinstance(each, BadInput)), None)

    def answer(output: Any, sizes: Any, asked: tuple[str, tuple[str, ...]]) -> list[Any]:
        logits = output.logits_per_image.float()
        found = torch.sigmoid(logits) if sigmoid else torch.softmax(logits, -1)
        return [Labels(dict(zip(asked[1], each, strict=True))) for each in found.tolist()]

    def classify(image: list[Any], labels: list[list[str]], hypothesis: list[str]) -> list[Any]:
        found: list[Any] = [unfit(*each) for each in zip(labels, hypothesis, strict=True)]
        good = [at for at, each in enumerate(found) if each is None]
        asked = [(hypothesis[at], tuple(labels[at])) for at in good]
        for at, each in zip(good, _seen(network, [image[at] for at in good], asked, answer, texts), strict=True):
            found[at] = each
        return found

    return [
        Way(
            name="classify",
            call=classify,
            takes={"image": Picture, "labels": Named, "hypothesis": Hypothesis},
            defaults={"hypothesis": "This is a photo of {}."},
            answers=Labels,
            help="Which of the labels that you name a picture has.",
        )
    ]


def detection(network: Network) -> list[Way]:
    processor = network.processor

    def detect(image: list[Any], threshold: list[float]) -> list[Any]:
        def answer(output: Any, sizes: Any, least: float) -> list[Any]:
            found = processor.post_process_object_detection(output, threshold=least, target_sizes=sizes)
            return [_boxes(network, each, size) for each, size in zip(found, sizes, strict=True)]

        return _seen(network, image, threshold, answer)

    return [
        Way(
            name="detect",
            call=detect,
            takes={"image": Picture, "threshold": Threshold},
            defaults={"threshold": 0.5},
            answers=Boxes,
            help=f"Finds in a picture: {network.named_labels}.",
        )
    ]


def _boxes(network: Network, found: Any, size: tuple[int, int]) -> Boxes:
    """The surest first, within the picture."""
    order = found["scores"].argsort(descending=True)
    ids = found["labels"][order].tolist()
    edge = torch.tensor([size[1], size[0]] * 2, device=found["boxes"].device)
    boxes = found["boxes"][order].clamp(min=0).minimum(edge)
    names = [_named(network, each) for each in ids]
    return Boxes(boxes=boxes.tolist(), class_ids=ids, class_names=names, scores=found["scores"][order].tolist())


def _named(network: Network, number: int) -> str:
    return str(network.config.id2label.get(number, number))


def regions(network: Network) -> list[Way]:
    """A class for each pixel: each class that is there is one object."""

    def answer(output: Any, sizes: Any, least: float) -> list[Any]:
        return [
            _regions(network, logits.float(), size, least) for logits, size in zip(output.logits, sizes, strict=True)
        ]

    def segment(image: list[Any], threshold: list[float]) -> list[Any]:
        return _small(image, lambda kept, keys: _seen(network, kept, keys, answer), threshold)

    _ = network.processor
    return [_segment(network, segment, {"threshold": Threshold}, {"threshold": 0.0})]


def _segment(network: Network, call: Any, takes: dict[str, Any], defaults: dict[str, Any]) -> Way:
    return Way(
        name="segment",
        call=call,
        takes={"image": Picture, **takes},
        defaults=defaults,
        answers=Segmentation,
        help=f"Which pixels of a picture belong to what: {network.named_labels}.",
    )


def _small(
    pictures: Sequence[Image.Image], answer: Callable[[list[Any], list[Any]], list[Any]], alike: Sequence[Any]
) -> list[Any]:
    """The answers to the pictures whose masks are not too large; the others are refused."""
    refused = BadInput(
        f"The picture has more than {MOST:,} pixels, for each of which there is an answer. Send it smaller."
    )
    good = [each.width * each.height <= MOST for each in pictures]
    kept = [[value for value, fine in zip(values, good, strict=True) if fine] for values in (pictures, alike)]
    answers = iter(answer(*kept) if kept[0] else [])
    return [next(answers) if fine else refused for fine in good]


def _regions(network: Network, logits: Any, size: tuple[int, int], least: float) -> Segmentation:
    """The most probable class of each pixel, as post_process_semantic_segmentation finds it, a class at a time:
    all classes of a large picture would be gigabytes. `logits` are (classes, height, width) of what the network
    computes."""
    scores = torch.softmax(logits, 0)
    best = torch.full(size, -torch.inf, device=logits.device)
    chosen = torch.zeros(size, dtype=torch.int64, device=logits.device)
    for number, plane in enumerate(logits):
        enlarged = torch.nn.functional.interpolate(plane[None, None], size=size, mode="bilinear")[0, 0]
        better = enlarged > best
        best, chosen[better] = torch.where(better, enlarged, best), number
    coarse = logits.argmax(0)
    found = []
    for number in chosen.unique().tolist():
        own = scores[number][coarse == number]
        score = float(own.mean() if len(own) else scores[number].max())
        if score >= least:
            found.append((number, score, (chosen == number).cpu().numpy()))
    return _segmentation(network, found)


def _segmentation(network: Network, found: list[tuple[int, float, Any]]) -> Segmentation:
    """Of class, score and mask (height, width) of each object, the surest first."""
    found = sorted((each for each in found if each[2].any()), key=lambda each: -each[1])
    return Segmentation(
        boxes=[_box(mask) for _, _, mask in found],
        class_ids=[number for number, _, _ in found],
        class_names=[_named(network, number) for number, _, _ in found],
        scores=[score for _, score, _ in found],
        masks=np.stack([mask for _, _, mask in found]) if found else np.zeros((0, 0, 0), np.bool_),
    )


def _box(mask: Any) -> list[int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def segments(network: Network) -> list[Way]:
    """Objects, each with its pixels: "instance" things alone, "panoptic" also what lies around them."""
    processor = network.processor
    kinds = [each for each in ("panoptic", "instance") if hasattr(processor, f"post_process_{each}_segmentation")]

    def answer(output: Any, sizes: Any, alike: tuple[str, float]) -> list[Any]:
        kind, least = alike
        found = getattr(processor, f"post_process_{kind}_segmentation")(
            output, threshold=least, target_sizes=[_coarse(each) for each in sizes]
        )
        return [_segments(network, each, size) for each, size in zip(found, sizes, strict=True)]

    def segment(image: list[Any], kind: list[str], threshold: list[float]) -> list[Any]:
        alike = list(zip(kind, threshold, strict=True))
        return _small(image, lambda kept, keys: _seen(network, kept, keys, answer), alike)

    takes = {"kind": Literal[tuple(kinds)], "threshold": Threshold}
    return [_segment(network, segment, takes, {"kind": kinds[0], "threshold": 0.5})]


def _coarse(size: tuple[int, int]) -> tuple[int, int]:
    """A size of the same shape in which masks of many objects fit into memory."""
    scale = min(1.0, (COMPUTED / (size[0] * size[1])) ** 0.5)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _segments(network: Network, found: Any, size: tuple[int, int]) -> Segmentation:
    plane = found["segmentation"]
    if plane is None or not found["segments_info"]:
        return _segmentation(network, [])
    if tuple(plane.shape) != size:
        plane = torch.nn.functional.interpolate(plane[None, None].float(), size=size, mode="nearest")[0, 0]
    whole = plane.cpu().numpy()
    return _segmentation(
        network, [(each["label_id"], float(each["score"]), whole == each["id"]) for each in found["segments_info"]]
    )
