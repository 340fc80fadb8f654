"""What functions answer besides plain values: checked when it is made, written as plain JSON, drawn on its picture."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

import flaskship
from flaskship import Boxes, Labels, Segmentation

TWO = {"boxes": [[0, 0, 4, 2], [1, 1, 3, 3]], "class_ids": [1, 7], "class_names": ["cat", "dog"], "scores": [0.9, 0.5]}


def test_every_public_name_is_there() -> None:
    for name in flaskship.__all__:
        assert getattr(flaskship, name) is not None
    with pytest.raises(AttributeError, match="module 'flaskship' has no attribute 'endpiont'"):
        flaskship.endpiont  # noqa: B018


def test_labels_answer_the_most_probable_one_and_all_probabilities() -> None:
    labels = Labels({"cat": 0.2, "dog": np.float32(0.7)})
    assert labels.best == "dog"
    assert labels.record() == {
        "prediction": "dog",
        "probabilities": {"cat": 0.2, "dog": pytest.approx(0.7, abs=1e-6)},
    }


def test_a_number_as_a_label_stays_one() -> None:
    assert Labels({np.int64(3): 1.0, 4: 0.0}).record() == {"prediction": 3, "probabilities": {"3": 1.0, "4": 0.0}}


@pytest.mark.parametrize(
    ("probabilities", "said"),
    [
        ({}, "Labels takes a dictionary of label to probability, not {}"),
        ([0.1, 0.9], "Labels takes a dictionary"),
        ({"cat": 3.2}, "The probability of 'cat' is 3.2: it lies between 0 and 1"),
        ({"cat": float("nan")}, "The probability of 'cat' is nan"),
        ({(1, 2): 0.5}, r"The label \(1, 2\) is neither text nor a whole number"),
    ],
)
def test_what_cannot_be_labels_is_refused(probabilities, said) -> None:
    with pytest.raises(ValueError, match=said):
        Labels(probabilities)


def test_boxes_of_arrays_become_plain_json() -> None:
    boxes = Boxes(
        boxes=np.array([[0, 0, 4, 2], [1, 1, 3, 3]], np.float32),
        class_ids=np.array([1, 1]),
        class_names=["cat", "cat"],
        scores=(0.9, np.float32(0.5)),
    )
    assert len(boxes) == 2
    assert json.loads(json.dumps(boxes.record())) == {
        "boxes": [[0, 0, 4, 2], [1, 1, 3, 3]],
        "class_ids": [1, 1],
        "class_names": ["cat", "cat"],
        "scores": [0.9, 0.5],
        "object_counts": {"cat": 2},
    }


def test_no_objects_are_an_answer_too() -> None:
    empty = {"boxes": np.zeros((0, 4)), "class_ids": [], "class_names": [], "scores": []}
    assert Boxes(**empty).record()["boxes"] == []
    found = Segmentation(**empty, masks=np.zeros((0, 3, 4), bool))
    assert (found.mask_shape, found.run_lengths(), found.object_counts) == ([0, 3, 4], [], {})
    assert Segmentation(**empty, masks=[]).mask_shape == [0, 0, 0]
    assert Segmentation(**empty).record("png")["masks"] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scores": [0.9]}, "There are 2 boxes and 1 scores"),
        ({"boxes": [[0, 0, 4], [1, 1, 3, 3]]}, r"The box \[0.0, 0.0, 4.0\] has 3 numbers"),
        ({"boxes": [[0, 0, 4, float("nan")], [1, 1, 3, 3]]}, "A box holds nan, which is not finite"),
        ({"class_names": "ab"}, "'class_names' takes a list or an array, not str"),
        ({"masks": np.zeros((3, 4, 4), bool)}, r"The masks have shape \(3, 4, 4\): they are \(2, height, width\)"),
        ({"masks": np.zeros((4, 4), bool)}, r"The masks have shape \(4, 4\)"),
        ({"masks": np.full((2, 4, 4), 0.3)}, r"other than 0 and 1. Compare them, as in `masks > 0.5`"),
    ],
)
def test_what_does_not_go_together_is_refused(change, said) -> None:
    with pytest.raises(ValueError, match=said):
        Segmentation(**(TWO | change))


def test_a_segmentation_answers_as_documented_and_masks_on_request() -> None:
    masks = np.zeros((2, 4, 5), np.uint8)
    masks[0, :2, :3] = 1
    masks[1] = 1
    found = Segmentation(**TWO, masks=masks)
    plain = found.record()
    assert list(plain) == ["boxes", "class_ids", "class_names", "scores", "mask_shape", "object_counts"]
    assert (plain["mask_shape"], plain["object_counts"]) == ([2, 4, 5], {"cat": 1, "dog": 1})
    assert found.record("rle")["masks"] == [
        {"size": [4, 5], "counts": [0, 2, 2, 2, 2, 2, 10]},
        {"size": [4, 5], "counts": [0, 20]},
    ]
    assert all(each.startswith("data:image/png;base64,") for each in found.record("png")["masks"])
    with pytest.raises(ValueError, match="masks='gif' cannot be had"):
        found.record("gif")


def test_run_lengths_are_cocos_and_lead_back_to_the_mask() -> None:
    masks = np.random.default_rng(3).random((20, 7, 9)) > 0.6
    masks[0], masks[1] = False, True
    names = {"boxes": [[0, 0, 1, 1]] * 20, "class_ids": [0] * 20, "class_names": ["x"] * 20, "scores": [1.0] * 20}
    for mask, coded in zip(masks, Segmentation(**names, masks=masks).run_lengths(), strict=True):
        values = np.arange(len(coded["counts"])) % 2
        assert np.array_equal(np.repeat(values, coded["counts"]).reshape(coded["size"], order="F"), mask)


def test_masks_as_png_are_white_where_the_object_is() -> None:
    masks = np.random.default_rng(4).random((2, 6, 11)) > 0.5
    for png, mask in zip(Segmentation(**TWO, masks=masks).pngs(), masks, strict=True):
        image = Image.open(io.BytesIO(png))
        assert (image.mode, image.size) == ("1", (11, 6))
        assert np.array_equal(np.asarray(image), mask)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_objects_are_drawn_on_a_copy_of_the_picture(mode) -> None:
    picture = Image.new(mode, (80, 60))
    masks = np.zeros((2, 60, 80), bool)
    masks[0, 40:50, 60:70] = True
    drawn = Segmentation(**(TWO | {"boxes": [[70, 50, 60, 40], [-5, -5, 200, 9]]}), masks=masks).drawn(picture)
    assert (drawn.mode, drawn.size, picture.mode) == ("RGB", (80, 60), mode)
    assert drawn.getpixel((65, 45)) != (0, 0, 0)
    assert drawn.getpixel((30, 50)) == (0, 0, 0)
    assert picture.convert("RGB").getpixel((65, 45)) == (0, 0, 0)


def test_masks_of_another_size_than_the_picture_are_not_drawn() -> None:
    found = Segmentation(**TWO, masks=np.zeros((2, 6, 11), bool))
    with pytest.raises(ValueError, match="The masks are 11 x 6 pixels, the picture is 80 x 60"):
        found.drawn(Image.new("RGB", (80, 60)))
