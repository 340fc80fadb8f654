"""What holds of whole pages: nobody is left out, nothing is from elsewhere, programs run as shown."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import requests
from containers import DEADLINE
from flask import Flask
from werkzeug.serving import make_server

from flaskship import web
from flaskship.bundle import Bundle
from flaskship.settings import Settings

SCREENS = [(360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")]
LOOKS = [("sales/", *screen) for screen in SCREENS]
LOOKS += [("", 360, "dark"), ("", 1440, "light"), ("petrol/", 1440, "dark"), ("columns_with_text/", 360, "light")]


@pytest.mark.parametrize(("path", "width", "scheme"), LOOKS)
def test_a_page_has_no_serious_barrier_and_fits_its_screen(visit, path, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(path, width=width, scheme=scheme)
    if path:
        page.wait_for_selector("#answer .took")
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == scheme
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.run(page, options={"resultTypes": ["violations"], "iframes": False}).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert not [(each["id"], each["nodes"][0]["html"]) for each in serious]


def test_a_batch_result_and_errors_have_no_serious_barrier(visit, watched, sales):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(scheme="dark")
    page.get_by_label("age", exact=True).fill("")
    page.wait_for_selector("#problem-field-1:not([hidden])")
    page.set_input_files("#file", sales / "online_sales_unlabelled.csv")
    page.click("#score")
    page.wait_for_selector("#download")
    found = axe.run(page).response["violations"]
    assert not [each["id"] for each in found if each["impact"] in ("serious", "critical")]


def test_the_theme_can_be_chosen_and_stays(visit, expect):
    page = visit(scheme="light")
    page.get_by_role("button", name="Dark colours").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page.get_by_role("button", name="Dark colours")).to_have_attribute("aria-pressed", "true")


def test_the_index_leads_to_each_model(visit):
    page = visit("")
    page.get_by_role("link", name="sales").click()
    page.wait_for_selector("#answer .large")
    assert page.url.endswith("/sales/")
    assert page.inner_text("h1").startswith("sales")


def test_the_page_tells_what_the_model_is(visit):
    page = visit()
    about = page.inner_text("#about")
    for said in ("LogisticRegression", "scikit-learn", "316,200 rows", "64.0 MB", "sales.joblib", "1.2"):
        assert said in about
    page = visit("petrol/")
    page.get_by_text("Diagram").click()
    frame = page.frame_locator("iframe")
    frame.locator("label", has_text="RandomForestRegressor").wait_for()


@pytest.fixture
def programs(visit) -> dict[str, str]:
    """The programs that a page shows, by name."""
    page = visit("columns_with_text/")
    codes = page.locator(".snippet code")
    return {each.get_attribute("id").removeprefix("snippet-"): each.text_content() for each in codes.all()}


@pytest.mark.needs("curl")
def test_curl_runs_as_shown(programs):
    done = subprocess.run(
        ["bash", "-c", programs["curl"]], capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    assert "prediction" in json.loads(done.stdout)


@pytest.mark.needs("curl")
def test_curl_with_a_file_runs_as_shown(programs, tmp_path):
    subprocess.run(
        ["bash", "-ec", programs["file"]], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    assert "prediction" in (tmp_path / "predictions.csv").read_text().splitlines()[0]


def test_python_runs_as_shown(programs):
    done = subprocess.run(
        [sys.executable, "-c", programs["python"]], capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    assert "'prediction'" in done.stdout


def test_javascript_runs_as_shown(programs, visit):
    page = visit("columns_with_text/")
    with page.expect_console_message() as said:
        page.evaluate(f"async () => {{ {programs['javascript']} }}")
    assert "prediction" in said.value.text


@pytest.mark.parametrize("model", ["sales", "odd", "text", "forest_gaps", "two_numbers"])
def test_programs_and_the_sample_file_fit_every_model(site, model, tmp_path):
    page = requests.get(f"{site}{model}/", timeout=DEADLINE).text
    code = re.search(r'<code id="snippet-curl">(.*?)</code>', page, re.DOTALL)[1]
    for sign, plain in (("&#39;", "'"), ("&#34;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        code = code.replace(sign, plain)
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert "prediction" in json.loads(done.stdout)
    rows = requests.get(f"{site}{model}/sample.csv", timeout=DEADLINE).content
    answer = requests.post(f"{site}{model}/predict_file", files={"file": ("sample.csv", rows)}, timeout=DEADLINE)
    assert answer.json().get("rows") == 5, answer.text


def test_programs_have_the_address_that_a_proxy_was_asked_for(site):
    headers = {
        "X-Forwarded-Proto": "https", "X-Forwarded-Host": "models.example:8443", "X-Forwarded-Prefix": "/team/",
    }  # fmt: skip
    assert "https://models.example:8443/team/sales/predict" in requests.get(f"{site}sales/", headers=headers).text
    evil = {"X-Forwarded-Host": "x'; rm -rf ~ #", "X-Forwarded-Prefix": "/$(id)"}
    page = requests.get(f"{site}sales/", headers=evil).text
    assert "rm -rf" not in page
    assert f"{site}sales/predict" in page


def test_a_copy_button_copies_the_program(visit):
    page = visit()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("tab", name="Python").click()
    page.evaluate(  # what is there for two seconds only
        """() => {
          const button = document.querySelector("[data-copy=snippet-python]");
          window.said = [];
          new MutationObserver(() => window.said.push(button.textContent)).observe(button, { childList: true });
        }"""
    )
    page.get_by_role("button", name="Copy Python").click()
    page.wait_for_function("window.said.includes('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#snippet-python").text_content()


def test_tabs_are_turned_by_the_keyboard(visit, expect):
    page = visit()
    page.get_by_role("tab", name="curl").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(":focus")).to_have_text("Python")
    expect(page.locator("#snippet-python")).to_be_visible()
    expect(page.locator("#snippet-curl")).to_be_hidden()


@pytest.mark.parametrize("path", ["", "sales/", "sales/apidocs"])
def test_every_page_has_its_json_twin(site, path):
    answer = requests.get(f"{site}{path}", headers={"Accept": "application/json"}, timeout=DEADLINE)
    assert answer.headers["Content-Type"] == "application/json"
    assert isinstance(answer.json(), dict)


def test_a_form_is_answered_as_json_for_whom_accepts_that(site):
    row = {"age": 30, "new_user": 1, "total_pages_visited": 4}
    answer = requests.post(f"{site}sales/", data=row, headers={"Accept": "application/json"}, timeout=DEADLINE)
    assert answer.json() == requests.post(f"{site}sales/predict", json=row, timeout=DEADLINE).json()
    assert answer.headers["Server-Timing"].startswith("model;dur=")


@contextlib.contextmanager
def served(app: Flask) -> Iterator[str]:
    """The address of a server of `app`."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_blueprint_below_a_prefix_has_the_same_page(visit, bundles):
    app = Flask("somebody's")
    settings = Settings()
    app.register_blueprint(web.blueprint(web.subject(Bundle.read(bundles[0]), settings), settings), url_prefix="/a b/c")
    with served(app) as address:
        page = visit(f"{address}/a%20b/c/")
        page.wait_for_selector("#answer .large")
        assert f"{address}/a%20b/c/predict" in page.inner_text("#snippet-curl")
        assert page.evaluate("getComputedStyle(document.querySelector('.btn-primary')).cursor") == "pointer"
        page.context.close()


def test_a_browser_is_asked_for_the_key_and_the_page_works_with_it(browser, watched, bundles, expect):
    settings = Settings(api_key="s3cret")
    subject = web.subject(Bundle.read(bundles[0]), settings)
    with served(web.create_app([subject], settings)) as address:
        context = browser.new_context(http_credentials={"username": "", "password": "s3cret"})
        page = context.new_page()
        watched.follow(page)
        assert page.goto(f"{address}/").status == 200
        page.fill("[name=age]", "21")
        expect(page.locator("#answer .took")).to_be_visible()
        rows = {"name": "rows.csv", "mimeType": "text/csv", "buffer": b"age,new_user,total_pages_visited\n45,0,5\n"}
        page.set_input_files("#file", rows)
        page.click("#score")
        expect(page.locator("#result .table")).to_be_visible()
        context.close()
