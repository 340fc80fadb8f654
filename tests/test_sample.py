"""A sample gives the fields types, ranges, choices and names, and is refused with the column that does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from flaskship import sample
from flaskship.errors import UsageError
from flaskship.schema import Answer, Facts, Field, FieldType, Output, Signature, Task


class Doubler:
    """Answers twice the first field; refuses missing values where `strict`."""

    facts = Facts(framework="none", kind="Doubler")
    native = None

    def __init__(self, *names, strict=False, task=Task.REGRESSION, thresholds=None, types=None):
        types = types or [FieldType.NUMBER] * len(names)
        fields = tuple(Field(name=name, type=kind) for name, kind in zip(names, types, strict=True))
        self.signature = Signature(task=task, inputs=fields, outputs=(Output(name="prediction"),))
        self.thresholds = thresholds or {}
        self.strict = strict

    def predict(self, columns):
        if self.strict and any(np.isnan(column).any() for column in columns.values() if column.dtype.kind == "f"):
            raise ValueError("NaN")
        return Answer(values=(2.0 * columns[self.signature.names[0]],))


@pytest.fixture
def rows(tmp_path):
    def write(text, name="rows.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_whole_numbers_become_integers_with_range_and_median(rows):
    read = sample.read(rows("age,tax\n17,9.5\n30,7\n123,8\n"), Doubler("age", "tax"), "")
    age, tax = read.signature.inputs
    assert (age.type, age.low, age.high, age.default, age.seen) == (FieldType.INTEGER, 17, 123, 30, "in the sample")
    assert (tax.type, tax.low, tax.high, tax.default) == (FieldType.NUMBER, 7.0, 9.5, 8.0)
    assert read.columns["age"].dtype == np.int64


def test_two_whole_values_are_a_choice(rows):
    read = sample.read(rows("new_user\n1\n0\n1\n"), Doubler("new_user"), "")
    assert read.signature.inputs[0].choices == (0, 1)
    assert not read.signature.inputs[0].closed


def test_true_and_false_stay_so_that_the_samples_own_rows_are_answered(rows):
    read = sample.read(rows("cabin\nTrue\nFalse\nFalse\n"), Doubler("cabin"), "")
    (cabin,) = read.signature.inputs
    assert (cabin.type, cabin.default, cabin.example) == (FieldType.BOOLEAN, False, True)
    assert read.columns["cabin"].tolist() == [True, False, False]


def test_texts_that_repeat_are_choices_and_free_texts_are_none(rows):
    lines = "".join(f"{'Bern' if row % 3 else 'Basel'},note number {row}\n" for row in range(40))
    model = Doubler("town", "note", types=[FieldType.TEXT] * 2)
    town, note = sample.read(rows("town,note\n" + lines), model, "").signature.inputs
    assert town.choices == ("Basel", "Bern")
    assert town.default == "Bern"
    assert note.choices == ()
    assert note.example == "note number 0"


def test_unnamed_fields_take_the_names_of_the_file(rows):
    read = sample.read(rows("tax,income,used\n9,3571,541\n8,4000,500\n"), Doubler("x0", "x1"), "used")
    assert read.signature.names == ("tax", "income")
    assert read.target.tolist() == [541.0, 500.0]


def test_columns_may_stand_in_any_order_with_others_between(rows):
    read = sample.read(rows("b,other,a\n1,x,10\n2,y,20\n3,z,40\n"), Doubler("a", "b"), "")
    assert read.columns["a"].tolist() == [10, 20, 40]


@pytest.mark.parametrize(
    ("text", "target", "sentence"),
    [
        ("ages,tax\n1,2\n", "", "field 'age' is no column of 'rows.csv'. Is it 'ages'"),
        ("age,tax\n1,2\n", "sold", "No column 'sold' in 'rows.csv'. It has age, tax"),
        ("age,tax\nold,2\n", "", "Column 'age' of 'rows.csv' holds text .'old'., the model takes numbers"),
    ],
)
def test_what_does_not_fit_is_named(rows, text, target, sentence):
    with pytest.raises(UsageError, match=sentence):
        sample.read(rows(text), Doubler("age", "tax"), target)


def test_unnamed_fields_and_another_number_of_columns_say_what_to_do(rows):
    with pytest.raises(UsageError, match=r"takes 2 unnamed columns, 'rows\.csv' has 3: a, b, c\. .*--target-column"):
        sample.read(rows("a,b,c\n1,2,3\n"), Doubler("x0", "x1"), "")


def test_a_sample_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match=r"No sample at .*none\.csv"):
        sample.read(tmp_path / "none.csv", Doubler("a"), "")


def test_a_field_with_gaps_is_nullable_where_the_model_answers_them(rows):
    read = sample.read(rows("a,b\n1,1.5\n,2.5\n3,\n"), Doubler("a", "b"), "")
    assert [field.nullable for field in read.signature.inputs] == [True, True]
    assert read.rows == 3
    assert np.isnan(read.columns["a"][1])


def test_rows_with_gaps_are_left_out_where_the_model_refuses_them(rows):
    read = sample.read(rows("a,b,y\n1,1.5,7\n,2.5,8\n3,3.5,9\n"), Doubler("a", "b", strict=True), "y")
    assert [field.nullable for field in read.signature.inputs] == [False, False]
    assert read.columns["a"].tolist() == [1, 3]
    assert read.columns["a"].dtype == np.int64
    assert read.target.tolist() == [7.0, 9.0]


def test_golden_rows_hold_the_extremes(rows):
    lines = "".join(f"{row % 50}\n" for row in range(1000)) + "-900\n" + "".join(f"{row % 50}\n" for row in range(1000))
    read = sample.read(rows("a\n" + lines), Doubler("a"), "")
    chosen = read.spread(16)["a"]
    assert len(chosen) == 16
    assert chosen.min() == -900
    assert chosen.max() == 49


def test_a_regression_is_scored_by_r2_and_mean_absolute_error(rows):
    model = Doubler("a")
    perfect = sample.read(rows("a,y\n1,2\n2,4\n5,10\n"), model, "y")
    assert sample.score(perfect, model) == {"mean_absolute_error": 0.0, "r2": 1.0}


def test_labels_are_scored_whatever_their_type_in_the_file(rows):
    model = Doubler("a", task=Task.CLASSIFICATION)
    half = sample.read(rows("a,y\n1,2\n2,4.0\n5,9\n6,9\n"), model, "y")
    assert sample.score(half, model) == {"accuracy": 0.5}


def test_raw_values_on_splits_of_scaled_columns_are_told(rows):
    model = Doubler("income", thresholds={"income": np.linspace(-1.5, 1.5, 40)})
    read = sample.read(rows("income\n3571\n4092\n5000\n"), model, "")
    assert len(read.warnings) == 1
    assert "'income' is 3571" in read.warnings[0]
