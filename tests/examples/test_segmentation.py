"""The segmentation example: its pictures, its measure, and what its server answers after a few steps of training.

What a whole training is worth is in its README; here the network has learned nothing, and says all that it sees.
"""

from __future__ import annotations

import io
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from containers import DEADLINE, server
from PIL import Image

EXAMPLE = Path(__file__).parents[2] / "examples" / "segmentation"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}  # several would wait for each other where others work too
KEYS = {"boxes", "class_ids", "class_names", "object_counts", "scores", "mask_shape"}


@pytest.fixture(scope="module")
def shapes() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLE / "shapes.py"))


@pytest.fixture(scope="module")
def measure() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLE / "average_precision.py"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The example's folder after 30 steps, and what training printed."""
    folder = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("examples") / "segmentation", ignore=written)
    few = ["--steps", "30", "--pictures", "16", "--unseen", "8"]
    done = subprocess.run(
        [sys.executable, "train.py", *few], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def written(_: str, names: list[str]) -> list[str]:
    """What an earlier training left behind."""
    return [each for each in names if each.endswith((".pt", ".png", ".lock", "__pycache__"))]


@pytest.fixture(scope="module")
def url(trained: tuple[Path, str]) -> Iterator[str]:
    with server(trained[0], "app.py") as address:
        yield address


def png(image: Image.Image, format: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, format)
    return file.getvalue()


def ask(url: str, content: bytes, query: str = "", **fields: str) -> requests.Response:
    return requests.post(f"{url}/segmentapi{query}", files={"image": content}, data=fields, timeout=DEADLINE)


def test_the_same_seed_draws_the_same_shapes_and_no_two_share_a_pixel(shapes: dict[str, Any]) -> None:
    for seed in range(20):
        scene, again = (shapes["draw"](np.random.default_rng(seed)) for _ in "ab")
        assert scene.picture.shape == (128, 128, 3)
        assert (scene.picture == again.picture).all()
        assert len(scene.classes) == len(scene.masks) <= 7
        assert scene.masks.sum(0).max(initial=0) <= 1
        assert all(40 <= mask.sum() < 128 * 128 / 4 for mask in scene.masks)


def objects(measure: dict[str, Any], *found: tuple[int, int, float]) -> Any:
    """Of (class, place, score): each is a row of 10 pixels at its place."""
    masks = np.zeros((len(found), 10, 10), bool)
    for n, (_, place, _) in enumerate(found):
        masks[n, place] = True
    return measure["Objects"](
        classes=np.array([each[0] for each in found], np.int64),
        masks=masks,
        scores=np.array([each[2] for each in found], np.float64),
    )


def test_average_precision_is_the_area_under_precision_over_recall(measure: dict[str, Any]) -> None:
    true = [objects(measure, (0, 1, 1), (0, 5, 1)), objects(measure, (1, 2, 1))]
    measured = measure["average_precision"]
    assert measured(true, true, 0.5) == 1
    assert measured([objects(measure), objects(measure)], true, 0.5) == 0
    half = [objects(measure, (0, 1, 0.9), (0, 8, 0.8)), objects(measure)]  # of class 0, one of two, then a wrong one
    assert measured(half, true, 0.5) == pytest.approx(51 / 101 / 2)
    wrong_first = [objects(measure, (0, 1, 0.8), (0, 8, 0.9)), objects(measure, (1, 2, 0.1))]
    assert measured(wrong_first, true, 0.5) == pytest.approx((0.5 * 51 / 101 + 1) / 2)
    twice = [objects(measure, (0, 1, 0.9), (0, 1, 0.8), (0, 5, 0.7)), objects(measure, (1, 2, 0.5))]
    assert measured(twice, true, 0.5) == pytest.approx(((51 + 50 * 2 / 3) / 101 + 1) / 2)
    other_class = [objects(measure, (1, 1, 0.9), (1, 5, 0.9)), objects(measure, (0, 2, 0.9))]
    assert measured(other_class, true, 0.5) == 0


def test_average_precision_asks_for_as_much_overlap_as_it_is_told(measure: dict[str, Any]) -> None:
    true, found = objects(measure, (0, 1, 1)), objects(measure, (0, 1, 1))
    found.masks[0, 1, :4] = False  # 6 of 10 pixels
    assert measure["average_precision"]([found], [true], 0.6) == 1
    assert measure["average_precision"]([found], [true], 0.65) == 0


@pytest.mark.needs("torch")
def test_training_writes_small_weights_and_an_example_and_says_what_they_are_worth(trained: tuple[Path, str]) -> None:
    folder, said = trained
    assert "step    30  loss" in said
    assert "Mask AP on 8 unseen pictures" in said
    assert "AP 0.5:0.95" in said
    assert (folder / "shapes.pt").stat().st_size < 2_000_000
    with Image.open(folder / "example.png") as example:
        assert example.size == (512, 512)


@pytest.mark.needs("torch")
def test_a_picture_is_answered_with_the_objects_in_it(trained: tuple[Path, str], url: str) -> None:
    example = (trained[0] / "example.png").read_bytes()
    assert ask(url, example).json().keys() == KEYS
    found = ask(url, example, "?masks=rle", min_score="0").json()
    assert found.keys() == KEYS | {"masks"}
    count = len(found["boxes"])
    assert 0 < count <= 20
    assert found["mask_shape"] == [count, 512, 512]
    assert sum(found["object_counts"].values()) == count
    for (x0, y0, x1, y1), score, mask in zip(found["boxes"], found["scores"], found["masks"], strict=True):
        assert 0 <= x0 < x1 <= 512
        assert 0 <= y0 < y1 <= 512
        assert 0 <= score <= 1
        assert sum(mask["counts"]) == 512 * 512
        assert 0 < sum(mask["counts"][1::2]) <= (x1 - x0) * (y1 - y0)
    assert found["scores"] == sorted(found["scores"], reverse=True)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("format", ["JPEG", "WEBP", "GIF", "BMP"])
def test_any_format_is_answered(url: str, format: str) -> None:
    answer = ask(url, png(Image.new("RGB", (90, 60), "red"), format))
    assert answer.json()["mask_shape"][1:] == [60, 90]


@pytest.mark.needs("torch")
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "I"])
def test_any_mode_is_answered(url: str, mode: str) -> None:
    dtype = {"I;16": np.uint16, "I": np.int32}.get(mode)
    image = Image.fromarray(np.full((60, 90), 999, dtype)) if dtype else Image.new("RGBA", (90, 60)).convert(mode)
    assert ask(url, png(image, "TIFF" if mode == "I" else "PNG")).json()["mask_shape"][1:] == [60, 90]


