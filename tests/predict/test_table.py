from __future__ import annotations

import csv
import io
import json
import struct
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flaskship.errors import MAX_PROBLEMS, BadInput, NotJSON, TooLarge, UnsupportedContent
from flaskship.predict import delimited, sheets, table, writers
from flaskship.predict.codec import Codec
from flaskship.predict.formats import format_of
from flaskship.schema import Answer, Columns, Field, FieldType, Output, Signature, Task

INPUTS = (
    Field(name="age", type=FieldType.INTEGER),
    Field(name="income", nullable=True),
    Field(name="city", type=FieldType.TEXT),
)
CODEC = Codec(Signature(task=Task.CLASSIFICATION, inputs=INPUTS, classes=("no", "yes"), probabilities=True))


def predict(columns: Columns) -> Answer:
    """Yes from 40 up."""
    yes = np.where(columns["age"] >= 40, 0.75, 0.5)
    labels = np.array(["yes" if each > 0.5 else "no" for each in yes], dtype=object)
    return Answer(values=(labels,), probabilities=np.stack([1 - yes, yes], axis=1))


def read(content: bytes | Path, **options: str) -> list[tuple[object, ...]]:
    """All rows of all chunks."""
    with table.read(content, CODEC, **options) as rows:
        return [row for chunk in rows for row in zip(*(each.tolist() for each in chunk.columns.values()), strict=True)]


def written(content: bytes, form: str = "csv", codec: Codec = CODEC, **options: str) -> bytes:
    with table.read(content, codec, **options) as rows:
        out = writers.writer(form, rows)
        return b"".join([out.head(), *(out.rows(chunk, chunk.answer(predict)) for chunk in rows), out.tail()])


