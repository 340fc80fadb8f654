"""Apps as data scientists wrote them (tests/apps), unedited: served, packed, run as a container, and asked.

Each answers as it does when its author runs it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from apps.models import APPS, OLD, copied, environment
from containers import DEADLINE, docker, free_port, server, wait_until
from PIL import Image

from flaskship.cli import invoke

PREFIX = f"t{os.getpid()}-app"  # an engine that others use too
LOCK = "flaskship.lock"
HOST = re.compile(r"(?<=Hostname:</b> ).*")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, and what its answer has in it."""

    path: str
    shows: str
    method: str = "GET"
    more: Mapping[str, Any] = field(default_factory=dict)  # of `requests`
    status: int = 200

    def sent(self, url: str) -> requests.PreparedRequest:
        return requests.Request(self.method, f"{url}{self.path}", **self.more).prepare()


def get(path: str, shows: str, **more: Any) -> Ask:
    return Ask(path, shows, **more)


def post(path: str, shows: str, status: int = 200, **more: Any) -> Ask:
    return Ask(path, shows, "POST", more, status)


def red() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A sample app: how its author starts it, and what it is asked."""

    entry: str  # the file
    asked: tuple[Ask, ...]
    root: str = ""  # the working directory
    writes: tuple[str, ...] = ()  # files that it makes itself
    env: Mapping[str, str] = field(default_factory=dict)  # that it is given
    docker: Mapping[str, str] = field(default_factory=dict)  # that its Dockerfile gives it
    asgi: bool = False


SAMPLES = {
    "insurance": App(
        entry="app.py",
        asked=(
            get("/", "Predict your premium"),
            get("/static/style.css", "font-family"),
            post("/predict", "Your premium should be $", data={"age": "40", "bmi": "25.5", "children": "2"}),
            get("/nothing", "Not Found", status=404),
        ),
    ),
    "banknote": App(
        entry="flask_api.py",
        asked=(
            get("/", "Welcome All"),
            get("/predict?variance=-3&skewness=1&curtosis=0", "The answer is [1]"),
            post(
                "/predict_file", "[0, 1]", files={"file": ("notes.csv", "variance,skewness,curtosis\n4,1,0\n-4,1,0\n")}
            ),
            get("/apispec_1.json", "Banks Note"),
            get("/apidocs/", "swagger"),
        ),
    ),
    "churn": App(
        entry="run.py",
        root="backend",
        asked=(
            get("/", "Not found", status=404),
            get("/api/customers/2", "Bruno"),
            post("/api/predict", '"churn":', json={"tenure": 3, "monthly": 89.5, "calls": 6}),
            post("/api/predict", "Missing column", 400, json={"tenure": 3}),
        ),
    ),
    "greeting": App(
        entry="app.py",
        asked=(get("/", "Hello Ada!"), get("/score/0.6", '"positive":')),
        env={"NAME": "Ada", "API_TOKEN": "hidden"},
        docker={"STAGE": "production", "THRESHOLD": "0.7"},
    ),
    "pictures": App(
        entry="main.py",
        asked=(
            get("/", "Select a picture"),
            post("/", "This is red", files={"file": ("a red.png", red(), "image/png")}),
            get("/static/uploads/a_red.png", "PNG"),
            post("/", "Redirecting", 302, files={"other": ("x.png", red())}),
        ),
        writes=("static/uploads/a_red.png",),
    ),
    "iris_api": App(
        entry="api.py",
        asked=(
            post(
                "/iris",
                "virginica",
                json=[
                    {"sepal_length": 6.6, "sepal_width": 3, "petal_length": 5.6, "petal_width": 2},
                    {"sepal_length": 5, "sepal_width": 3.4, "petal_length": 1.5, "petal_width": 0.2},
                ],
            ),
            get("/iris", "Method Not Allowed", status=405),
        ),
    ),
    "house_prices": App(
        entry="app.py",
        asked=(
            get("/", "Predict House Price"),
            post("/predict", "House price should be $", data={"rooms": "3", "area": "80"}),
            post("/predict_api", "179999.99", json={"rooms": 3, "area": 80}),
        ),
    ),
    "wine": App(
        entry="server.py",
        asked=(
            get("/", "Wine quality API"),
            post("/quality", '"quality":', json={"acidity": 7.4, "sugar": 1.9, "alcohol": 9.4}),
        ),
    ),
    "digits": App(
        entry="run_keras_server.py",
        asked=(
            get("/", "Not Found", status=404),
            post("/predict", '"prediction":2', json={"pixels": [0] * 8 + [16] * 4 + [0] * 4}),
            post("/predict", '"success":false', json={}),
        ),
    ),
    "spam": App(
        entry="application.py",
        asked=(
            get("/", "<form"),
            post("/predict", "Spam", data={"content": "win free money"}),
            post("/api/predict", '"prediction":-1', json={"content": "meeting at noon"}),
        ),
    ),
    "loan": App(
        entry="app.py",
        asked=(
            get("/approve", "usage"),
            post("/approve", '"approved":"Y"', json={"income": 8000, "amount": 60, "married": "Yes"}),
        ),
    ),
    "diabetes": App(
        entry="flask_app.py", asked=(get("/", "Diabetes API v2"), get("/risk?glucose=180&bmi=31", '"risk":1'))
    ),
    "penguins": App(
        entry="main.py",
        asgi=True,
        asked=(
            get("/", "see /docs"),
            post("/predict", "Gentoo", json={"bill_length": 47, "flipper_length": 218, "body_mass": 5050}),
            post("/predict_many", "Adelie", json=[{"bill_length": 38, "flipper_length": 189, "body_mass": 3650}]),
            post("/predict", "bill_length", 422, json={}),
            get("/openapi.json", "Penguins"),
        ),
    ),
    "taxi": App(
        entry="app.py",
        asked=(
            post("/fare", '"fare":', json={"km": 12, "minutes": 25}),
            get("/trips", '"km":12.0'),
            get("/", "Taxi fares"),
        ),
        writes=("taxi.db", "app.log"),
        docker={"CURRENCY": "GBP"},
    ),
    "fraud": App(
        entry="fraud_app.py",
        asked=(
            post("/check", '"fraud":true', json={"amount": 1e9, "hour": 3, "country": "DE", "card_country": "US"}),
            post("/check", '"fraud":false', json={"amount": 20, "hour": 14, "country": "DE", "card_country": "DE"}),
        ),
    ),
}


def asked(app: App, url: str) -> list[list[Any]]:
    """Status and text of each answer, as from localhost; the name of the machine left out."""
    with requests.Session() as session:
        found = [session.send(each.sent(url), timeout=DEADLINE, allow_redirects=False) for each in app.asked]
    texts = [each.content.decode("utf-8", "replace").replace(url, "http://localhost") for each in found]
    return [[each.status_code, HOST.sub("", text)] for each, text in zip(found, texts, strict=True)]


def hashed(folder: Path, app: App) -> dict[str, str]:
    """Every file but what the app writes itself and our lock."""
    files = {each.relative_to(folder).as_posix(): each for each in folder.rglob("*") if each.is_file()}
    own = {name for name in files if name in app.writes or name == LOCK or "__pycache__" in name}
    return {name: hashlib.sha256(files[name].read_bytes()).hexdigest() for name in files.keys() - own}


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples as their users have them."""
    place = tmp_path_factory.mktemp("apps")
    for name in SAMPLES:
        copied(name, place)
    return place


