"""A file of rows, in a browser."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


def scored(page, path: Path | dict) -> None:
    page.set_input_files("#file", path)
    page.click("#score")
    page.wait_for_selector("#download")


def downloaded(page, click: str) -> bytes:
    with page.expect_download() as waiting:
        page.click(click)
    return Path(waiting.value.path()).read_bytes()


def spreadsheet(rows: list[list[object]]) -> bytes:
    """The smallest xlsx file with these rows of names and numbers."""
    base, office = "http://schemas.openxmlformats.org", "/officeDocument/2006/relationships"
    main, package = f'xmlns="{base}/spreadsheetml/2006/main"', f'xmlns="{base}/package/2006/relationships"'
    cell = {str: '<c t="inlineStr"><is><t>{}</t></is></c>', int: "<c><v>{}</v></c>"}
    lines = ["<row>" + "".join(cell[type(each)].format(each) for each in row) + "</row>" for row in rows]
    link = f'<Relationships {package}><Relationship Id="r" Type="{base}{office}/{{}}" Target="{{}}"/></Relationships>'
    files = {
        "[Content_Types].xml": f'<Types xmlns="{base}/package/2006/content-types"/>',
        "_rels/.rels": link.format("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{base}{office}"><sheets><sheet name="a" sheetId="1" r:id="r"/>'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": link.format("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>{''.join(lines)}</sheetData></worksheet>",
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return made.getvalue()


def test_a_csv_is_previewed_scored_drawn_and_downloaded(visit, sales):
    page = visit()
    page.set_input_files("#file", sales / "online_sales_unlabelled.csv")
    page.wait_for_selector("#preview .fine")
    assert "All 3 fields of the model are there." in page.inner_text("#preview")
    assert page.locator("#preview tbody tr").count() == 5
    page.click("#score")
    page.wait_for_selector("#download")
    assert "50 rows answered" in page.inner_text("#result h3")
    assert page.locator("#result tbody tr").count() == 20
    assert page.locator("#result .bars li").count() >= 1
    rows = list(csv.DictReader(downloaded(page, "#download").decode().splitlines()))
    assert len(rows) == 50
    assert list(rows[0]) == [
        "age", "new_user", "total_pages_visited", "prediction", "probability_0", "probability_1",
    ]  # fmt: skip


def test_a_large_file_leaves_the_page_quick_and_shows_how_far_it_is(visit, sales):
    page, workers = visit(), []
    page.on("worker", lambda worker: workers.append(worker.url))
    page.evaluate(
        """() => {
          window.turns = 0; window.phases = new Set();
          const turn = () => { window.turns++; setTimeout(turn, 5); };
          turn();
          const phase = document.getElementById("phase");
          const note = () => window.phases.add(phase.textContent);
          new MutationObserver(note).observe(phase, { childList: true });
        }"""
    )
    scored(page, sales / "online_sales.csv")
    assert "316,200 rows answered" in page.inner_text("#result h3")
    assert [url.rpartition("/")[2] for url in workers] == ["worker.js"]
    assert page.evaluate("window.turns") > 20  # of 5 ms or more, in which the page could have answered its user
    assert {"The model is at work.", "Reading the answers"} <= set(page.evaluate("[...window.phases]"))
    assert downloaded(page, "#download").count(b"\n") == 316_201


def test_missing_columns_are_told_before_anything_is_sent(visit):
    page = visit()
    page.set_input_files("#file", {"name": "a.csv", "mimeType": "text/csv", "buffer": b"age;id\n1;2\n"})
    page.wait_for_selector("#preview .problem")
    text = page.inner_text("#preview")
    assert "needs 2 columns that are not there: new_user, total_pages_visited" in text
    assert "Passed through unchanged: id" in text


def test_bad_rows_are_told_by_their_place_and_the_others_predicted_on_request(visit, watched):
    watched.allowed = "422"
    page = visit()
    bad = b"age,new_user,total_pages_visited\n30,1,4\nold,1,4\n31,0,\n"
    page.set_input_files("#file", {"name": "bad.csv", "mimeType": "text/csv", "buffer": bad})
    page.click("#score")
    page.wait_for_selector("#result td")
    text = page.inner_text("#result")
    assert "2 problems in the file" in text
    assert "row 2, column 'age'" in text
    page.get_by_role("button", name="Predict the other rows").click()
    page.wait_for_selector("#download")
    assert downloaded(page, "#download").splitlines()[2].startswith(b"old,1,4,")


def test_numbers_are_drawn_as_a_histogram(visit, petrol):
    page = visit("petrol/")
    scored(page, petrol / "petrol.csv")
    assert page.locator("#result .histogram rect").count() == 24
    assert page.locator("#result .histogram").get_attribute("aria-label").startswith("Histogram: from ")


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "xlsx"])
def test_other_kinds_of_files_are_scored_too(visit, tmp_path, kind):
    rows = pd.DataFrame({"age": [30, 40], "new_user": [1, 0], "total_pages_visited": [4, 22]})
    path = tmp_path / f"rows.{kind}"
    if kind == "jsonl":
        rows.to_json(path, orient="records", lines=True)
    elif kind == "parquet":
        rows.to_parquet(path)
    else:
        pytest.importorskip("python_calamine")
        path.write_bytes(spreadsheet([list(rows), *rows.values.tolist()]))
    page = visit()
    scored(page, path)
    assert "2 rows answered" in page.inner_text("#result h3")


def test_several_outputs_can_be_drawn_one_by_one(visit, site, expect):
    page = visit("two_numbers/")
    sample = page.request.get(f"{site}two_numbers/sample.csv").body()
    scored(page, {"name": "sample.csv", "mimeType": "text/csv", "buffer": sample})
    assert page.locator("#result select option").count() == 2
    first = page.locator("#result .histogram").get_attribute("aria-label")
    page.get_by_label("Output that is drawn").select_option("1")
    expect(page.locator("#result .histogram")).not_to_have_attribute("aria-label", first)
    expect(page.locator("#result .histogram")).to_have_count(1)


def test_a_file_is_scored_without_javascript(visit, sales):
    page = visit(script=False)
    page.set_input_files("#file", sales / "online_sales_unlabelled.csv")
    assert downloaded(page, "#score").startswith(b"age,new_user,total_pages_visited,prediction,")


def test_a_file_is_answered_as_json_lines_by_its_button(visit, sales):
    page = visit()
    page.set_input_files("#file", sales / "online_sales_unlabelled.csv")
    assert downloaded(page, "button:has-text('JSON Lines')").startswith(b'{"age":')


def test_quoted_cells_and_line_ends_are_read_as_the_server_reads_them(visit):
    page = visit()
    text = b'\xef\xbb\xbfage,new_user,total_pages_visited,note\r\n30,1,4,"a, ""b""\r\nc"\r\n31,0,9,plain\r\n'
    scored(page, {"name": "q.csv", "mimeType": "text/csv", "buffer": text})
    assert "2 rows answered" in page.inner_text("#result h3")
    assert 'a, "b"' in page.inner_text("#result tbody tr >> nth=0")


def test_predictions_are_counted_over_pieces_of_a_file(visit):
    """As the worker reads it, a piece ends anywhere."""
    page = visit()
    rng = np.random.default_rng(5)
    rows = [f'{index},"x{index},\n",{rng.integers(3)}' for index in range(500)]
    found = page.evaluate(
        """async (text) => {
          const { Reader } = await import(new URL("assets/csv.js", location.href));
          const reader = new Reader(","), rows = [];
          for (let at = 0; at < text.length; at += 7) {
            rows.push(...reader.rows(text.slice(at, at + 7), at + 7 >= text.length));
          }
          return rows;
        }""",
        "a,b,c\n" + "\n".join(rows),
    )
    assert found == [["a", "b", "c"], *csv.reader("\n".join(rows).splitlines(keepends=True))]
