"""`make screenshots`: trains the examples, serves them, and takes the pictures of docs/images with Chromium.

With a FOLDER it is taken for the example of segmentation, trained already: that takes minutes.
"""

from __future__ import annotations

import runpy
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
LARGEST = 150_000  # bytes of a picture
SCENE = 13  # the number of a picture of shapes


@contextmanager
def serving(folder: Path, *what: str) -> Iterator[str]:
    """A server of the targets in `folder`, ready: its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "flaskship", "serve", *what, "--port", str(port), "--workers", "1"]
    server = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE)
    try:
        assert server.stderr
        for line in server.stderr:
            if b"Serving" in line:
                break
        else:
            sys.exit("The server did not start.")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.communicate()


def opened(browser: Browser, url: str, width: int, height: int, scheme: str, ready: str = "#answer .took") -> Page:
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
    page.goto(url)
    page.wait_for_selector(ready)
    return page


def kept(page: Page, name: str) -> None:
    """The part of the page that is in view, as docs/images/NAME; as JPEG where it holds a photograph."""
    page.wait_for_timeout(500)  # bars glide
    path = IMAGES / name
    page.screenshot(path=path, **({"type": "jpeg", "quality": 80} if path.suffix == ".jpg" else {}))
    page.context.close()
    if path.stat().st_size > LARGEST:
        sys.exit(f"{path} has {path.stat().st_size} bytes, more than {LARGEST}.")
    print(path.relative_to(ROOT), path.stat().st_size, "bytes")


def take(browser: Browser, sales: str, petrol: str, rows: Path) -> None:
    page = opened(browser, sales, 1200, 640, "light")
    page.get_by_label("age", exact=True).fill("24")
    page.get_by_label("new_user").select_option("0")
    page.get_by_label("total_pages_visited", exact=True).fill("14")
    page.wait_for_function("() => document.querySelector('#answer .large')?.textContent === '1'")
    kept(page, "form.png")

    page = opened(browser, sales, 1200, 800, "light")
    page.set_input_files("#file", rows)
    page.click("#score")
    page.wait_for_selector("#download", timeout=60_000)
    page.evaluate("document.querySelector('#result').scrollIntoView({ behavior: 'instant' })")
    kept(page, "batch.png")

    kept(opened(browser, petrol, 1200, 640, "dark"), "dark.png")
    kept(opened(browser, sales, 390, 780, "light"), "phone.png")


def segmented(browser: Browser, url: str, picture: Path) -> None:
    page = opened(browser, url, 1200, 960, "light", "#form")
    page.set_input_files("[name=image]", picture)
    page.get_by_role("button", name="Run").click()
    page.wait_for_selector("#drawn[href^=blob]", timeout=60_000)
    page.wait_for_selector("canvas.picture:not([hidden])")
    page.evaluate("document.querySelector('#try').scrollIntoView({ behavior: 'instant' })")
    kept(page, "segmentation.jpg")


def shapes(folder: Path) -> Path:
    """A folder with the example of segmentation, trained, and a picture `scene.png`."""
    if len(sys.argv) > 1:
        shutil.copytree(sys.argv[1], folder / "shapes")
    else:
        shutil.copytree(ROOT / "examples" / "segmentation", folder / "shapes")
        subprocess.run([sys.executable, "train.py"], cwd=folder / "shapes", check=True)
    draw = runpy.run_path(str(folder / "shapes" / "shapes.py"))["draw"]
    Image.fromarray(draw(np.random.default_rng(SCENE), 512).picture).save(folder / "shapes" / "scene.png")
    return folder / "shapes"


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for example in ("sales", "petrol"):
            runpy.run_path(str(ROOT / "examples" / example / "train.py"))["main"](folder)
        sales = ("sales.joblib", "--sample", "online_sales.csv", "--target-column", "converted")
        petrol = ("petrol_pipeline.joblib", "--name", "petrol", "--sample", "petrol.csv")
        petrol += ("--target-column", "Petrol_Consumption")
        with serving(folder, *sales) as one, serving(folder, *petrol) as other, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
            take(browser, one, other, folder / "online_sales.csv")
            trained = shapes(folder)
            with serving(trained, "app.py", "--name", "segmentation") as third:
                segmented(browser, third, trained / "scene.png")
            browser.close()


if __name__ == "__main__":
    main()
