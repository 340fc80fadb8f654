"""What functions answer, as JSON, as cells and as files."""

from __future__ import annotations

import base64
import collections
import datetime
import decimal
import enum
import io
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from flaskship.errors import BadInput, PredictionFailed
from flaskship.predict import table, values, writers
from flaskship.predict.codec import Codec
from flaskship.results import Boxes, Labels, Segmentation
from flaskship.schema import Answer, AnswerType, Field, FieldType, Signature, Task


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: float
    on: datetime.date | None = None


class Frozen(msgspec.Struct):
    a: int


class Text(str):
    """A text of a class of one's own."""


class Tensor:
    """As torch's and others' are: told only by what they offer."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([1.5, np.nan])


class Pydantic:
    def model_dump(self, mode: str) -> dict[str, int]:
        return {"a": 1}


PAIR = collections.namedtuple("PAIR", "a b")
ARGUMENT = Field(name="x", boxed=True)


def codec(answers: AnswerType = AnswerType.VALUE) -> Codec:
    return Codec(Signature(task=Task.FUNCTION, inputs=(ARGUMENT,), answers=answers))


def answer(*found: Any) -> Answer:
    column = np.empty(len(found), object)
    for row, value in enumerate(found):
        column[row] = value
    return Answer(values=(column,))


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (None, None),
        (3.5, 3.5),
        (float("nan"), None),
        (float("inf"), None),
        (10**30, 10**30),
        (True, True),
        ("Köln", "Köln"),
        (Text("a"), "a"),
        (Colour.RED, "red"),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.eye(2), [[1, 0], [0, 1]]),
        (np.array([1, np.nan]), [1, None]),
        (np.array([np.float32(1), None, "a"], dtype=object), [1, None, "a"]),
        (np.array(["2026-01-31", "NaT"], dtype="M8[D]"), ["2026-01-31", None]),
        (np.datetime64("2026-01-31"), "2026-01-31"),
        (Tensor(), [1.5, None]),
        (Point(1.5, datetime.date(2026, 1, 31)), {"x": 1.5, "on": "2026-01-31"}),
        ([Point(float("nan"))], [{"x": None, "on": None}]),
        (Frozen(1), {"a": 1}),
        (Pydantic(), {"a": 1}),
        (PAIR(1, 2), [1, 2]),
        ({"a": np.arange(2), 3: Colour.RED, np.int64(4): None}, {"a": [0, 1], "3": "red", "4": None}),
        ({True: 1, None: 2}, {"true": 1, "null": 2}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        ({3}, [3]),
        (frozenset("a"), ["a"]),
        (range(3), [0, 1, 2]),
        (collections.deque([1]), [1]),
        ({"a": 1}.keys(), ["a"]),
        ((each for each in "ab"), ["a", "b"]),
        (b"\x00\x01", "AAE="),
        (bytearray(b"\x00\x01"), "AAE="),
        (datetime.datetime(2026, 1, 31, 12, 30, tzinfo=datetime.UTC), "2026-01-31T12:30:00Z"),
        (datetime.time(12, 30), "12:30:00"),
        (datetime.timedelta(seconds=90), "PT90S"),
        (pd.Timestamp("2026-01-31"), "2026-01-31T00:00:00"),
        (pd.NaT, None),
        (pd.NA, None),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (pd.Series([1, 2]), [1, 2]),
        (
            pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [pd.Timestamp("2026-01-31"), pd.NaT], 4: [0.5, np.nan]}),
            [
                {"a": 1, "b": "x", "c": "2026-01-31T00:00:00", "4": 0.5},
                {"a": 2, "b": None, "c": None, "4": None},
            ],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_value_is_plain_json_alone_among_others_and_in_a_table(value, want):
    by, one = codec(), values.record(value)
    again = value if not hasattr(value, "__next__") else want
    assert json.loads(by.encode(answer(value), single=True)) == {"prediction": want}
    many = answer(again, again)
    assert json.loads(by.encode(many, single=False)) == {"predictions": [{"prediction": want}] * 2}
    assert json.loads(by.encode_values(many)) == [want, want]
    assert by.results(many) == [{"prediction": want}] * 2
    assert by.flat(many).values[0].tolist() == [want, want]
    assert list(one) == ["prediction"]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (object(), "object"),
        (1j, "complex"),
        (Path("model.bin"), "pathlib.PosixPath"),
        ([{"a": Codec}], "type"),
        ({(1, 2): 3}, "key"),
        ("\ud800", "surrogates"),
        (np.array([1j]), "complex"),
    ],
)
def test_what_json_cannot_have_is_named(value, named):
    for encode in (lambda: codec().encode(answer(value), single=True), lambda: codec().results(answer(value))):
        with pytest.raises(PredictionFailed, match=f"what JSON cannot have: .*({named})"):
            encode()


def test_a_value_that_holds_itself_is_no_answer():
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(PredictionFailed):
        codec().encode(answer(circle), single=True)


def test_a_picture_is_a_data_url_and_a_file_for_whom_wants_one():
    picture = Image.new("RGBA", (3, 2), (255, 0, 0, 128))
    url = json.loads(codec().encode(answer(picture), single=True))["prediction"]
    assert url.startswith("data:image/png;base64,")
    back = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert (back.mode, back.tobytes()) == (picture.mode, picture.tobytes())
    for format in ("PNG", "JPEG", "WEBP"):
        content = values.picture(answer(picture), format)
        assert content is not None
        assert Image.open(io.BytesIO(content)).format == format
    assert values.picture(answer(picture, picture)) is None
    assert values.picture(answer("a")) is None


def test_labels_are_answered_as_a_classifiers_and_fill_two_columns_of_a_table():
    by, found = codec(AnswerType.LABELS), answer(Labels({"cat": 0.9, "dog": 0.1}))
    one = {"prediction": "cat", "probabilities": {"cat": 0.9, "dog": 0.1}}
    assert json.loads(by.encode(found, single=True)) == one
    assert json.loads(by.encode_values(found)) == ["cat"]
    assert by.results(found) == [one]
    rows = table.read(b"x\n1\n", by)
    written = writers.writer("csv", rows)
    lines = [written.head(), *(written.rows(chunk, found) for chunk in rows)]
    assert b"".join(lines).decode().splitlines() == [
        "x,prediction,probabilities",
        '1,cat,"{""cat"":0.9,""dog"":0.1}"',
    ]


def test_boxes_and_segments_are_their_own_object_with_masks_on_request():
    boxes: dict[str, Any] = {"boxes": [[0, 0, 2, 1]], "class_ids": [1], "class_names": ["dog"], "scores": [0.5]}
    by = codec(AnswerType.SEGMENTATION)
    assert json.loads(by.encode(answer(Boxes(**boxes)), single=True)) == boxes | {"object_counts": {"dog": 1}}
    found = answer(Segmentation(**boxes, masks=np.ones((1, 1, 2), bool)))
    plain = boxes | {"mask_shape": [1, 1, 2], "object_counts": {"dog": 1}}
    assert json.loads(by.encode(found, single=True)) == plain
    assert json.loads(by.encode(found, single=False)) == {"predictions": [plain]}
    coded = json.loads(by.encode(found, single=True, masks="rle"))
    assert coded == plain | {"masks": [{"size": [1, 2], "counts": [0, 2]}]}
    pictured = json.loads(by.encode(found, single=True, masks="png"))["masks"]
    assert [each.partition(",")[0] for each in pictured] == ["data:image/png;base64"]
    assert by.flat(found).values[0].tolist() == by.results(found)
    with pytest.raises(BadInput, match="It may be 'rle' or 'png'"):
        by.encode(found, single=True, masks="svg")


def test_warnings_stand_beside_what_a_function_answers():
    found = json.loads(codec().encode(answer(1), single=True, warnings=["w"]))
    assert found == {"prediction": 1, "warnings": ["w"]}


@pytest.mark.parametrize("format", writers.FORMATS)
def test_rows_of_a_file_stand_as_they_came_beside_what_a_function_answered(format):
    by = Codec(
        Signature(
            task=Task.FUNCTION,
            inputs=(Field(name="day", type=FieldType.DATE, boxed=True), Field(name="n", boxed=True, required=False)),
        )
    )
    rows = table.read(b"id,day\n1,2026-01-31\n2,2026-02-01\n", by)
    write = writers.writer(format, rows)
    chunks = [write.rows(chunk, answer({"a": [1]}, None)) for chunk in rows]
    content = b"".join([write.head(), *chunks, write.tail()])
    if format == "csv":
        assert content == b'id,day,prediction\n1,2026-01-31,"{""a"":[1]}"\n2,2026-02-01,\n'
    if format == "jsonl":
        assert json.loads(content.splitlines()[0]) == {"id": "1", "day": "2026-01-31", "prediction": {"a": [1]}}
    if format == "parquet":
        back = pd.read_parquet(io.BytesIO(content))
        assert back["day"].tolist() == ["2026-01-31", "2026-02-01"]
        assert back["prediction"][1] is None


def test_bad_rows_of_a_file_are_answered_with_null():
    by = Codec(Signature(task=Task.FUNCTION, inputs=(Field(name="day", type=FieldType.DATE, boxed=True),)))
    rows = table.read(b"day\nsoon\n2026-01-31\n", by, on_error="null")
    write = writers.writer("csv", rows)
    (chunk,) = rows
    found = chunk.answer(lambda columns: answer(*(day.year for day in columns["day"])))
    assert write.rows(chunk, found) == b"soon,\n2026-01-31,2026\n"
