from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flaskship.errors import MAX_PROBLEMS, BadInput, NotJSON, TooLarge
from flaskship.predict.codec import Codec
from flaskship.schema import Field, FieldType, Signature, Task

NUMBER, INTEGER, BOOLEAN, TEXT = FieldType.NUMBER, FieldType.INTEGER, FieldType.BOOLEAN, FieldType.TEXT
SALES = ("age", "new_user", "total_pages_visited")


def codec(*fields: Field, **more: int) -> Codec:
    return Codec(Signature(task=Task.REGRESSION, inputs=fields), **more)


def sales() -> Codec:
    return codec(*(Field(name=name, type=INTEGER) for name in SALES))


def mixed() -> Codec:
    return codec(
        Field(name="x", nullable=True),
        Field(name="n", type=INTEGER),
        Field(name="on", type=BOOLEAN),
        Field(name="city", type=TEXT, nullable=True),
    )


def problems(body: bytes, by: Codec) -> dict[str, str]:
    with pytest.raises(BadInput) as caught:
        by.decode(body)
    assert caught.value.status == 422
    return {problem.at: problem.message for problem in caught.value.problems}


def test_an_object_is_a_single_row_with_the_dtypes_of_the_fields():
    found = mixed().decode('{"x":1,"n":2,"on":true,"city":"Köln"}'.encode())
    assert (found.rows, found.single) == (1, True)
    assert [(name, column.dtype.name, column.tolist()) for name, column in found.columns.items()] == [
        ("x", "float64", [1.0]),
        ("n", "int64", [2]),
        ("on", "bool", [True]),
        ("city", "object", ["Köln"]),
    ]
    assert all(column.flags.writeable for column in found.columns.values())


def test_columns_come_in_the_order_of_the_signature_whatever_that_of_the_keys():
    assert list(sales().decode(b'{"total_pages_visited":5,"age":45,"new_user":0}').columns) == list(SALES)


def test_null_is_nan_or_none_where_it_is_allowed():
    found = mixed().decode(b'[{"x":null,"n":2,"on":true,"city":null},{"x":2,"n":2,"on":false,"city":"a"}]')
    assert math.isnan(found.columns["x"][0])
    assert found.columns["city"].tolist() == [None, "a"]
    assert mixed().decode(b'{"x":null,"n":2,"on":true,"city":null}').columns["city"].tolist() == [None]


@pytest.mark.parametrize(
    "body",
    [
        b'[{"age":45,"new_user":0,"total_pages_visited":5},{"age":30,"new_user":1,"total_pages_visited":2}]',
        b"[[45,0,5],[30,1,2]]",
        b'[[45,0,5],{"age":30,"new_user":1,"total_pages_visited":2}]',
        b"[[45.0,0,5],[30,1,2e0]]",
    ],
)
def test_rows_are_objects_or_lists_in_the_order_of_the_fields(body):
    found = sales().decode(body)
    assert (found.rows, found.single) == (2, False)
    assert [column.tolist() for column in found.columns.values()] == [[45, 30], [0, 1], [5, 2]]
    assert {column.dtype.name for column in found.columns.values()} == {"int64"}


def test_field_names_may_hold_any_characters():
    by = codec(Field(name="Population_Driver_licence(%)"), Field(name='quo"te'), Field(name="f0"))
    body = json.dumps({"f0": 1, "Population_Driver_licence(%)": 0.5, 'quo"te': 3}).encode()
    assert [column.item() for column in by.decode(body).columns.values()] == [0.5, 3.0, 1.0]
    assert "$['Population_Driver_licence(%)']" in problems(b"{}", by)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "line 1, column 2"),
        (b'{"age":45,}', "not JSON"),
        (b'{"age":45,"new_user":0,"total_pages_visited":5} x', "Extra data"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"age":"\xff"}', "not UTF-8"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"age=45", "not JSON"),
    ],
)
def test_what_is_no_json_is_400(body, says):
    with pytest.raises(NotJSON, match=says) as caught:
        sales().decode(body)
    assert caught.value.status == 400