def refused(content: bytes, **options: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read(content, **options)
    assert caught.value.status == 422
    return caught.value


ROWS = [(45, 1.5, "Bonn"), (30, 2.0, "Köln")]
SAME = [
    "age,income,city\n45,1.5,Bonn\n30,2,Köln\n",
    "age,income,city\n45,1.5,Bonn\n30,2,Köln",
    "age,income,city\r\n45,1.5,Bonn\r\n30,2,Köln\r\n",
    "age,income,city\r45,1.5,Bonn\r30,2,Köln\r",
    "\n\nage,income,city\n\n45,1.5,Bonn\n\n\n30,2,Köln\n\n",
    "age;income;city\n45;1,5;Bonn\n30;2,0;Köln\n",
    "age;income;city\n45;1.5;Bonn\n30;2.0;Köln\n",
    "age\tincome\tcity\n45\t1.5\tBonn\n30\t2\tKöln\n",
    "age|income|city\n45|1.5|Bonn\n30|2|Köln\n",
    "extra,city,income, age \n,Bonn,1.5,45\nx,Köln,2,30\n",
    '"age","income","city"\n"45","1.5","Bonn"\n"30","2","Köln"\n',
    'age,income,city,note\n45,1.5,Bonn,"a, ""b""\nc"\n30,2,Köln,\n',
    '"a,\nb",age,income,city\n1,45,1.5,Bonn\n1,30,2,Köln\n',
    "age,income,city\n+45.0,15e-1,Bonn\n 30 ,2.,Köln\n",
    '{"age":45,"income":1.5,"city":"Bonn","more":[1]}\n{"age":30,"income":2,"city":"Köln"}\n',
    '\n{"age":45,"income":1.5,"city":"Bonn"}\r\n\r\n{"city":"K\\u00f6ln","age":30.0,"income":2}',
    '[{"age":45,"income":1.5,"city":"Bonn"},\n{"age":30,"income":2,"city":"Köln"}]',
]


@pytest.mark.parametrize("text", SAME)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_every_common_form_gives_the_same_rows(text, encoding):
    assert read(text.encode(encoding)) == ROWS


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-16-le", "utf-16-be"])
def test_other_encodings_of_csv_are_recognised(encoding):
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    for text in SAME[:14]:
        assert read(mark + text.encode(encoding)) == ROWS


def test_a_path_a_stream_and_bytes_are_read_alike(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(SAME[0], encoding="utf-8")
    assert read(path) == ROWS
    with path.open("rb") as stream, table.read(stream, CODEC) as rows:
        assert sum(chunk.rows for chunk in rows) == 2


TEXTS = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=9)


@given(
    st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_random_tables_are_read_as_the_csv_module_reads_them_and_written_as_they_were(
    rows, delimiter, newline, quoting
):
    codec = Codec(
        Signature(task=Task.REGRESSION, inputs=tuple(Field(name=name, type=FieldType.TEXT) for name in "cab"))
    )
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting)
    writer.writerows([("a", "b", "c"), *rows])
    with table.read(text.getvalue().encode(), codec) as opened:
        out = writers.writer("csv", opened)
        found, lines = [], [out.head()]
        for chunk in opened:
            found += list(zip(*(chunk.columns[name].tolist() for name in "abc"), strict=True))
            lines.append(out.rows(chunk, Answer(values=(np.zeros(chunk.rows, dtype=int),))))
    assert found == rows
    again = list(csv.reader(io.StringIO(b"".join(lines).decode(), newline=""), delimiter=delimiter))
    assert again == [["a", "b", "c", "prediction"], *([*row, "0"] for row in rows)]


def test_a_file_of_many_blocks_is_read_in_chunks(monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK", 100)
    plain = "age,income,city\n" + "".join(f"{row},0.{row},Bonn\n" for row in range(1000))
    for text in (plain, plain.replace("700,", '"700",', 1)):
        with table.read(text.encode(), CODEC) as rows:
            chunks = list(rows)
        assert len(chunks) > 10
        assert [chunk.first for chunk in chunks[1:]] == list(np.cumsum([chunk.rows for chunk in chunks])[:-1] + 1)
        assert np.concatenate([chunk.columns["age"] for chunk in chunks]).tolist() == list(range(1000))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file is empty"),
        (b"\n\r\n", "The file is empty"),
        (b"\xef\xbb\xbf", "The file is empty"),
        (b"age,income,city\n", "no rows after its header"),
        (b"age,income,city\n\n\n", "no rows after its header"),
        (b"45,1.5,7\n30,2,8\n", "The header is missing"),
        (b"\xff\xfea\x00\x00\xd8", "UTF-16"),
        (b"PAR1 not really", "Parquet file cannot be read"),
        (b"PK\x03\x04 not really", "spreadsheet cannot be read"),
        (b"[1, 2]", "A row is an object, not 1"),
        (b'age,income,city\n45,1.5,"Bonn\n30,2,Ulm\n', "a quote is never closed"),
        (b'age,"income,city\n45,1.5,Bonn\n', "The header cannot be read: a quote is never closed"),
        (b'age,income,city\n45,1.5,Bonn\n\n45,1.5,"Bonn"s\n', "Row 2 cannot be read"),
    ],
)
def test_a_file_that_is_no_table_says_why(content, says):
    assert says in refused(content, name="rows.jsonl" if content.startswith(b"[") else "").detail


def test_a_missing_column_names_the_nearest_and_a_repeated_one_is_refused():
    error = refused(b"Age,income,income\n1,2,3\n")
    assert [(problem.at, problem.message) for problem in error.problems] == [
        ("header", "Column 'age' is missing. Did you mean 'Age'?"),
        ("header", "There are 2 columns 'income'. Keep one."),
        ("header", "Column 'city' is missing. There are 'Age', 'income', 'income'."),
    ]


BAD = b'age,income,city\n45,1.5,Bonn\nx,y,Ulm\n30,2\n31,2,a,b\n"5.5",,"K"\n50,,Ulm\n'


