"""Every type that a function may take, through every door: one contract, whatever the way in."""

from __future__ import annotations

import base64
import datetime
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flaskship.errors import BadInput, TooLarge
from flaskship.predict import table
from flaskship.predict.codec import Codec, Request
from flaskship.predict.uploads import Upload
from flaskship.schema import LEFT_OUT, Field, FieldType, Limits, Signature, Task

NUMBER, INTEGER, BOOLEAN, TEXT = FieldType.NUMBER, FieldType.INTEGER, FieldType.BOOLEAN, FieldType.TEXT
DATE, DATETIME, TIME = FieldType.DATE, FieldType.DATETIME, FieldType.TIME
IMAGE, ARRAY, FILE, TABLE, OBJECT = (
    FieldType.IMAGE,
    FieldType.ARRAY,
    FieldType.FILE,
    FieldType.TABLE,
    FieldType.OBJECT,
)


@dataclass
class Item:
    price: float
    day: datetime.date | None = None


class Tagged(msgspec.Struct, tag=True):
    a: int


def argument(type: FieldType = NUMBER, name: str = "x", **more: Any) -> Field:
    return Field(name=name, type=type, boxed=True, **more)


def codec(*fields: Field, **hints: Any) -> Codec:
    return Codec(Signature(task=Task.FUNCTION, inputs=fields), hints=hints)


def png(picture: Image.Image | None = None) -> bytes:
    out = io.BytesIO()
    (picture or Image.new("RGB", (3, 2), (255, 0, 0))).save(out, "PNG")
    return out.getvalue()


def npy(values: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def data_url(content: bytes, kind: str = "") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def like(value: Any) -> Any:
    """A value as one that can be compared."""
    match value:
        case Image.Image():
            return value.mode, value.size, value.tobytes()
        case np.ndarray():
            return value.dtype.name, value.tolist()
        case pd.DataFrame():
            return value.to_dict("list")
        case Path():
            return value.read_bytes()
    return value


RED = Image.new("RGB", (3, 2), (255, 0, 0))
FRAME = {"a": [1, 2], "b": ["x", "y"]}
ITEMS = [{"price": 1.5, "day": "2026-01-31"}, {"price": 2}]
KINDS: dict[str, tuple[Field, Any, dict[str, Any], Any]] = {
    # name: field, hint, {"json", "text", "file", "cell": as each door has it}, what the function is given
    "number": (argument(), Any, {"json": 1.5, "text": " 1.5 "}, 1.5),
    "a whole number as a number": (argument(), Any, {"json": 3, "text": "3"}, 3.0),
    "integer": (argument(INTEGER), Any, {"json": 2**62, "text": str(2**62)}, 2**62),
    "boolean": (argument(BOOLEAN), Any, {"json": True, "text": "on"}, True),
    "text": (argument(TEXT), Any, {"json": "Köln, 5", "text": "Köln, 5", "file": "Köln, 5".encode()}, "Köln, 5"),
    "choice": (argument(INTEGER, choices=(1, 2), closed=True), Any, {"json": 2, "text": "2"}, 2),
    "date": (argument(DATE), Any, {"json": "2026-01-31", "text": "2026-01-31"}, datetime.date(2026, 1, 31)),
    "time": (argument(TIME), Any, {"json": "12:30:00", "text": "12:30"}, datetime.time(12, 30)),
    "datetime": (
        argument(DATETIME),
        Any,
        {"json": "2026-01-31T12:30:00", "text": "2026-01-31T12:30"},
        datetime.datetime(2026, 1, 31, 12, 30),
    ),
    "datetime with a zone": (
        argument(DATETIME),
        Any,
        {"json": "2026-01-31T12:30:00Z", "text": "2026-01-31 12:30:00+00:00"},
        datetime.datetime(2026, 1, 31, 12, 30, tzinfo=datetime.UTC),
    ),
    "picture": (argument(IMAGE), Any, {"json": data_url(png()), "file": png()}, RED),
    "bare base64": (argument(IMAGE), Any, {"json": base64.b64encode(png()).decode(), "file": png()}, RED),
    "array": (
        argument(ARRAY),
        Any,
        {"json": [[1, 2], [3, 4]], "file": npy(np.array([[1, 2], [3, 4]]))},
        [[1, 2], [3, 4]],
    ),
    "typed array": (
        argument(ARRAY, dtype="float32"),
        Any,
        {"json": [1, 2.5], "file": npy(np.array([1, 2.5]))},
        np.array([1, 2.5], np.float32),
    ),
    "file": (argument(FILE), Any, {"json": data_url(b"hello"), "file": b"hello"}, b"hello"),
    "table of rows": (
        argument(TABLE),
        Any,
        {"json": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], "text": "a;b\n1;x\n2;y\n", "file": b"a,b\n1,x\n2,y\n"},
        FRAME,
    ),
    "table of columns": (argument(TABLE), Any, {"json": FRAME, "file": b"a\tb\n1\tx\n2\ty\n"}, FRAME),
    "dataclasses": (
        argument(OBJECT, schema={"type": "array"}),
        list[Item],
        {"json": ITEMS, "file": json.dumps(ITEMS).encode()},
        [Item(1.5, datetime.date(2026, 1, 31)), Item(2.0)],
    ),
    "decimal": (argument(OBJECT), Decimal, {"json": "1.10"}, Decimal("1.10")),
    "numbers as keys": (argument(OBJECT), dict[int, float], {"json": {"1": 2.5}, "file": b'{"1": 2.5}'}, {1: 2.5}),
    "one of several": (
        argument(OBJECT),
        Tagged,
        {"json": {"type": "Tagged", "a": 1}, "file": b'{"type":"Tagged","a":1}'},
        Tagged(1),
    ),
    "dictionary": (argument(OBJECT), dict[str, list[int]], {"json": {"a": [1, 2]}}, {"a": [1, 2]}),
    "anything": (argument(OBJECT), Any, {"json": {"a": [1, None]}}, {"a": [1, None]}),
}


