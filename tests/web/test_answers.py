from __future__ import annotations

import pytest

from flaskship.web import answers

TARGET = {"name": "price", "low": 0.0, "quarter": 10.0, "three_quarters": 30.0, "high": 40.0}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(0.00123456789, "0.00123457"), (637.2, "637.2"), (1234567.9, "1,234,568"), (3, "3"), (0.0, "0")],
        *[(True, "true"), (None, "no value"), ("a", "a"), (1e-9, "1e-09"), (-5.25, "-5.25"), ([1.5, 2], "[1.5,2]")],
    ],
)
def test_a_value_is_written_for_reading(value, text):
    assert answers.number(value) == text


@pytest.mark.parametrize(
    ("value", "at", "word"),
    [(20, 50, "In the middle half"), (5, 12.5, "Low"), (36.0, 90, "High"), (80, 100, "Outside")],
)
def test_a_number_has_its_place_in_the_range_of_the_sample(value, at, word):
    place = answers.place(value, TARGET)
    assert (place.at, place.sentence.partition(":")[0]) == (at, word)


def test_without_a_range_there_is_no_place():
    assert answers.place(1.0, None) is None
    assert answers.place(None, TARGET) is None
    assert answers.place(1.0, TARGET | {"high": 0.0}) is None


def test_many_classes_stand_in_order_of_their_chances_few_in_the_models_own():
    few = {"a": 0.1, "b": 0.9}
    assert [each.label for each in answers.bars({"probabilities": few}, "b")] == ["a", "b"]
    many = {str(index): index / 45 for index in range(10)}
    found = answers.bars({"probabilities": many}, 9)
    assert [each.label for each in found] == [str(index) for index in reversed(range(10))]
    assert [each.label for each in found if each.chosen] == ["9"]


PICTURE = "data:image/png;base64,AA=="


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("short", {"large": "short"}),
        ("two\nlines", {"text": "two\nlines"}),
        ("", {"text": "An empty text."}),
        (PICTURE, {"caption": "Picture", "pictures": (PICTURE,)}),
        ([PICTURE], {"caption": "1 picture", "pictures": (PICTURE,)}),
        (
            [{"a": 1}, {"b": 2}],
            {"caption": "2 rows", "header": ("a", "b"), "rows": (("1", "no value"), ("no value", "2"))},
        ),
        ([[1, 2], [3]], {"caption": "2 values", "header": ("0", "1"), "rows": (("1", "2"), ("3", ""))}),
        ([1, "x"], {"caption": "2 values", "header": ("value",), "rows": (("1",), ("x",))}),
        ({"a": 1, "b": PICTURE}, {"caption": "2 values", "rows": (("a", "1"),), "pictures": (PICTURE,)}),
        ([], {"large": "[]"}),
        (None, {"large": "no value"}),
    ],
)
def test_what_a_function_answers_is_shown_as_what_it_is(value, shown):
    found = answers.of_function({"prediction": value}, None)
    table = found.table
    told = {**found._asdict(), **({"header": table.header, "rows": table.rows} if table else {})}
    assert {name: told[name] for name in shown} == shown
    assert found.json.startswith('{\n  "prediction"')


def test_a_long_answer_is_cut_and_says_so():
    found = answers.of_function({"prediction": [{"n": number} for number in range(1000)]}, None)
    assert (len(found.table.rows), found.table.more) == (100, 900)