def test_every_problem_of_a_row_is_told_with_its_place_and_the_nearest_name():
    found = problems(b'{"age":"45","new_usr":0,"total_pages_visited":true,"x":1,"age":"45"}', sales())
    assert found == {
        "$.age": "'age' takes a whole number, not text ('45').",
        "$.new_usr": "No field 'new_usr' in this model. Did you mean 'new_user'?",
        "$.x": "No field 'x' in this model. It has age, new_user, total_pages_visited.",
        "$.new_user": "Field 'new_user' is missing.",
        "$.total_pages_visited": "'total_pages_visited' takes a whole number, not true.",
    }


def test_the_detail_is_the_first_problem_and_how_many_more_there_are():
    with pytest.raises(BadInput, match=r"^Field 'age' is missing\. And 2 more\.$"):
        sales().decode(b"{}")


def test_places_of_many_rows_name_the_row():
    assert list(
        problems(b'[[1,2,3],{"age":1,"new_user":"x","total_pages_visited":1},[1,2],[1,2,null],7]', sales())
    ) == [
        "$[1].new_user",
        "$[2]",
        "$[3][2]",
        "$[4]",
    ]


def test_at_most_a_hundred_problems_are_told():
    assert len(problems(b"[" + b",".join([b"{}"] * 1000) + b"]", sales())) == MAX_PROBLEMS


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("NaN", "not finite"),
        ("Infinity", "not finite"),
        ("-Infinity", "not finite"),
        ("1e400", "not finite"),
        ("-1e400", "not finite"),
        ("1" + "0" * 400, "not finite"),
        ("1" + "0" * 5000, "not finite"),
        ("true", "not true"),
        ('"1.5"', "text"),
        ("null", "may not be null"),
        ("[1]", "an array"),
        ("{}", "an object"),
    ],
)
def test_a_number_is_strict(value, says):
    found = problems(f'{{"x":{value}}}'.encode(), codec(Field(name="x")))
    assert says in found["$.x"]


@pytest.mark.parametrize("value", ["1.5", "9223372036854775808", "-9223372036854775809", "1" + "0" * 30, "1e30", "NaN"])
def test_an_integer_is_whole_and_fits_64_bits(value):
    problems(f'{{"n":{value}}}'.encode(), codec(Field(name="n", type=INTEGER)))
    problems(f'{{"n":{value}}}'.encode(), codec(Field(name="n", type=INTEGER, nullable=True)))


@pytest.mark.parametrize(
    ("value", "number"), [("5.0", 5), ("-0.0", 0), ("1e3", 1000), ("9223372036854775807", 2**63 - 1)]
)
def test_an_integer_may_be_written_as_a_number_without_a_fraction(value, number):
    assert codec(Field(name="n", type=INTEGER)).decode(f'{{"n":{value}}}'.encode()).columns["n"].item() == number


def test_what_the_models_own_dtype_cannot_hold_is_refused():
    by = codec(Field(name="x", dtype="float32"), Field(name="n", type=INTEGER, dtype="int8"))
    assert list(problems(b'{"x":1e39,"n":128}', by)) == ["$.x", "$.n"]
    assert by.decode(b'{"x":3e38,"n":-128}').rows == 1


@pytest.mark.parametrize("value", ["0", '"true"', "1.0", "null"])
def test_a_boolean_is_true_or_false(value):
    assert list(problems(f'{{"on":{value}}}'.encode(), codec(Field(name="on", type=BOOLEAN)))) == ["$.on"]


@pytest.mark.parametrize("body", [rb'{"city":"\ud800"}', rb'{"city":"a\udc00b"}'])
def test_half_of_a_surrogate_pair_is_refused(body):
    assert "surrogate" in problems(body, codec(Field(name="city", type=TEXT)))["$.city"]


def test_half_of_a_surrogate_pair_in_a_name_can_be_told():
    with pytest.raises(BadInput) as caught:
        codec(Field(name="city", type=TEXT)).decode(rb'{"\ud800":1}')
    assert all(f"{problem.at}{problem.message}".encode() for problem in caught.value.problems)


@pytest.mark.parametrize(
    "body",
    [
        b'{"t":"x","t":"y"}',
        b'{"t":null,"t":"y"}',
        b'{"t":"x","t":null}',
        rb'{"t":"x","t":"\u0022\u0022\u0022\u0022"}',
        rb'{"t":"\"\"\"\"","t":"x"}',
        b'[{"t":"x"},{"t":"x","t":"y"}]',
        rb'[{"t":"x","\u0074":"y"}]',
    ],
)
def test_a_repeated_key_is_refused(body):
    (message,) = problems(body, codec(Field(name="t", type=TEXT, nullable=True))).values()
    assert message == "'t' is given more than once. Give it once."