def rows_of(content: bytes, by: Codec, format: str) -> Any:
    (chunk,) = table.read(content, by, format=format)
    return chunk.columns["x"][0]


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def spelled(given: dict[str, Any]) -> str:
    """As a text: what the type has of its own, else its JSON."""
    value = given.get("text", given["json"])
    return value if isinstance(value, str) else json.dumps(value)


def parquet(values: list[Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"x": values}), out)
    return out.getvalue()


DOORS: dict[str, Callable[[Codec, dict[str, Any]], Any]] = {
    "object": lambda by, given: by.decode(json.dumps({"x": given["json"]}).encode()),
    "objects": lambda by, given: by.decode(json.dumps([{"x": given["json"]}] * 2).encode()),
    "lists": lambda by, given: by.decode(json.dumps([[given["json"]]]).encode()),
    "query": lambda by, given: by.decode_query(urlencode({"x": spelled(given)})),
    "form": lambda by, given: by.decode_pairs([("x", spelled(given))]),
    "file of a form": lambda by, given: by.decode_pairs(
        [("x", Upload(name="x", filename="a file.bin", body=memoryview(given["file"])))]
    ),
    "parsed rows": lambda by, given: by.decode_objects([{"x": given["json"]}])["x"][0],
    "csv": lambda by, given: rows_of(f"x\n{quoted(spelled(given))}\n".encode(), by, "csv"),
    "tsv": lambda by, given: rows_of(f"x\ty\n{quoted(spelled(given))}\t1\n".encode(), by, "csv"),
    "json lines": lambda by, given: rows_of(json.dumps({"x": given["json"]}).encode() + b"\n", by, "jsonl"),
    "parquet": lambda by, given: rows_of(parquet([given["json"]]), by, "parquet"),
}
NO_CELL = {"csv", "tsv", "json lines", "parquet", "parsed rows"}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_type_comes_through_each_door(kind, door):
    field, hint, given, want = KINDS[kind]
    by = codec(field, x=hint)
    if door == "file of a form" and "file" not in given:
        with pytest.raises(BadInput, match=r"not a file|no text"):
            DOORS[door](by, given | {"file": b"\xff"})
        return
    if field.type is FILE and door in NO_CELL:
        with pytest.raises(BadInput, match="takes a file, which cannot be sent this way"):
            DOORS[door](by, given)
        return
    if field.type is TABLE and door in ("csv", "tsv", "parquet"):
        with pytest.raises(BadInput, match="takes a table, which no cell"):
            DOORS[door](by, given)
        return
    found = DOORS[door](by, given)
    request, value = (found, found.columns["x"][0]) if isinstance(found, Request) else (None, found)
    want = np.array(want) if field.type is ARRAY else want
    assert like(value) == like(want)
    assert type(value) is type(want) or field.type in (IMAGE, FILE, TABLE)
    if request is not None:
        request.close()
        assert field.type is not FILE or not value.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_do_not_share_what_a_function_may_change(kind):
    field, hint, given, _ = KINDS[kind]
    found = codec(field, x=hint).decode(json.dumps([{"x": given["json"]}] * 2).encode())
    first, second = found.columns["x"]
    assert first is not second or isinstance(first, bool | int | float | str)
    found.close()