@pytest.fixture(scope="session")
def expected(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[list[Any]]]:
    """What an app answers when its author runs it, in another copy and with its own libraries."""
    place = shutil.copytree(folders, tmp_path_factory.mktemp("authors") / "apps")

    @functools.cache
    def answers(name: str) -> list[list[Any]]:
        app, copy = SAMPLES[name], place / name
        python = environment(*OLD) if name == "wine" else Path(sys.executable)
        env = {"PATH": os.environ["PATH"], **app.env, **app.docker}
        if app.asgi:
            port = free_port()
            command = [python, "-m", "uvicorn", "main:app", "--port", str(port)]
            with background(command, copy / app.root, env):
                wait_until(lambda: listens(port), "uvicorn listens")
                return asked(app, f"http://127.0.0.1:{port}")
        sent = [each.sent("http://localhost") for each in app.asked]
        given = [[each.method, each.path_url, dict(each.headers), body(each)] for each in sent]
        found = subprocess.run(
            [python, APPS / "author.py", app.entry],
            cwd=copy / app.root, env=env, input=json.dumps(given), stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        return [[status, HOST.sub("", text)] for status, text in json.loads(found.stdout)]

    return answers


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def body(request: requests.PreparedRequest) -> str:
    content = request.body or b""
    return content.decode("latin-1") if isinstance(content, bytes) else content


@contextmanager
def background(command: Sequence[str | Path], folder: Path, env: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=folder, env=env)
    try:
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE)


