"""The segmentation example: its pictures, its measure, and what its server answers after a few steps of training.

What a whole training is worth is in its README; here the network has learned nothing, and says all that it sees.
"""

from __future__ import annotations

import io
import os
import re
import runpy
import shutil
import struct
import subprocess
import sys
import zlib
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
    """The example's folder after 60 steps, and what training printed."""
    folder = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("examples") / "segmentation", ignore=written)
    few = ["--steps", "60", "--pictures", "4", "--unseen", "8"]
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


@pytest.fixture
def worker(trained: tuple[Path, str], url: str) -> Path:
    """What Linux tells of the process that answers: the largest one in the example's folder."""
    ours = [Path(f"/proc/{each}") for each in started(os.getpid())]
    return max((each for each in ours if each.joinpath("cwd").resolve() == trained[0]), key=lambda each: memory(each))


def started(pid: int) -> Iterator[int]:
    """By a process, and by what it started."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            yield child
            yield from started(child)


def memory(process: Path, key: str = "VmRSS") -> int:
    """Megabytes that it has, or had at most (VmHWM)."""
    found = re.search(rf"{key}:\s+(\d+) kB", process.joinpath("status").read_text())
    return int(found[1]) // 1000 if found else 0


def png(image: Image.Image, format: str = "PNG", **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **how)
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
    assert "step    60  loss" in said
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
@pytest.mark.parametrize("turn", [3, 6, 8])
def test_a_photograph_is_answered_as_it_stands_upright(trained: tuple[Path, str], url: str, turn: int) -> None:
    back = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[turn]
    with Image.open(trained[0] / "example.png") as example:
        upright = example.crop((0, 0, 512, 300))
    exif = Image.Exif()
    exif[0x0112] = turn
    wanted = ask(url, png(upright), min_score="0").json()
    assert wanted["boxes"]
    assert ask(url, png(upright.transpose(back), exif=exif), min_score="0").json() == wanted


@pytest.mark.needs("torch")
def test_a_picture_of_12000_pixels_a_side_is_answered_in_them(url: str, worker: Path) -> None:
    large = png(Image.effect_noise((60, 60), 80).resize((12_000, 12_000)), "JPEG")
    before = memory(worker)
    worker.joinpath("clear_refs").write_text("5")  # the most that it had counts from now
    found = ask(url, large, min_score="0").json()
    count, height, width = found["mask_shape"]
    assert count
    assert 12_000_000 < width * height <= 12_500_000
    assert width < max(side for box in found["boxes"] for side in box) <= 12_000
    assert memory(worker, "VmHWM") - before < 700  # of which the picture takes 144, masks at most 250
    assert memory(worker) - before < 200


@pytest.mark.needs("torch")
def test_what_is_no_picture_or_too_large_a_one_is_refused_in_little_memory(
    trained: tuple[Path, str], url: str, worker: Path
) -> None:
    example = (trained[0] / "example.png").read_bytes()
    whole_screen = bytearray(png(Image.new("P", (9, 9)), "GIF"))
    whole_screen[6:10] = struct.pack("<HH", 65535, 65535)
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    no_pictures = [b"a text named .png", b"", svg, example[: len(example) // 2]]
    bombs = [png(Image.new("1", (30_000, 30_000))), png(Image.new("1", (20_000, 20_000)), "TIFF", compression="group4")]
    bombs += [png(Image.new("1", (12_300, 12_300))), bytes(whole_screen), png_with(b"zTXt"), png_with(b"iCCP")]
    before = memory(worker)
    worker.joinpath("clear_refs").write_text("5")
    for content in (*no_pictures, *bombs):
        answer = ask(url, content)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["at"] == "image"
    assert "at most 150,000,000 pixels are read" in ask(url, bombs[0]).json()["detail"]
    assert ask(url, example, min_score="1.5").status_code == 422
    assert memory(worker, "VmHWM") - before < 100


def png_with(kind: bytes) -> bytes:
    """A PNG of one pixel, and beside it 20 MB of text, or of colours."""
    return png_of(
        1, 1, chunk(kind, b"a\0\0" + zlib.compress(bytes(20_000_000), 1)), chunk(b"IDAT", zlib.compress(b"\0\0"))
    )


def png_of(width: int, height: int, *chunks: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.needs("torch")
@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_of_300_frames_the_first_is_read(url: str, worker: Path, format: str) -> None:
    frames = [Image.new("L", (300, 200), n % 256) for n in range(300)]
    moving = png(frames[0], format, save_all=True, append_images=frames[1:])
    before = memory(worker)
    worker.joinpath("clear_refs").write_text("5")
    assert ask(url, moving).json()["mask_shape"][1:] == [200, 300]
    assert memory(worker, "VmHWM") - before < 50