def problems(read: Callable[[], Any]) -> dict[str, str]:
    with pytest.raises(BadInput) as caught:
        read()
    assert caught.value.status == 422
    return {each.at: each.message for each in caught.value.problems}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (argument(limits=Limits(ge=0)), -3, "'x' must be at least 0, not -3."),
        (argument(limits=Limits(gt=0)), 0, "'x' must be more than 0, not 0."),
        (argument(limits=Limits(le=1.5)), 2.25, "'x' must be at most 1.5, not 2.25."),
        (argument(limits=Limits(lt=10)), 10, "'x' must be less than 10, not 10."),
        (argument(INTEGER, limits=Limits(multiple_of=5)), 12, "'x' must be a multiple of 5, not 12."),
        (argument(TEXT, limits=Limits(min_length=3)), "ab", "'x' must have at least 3 characters, not 2."),
        (argument(TEXT, limits=Limits(max_length=1)), "ab", "'x' must have at most 1 character, not 2."),
        (argument(TEXT, limits=Limits(pattern="^[0-9]{5}$")), "abc", "'x' must match '^[0-9]{5}$', not 'abc'."),
        (
            argument(TEXT, limits=Limits(pattern="(a+)+$", max_length=9)),
            "a" * 60 + "!",
            "'x' must have at most 9 characters, not 61.",
        ),
        (
            argument(TEXT, choices=("red", "green"), closed=True),
            "gren",
            "'gren' is none of the choices of 'x': 'red', 'green'. Did you mean 'green'?",
        ),
        (argument(), "3", "'x' takes a number, not text ('3')."),
        (argument(BOOLEAN), 1, "'x' takes true or false, not 1."),
        (argument(DATE), 20260131, "'x' takes a date, such as 2026-01-31, not 20260131."),
        (argument(DATE), "31.1.2026", "'x' takes a date, such as 2026-01-31, not text ('31.1.2026')."),
        (argument(DATE), "2026-02-30", "'x' takes a date, such as 2026-01-31, not text ('2026-02-30')."),
        (argument(TIME), "25:00", "'x' takes a time, such as 12:30:00, not text ('25:00')."),
        (argument(ARRAY), [[1], [2, 3]], "'x' has rows of several lengths: it takes an array of numbers."),
        (argument(ARRAY), [1, None], "'x' takes an array of numbers, and holds null."),
        (argument(ARRAY), ["1"], "'x' takes an array of numbers, and holds text."),
        (argument(ARRAY, dtype="uint8"), [256], "'x' holds numbers that uint8 does not hold."),
        (argument(ARRAY, dtype="int64"), [0.5], "'x' holds numbers that int64 does not hold."),
        (argument(ARRAY, shape=(-1, 3)), [[1, 2]], "'x' has shape [1, 2], and [-1, 3] is due."),
        (argument(TABLE), [1], "'x[0]' takes an object, a row of the table, not 1."),
        (argument(TABLE), {"a": [1], "b": []}, "'x' has columns of 0 and 1 values. Send as many of each."),
        (argument(FILE), 5, "'x' takes a file, not 5."),
        (argument(FILE), "!", "'x' takes a file as a data URL or as base64, and it is neither."),
        (
            argument(IMAGE),
            "https://example.org/cat.png",
            "'x' takes a picture as a data URL or as base64, and it is neither. An address is not fetched.",
        ),
        (argument(), None, "'x' may not be null: it takes a number."),
    ],
)
def test_what_is_out_of_bounds_is_said_in_a_sentence(field, value, said):
    assert problems(lambda: codec(field).decode(json.dumps({"x": value}).encode())) == {"$.x": said}


