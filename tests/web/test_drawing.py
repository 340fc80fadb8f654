"""What is drawn over a picture: of any mode, of any size, with masks of its shape."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from flaskship.results import COLOURS, Boxes, Segmentation, ink
from flaskship.schema import Field, FieldType, Signature, Task
from flaskship.web import drawing

SIGNATURE = Signature(task=Task.FUNCTION, inputs=(Field(name="image", type=FieldType.IMAGE),))
ONE = {"boxes": [[4, 8, 20, 16]], "class_ids": [1], "class_names": ["cat"], "scores": [0.9]}


def drawn(picture: Image.Image, found: object) -> drawing.Drawing:
    made = drawing.of(found, SIGNATURE, {"image": np.array([picture, None], object)[:1]})
    assert made
    return made


def opened(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def masked(height: int, width: int) -> Segmentation:
    masks = np.zeros((1, height, width), bool)
    masks[0, height // 3 : 2 * height // 3, width // 10 : width // 2] = True
    return Segmentation(**ONE, masks=masks)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I", "I;16", "F"]
)
def test_a_picture_of_any_mode_is_shown_with_what_is_in_it(mode):
    white = Image.new("P" if mode == "PA" else "RGB", (40, 24), "white")
    picture = Image.new(mode, (40, 24), 65535) if mode.startswith("I") else white.convert(mode)
    made = drawn(picture, masked(24, 40))
    for url in (made.picture, made.drawn()):
        assert opened(url).size == (made.width, made.height) == (800, 480)
    assert min(opened(made.picture).getpixel((790, 470))) > 240
    assert made.layers[0].mask


def test_what_is_clear_is_white():
    made = drawn(Image.new("RGBA", (10, 10), (0, 0, 0, 0)), Boxes(**ONE))
    assert opened(made.picture).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("size", "shown"),
    [((1, 1), (800, 800)), ((1000, 500), (1000, 500)), ((3000, 1), (1600, 1)), ((9000, 6000), (1600, 1067))],
)
def test_a_picture_is_shown_neither_tiny_nor_huge(size, shown):
    assert drawing.fit(*size) == shown


@pytest.mark.parametrize("smaller", [1, 2, 3, 7])
def test_masks_of_another_size_lie_on_the_same_pixels(smaller):
    picture, found = Image.new("RGB", (1000, 600)), masked(600 // smaller, 1000 // smaller)
    mask = drawn(picture, found).layers[0].mask
    assert mask
    for is_, due in zip(mask[1:], (100, 200, 400, 200), strict=True):
        assert abs(is_ - due) <= 2 * smaller
    values = np.asarray(opened(mask.url))
    assert values.shape == (mask.height, mask.width)
    assert values[100, 200] == 1
    assert 2 in values[:5, 200]  # the outline


def test_masks_of_another_shape_than_the_picture_are_left_out_and_the_boxes_drawn():
    made = drawn(Image.new("RGB", (1000, 600)), masked(160, 160))
    assert [each.mask for each in made.layers] == [None]
    assert made.layers[0].width == 16
    assert not made.masks


def test_an_empty_mask_and_no_object_are_drawn_as_nothing():
    empty = Segmentation(**ONE, masks=np.zeros((1, 24, 40), bool))
    assert drawn(Image.new("RGB", (40, 24)), empty).layers[0].mask is None
    nothing = Segmentation(boxes=[], class_ids=[], class_names=[], scores=[], masks=np.zeros((0, 24, 40), bool))
    made = drawn(Image.new("RGB", (40, 24)), nothing)
    assert (made.layers, made.counts) == ((), ())
    assert opened(made.drawn()).size == (800, 480)


def test_of_many_objects_the_first_are_drawn_and_all_counted():
    many = {name: value * 150 for name, value in ONE.items()}
    made = drawn(Image.new("RGB", (40, 24)), Boxes(**many))
    assert (len(made.layers), made.more, made.counts[0].number) == (100, 50, 150)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_label_can_be_read_on_its_colour(colour):
    def light(colour: str) -> float:
        shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        return sum(
            part * (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4)
            for part, each in zip((0.2126, 0.7152, 0.0722), shares, strict=True)
        )

    lights = sorted([light(colour), {"#000": 0.0, "#fff": 1.0}[ink(colour)]])
    assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5  # https://www.w3.org/TR/WCAG22/#contrast-minimum
