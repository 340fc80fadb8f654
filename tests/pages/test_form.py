"""The form of a model, in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

SAID = "#answer .large"
ASKED = "?part=answer"


def settled(page, selector: str, text: str) -> None:
    """Waits until the answer is `text`."""
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)", arg=[selector, text]
    )


def answered(page, change: Callable[[], None], text: str) -> None:
    """Does `change`, and waits until the answer to a form with `text` in it is shown."""
    page.wait_for_selector("#answer .caption")  # to what was there before
    with page.expect_response(lambda response: ASKED in response.url and text in response.request.post_data):
        change()
    page.wait_for_selector("#answer:not([aria-busy])")


def test_the_answer_is_there_at_once_and_follows_each_change(visit):
    page = visit()
    settled(page, SAID, "0")
    assert page.locator("#answer .bars li").count() == 2
    assert "The model took" in page.inner_text("#answer")
    page.get_by_label("total_pages_visited", exact=True).fill("20")
    page.get_by_label("new_user").select_option("0")
    settled(page, SAID, "1")
    assert "%" in page.inner_text("#answer .chosen")


def test_a_slider_and_its_number_say_the_same(visit, expect):
    page = visit()
    page.get_by_label("age, slider").fill("60")
    expect(page.get_by_label("age", exact=True)).to_have_value("60")
    page.get_by_label("age", exact=True).fill("33")
    expect(page.get_by_label("age, slider")).to_have_value("33")


def test_a_value_that_training_never_saw_is_marked_and_answered(visit, expect):
    page = visit()
    settled(page, SAID, "0")
    age = page.get_by_label("age", exact=True)
    age.fill("200")
    note = page.locator("#unusual-field-1")
    expect(note).to_be_visible()
    settled(page, "#answer .note", "outside the 17 to 123")
    expect(page.locator(SAID)).to_be_visible()
    age.fill("40")
    expect(note).to_be_hidden()


def test_an_error_stands_at_its_field_and_goes_when_it_is_mended(visit, expect):
    page = visit()
    settled(page, SAID, "0")
    age = page.get_by_label("age", exact=True)
    age.fill("4.5")
    settled(page, "#problem-field-1", "takes a whole number")
    expect(age).to_have_attribute("aria-invalid", "true")
    assert "problem-field-1" in age.get_attribute("aria-describedby").split()
    expect(page.locator("#problem-field-3")).to_be_hidden()
    age.fill("45")
    expect(page.locator("#problem-field-1")).to_be_hidden()
    expect(age).not_to_have_attribute("aria-invalid", "true")


def test_start_over_brings_back_what_was_there(visit, expect):
    page = visit()
    age = page.get_by_label("age", exact=True)
    first = age.input_value()
    age.fill("99")
    page.get_by_role("button", name="Start over").click()
    expect(age).to_have_value(first)
    expect(page.get_by_label("age, slider")).to_have_value(first)


def test_the_form_is_filled_and_sent_by_keyboard_alone(visit):
    page = visit()
    settled(page, SAID, "0")
    page.get_by_label("age", exact=True).focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("20")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "range"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")  # from 1 to 0
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("25")
    page.keyboard.press("Enter")
    settled(page, SAID, "1")


def test_without_javascript_the_form_posts_and_its_page_answers(visit, expect):
    page = visit(script=False)
    assert page.get_by_label("age, slider").is_hidden()
    assert page.get_by_role("button", name="Copy").count() == 0
    page.get_by_label("age", exact=True).fill("20")
    page.get_by_label("new_user").select_option("0")
    page.get_by_label("total_pages_visited", exact=True).fill("25")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator(SAID)).to_have_text("1")
    expect(page.get_by_label("age", exact=True)).to_have_value("20")
    expect(page.locator("#answer .bars li")).to_have_count(2)


def test_without_javascript_an_error_stands_at_its_field(visit, watched, expect):
    watched.allowed = "422"  # the page's own status
    page = visit(script=False)
    first = page.get_by_label("age", exact=True)
    first.fill("9" * 30)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(first).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#problem-field-1")).not_to_be_empty()
    expect(page.locator("#answer .caption")).to_have_text("Not answered", ignore_case=True)


def test_a_number_is_shown_in_the_range_of_the_sample(visit):
    page = visit("petrol/")
    page.wait_for_selector("#answer .place .at", state="attached")
    assert "Predicted Petrol_Consumption" in page.inner_text("#answer")
    assert "Petrol_Consumption in the sample is" in page.inner_text("#answer")


def test_a_text_is_asked_for_in_a_text_area(visit):
    page = visit("text/")
    answered(page, lambda: page.locator("textarea").fill("good film"), "good+film")
    settled(page, "#answer .caption", "Predicted class")
    page.wait_for_selector(SAID)


def test_a_field_may_be_left_empty_where_the_model_takes_that(visit):
    page = visit("forest_gaps/")
    first = page.locator("#form input[type=number]").first
    answered(page, lambda: first.fill(""), f"{first.get_attribute('name')}=&")
    page.wait_for_selector("#answer .bars, #answer .large")
    assert first.get_attribute("aria-invalid") is None
    assert "optional" in page.inner_text("#form label >> nth=0")


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("two_numbers", r"\d values"),
        ("columns_with_text", "Predict"),
        ("isolation_forest", "Outlier|Inlier"),
        ("clusters", r"Cluster\s+\d"),
        ("components", r"\d values"),
    ],
)
def test_models_of_every_task_answer_on_their_page(visit, model, shown):
    page = visit(f"{model}/")
    page.wait_for_selector("#answer .took")
    assert re.search(shown, page.inner_text("#answer"))


def test_names_are_text_and_never_markup(visit, watched):
    page = visit("odd/")
    page.on("dialog", lambda dialog: watched.said.append(f"a script ran: {dialog.message}"))
    page.wait_for_selector("#answer .large")
    assert page.locator("#form label", has_text="<script>alert(1)</script>").count() == 1
    page.locator("#form input[type=number]").nth(1).fill("")
    settled(page, "#problem-field-2", "is empty")
    assert page.locator("script:not([src]):not([type='application/json'])").count() == 0
    page.set_input_files(
        "#file", {"name": "<img src=x>.csv", "mimeType": "text/csv", "buffer": b"<b>a</b>,<i>\n<u>1,2\n"}
    )
    page.wait_for_selector("#preview table")
    assert "<b>a</b>" in page.inner_text("#preview")
    assert page.locator("#preview b, #preview i, #preview u, #preview img").count() == 0
