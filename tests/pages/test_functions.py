"""The pages of functions: a control for each type, an answer for each kind, with and without JavaScript."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import functions
import pytest
from containers import DEADLINE

SCREENS = [("price", 360, "light"), ("tell", 1440, "dark")]


@pytest.fixture(scope="session")
def place(serve, tmp_path_factory) -> str:
    """The address of a server of functions.py."""
    folder = tmp_path_factory.mktemp("functions")
    shutil.copy(functions.__file__, folder / "functions.py")
    return serve(folder / "functions.py")


@pytest.fixture
def page_of(visit, place):
    return lambda name, **more: visit(f"{place}{name}/", **more)


def ran(page) -> None:
    """Runs the function, and waits for its answer."""
    page.get_by_role("button", name="Run").click()
    page.wait_for_selector("#answer .took")


def test_the_index_says_what_each_function_does(visit, place):
    page = visit(place)
    assert "Finds a square and a stripe in any picture." in page.inner_text("main")
    page.get_by_role("link", name="segment").click()
    page.wait_for_url("**/segment/")
    assert "/segmentapi" in page.inner_text("main")


def test_each_type_has_its_control_and_the_browser_knows_the_limits(page_of):
    page = page_of("price")
    kinds = {"rooms": "number", "area": "number", "built": "date", "viewed": "datetime-local", "note": "text"}
    for name, kind in kinds.items():
        assert page.locator(f"[name={name}]").get_attribute("type") == kind
    rooms, note = page.locator("[name=rooms]"), page.locator("[name=note]")
    assert [rooms.get_attribute(each) for each in ("min", "max", "step")] == ["1", "20", "1"]
    assert note.get_attribute("maxlength") == "12"
    assert page.locator("[name=town] option").all_text_contents() == ["default", "Ulm", "Bonn"]
    assert page.locator("[name=garden]").get_attribute("role") == "switch"
    assert page.locator("[name=built]").input_value() == "1990-05-01"
    assert page.get_by_label("image").count() == 0
    page = page_of("segment")
    assert page.locator("[name=image]").get_attribute("accept") == "image/*"
    assert page.locator("input[capture]").get_attribute("capture") == "environment"
    page = page_of("area")
    page.get_by_text("What it may be").click()
    assert '"required"' in page.inner_text(".schema pre")
    assert json.loads(page.locator("[name=points]").input_value()) == [{"x": 0.0}]


def test_nothing_runs_before_it_is_asked_for_and_what_is_left_out_is_the_default(page_of, expect):
    page = page_of("price")
    expect(page.locator("#answer")).to_contain_text("The answer appears here.")
    page.locator("[name=area]").fill("50")
    page.locator("[name=rooms]").fill("2")
    page.locator("[name=built]").fill("")
    page.locator("[name=town]").select_option("")
    ran(page)
    expect(page.locator("#answer .large")).to_have_text("7,000")
    page.get_by_text("As JSON", exact=True).click()
    expect(page.locator(".json pre")).to_contain_text('"prediction": 7000.0')
    page.locator("[name=viewed]").fill("2026-01-31T10:30:00")
    page.locator("[name=garden]").check()
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer .large")).to_have_text("7,050")


def test_the_browser_holds_limits_and_the_server_tells_the_rest_beside_its_field(page_of, expect):
    page = page_of("price")
    page.locator("[name=rooms]").fill("21")
    page.get_by_role("button", name="Run").click()
    assert not page.locator("[name=rooms]").evaluate("(each) => each.validity.valid")
    page.locator("[name=rooms]").fill("20")
    page.locator("[name=area]").fill("0")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("[data-field=area] .problem")).to_contain_text("must be more than 0")
    expect(page.locator("[name=area]")).to_have_attribute("aria-invalid", "true")
    page.locator("[name=area]").fill("10")
    page.locator("[name=note]").fill("refuse")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer .problem")).to_have_text("This flat is not for sale.")
    expect(page.locator("[data-field=area] .problem")).to_be_hidden()


def test_an_example_is_taken_with_a_click_and_a_picture_that_is_answered_is_shown(page_of, expect):
    page = page_of("turn")
    page.get_by_role("link", name="Example").click()
    expect(page.get_by_role("img", name="picture.png, as it will be sent")).to_be_visible()
    ran(page)
    expect(page.get_by_alt_text("The picture that was answered")).to_be_visible()
    page.get_by_role("button", name="Start over").click()
    expect(page.locator(".chosen-file")).to_be_hidden()


def test_many_rows_go_through_a_function_and_what_is_optional_may_be_left_out(page_of, expect):
    page = page_of("price")
    rows = {"name": "flats.csv", "mimeType": "text/csv", "buffer": b"rooms,area\n2,50\n3,50\n"}
    page.set_input_files("#file", rows)
    expect(page.locator("#preview .fine")).to_contain_text("Left out: town, built, garden, note, viewed.")
    page.click("#score")
    expect(page.locator("#result .table .out").last).to_have_text("8000.0")
    assert page_of("count").locator("#batch").count() == 0  # a file is in no cell
    page = page_of("area")
    expect(page.locator("#batch .intro")).to_contain_text("Lists and objects stand in a cell as JSON")
    page.set_input_files("#file", rows | {"buffer": b'points\n"[{""x"": 2}]"\n'})
    page.click("#score")
    expect(page.locator("#result .table .out").last).to_have_text('[{"x":2.0,"y":0.0}]')


def test_labels_are_bars_and_records_a_table(page_of, expect):
    page = page_of("mood")
    assert page.locator("[name=text]").evaluate("(each) => each.tagName") == "TEXTAREA"
    page.locator("[name=text]").fill("a good day")
    ran(page)
    expect(page.locator("#answer .bars li")).to_have_count(2)
    expect(page.locator("#answer .chosen")).to_contain_text("90.0 %")
    page = page_of("area")
    page.locator("[name=points]").fill('[{"x": 1}, {"x": 2, "y": 3}]')
    ran(page)
    expect(page.locator("#answer tbody tr")).to_have_count(2)
    expect(page.locator("#answer thead")).to_have_text("xy")


def test_a_stream_is_shown_as_it_comes_and_can_be_stopped(page_of, expect):
    page = page_of("tell")
    page.locator("[name=prompt]").fill("tick ")
    page.locator("[name=words]").fill("100000")
    page.locator("[name=pause]").fill("0.01")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer .stream")).to_contain_text("tick 3")
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#answer .took")).to_be_visible()
    expect(page.locator("#answer")).to_contain_text("Stopped.")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    page.locator("[name=words]").fill("3")
    page.locator("[name=fail]").check()
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer .problem")).to_contain_text("could not answer")
    page.locator("[name=prompt]").fill("refuse")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer .problem")).to_have_text("No such story.")


def test_all_of_it_works_without_javascript(page_of, expect):
    page = page_of("tell", script=False)
    page.locator("[name=prompt]").fill("word ")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer")).to_contain_text("word 0word 1word 2")
    page = page_of("price", script=False)
    page.locator("[name=viewed]").fill("2026-01-31T10:30")
    page.locator("[name=area]").fill("50")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer .large")).to_have_text("6,000")
    expect(page.locator("[name=area]")).to_have_value("50")


@pytest.mark.parametrize(("name", "width", "scheme"), SCREENS)
def test_a_functions_page_has_no_serious_barrier_and_fits_its_screen(page_of, name, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = page_of(name, width=width, scheme=scheme)
    ran(page)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]


@pytest.mark.needs("curl")
@pytest.mark.parametrize("name", ["price", "segment", "turn", "mood", "tell", "count", "area"])
def test_the_programs_run_as_shown(page_of, name, tmp_path):
    page = page_of(name)
    codes = {each.get_attribute("id"): each.text_content() for each in page.locator(".snippet code").all()}
    said = {"tell": "text 2", "segment": "boxes", "turn": ""}.get(name, "prediction")
    for program in (["bash", "-ec", codes["snippet-curl"]], [sys.executable, "-c", codes["snippet-python"]]):
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=True)
        assert said in done.stdout
        if name == "turn":
            assert (tmp_path / "answer.png").read_bytes().startswith(b"\x89PNG")
            (tmp_path / "answer.png").unlink()
    with page.expect_console_message(lambda message: said in message.text):
        page.evaluate(f"async () => {{ {codes['snippet-javascript']} }}")