@pytest.mark.parametrize(
    ("hint", "value", "at", "said"),
    [
        (list[Item], [{"price": 1}, {"price": "2"}], "$.x[1].price", "'x[1].price' takes a number, not text ('2')."),
        (list[Item], [{}], "$.x[0].price", "'x[0].price' is missing."),
        (list[Item], [{"price": 1, "dya": None}], "$.x[0].dya", "No 'dya' in 'x[0]'. Did you mean 'day'?"),
        (
            list[Item],
            [{"price": 1, "day": "soon"}],
            "$.x[0].day",
            "'x[0].day' takes a date, such as 2026-01-31, not text ('soon').",
        ),
        (list[Item], 5, "$.x", "'x' takes an array, not 5."),
        (Item | None, "a", "$.x", "'x' takes an object or null, not text ('a')."),
        (Annotated[list[int], msgspec.Meta(min_length=1)], [], "$.x", "'x' must have at least 1 value, not 0."),
        (list[Annotated[int, msgspec.Meta(ge=0)]], [1, -1], "$.x[1]", "'x[1]' must be at least 0, not -1."),
        (list[Annotated[str, msgspec.Meta(pattern="^a")]], ["b"], "$.x[0]", "'x[0]' must match '^a', not text ('b')."),
        (Literal["a", 1], "c", "$.x", "'x' is 'c', none of its choices."),
        (dict[int, int], {"a": 1}, "$.x", "'x' has a member whose name is wrong: it takes a whole number, not text."),
        (dict[str, int], {"a": "b"}, "$.x[...]", "'x[...]' takes a whole number, not text."),
        (tuple[int, str], [1], "$.x", "'x' must have 2 values, not 1."),
    ],
)
def test_a_problem_inside_a_value_has_its_place(hint, value, at, said):
    assert problems(lambda: codec(argument(OBJECT), x=hint).decode(json.dumps({"x": value}).encode())) == {at: said}


def test_a_long_name_of_a_member_costs_no_time_for_each_value_below_it():
    long = "a" * 10**6
    by = codec(argument(OBJECT), x=dict[str, list[str]])
    assert by.decode(b'{"x":{"%s":[%s"b"]}}' % (long.encode(), b'"b",' * 200_000)).rows == 1  # once 200 GB of copies
    place, said = next(iter(problems(lambda: by.decode(b'{"x":{"%s":["b",NaN]}}' % long.encode())).items()))
    assert place == f"$.x.{'a' * 200}[1]"
    assert said == f"'x.{'a' * 200}[1]' is NaN. Send null where a value is not known."


def test_a_text_among_numbers_is_refused_before_all_of_them_are_made_as_long():
    found = problems(lambda: codec(argument(ARRAY)).decode(b'{"x":[%s["%s"]]}' % (b"[1]," * 10**5, b"a" * 10**6)))
    assert found == {"$.x": "'x' takes an array of numbers, and holds text."}


@pytest.mark.parametrize("kind", [ARRAY, TABLE, OBJECT])
def test_what_is_nested_too_deeply_is_refused(kind):
    for depth in (100, 450, 900, 5000):
        deep = "[" * depth + "]" * depth
        try:
            codec(argument(kind)).decode(b'{"x":[{"a":%s}]}' % deep.encode())
        except BadInput as error:
            assert "deep" in error.detail or kind is ARRAY


