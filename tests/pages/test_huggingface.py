"""The pages of Hugging Face folders: what was found is marked, words come as they are written, labels have bars."""

from __future__ import annotations

import io

import pytest
import requests
from PIL import Image

pytest.importorskip("torch", reason="needs: torch")
transformers = pytest.importorskip("transformers", reason="needs: transformers")
import networks  # noqa: E402  # needs both


@pytest.fixture(scope="module")
def place(serve, tmp_path_factory) -> str:
    """The address of a server of a folder of texts, one of a conversation, and one of pictures."""
    folder = tmp_path_factory.mktemp("folders")
    labels = ("O", "B-PLACE", "I-PLACE")
    places = networks.save(folder / "places", networks.bert("ForTokenClassification", *labels), networks.tokenizer())
    return serve(places, networks.chat(folder / "chat"), networks.picture_models(folder)["photo"])


@pytest.fixture
def page_of(visit, place):
    return lambda name: visit(f"{place}{name}/")


def ran(page) -> None:
    page.get_by_role("button", name="Run").click()
    page.wait_for_selector("#answer .took")


def test_what_was_found_is_marked_in_its_text(page_of, expect):
    page = page_of("places")
    page.locator("[name=text]").fill("A <b>train</b> to Bonn was late, and the ship left Hamburg.")
    ran(page)
    assert page.locator("mark").count() == page.locator("#answer tbody tr").count() > 0
    expect(page.locator("mark small").first).to_have_text("PLACE")
    shown = page.locator(".marked").evaluate(
        "it => [...it.childNodes].map(each => each.firstChild?.data ?? each.data).join('')"
    )
    assert "".join(shown.split()) == "A<b>train</b>toBonnwaslate,andtheshipleftHamburg."


def test_a_conversation_is_written_as_it_comes_and_its_parameters_have_their_limits(page_of, place, expect):
    page = page_of("stream")
    assert page.locator("[name=prompt]").input_value() == networks.SENTENCES[0]
    assert [page.locator("[name=max_new_tokens]").get_attribute(each) for each in ("min", "max")] == ["1", "63"]
    for name in ("max_new_tokens", "min_new_tokens"):
        page.locator(f"[name={name}]").fill("8")
    page.get_by_role("button", name="Run").click()
    asked = {"prompt": networks.SENTENCES[0], "max_new_tokens": 8, "min_new_tokens": 8}
    written = requests.post(f"{place}stream/predict", json=asked, headers={"Accept": "text/plain"}).text
    assert written.strip()
    expect(page.locator("#answer")).to_contain_text(written)
    expect(page.locator("#answer")).to_contain_text("items in")
    page.locator("[name=messages]").fill('[{"role": "nobody", "content": "ship"}]')
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer")).to_contain_text("nobody")


def test_a_picture_has_a_bar_for_each_label(page_of, expect):
    page = page_of("photo")
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(file, "PNG")
    page.locator("[name=image]").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": file.getvalue()})
    ran(page)
    expect(page.locator(".bars li")).to_have_count(3)
    assert set(page.locator(".bar-name").all_text_contents()) == {"cat", "dog", "ship"}
