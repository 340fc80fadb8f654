from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flaskship.predict.cells import Cells, Ragged
from flaskship.predict.columns import MISSING, from_cells
from flaskship.predict.rules import NUMBER, Rule
from flaskship.schema import TABULAR, Field, FieldType


def cells(text: bytes, columns: int = 1, decimal: bytes = b".") -> Cells:
    return Cells(text, columns=columns, delimiter=b";", decimal=decimal)


def read(texts: list[str], field: Field, decimal: str = ".") -> tuple[np.ndarray, list[tuple[int, str]]]:
    found = cells("".join(text + "\n" for text in texts).encode(), decimal=decimal.encode())
    return from_cells(found, 0, Rule(field), decimal=decimal, decode=bytes.decode)


DECIMALS = st.from_regex(r"[+-]?([0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})", fullmatch=True)
ANY = st.text(st.characters(exclude_characters=';\n\r"', exclude_categories=["Cs"]))
ANYTHING = DECIMALS | st.floats().map(repr) | st.integers().map(str) | st.from_regex(NUMBER, fullmatch=True) | ANY


@given(st.lists(DECIMALS | st.floats(allow_nan=False, allow_infinity=False).map(repr), min_size=1))
def test_every_decimal_has_the_bits_that_float_gives(texts):
    column, faults = read(texts, Field(name="x"))
    assert not faults
    assert column.view(np.int64).tolist() == np.array(list(map(float, texts))).view(np.int64).tolist()


def test_many_decimals_of_all_widths_have_the_bits_that_float_gives():
    chance = random.Random(20)
    texts = [f"{chance.choice(['', '-', '+'])}{chance.randrange(10 ** chance.randint(1, 17))}" for _ in range(50_000)]
    texts += [f"{chance.uniform(-1, 1) * 10 ** chance.randint(0, 9):.{chance.randint(0, 19)}f}" for _ in range(50_000)]
    texts += [repr(chance.uniform(-1, 1) * 10 ** chance.randint(-3, 9)) for _ in range(50_000)]
    texts += [f"{chance.randrange(2**53, 2**60) | 1}." + str(chance.randint(0, 9)) for _ in range(9_000)]
    column, faults = read(texts, Field(name="x"))
    assert not faults
    assert (column.view(np.int64) == np.array(list(map(float, texts))).view(np.int64)).all()


@given(st.lists(ANYTHING, min_size=1))
def test_a_column_of_anything_is_as_the_rule_reads_it_cell_by_cell(texts):
    for kind in TABULAR:
        for nullable in (True, False):
            field = Field(name="x", type=kind, nullable=nullable)
            column, faults = read(texts, field)
            rule, told = Rule(field), dict(faults)
            for row, text in enumerate(texts):
                try:
                    value = rule.of_text(text)
                except ValueError as error:
                    assert told.get(row) == str(error) or (nullable and text.strip() in MISSING)
                    continue
                if value is None or (nullable and kind is FieldType.TEXT and column[row] is None):
                    assert column[row] is None or np.isnan(column[row])
                else:
                    assert column[row] == value and row not in told


@pytest.mark.parametrize("word", ["", "NA", "nan", "null", "None", " NaN "])
def test_the_usual_words_for_missing_are_null_where_that_is_allowed(word):
    column, faults = read(["1", word], Field(name="x", type=FieldType.INTEGER, nullable=True))
    assert np.isnan(column[1])
    assert not faults
    assert read(["1", word], Field(name="x"))[1][0][0] == 1
    assert read(["a", word], Field(name="x", type=FieldType.TEXT, nullable=True))[0][1] is None


def test_a_word_for_missing_that_is_a_choice_is_that_choice():
    field = Field(name="x", type=FieldType.TEXT, nullable=True, choices=("NA", "EU"))
    assert read(["NA", "EU", ""], field)[0].tolist() == ["NA", "EU", None]


def test_decimal_commas_are_read_where_they_are_in_use():
    assert read(["0,5", "-12,25", "3", "1.5", ",5"], Field(name="x"), decimal=",")[0].tolist() == [
        0.5,
        -12.25,
        3,
        1.5,
        0.5,
    ]
    assert [row for row, _ in read(["1.234,5", "1,2,3"], Field(name="x"), decimal=",")[1]] == [0, 1]


def test_decimals_half_way_between_two_doubles_are_rounded_as_float_does():
    halves = [2**52 + 2 * step + 0.5 for step in range(3)]  # each has a neighbour above with a distance of one
    texts = [f"{int(half) + add}.5{zeros}" for half in halves for add in (0, 1) for zeros in ("", "0", "00")]
    texts += [f"{(2 * (2**52 + step) + 1) * 5**places / 10**places:.0f}.0" for step in range(9) for places in (0,)]
    texts += ["0." + str((2 * (2**53 - 1 - step) + 1) * 5**17)[:18] for step in range(50)]
    column, faults = read(texts, Field(name="x"))
    assert not faults
    assert column.view(np.int64).tolist() == np.array(list(map(float, texts))).view(np.int64).tolist()


def test_whole_numbers_keep_all_64_bits():
    texts = ["9223372036854775807", "-9223372036854775808", "9007199254740993.0", "+5.0", "9223372036854775808", "5.5"]
    field = Field(name="x", type=FieldType.INTEGER)
    column, faults = read(texts, field)
    assert column[:4].tolist() == list(map(Rule(field).of_text, texts[:4])) == [2**63 - 1, -(2**63), 2**53 + 1, 5]
    assert [row for row, _ in faults] == [4, 5]


def test_bounds_and_choices_hold_for_whole_columns():
    assert [row for row, _ in read(["1", "1e39", "-4e38"], Field(name="x", dtype="float32"))[1]] == [1, 2]
    closed = Field(name="x", type=FieldType.INTEGER, choices=(1, 2), closed=True, nullable=True)
    assert [row for row, _ in read(["1", "3", "", "2"], closed)[1]] == [1]


@pytest.mark.parametrize("text", [b"1;2\n3\n", b"1;2\n3;4;5\n", b"1;2;3\n4\n", b"1\n2\n"])
def test_lines_of_several_widths_are_ragged(text):
    with pytest.raises(Ragged):
        cells(text, columns=2)