def test_pictures_of_one_request_have_a_limit_in_all(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    by, one = codec(argument(IMAGE)), {"x": base64.b64encode(png(Image.new("1", (10, 10)))).decode()}
    assert by.decode(json.dumps([one] * 4).encode()).rows == 4
    said = "The pictures in 'x' have more than 400 pixels in all. Send fewer at once."
    with pytest.raises(TooLarge, match=said):
        by.decode(json.dumps([one] * 5).encode())
    with pytest.raises(TooLarge, match=said):
        list(table.read(json.dumps([one] * 5).encode(), by, format="jsonl"))


def test_a_whole_number_may_be_as_large_as_python_has_it():
    by = codec(argument(INTEGER))
    for found in (by.decode(b'{"x":%d}' % 10**30), by.decode_query(f"x={10**30}")):
        assert found.columns["x"].tolist() == [10**30]


def test_a_member_given_twice_is_refused_as_it_is_at_the_top():
    by = codec(argument(OBJECT), x=dict[str, Item])
    found = problems(lambda: by.decode(b'{"x":{"a":{"price":1,"price":2}}}'))
    assert found == {"$.x.a.price": "'x.a.price' is given more than once. Give it once."}


def test_what_json_has_no_words_for_is_refused_wherever_it_stands():
    by = codec(argument(OBJECT, nullable=True), argument(TABLE, name="t", required=False))
    said = "Send null where a value is not known."
    assert problems(lambda: by.decode(b'{"x":[1,NaN]}')) == {"$.x[1]": f"'x[1]' is NaN. {said}"}
    assert problems(lambda: by.decode_query("x={%22a b%22:1e999}")) == {
        "x['a b']": f"\"x['a b']\" is an infinite number. {said}"
    }
    found = problems(lambda: by.decode(b'{"x":1,"t":[{"a":1,"a":2}]}'))
    assert found == {"$.t[0].a": "'t[0].a' is given more than once. Give it once."}
    deep = "[" * 5000 + "]" * 5000
    assert problems(lambda: by.decode_query(f"x={deep}")) == {
        "x": "'x' takes a value as JSON, and its text is no valid JSON."
    }


def test_what_is_left_out_is_told_from_null_and_from_what_is_empty():
    by = codec(
        argument(name="a", required=False),
        argument(IMAGE, name="b", required=False, nullable=True),
        argument(TEXT, name="c", nullable=True),
        argument(TEXT, name="d"),
    )

    def given(found: Any) -> list[Any]:
        return [column[0] for column in found.columns.values()]

    assert given(by.decode(b'{"c":null,"d":""}')) == [LEFT_OUT, LEFT_OUT, None, ""]
    assert given(by.decode(b'{"b":null,"c":"","d":""}')) == [LEFT_OUT, None, "", ""]
    assert given(by.decode_query("a=&b=&c=&d=")) == [LEFT_OUT, LEFT_OUT, None, ""]
    assert given(by.decode_pairs([("b", Upload(name="b")), ("c", "c"), ("d", "d")])) == [LEFT_OUT, LEFT_OUT, "c", "d"]
    assert given(codec(argument(name="a"), argument(name="b", required=False)).decode(b"[[1]]")) == [1.0, LEFT_OUT]
    assert problems(lambda: by.decode(b'{"a":null,"c":null,"d":"d"}')) == {
        "$.a": "'a' may not be null: it takes a number."
    }
    (chunk,) = table.read(b"c,d\n,x\n", by)
    assert given(chunk) == [LEFT_OUT, LEFT_OUT, None, "x"]
    (chunk,) = table.read(b"a,c,d\n,c,x\n", by)
    assert given(chunk) == [LEFT_OUT, LEFT_OUT, "c", "x"]
    (first, second) = next(iter(table.read(b'{"a":1,"c":"c","d":"d"}\n{"c":"c","d":"d"}\n', by))).columns["a"]
    assert (first, second) == (1.0, LEFT_OUT)


def test_an_empty_control_for_a_file_that_is_needed_says_so():
    by = codec(argument(IMAGE))
    assert problems(lambda: by.decode_pairs([("x", Upload(name="x"))])) == {"x": "'x' is empty: it takes a picture."}
    assert problems(lambda: by.decode_pairs([])) == {"x": "Field 'x' is missing."}
    sent = [("x", Upload(name="x", filename="a.png", body=png())), ("y", Upload(name="y", filename="b"))]
    assert problems(lambda: by.decode_pairs(sent)) == {"y": "No field 'y' in this model. It has x."}


def test_a_list_in_a_query_is_json_or_its_values_one_by_one():
    by = codec(argument(OBJECT, schema={"type": "array"}), x=list[int])
    for query in ("x=1&x=2", "x=[1,2]"):
        assert by.decode_query(query).columns["x"][0] == [1, 2]
    assert by.decode_query("x=1").columns["x"][0] == [1]
    assert problems(lambda: by.decode_query("x=1&x=b")) == {"x[1]": "'x[1]' takes a whole number, not text ('b')."}
    texts = codec(argument(OBJECT), x=list[str] | None)
    assert texts.decode_query("x=a&x=[b]").columns["x"][0] == ["a", "[b]"]
    once = codec(argument(OBJECT), x=dict[str, int])
    assert problems(lambda: once.decode_query("x={}&x={}")) == {"x": "'x' is given more than once. Give it once."}


def test_uploads_are_files_with_safe_names_in_a_folder_of_their_own():
    by = codec(argument(FILE, name="a"), argument(FILE, name="b"))
    names = {
        "../../etc/pass wd.csv": "pass wd.csv",
        "C:\\x\\report.PDF": "report.PDF",
        "..": "upload",
        "a\0b\n.txt": "a_b_.txt",
    }
    for sent, kept in names.items():
        both = [(name, Upload(name=name, filename=sent, body=name.encode())) for name in "ab"]
        request = by.decode_pairs(both)
        paths = [column[0] for column in request.columns.values()]
        assert [(path.name, path.read_bytes()) for path in paths] == [(kept, b"a"), (kept, b"b")]
        request.close()
        assert not any(path.parent.parent.exists() for path in paths)
    long = by.decode_pairs([(name, Upload(name=name, filename="字" * 500 + ".jpeg", body=b"1")) for name in "ab"])
    assert long.columns["a"][0].suffix == ".jpeg"
    long.close()


def test_nothing_of_a_request_that_is_refused_stays(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    by = codec(argument(FILE), argument(name="n"))
    assert problems(lambda: by.decode_pairs([("x", Upload(name="x", filename="a", body=b"1")), ("n", "one")]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        npy(np.arange(9))[:-3],
        npy(np.arange(9)).replace(b"(9,)", b"(10**12,)"[:4]),
        npy(np.array(["a"])),
        npy(np.array([{}], dtype=object)),
        npy(np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")])),
        npy(np.zeros(2, complex)),
        npy(np.zeros((1, 1), "u1")).replace(b"(1, 1)", b"(-1,1)"),
        npy(np.zeros(1, "u1")).replace(b"(1,), }   ", b"(True,), }"),
    ],
)
def test_an_odd_npy_file_is_refused_and_no_pickle_is_read(content):
    by = codec(argument(ARRAY))
    assert "x" in problems(lambda: by.decode_pairs([("x", Upload(name="x", filename="a.npy", body=content))]))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "u1", "?", "<i8", "<f2"])
def test_arrays_keep_their_dtype_and_can_be_written_to(dtype, order):
    values = np.array(np.arange(6).reshape(2, 3) % 2, dtype=dtype, order=order)
    (found,) = (
        codec(argument(ARRAY)).decode_pairs([("x", Upload(name="x", filename="a", body=npy(values)))]).columns["x"]
    )
    np.testing.assert_array_equal(found, values)
    assert found.dtype == values.dtype.newbyteorder("=")
    found += found.dtype.type(0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "a;b\n1,5;x\n".encode("utf-16")),
        ("a.csv", b"\xef\xbb\xbfa,b\r\n1.5,x\r\n"),
        ("a.tsv", b"a\tb\n1.5\tx\n"),
        ("a.jsonl", b'{"a":1.5,"b":"x"}\n'),
        ("a.json", b'[{"a":1.5,"b":"x"}]'),
        ("a.parquet", pd.DataFrame({"a": [1.5], "b": ["x"]}).to_parquet()),
    ],
)
def test_a_table_comes_in_any_format(name, content):
    (found,) = codec(argument(TABLE)).decode_pairs([("x", Upload(name="x", filename=name, body=content))]).columns["x"]
    assert found.to_dict("list") == {"a": [1.5], "b": ["x"]}


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", b""), ("a.parquet", b"PAR1 x"), ("a.jsonl", b"{"), ("a.xlsx", b"PK\3\4")]
)
def test_a_file_that_is_no_table_is_refused(name, content):
    by = codec(argument(TABLE))
    assert "x" in problems(lambda: by.decode_pairs([("x", Upload(name="x", filename=name, body=content))]))