@pytest.mark.parametrize("content", [BAD, BAD.replace(b'"', b"")], ids=["quoted", "plain"])
def test_all_problems_are_told_by_row_and_column(content):
    assert [(problem.at, problem.message) for problem in refused(content).problems] == [
        ("row 2, column 'age'", "'age' takes a whole number, not text ('x')."),
        ("row 2, column 'income'", "'income' takes a number, not text ('y')."),
        ("row 3", "The row has 2 cells, the header 3."),
        ("row 4", "The row has 4 cells, the header 3."),
        ("row 5, column 'age'", "'age' takes a whole number, not 5.5."),
    ]


def test_at_most_a_hundred_problems_of_a_file_are_told(monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK", 50)
    assert len(refused(b"age,income,city\n" + b"x,1,a\n" * 1000).problems) == MAX_PROBLEMS


def test_no_row_is_answered_after_a_bad_one():
    with table.read(BAD, CODEC) as rows, pytest.raises(BadInput):
        assert list(rows) == []


@pytest.mark.parametrize("content", [BAD, BAD.replace(b'"', b"")], ids=["quoted", "plain"])
def test_bad_rows_may_answer_null(content):
    lines = written(content, on_error="null").split(b"\n")
    assert lines == [
        b"age,income,city,prediction,probability_no,probability_yes",
        b"45,1.5,Bonn,yes,0.25,0.75",
        b"x,y,Ulm,,,",
        b"30,2,,,",
        b"31,2,a,b,,,",
        content.split(b"\n")[5] + b",,,",
        b"50,,Ulm,yes,0.25,0.75",
        b"",
    ]
    with table.read(content, CODEC, on_error="null") as rows:
        (chunk,) = rows
    assert chunk.good.tolist() == [0, 5]
    assert rows.problems == len(chunk.problems) == 5


def test_a_file_of_bad_rows_only_answers_nulls():
    assert written(b"age,income,city\nx,1,a\n", on_error="null").endswith(b"x,1,a,,,\n")


def test_the_answer_stands_after_the_rows_own_text_in_its_own_manner():
    content = 'id;age;income;city\r\n007;45;1,50;"Bonn; am Rhein"\r\n008;3e1;;Köln\r\n'
    assert written(content.encode()).decode() == (
        "id;age;income;city;prediction;probability_no;probability_yes\r\n"
        '007;45;1,50;"Bonn; am Rhein";yes;0,25;0,75\r\n'
        "008;3e1;;Köln;no;0,5;0,5\r\n"
    )


def test_json_lines_hold_the_fields_as_they_were_read():
    lines = written(b"id,age,income,city\n007,45,,Bonn\n", "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": "007", "age": 45, "income": None, "city": "Bonn", "prediction": "yes", "probability_no": 0.25,
         "probability_yes": 0.75}
    ]  # fmt: skip