@given(
    st.lists(st.tuples(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.none() | st.text()), min_size=1)
)
def test_whatever_json_can_say_arrives_as_it_was(rows):
    by = codec(Field(name='a"', type=TEXT), Field(name="b\\"), Field(name="ü", type=TEXT, nullable=True))
    for ascii_only in (True, False):
        body = json.dumps([dict(zip(by.signature.names, row, strict=True)) for row in rows], ensure_ascii=ascii_only)
        found = by.decode(body.encode()).columns.values()
        assert [tuple(row) for row in zip(*(column.tolist() for column in found), strict=True)] == rows


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_at_all_are_more_than_bad_input(body):
    with pytest.raises(BadInput):
        sales().decode(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*SALES, "x", "on"]) | st.text(), inner),
)


@given(JSON)
def test_the_fast_way_and_the_thorough_way_agree(value):
    by, body = mixed(), json.dumps(value).encode()
    try:
        fast = by.decode(body)
    except BadInput:
        return
    rows = [value] if isinstance(value, dict) else value
    slow = by.decode_objects(rows)
    assert all(np.array_equal(fast.columns[name], slow[name], equal_nan=name == "x") for name in slow)


def test_a_closed_choice_names_the_first_dozen_and_the_nearest():
    names = tuple(f"colour{index}" for index in range(15))
    by = codec(
        Field(name="c", type=TEXT, choices=names, closed=True),
        Field(name="k", type=INTEGER, choices=(1, 2), closed=True),
    )
    assert by.decode(b'[["colour3",1],["colour14",2]]').rows == 2
    found = problems(b'{"c":"color3","k":3}', by)
    assert found["$.c"].endswith("'colour11', … (15 in all). Did you mean 'colour3'?")
    assert found["$.k"] == "3 is none of the choices of 'k': 1, 2."
    assert list(problems(b'[["colour3",1],["x",2]]', by)) == ["$[1][0]"]


def test_soft_choices_and_ranges_do_not_refuse():
    by = codec(Field(name="c", type=TEXT, choices=("a",)), Field(name="x", low=0, high=1))
    assert by.decode(b'{"c":"b","x":7}').rows == 1


def test_tensors_are_nested_lists_of_the_fields_shape():
    by = codec(Field(name="image", shape=(2, 3)), Field(name="free", shape=(-1,), type=INTEGER))
    one = by.decode(b'{"image":[[1,2,3],[4,5,6]],"free":[7]}').columns
    assert (one["image"].shape, one["free"].shape) == ((1, 2, 3), (1, 1))
    many = by.decode(b"[[[[1,2,3],[4,5,6]],[7,8]],[[[1,2,3],[4,5,6]],[7,8]]]").columns
    assert (many["image"].shape, many["free"].shape) == ((2, 2, 3), (2, 2))
    assert many["free"].dtype == np.int64


@pytest.mark.parametrize(
    "body",
    [
        b'{"image":[[1,2],[4,5,6]]}',
        b'{"image":[1,2,3]}',
        b'{"image":[[1,2,3],[4,5,null]]}',
        b'{"image":[[1,2,3],[4,5,"6"]]}',
        b'{"image":[[[1],2,3],[4,5,6]]}',
    ],
)
def test_a_tensor_of_another_shape_is_refused(body):
    assert list(problems(body, codec(Field(name="image", shape=(2, 3))))) == ["$.image"]


def test_rows_of_several_shapes_cannot_come_in_one_request():
    assert "several shapes" in problems(b"[[[1,2]],[[1]]]", codec(Field(name="free", shape=(-1,))))["$.free"]


@pytest.mark.parametrize("body", [b"[]", b"3", b'"x"', b"null", b"true"])
def test_a_body_without_rows_is_told_what_to_send(body):
    with pytest.raises(BadInput, match="Send an object, an array of objects") as caught:
        sales().decode(body)
    assert caught.value.status == 422