def test_typed_cells_are_taken_as_what_they_are():
    noon = datetime.datetime(2026, 1, 31, 12, 30)
    columns = {
        "d": [datetime.date(2026, 1, 31)],
        "m": [datetime.datetime(2026, 1, 31)],
        "t": [noon],
        "o": [[{"price": 1.5, "day": datetime.date(2026, 1, 31)}]],
        "a": [[1.0, 2.0]],
        "i": [png()],
        "h": [{"bytes": png(), "path": "x.png"}],
        "n": [2.0],
    }
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    by = codec(
        argument(DATE, name="d"),
        argument(DATE, name="m"),
        argument(DATETIME, name="t"),
        argument(OBJECT, name="o"),
        argument(ARRAY, name="a"),
        argument(IMAGE, name="i"),
        argument(IMAGE, name="h"),
        argument(INTEGER, name="n"),
        o=list[Item],
    )
    (chunk,) = table.read(out.getvalue(), by)
    day = datetime.date(2026, 1, 31)
    found = {name: like(column[0]) for name, column in chunk.columns.items()}
    assert found == {
        "d": day,
        "m": day,
        "t": noon,
        "o": [Item(1.5, day)],
        "a": ("float64", [1.0, 2.0]),
        "i": like(RED),
        "h": like(RED),
        "n": 2,
    }


