"""One server with several models, one browser, for all tests of pages; what the browser complains of fails a test."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
import pytest
import zoo
from containers import DEADLINE
from sklearn.linear_model import LinearRegression

from flaskship import make
from flaskship.settings import Settings

ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGS += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
ARGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
ZOO = ["text", "two_numbers", "columns_with_text", "isolation_forest", "clusters", "components", "forest_gaps"]
ODD = ["<script>alert(1)</script>", 'it\'s "quoted" & <b>', "${x}`", "elements", "querySelectorAll"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.needs("chromium", "playwright"))


def odd(folder: Path) -> Path:
    """A model whose fields have names that would harm a page that does not escape them."""
    rows = pd.DataFrame(np.arange(50.0).reshape(10, 5), columns=ODD)
    zoo.by_joblib(LinearRegression().fit(rows, np.arange(10.0)), folder / "odd.joblib")
    return folder / "odd.joblib"


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory, sales: Path, petrol: Path) -> list[Path]:
    """Bundles of models of every task, the first of sales and petrol with what their samples tell."""
    folder = tmp_path_factory.mktemp("pages")
    plain = Settings(compile=False)
    learnt = {
        "sales": (sales / "sales.joblib", sales / "online_sales.csv", "converted"),
        "petrol": (petrol / "petrol_pipeline.joblib", petrol / "petrol.csv", "Petrol_Consumption"),
    }
    for name, (path, sample, target) in learnt.items():
        known = Settings(name=name, sample=sample, target_column=target, compile=False, model_version="1.2")
        make.make(path, known, folder / name)
    make.make(odd(folder), plain, folder / "odd")
    for name in ZOO:
        make.make(zoo.case(name, folder / "zoo").path, Settings(compile=False, name=name), folder / name)
    return [folder / name for name in (*learnt, "odd", *ZOO)]


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Serves bundles in a process of their own: the server's address, with a slash."""
    running: list[subprocess.Popen[str]] = []
    readers: list[threading.Thread] = []
    log = tmp_path_factory.mktemp("server") / "log"

    def start(*bundles: Path) -> str:
        command = [sys.executable, "-m", "flaskship", "serve", *map(str, bundles), "--port", "0", "--workers", "1"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FLASKSHIP_")}
        made = subprocess.Popen(command, stderr=subprocess.PIPE, env=clean, text=True)
        running.append(made)
        assert made.stderr
        address = next(line.split()[-1] for line in made.stderr if line.startswith("Serving ")) + "/"
        assert urllib.request.urlopen(f"{address}readyz", timeout=DEADLINE).status == 200
        readers.append(threading.Thread(target=keep, args=(made.stderr,)))
        readers[-1].start()
        return address

    def keep(said: TextIO) -> None:
        """Its further words go to a file, as a pipe that nobody reads would stop it once it is full."""
        with said, log.open("a") as file:
            shutil.copyfileobj(said, file)

    yield start
    for each in running:
        each.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            each.wait(DEADLINE)
        each.kill()
    for each in readers:
        each.join()


@pytest.fixture(scope="session")
def site(serve, bundles) -> str:
    """The address of a server with all the models."""
    return serve(*bundles)


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        sync_api.expect.set_options(timeout=DEADLINE * 1000)
        made = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS, timeout=DEADLINE * 1000)
        yield made
        made.close()


@pytest.fixture
def expect(browser) -> Callable[..., object]:
    """Playwright's assertions, which wait until they are true."""
    return pytest.importorskip("playwright.sync_api").expect


class Watched:
    """What a browser said, and where it went."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.hosts: set[str] = set()
        self.allowed = r"(?!)"  # a pattern of what may be said

    def follow(self, page) -> None:
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("request", lambda request: self.hosts.add(re.sub(r"^blob:", "", request.url)))


@pytest.fixture
def watched(site) -> Iterator[Watched]:
    seen = Watched()
    yield seen
    bad = [line for line in seen.said if line.startswith(("error", "warning"))]
    assert not [line for line in bad if not re.search(seen.allowed, line)]
    assert not [url for url in seen.hosts if not re.match(r"http://(127\.0\.0\.1|localhost):\d+/", url)]


@pytest.fixture
def visit(browser, site, watched) -> Iterator[Callable[..., object]]:
    """Opens a page of the site in a fresh browser context."""
    contexts = []

    def opened(path: str = "sales/", *, width: int = 1440, scheme: str = "light", script: bool = True):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
        )
        context.set_default_timeout(DEADLINE * 1000)
        contexts.append(context)
        page = context.new_page()
        watched.follow(page)
        page.goto(path if path.startswith("http") else site + path)
        return page

    yield opened
    for each in contexts:
        each.close()
