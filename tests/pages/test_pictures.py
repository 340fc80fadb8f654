"""Pictures on pages: every way to give one, what is found drawn over it, hidden, counted and downloaded."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import pytest
import requests
from containers import DEADLINE
from PIL import Image

TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # by a quarter
WAYS = ["choose", "drop", "paste", "camera", "example"]
RED, GREEN, GROUND = (230, 25, 75), (60, 180, 75), (40, 90, 200)
CAT, DOG, SECOND, REST = (0.3, 0.2), (0.7, 0.8), (0.25, 0.8), (0.75, 0.2)  # places in what found.py finds, as shares
SCREENS = [("segment", 360, "dark"), ("segment", 1440, "light"), ("detect", 1440, "dark"), ("shorten", 360, "light")]


def picture(kind: str = "PNG", size: tuple[int, int] = (320, 200), **more: object) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, GROUND).save(written, kind, **more)
    return written.getvalue()


def file(content: bytes, name: str = "cat.png") -> dict[str, object]:
    return {"name": name, "mimeType": "image/png", "buffer": content}


@pytest.fixture(scope="module")
def place(serve, tmp_path_factory) -> str:
    """The address of a server of found.py."""
    folder = tmp_path_factory.mktemp("found")
    shutil.copy(Path(__file__).with_name("found.py"), folder)
    return serve(folder / "found.py")


@pytest.fixture
def page_of(visit, place):
    return lambda name, **more: visit(f"{place}{name}/", **more)


def ran(page) -> None:
    """Runs the function, and waits until its answer is drawn and can be downloaded."""
    page.get_by_role("button", name="Run").click()
    page.wait_for_selector("#drawn[href^=blob]")


def segmented(page_of, **more):
    page = page_of("segment", **more)
    page.set_input_files("[name=image]", file(picture()))
    ran(page)
    return page


def downloaded(page) -> Image.Image:
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the drawn picture").click()
    with Image.open(download.value.path()) as image:
        return image.convert("RGB")


def tint(image: Image.Image, place: tuple[float, float]) -> str:
    """The colour that lies at a place of a picture that has one colour itself."""
    pixel = image.getpixel((round(place[0] * image.width), round(place[1] * image.height)))
    near = {"red": RED, "green": GREEN}
    mixed = {name: [0.55 * a + 0.45 * b for a, b in zip(GROUND, each, strict=True)] for name, each in near.items()}
    known = mixed | {"none": GROUND}
    return min(known, key=lambda name: sum(abs(a - b) for a, b in zip(known[name], pixel, strict=True)))


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_is_given_in_every_way(page_of, expect, way):
    page = page_of("segment")
    content = list(picture())
    if way == "choose":
        page.set_input_files("[name=image]", file(picture()))
    elif way == "drop":
        dropped = page.evaluate_handle(
            """(content) => {
              const held = new DataTransfer();
              held.items.add(new File([new Uint8Array(content)], "cat.png", { type: "image/png" }));
              return held;
            }""",
            content,
        )
        page.dispatch_event("[data-field=image] .drop", "drop", {"dataTransfer": dropped})
    elif way == "paste":
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.evaluate(
            """(content) => navigator.clipboard.write([new ClipboardItem({
              "image/png": new Blob([new Uint8Array(content)], { type: "image/png" }),
            })])""",
            content,
        )
        page.keyboard.press("Control+V")
    elif way == "camera":
        page.get_by_role("button", name="Camera").click()
        page.get_by_role("button", name="Take the picture").click()
        expect(page.locator("video")).to_have_count(0)
    else:
        page.get_by_role("link", name="Example").click()
    expect(page.get_by_role("img", name="as it will be sent")).to_be_visible()
    ran(page)
    expect(page.locator(".layer")).to_have_count(3)


def test_a_camera_that_may_not_be_used_is_told_at_its_field(page_of, expect):
    page = page_of("segment")
    page.evaluate(
        """() => {
          const refuse = () => Promise.reject(new DOMException("no", "NotAllowedError"));
          navigator.mediaDevices.getUserMedia = refuse;
        }"""
    )
    page.get_by_role("button", name="Camera").click()
    expect(page.locator("[data-field=image] .problem")).to_have_text("The browser may not use the camera.")
    page.get_by_role("link", name="Example").click()
    expect(page.locator("[data-field=image] .problem")).to_be_hidden()


def test_the_camera_is_for_pages_with_a_picture_alone(place):
    told = {name: requests.get(f"{place}{name}/", timeout=DEADLINE).headers for name in ("segment", "shorten")}
    assert told["segment"]["Permissions-Policy"].startswith("camera=(self),")
    assert told["shorten"]["Permissions-Policy"].startswith("camera=(),")


def test_a_phone_is_asked_for_its_own_camera(browser, place, watched, expect):
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = context.new_page()
    watched.follow(page)
    page.goto(f"{place}segment/")
    expect(page.locator(".capture")).to_be_visible()
    expect(page.locator("button.camera")).to_be_hidden()
    page.set_input_files(".capture input", file(picture(), "photo.png"))
    expect(page.get_by_role("img", name="photo.png, as it will be sent")).to_be_visible()
    ran(page)
    context.close()


def test_objects_are_hidden_one_by_one_by_kind_and_at_once(page_of, expect):
    page = segmented(page_of)
    layers, counts = page.locator(".layer"), page.locator(".counts li")
    assert [tint(downloaded(page), each) for each in (CAT, DOG, SECOND, REST)] == ["red", "green", "red", "none"]
    expect(counts).to_have_text(["2 × cat", "1 × dog"])
    whole = page.locator("#drawn").get_attribute("href")
    page.get_by_label("cat 98 %").focus()
    page.keyboard.press("Space")
    expect(layers.nth(0)).to_be_hidden()
    expect(layers.nth(1)).to_be_visible()
    expect(counts).to_have_text(["1 of 2 × cat", "1 × dog"])
    expect(page.locator("#drawn")).not_to_have_attribute("href", whole)
    every = page.get_by_label("All objects")
    assert every.evaluate("(each) => each.indeterminate")
    assert [tint(downloaded(page), each) for each in (CAT, DOG, SECOND)] == ["none", "green", "red"]
    page.get_by_label("Masks").uncheck()
    expect(page.locator(".mask").nth(1)).to_be_hidden()
    expect(page.locator(".box").nth(1)).to_be_visible()
    every.check()
    expect(layers.nth(0)).to_be_visible()
    every.uncheck()
    for layer in layers.all():
        expect(layer).to_be_hidden()
    expect(counts).to_have_text(["0 of 2 × cat", "0 of 1 × dog"])


def test_what_is_pointed_at_stands_out(page_of, expect):
    page = segmented(page_of)
    page.locator(".layers label").nth(1).hover()
    expect(page.locator(".layer").nth(0)).to_have_css("opacity", "0.2")
    expect(page.locator(".layer").nth(1)).to_have_css("opacity", "1")
    page.locator(".box").nth(0).hover()
    expect(page.locator(".layer").nth(0)).to_have_css("opacity", "1")
    expect(page.locator(".layer").nth(1)).to_have_css("opacity", "0.2")


@pytest.mark.parametrize(
    ("content", "coarse", "size"),
    [
        (picture(size=(1000, 700)), "7", (1000, 700)),  # masks smaller than the picture
        (picture("JPEG", exif=TURNED), "1", (500, 800)),
        (picture("JPEG", size=(5000, 2500)), "2", (1600, 800)),
    ],
    ids=["coarse", "turned", "large"],
)
def test_masks_lie_where_they_belong(page_of, expect, content, coarse, size):
    page = page_of("segment")
    page.set_input_files("[name=image]", file(content))
    page.locator("[name=coarse][type=number]").fill(coarse)
    ran(page)
    drawn = downloaded(page)
    assert drawn.size == size
    assert [tint(drawn, each) for each in (CAT, DOG, SECOND, REST)] == ["red", "green", "red", "none"]
    box, image = page.locator(".box").nth(1).bounding_box(), page.locator(".drawing img").bounding_box()
    shown = (image["height"] * size[0] / size[1], image["height"])  # the picture itself, in the middle of its place
    right = image["x"] + (image["width"] + shown[0]) / 2
    assert abs(box["x"] + box["width"] - right) < 4
    assert abs(box["width"] - shown[0] / 2) < 6
    assert abs(box["height"] - shown[1] / 2) < 6


def test_what_is_no_picture_or_too_large_is_told_at_its_field(page_of, expect):
    page = page_of("segment")
    problem = page.locator("[data-field=image] .problem")
    page.set_input_files("[name=image]", file(b"A text.", "text.png"))
    page.get_by_role("button", name="Run").click()
    expect(problem).to_contain_text("takes a picture, such as PNG, JPEG, WebP or GIF")
    page.evaluate("document.getElementById('form').dataset.limit = '1000'")
    page.set_input_files("[name=image]", file(picture("BMP"), "large.bmp"))
    expect(problem).to_have_text("large.bmp has 192 kB: at most 1 kB are taken.")
    assert not page.locator("[name=image]").evaluate("(each) => each.validity.valid")


def test_a_drawing_works_without_javascript(page_of, expect):
    page = page_of("segment", script=False)
    expect(page.locator("button.camera, .capture")).to_have_count(2)
    expect(page.locator("button.camera, .capture").first).to_be_hidden()
    page.set_input_files("[name=image]", file(picture()))
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".layer")).to_have_count(3)
    page.get_by_label("Masks").uncheck()
    expect(page.locator(".mask").first).to_be_hidden()
    page.get_by_label("dog").uncheck()
    expect(page.locator(".layer").nth(1)).to_be_hidden()
    expect(page.locator("#drawn")).to_have_attribute("href", re.compile("^data:image/jpeg"))
    with page.expect_download() as download:
        page.click("#drawn")
    assert download.value.suggested_filename == "segment_drawn.jpg"


def test_a_long_text_has_room_and_is_counted_but_not_cut(page_of, expect):
    page = page_of("shorten")
    area, counter = page.locator("textarea[name=text]"), page.locator(".counter")
    assert area.bounding_box()["height"] > 200
    expect(page.locator("[data-field=text]")).to_contain_text("at least 1 character, at most 2,000 characters")
    area.fill("two words")
    expect(counter).to_have_text("2 words, 9 of 2,000 characters")
    area.fill("word " * 500)
    expect(counter).to_have_text("500 words, 2,500 of 2,000 characters")
    expect(area).to_have_value("word " * 500)
    page.get_by_role("button", name="Run").click()
    assert not area.evaluate("(each) => each.validity.valid")
    area.fill("word " * 300)
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer .text")).to_have_text("word " * 19 + "word")
    page.get_by_role("button", name="Start over").click()
    expect(counter).to_contain_text("1 word, ")


@pytest.mark.parametrize(("name", "width", "scheme"), SCREENS)
def test_a_page_of_pictures_has_no_serious_barrier_and_fits_its_screen(page_of, name, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = page_of(name, width=width, scheme=scheme)
    if name == "shorten":
        page.get_by_role("button", name="Run").click()
        page.wait_for_selector("#answer .took")
    else:
        page.set_input_files("[name=image]", file(picture()))
        ran(page)
        page.get_by_label("dog").uncheck()
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]