def test_the_sole_column_of_a_file_needs_no_quotes():
    (chunk,) = table.read(f"x\n{data_url(png(), 'image/png')}\n".encode(), codec(argument(IMAGE)))
    assert like(chunk.columns["x"][0]) == like(RED)
    (chunk,) = table.read(b"x\nWell, well; well\n", codec(argument(TEXT)))
    assert chunk.columns["x"].tolist() == ["Well, well; well"]


def test_a_bad_row_of_a_file_has_its_place():
    by = codec(argument(DATE), argument(OBJECT, name="o"), o=list[Item])
    with pytest.raises(BadInput) as caught:
        list(table.read(b'x,o\n2026-01-31,"[{""price"": 1}]"\nsoon,"[{""price"": ""a""}]"\n', by))
    assert [(each.at, each.message[:24]) for each in caught.value.problems] == [
        ("row 2, column 'x'", "'x' takes a date, such a"),
        ("row 2, column 'o'", "'o[0].price' takes a num"),
    ]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_any_json_comes_through_as_it_is(value):
    body = json.dumps({"x": value}).encode("utf-8", "surrogatepass")
    by = codec(argument(OBJECT, nullable=True), x=Any)
    assert by.decode(body).columns["x"][0] == value


@given(JSON_VALUES, st.sampled_from([each for each in FieldType if each is not OBJECT]))
def test_whatever_is_sent_is_taken_or_refused_with_a_sentence(value, kind):
    by = codec(argument(kind))
    try:
        by.decode(json.dumps({"x": value}).encode()).close()
    except BadInput as error:
        assert error.problems[0].at.startswith("$.x")
        assert error.problems[0].message.endswith(".")
