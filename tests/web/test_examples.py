from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flaskship.predict.codec import Codec
from flaskship.schema import Field, FieldType, Limits, Signature, Task
from flaskship.web import examples

BOUND = st.none() | st.integers(-20, 20)


@given(low=BOUND, span=st.integers(5, 9), open_=st.booleans(), step=st.none() | st.integers(1, 2), whole=st.booleans())
def test_an_example_is_within_the_limits(low, span, open_, step, whole):
    limits = {"gt" if open_ else "ge": low, "multiple_of": step}
    if low is not None:
        limits["lt" if open_ else "le"] = low + span
    kind = FieldType.INTEGER if whole else FieldType.NUMBER
    field = Field(name="x", type=kind, boxed=True, limits=Limits(**limits))
    Codec(Signature(task=Task.FUNCTION, inputs=(field,))).decode(json.dumps({"x": examples.example(field)}).encode())


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "array", "items": {"type": "number"}, "minItems": 2}, [0.0, 0.0]),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}, [0, "text"]),
        ({"type": "object", "properties": {"a": {"type": "boolean"}, "b": {}}, "required": ["a"]}, {"a": False}),
        ({"anyOf": [{"type": "integer", "minimum": 3}, {"type": "null"}]}, 3),
        ({"enum": ["x", "y"]}, "x"),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": "string", "minLength": 6}, "textte"),
        ({}, "text"),
    ],
)
def test_a_value_of_a_schema(schema, value):
    assert examples.of_schema(schema) == value


def test_the_sample_picture_is_one():
    assert Image.open(io.BytesIO(examples.picture(32, 20))).convert("RGB").size == (32, 20)