@pytest.mark.needs("torch")
@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (37, 300)])
def test_any_size_is_answered_with_boxes_within_the_picture(url: str, size: tuple[int, int]) -> None:
    found = ask(url, png(Image.new("L", size, 99)), min_score="0").json()
    assert found["mask_shape"][1:] == [size[1], size[0]]
    assert all(0 <= x0 < x1 <= size[0] and 0 <= y0 < y1 <= size[1] for x0, y0, x1, y1 in found["boxes"])


@pytest.mark.needs("torch")
def test_masks_of_a_large_picture_are_smaller_and_its_boxes_are_not(url: str) -> None:
    found = ask(url, png(Image.effect_noise((60, 40), 80).resize((6000, 4000)), "JPEG"), min_score="0").json()
    count, height, width = found["mask_shape"]
    assert count
    assert width / height == pytest.approx(1.5, rel=0.001)
    assert 12_000_000 < width * height <= 12_500_000
    assert width < max(box[2] for box in found["boxes"]) <= 6000


@pytest.mark.needs("torch")
def test_what_is_no_picture_or_too_large_a_one_is_refused(trained: tuple[Path, str], url: str) -> None:
    example = (trained[0] / "example.png").read_bytes()
    large = png(Image.new("1", (12_000, 12_000)))
    for content in (b"a text named .png", b"", example[: len(example) // 2], large):
        answer = ask(url, content)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["at"] == "image"
    assert ask(url, example, min_score="1.5").status_code == 422