def test_more_rows_than_allowed_are_too_large():
    with pytest.raises(TooLarge):
        codec(Field(name="x"), max_rows=2).decode(b"[[1],[2],[3]]")


def test_a_query_is_one_row_of_texts():
    found = mixed().decode_query("x=+1.5+&n=5.0&on=Yes&city=K%C3%B6ln+am+Rhein")
    assert [column.item() for column in found.columns.values()] == [1.5, 5, True, "Köln am Rhein"]
    assert (found.rows, found.single) == (1, True)


def test_an_empty_text_is_null_where_that_is_allowed():
    found = mixed().decode_query("x=&n=1&on=0&city=").columns
    assert math.isnan(found["x"].item())
    assert found["city"].item() is None
    with pytest.raises(BadInput, match="'n' is empty: it takes a whole number"):
        mixed().decode_query("x=&n=&on=0&city=")


@pytest.mark.parametrize("text", ["1_000", "nan", "inf", "0x10", "1e400", "5 5", "1,5", "abc", "٣", "--1", "1" * 5000])
def test_numbers_in_text_are_plain_decimals(text):
    for kind in (NUMBER, INTEGER):
        with pytest.raises(BadInput) as caught:
            codec(Field(name="x", type=kind)).decode_pairs([("x", text)])
        assert caught.value.problems[0].at == "x"


@pytest.mark.parametrize("text", ["5.5", "9223372036854775808", "1e30"])
def test_whole_numbers_in_text_are_whole_and_fit(text):
    with pytest.raises(BadInput):
        codec(Field(name="x", type=INTEGER)).decode_pairs([("x", text)])


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_integer_of_64_bits_arrives_exactly(number):
    by = codec(Field(name="x", type=INTEGER))
    assert by.decode_query(f"x={number}").columns["x"].item() == number
    assert by.decode(f'{{"x":{number}}}'.encode()).columns["x"].item() == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_arrives_with_the_same_bits(number):
    by = codec(Field(name="x"))
    for found in (by.decode_pairs([("x", repr(number))]), by.decode(f'{{"x":{number!r}}}'.encode())):
        assert found.columns["x"].view(np.int64).item() == np.float64(number).view(np.int64)


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("FALSE", False), ("1", True), ("0", False), ("yes", True), ("No", False), ("on", True)],
)
def test_booleans_in_text_have_several_words(text, value):
    assert codec(Field(name="on", type=BOOLEAN)).decode_pairs([("on", text)]).columns["on"].item() is value


def test_a_query_names_what_is_missing_unknown_and_repeated():
    with pytest.raises(BadInput) as caught:
        sales().decode_query("age=45&age=46&new_usr=0&total_pages_visited=x")
    assert [(problem.at, problem.message) for problem in caught.value.problems] == [
        ("age", "'age' is given more than once. Give it once."),
        ("new_usr", "No field 'new_usr' in this model. Did you mean 'new_user'?"),
        ("new_user", "Field 'new_user' is missing."),
        ("total_pages_visited", "'total_pages_visited' takes a whole number, not text ('x')."),
    ]


def test_a_query_that_is_no_utf8_is_400():
    with pytest.raises(NotJSON, match="UTF-8"):
        sales().decode_query("age=%ff")


def test_a_tensor_in_text_is_json():
    by = codec(Field(name="v", shape=(2,)))
    assert by.decode_query("v=[1,%202]").columns["v"].tolist() == [[1.0, 2.0]]
    with pytest.raises(BadInput, match="written as JSON"):
        by.decode_query("v=1,2")


def test_parsed_rows_tell_places_below_where_they_stood():
    with pytest.raises(BadInput) as caught:
        sales().decode_objects([{"age": 1}], at="$.instances")
    assert caught.value.problems[0].at == "$.instances[0].new_user"


def test_thousands_of_wrong_names_are_told_as_a_hundred():
    many = {f"agee{index}": 1 for index in range(20_000)}
    by = codec(*(Field(name=f"feature_{index}") for index in range(500)))
    assert len(problems(json.dumps(many).encode(), by)) == MAX_PROBLEMS
    with pytest.raises(BadInput) as caught:
        by.decode_pairs((name, "1") for name in many)
    assert len(caught.value.problems) == MAX_PROBLEMS