def check(found: list[list[Any]], expected: list[list[Any]], app: App) -> None:
    assert found == expected
    for each, (status, text) in zip(app.asked, found, strict=True):
        assert (status, each.shows in text) == (each.status, True), f"{each.path}: {status} {text}"


@pytest.mark.parametrize("name", SAMPLES)
def test_an_app_is_served_as_it_is(
    name: str, folders: Path, expected: Callable[[str], list[list[Any]]], cache: Path
) -> None:
    app, folder = SAMPLES[name], folders / name
    before = hashed(folder, app)
    with ThreadPoolExecutor(1) as pool:
        author = pool.submit(expected, name)  # while the server starts
        with server(folders, name, env=app.env) as url:
            assert requests.get(f"{url}/readyz", timeout=DEADLINE).status_code == 200
            found = asked(app, url)
            assert "flaskship_requests_total" in requests.get(f"{url}/metrics", timeout=DEADLINE).text
    check(found, author.result(), app)
    assert hashed(folder, app) == before
    for each in app.writes:
        (folder / each).unlink()  # else it is packed


@pytest.mark.parametrize("name", SAMPLES)
def test_an_app_answers_the_same_from_its_container(
    name: str,
    folders: Path,
    expected: Callable[[str], list[list[Any]]],
    engine: str,
    cache: Path,
    debian: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    app, folder = SAMPLES[name], folders / name
    before = hashed(folder, app)
    image, container = f"{PREFIX}/{name}:1", f"{PREFIX}-{name}"
    monkeypatch.chdir(folders)
    for key, value in app.env.items():
        monkeypatch.setenv(key, value)
    assert invoke(["build", name, "-t", image, "--base", str(debian)]) == 0, capfd.readouterr().err
    capfd.readouterr()
    try:
        named = [word for key in ("FLASKSHIP_WORKERS=1", *app.env) for word in ("--env", key)]
        assert invoke(["run", image, "--name", container, "-p", f"127.0.0.1:{free_port()}", *named]) == 0
        url = capfd.readouterr().out.splitlines()[0]
        check(asked(app, url), expected(name), app)
    finally:
        docker("rm", "--force", "--volumes", container, check=False)
        docker("rmi", "--force", image, check=False)
    assert hashed(folder, app) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing_model", ("models/random_forest.pkl", "app.py", "line 5")),
        ("no_app", ("No WSGI or ASGI app in", "train.py")),
        ("windows_keras", ("model.keras", "backslash")),
        ("own_bug", ("KeyError", "app.py", "line 5")),
    ],
)
def test_what_cannot_work_is_one_sentence(
    name: str,
    words: Sequence[str],
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    copied(f"broken/{name}", tmp_path)
    assert invoke(["serve", name, "--port", "0"]) != 0
    error = capfd.readouterr().err
    assert "Traceback" not in error
    assert all(each in error.splitlines()[-1] for each in words), error