def test_parquet_goes_out_and_comes_in_again(monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK", 20)
    content = "id,age,income,city\n007,45,,Bonn\nx,30,2,Köln\ny,x,2,Köln\n".encode()
    made = written(content, "parquet", on_error="null")
    assert format_of("", made[:8]) == "parquet"
    assert json.loads(written(made, "jsonl", on_error="null").splitlines()[1]) == {
        "id": "x", "age": 30, "income": 2.0, "city": "Köln",
        "prediction": "no", "probability_no": 0.5, "probability_yes": 0.5,
        "prediction_2": "no", "probability_no_2": 0.5, "probability_yes_2": 0.5,
    }  # fmt: skip
    assert written(made, "csv", on_error="null").splitlines()[1].startswith(b"007,45,,Bonn,yes,0.25,0.75,yes")


def test_a_damaged_parquet_file_is_bad_input():
    made = bytearray(written(b"age,income,city\n" + b"45,1.5,Bonn\n" * 99, "parquet"))
    made[10:40] = bytes(30)
    refused(bytes(made))


def test_typed_columns_of_parquet_are_checked_as_values():
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    out = io.BytesIO()
    columns = {
        "age": pyarrow.array([1, None, 3, 4], pyarrow.int8()),
        "income": pyarrow.array([1, 2, None, float("inf")], pyarrow.float32()),
        "city": pyarrow.array(["a", "b", "a", None]).dictionary_encode(),
    }
    parquet.write_table(pyarrow.table(columns), out)
    assert [problem.at for problem in refused(out.getvalue()).problems] == [
        "row 2, column 'age'",
        "row 4, column 'income'",
    ]
    assert read(out.getvalue(), on_error="null")[0] == (1, 1.0, "a")


def test_decimal_numbers_bytes_and_times_of_parquet_are_read_as_what_they_spell():
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    out = io.BytesIO()
    columns = {
        "age": pyarrow.array([Decimal("45.00"), Decimal("30.00")]),
        "income": pyarrow.array([Decimal("0.1"), None]),
        "city": pyarrow.array(["Köln".encode(), b"Bonn"]),
        "at": pyarrow.array([1, None], pyarrow.timestamp("ns")),
    }
    parquet.write_table(pyarrow.table(columns), out)
    assert read(out.getvalue()) == [(45, 0.1, "Köln"), (30, pytest.approx(np.nan, nan_ok=True), "Bonn")]
    assert b"1970-01-01 00:00:00.000000001,yes" in written(out.getvalue())


def sheet(*rows: list[object]) -> bytes:
    """The smallest xlsx file with these rows."""
    ms, office = (
        "http://schemas.openxmlformats.org",
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    )
    main, package = f'xmlns="{ms}/spreadsheetml/2006/main"', f'xmlns="{ms}/package/2006/relationships"'
    cell = {str: '<c t="inlineStr"><is><t>{}</t></is></c>', bool: '<c t="b"><v>{:d}</v></c>', type(None): "<c/>"}
    lines = ("".join(cell.get(type(each), "<c><v>{}</v></c>").format(each) for each in row) for row in rows)
    book = f'<workbook {main} xmlns:r="{office}"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>'
    relation = f'<Relationships {package}><Relationship Id="r1" Type="{office}/{{}}" Target="{{}}"/></Relationships>'
    files = {
        "[Content_Types].xml": f'<Types xmlns="{ms}/package/2006/content-types"/>',
        "_rels/.rels": relation.format("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": relation.format("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>"
        + "".join(f"<row>{line}</row>" for line in lines)
        + "</sheetData></worksheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return out.getvalue()


def test_the_first_sheet_of_a_spreadsheet_is_read():
    pytest.importorskip("python_calamine")
    content = sheet(["city", "age", "income"], ["Bonn", 45, 1.5], [None, None, None], [10115, 30, None])
    assert read(content, on_error="null") == [(45, 1.5, "Bonn"), (30, pytest.approx(np.nan, nan_ok=True), "10115")]
    assert written(content).splitlines()[2] == b"10115,30,,no,0.5,0.5"


def test_a_spreadsheet_that_would_take_all_memory_is_refused_before_it_is_read(monkeypatch):
    def far(cell: str) -> bytes:
        content, out = sheet(["age"], [1]), io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
            for name in old.namelist():
                new.writestr(
                    name, old.read(name).replace(b"<row><c><v>1", b'<row><c s="0" r="%s"><v>1' % cell.encode())
                )
        return out.getvalue()

    sheets.check(far("XFD2000"))  # 32 million cells
    with pytest.raises(TooLarge, match="1,048,576 × 16,384 cells"):
        sheets.check(far("XFD1048576"))  # would be 500 GB
    monkeypatch.setattr(sheets, "UNPACKED", 100)
    with pytest.raises(TooLarge, match="unpacks to more than the 100 bytes"):
        sheets.check(sheet(["age"], [1]))
    with pytest.raises(BadInput, match="cannot be read"):
        sheets.check(sheet(["age"])[:-30])


def of_ods(*rows: str) -> bytes:
    """An ods file with these rows, as XML without names' declarations: it is only looked at."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("content.xml", f'<table:table table:name="a">{"".join(rows)}</table:table>')
    return out.getvalue()


def test_an_ods_reaches_to_its_last_value_however_often_that_is_repeated():
    value, empty = '<table:table-cell office:value="1" table:number-columns-repeated="{}"/>', "<table:table-cell/>"
    million = '<table:table-row table:number-rows-repeated="1048575">{}</table:table-row>'
    one = f"<table:table-row>{value.format(1)}</table:table-row>"
    sheets.check(of_ods(one, million.format(empty)))  # as LibreOffice ends a sheet
    for rows in ((one, million.format(value.format(16384))), (million.format(empty), one.replace('"1"/', '"16384"/'))):
        with pytest.raises(TooLarge, match="1,048,576 × 16,384 cells"):
            sheets.check(of_ods(*rows))


@pytest.mark.parametrize(("row", "column", "refused"), [(1000, 100, False), (1048575, 16383, True)])
def test_a_cell_far_out_in_an_xlsb_is_found(row, column, refused):
    out = io.BytesIO()
    records = b"\x00\x04" + struct.pack("<I", row) + b"\x05\x10" + struct.pack("<IId", column, 0, 1.0)
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("xl/workbook.bin", b"")
        file.writestr("xl/worksheets/sheet1.bin", b"\x81\x01\x00" + records)
    if not refused:
        sheets.check(out.getvalue())
        return
    with pytest.raises(TooLarge, match="1,048,576 × 16,384 cells"):
        sheets.check(out.getvalue())


def test_a_cell_of_a_spreadsheet_that_does_not_fit_is_told():
    pytest.importorskip("python_calamine")
    content = sheet(["city", "age", "income"], ["Bonn", 4.5, True], ["Bonn", "45", "x"])
    assert [problem.at for problem in refused(content).problems] == ["row 1, column 'age'", "row 2, column 'income'"]
    assert "no rows after its header" in refused(sheet(["city", "age", "income"])).detail
    assert "header is missing" in refused(sheet([1, 2, 3])).detail
    assert "first sheet is empty" in refused(sheet()).detail


def test_ten_thousand_columns_and_a_text_of_a_megabyte_are_read():
    names = [f"c{index}" for index in range(10_000)]
    codec = Codec(Signature(task=Task.REGRESSION, inputs=tuple(Field(name=name) for name in names)))
    with table.read(f"{','.join(names)}\n{','.join(map(str, range(10_000)))}\n".encode(), codec) as rows:
        assert [column[0] for column in next(iter(rows)).columns.values()] == list(range(10_000))
    assert read(b'age,income,city\n45,1.5,"' + b"x" * 10**6 + b'"\n') == [(45, 1.5, "x" * 10**6)]


def test_a_header_of_any_length_is_told_shortly():
    assert len(refused(b"x" * 10**6 + b",income,city\n1,2,3\n").detail) < 500


def test_an_unknown_format_says_what_there_is():
    with pytest.raises(UnsupportedContent, match="csv, jsonl, parquet, excel"):
        table.read(b"x", CODEC, format="xml")
    with table.read(b"age,income,city\n1,2,a\n", CODEC) as rows, pytest.raises(UnsupportedContent, match="No writer"):
        writers.writer("xml", rows)


def test_json_lines_are_strict_and_told_by_row():
    content = (
        b'{"age":"45","income":NaN,"city":"a"}\n{"age":1,"city":"a"}\n[]\n{oops\n{"age":true,"income":1,"city":3}\n'
    )
    assert [(problem.at, problem.message) for problem in refused(content).problems] == [
        ("row 1, column 'age'", "'age' takes a whole number, not text ('45')."),
        ("row 1, column 'income'", "NaN is not finite: 'income' takes a number or null."),
        ("row 2, column 'income'", "Field 'income' is missing."),
        ("row 3", "A row is an object, not an array of 0."),
        ("row 4", "The line is not JSON: Expecting property name enclosed in double quotes at line 1, column 2."),
        ("row 5, column 'age'", "'age' takes a whole number, not true."),
        ("row 5, column 'city'", "'city' takes text, not 3."),
    ]


@pytest.mark.parametrize("text", ['"age":1,"income":2,"city":"a"', r'"age":1,"income":2,"city":"a \" b"'])
def test_a_repeated_key_is_refused_in_json_lines_and_arrays(text):
    row = b"{%s}" % text.encode()
    assert read(row) == read(b"[" + row + b"]") == [(1, 2.0, json.loads(row)["city"])]
    for bad in (row.replace(b"{", b'{"age":3,'), row.replace(b"}", b',"more":1,"more":{"a":"b"}}')):
        for content in (row + b"\n" + bad, b"[" + row + b"," + bad + b"]"):
            (problem,) = refused(content).problems
            assert problem.at == "row 2"
            assert "given more than once" in problem.message


def test_half_of_a_surrogate_pair_is_refused_in_a_column_that_is_only_passed_on_too():
    row = b'{"age":45,"income":1.5,"city":"Bonn","more":"\\ud800"}'
    assert refused(row.replace(b"\\ud800", b"") + b"\n" + row).problems[0].at == "row 2"
    with pytest.raises(NotJSON, match="surrogate"):
        read(b"[" + row + b"]", name="rows.json")


def test_outputs_are_columns_by_name_and_tensors_are_json():
    outputs = (Output(name="a"), Output(name="b", shape=(2,)))
    codec = Codec(Signature(task=Task.TRANSFORM, inputs=INPUTS[:1], outputs=outputs, score=True))
    answer = Answer(values=(np.array([1.5]), np.array([[1.0, np.nan]])), score=np.array([np.nan]))
    with table.read(b"age\n1\n", codec) as rows:
        out = writers.writer("csv", rows)
        assert out.head() == b"age,prediction_a,prediction_b,score\n"
        assert out.rows(next(iter(rows)), answer) == b'1,1.5,"[1.0,null]",\n'


def test_labels_are_quoted_where_a_reader_needs_it():
    codec = Codec(Signature(task=Task.CLASSIFICATION, inputs=INPUTS[:1], classes=("a,b", 'c"')))
    with table.read(b"age\n1\n2\n", codec) as rows:
        out = writers.writer("csv", rows)
        assert out.rows(next(iter(rows)), Answer(values=(np.array(["a,b", 'c"']),))) == b'1,"a,b"\n2,"c"""\n'


def test_all_columns_of_a_sample_are_loaded_as_their_values_have_them(tmp_path):
    path = tmp_path / "sample.csv"
    path.write_text("n,x,on,gaps,city,empty\n1,1.5,true,True,Köln,\n2,,False,,NA,\n", encoding="utf-8")
    found = table.load(path)
    assert {
        name: (column.dtype.name, column.tolist()) for name, column in found.items() if name not in ("x", "empty")
    } == {
        "n": ("float64", [1.0, 2.0]),
        "on": ("bool", [True, False]),
        "gaps": ("float64", pytest.approx([1.0, np.nan], nan_ok=True)),
        "city": ("object", ["Köln", None]),
    }
    assert found["x"][0] == 1.5
    assert np.isnan(found["x"][1])
    assert np.isnan(found["empty"]).all()


@pytest.mark.parametrize(
    ("name", "start", "form"),
    [
        ("a.csv", b"", "csv"),
        ("a.TSV", b"", "csv"),
        ("a.jsonl", b"", "jsonl"),
        ("a.csv", b"PAR1", "parquet"),
        ("", b' {"a"', "jsonl"),
        ("", b"a,b", "csv"),
        ("a.xls", b"\xd0\xcf\x11\xe0", "excel"),
        ("a.xls", b"age\tincome", "csv"),
        ("a.xls", b"", "excel"),
        (Path("out.parquet"), b"", "parquet"),
    ],
)
def test_the_first_bytes_tell_the_format_before_the_name_does(name, start, form):
    assert format_of(name, start) == form
