"""Function or app? Told by the source alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from flaskship.artifact.function import functions, home

MARKED = "from flaskship import endpoint\n@endpoint\ndef f(x: int) -> int: ...\n"
FLASK = "from flask import Flask\napp = Flask(__name__)\n"


def told(tmp_path: Path, source: str, attribute: str = "") -> bool:
    path = tmp_path / "module.py"
    path.write_text(source, encoding="utf-8")
    return functions(path, attribute)


@pytest.mark.parametrize(
    "source",
    [
        MARKED,
        "import flaskship as fs\nclass A:\n    @fs.endpoint('/x')\n    def f(self, x): ...",
        "from flaskship.endpoints import endpoint as serve\n@serve(batch=3)\nasync def f(x): ...",
        FLASK + MARKED,
        "def predict(x): ...",
        "def score(x: int) -> int: ...",
        "class Model:\n    def predict(self, x: int) -> int: ...",
        "try:\n    import torch\nexcept ImportError:\n    torch = None\nif torch:\n    def predict(x: int) -> int: ...",
        "import aiohttp, requests\nasync def fetch(url: str) -> str: ...",
    ],
)
def test_a_module_of_functions_is_told(tmp_path, source) -> None:
    assert told(tmp_path, source)


@pytest.mark.parametrize(
    "source",
    [
        FLASK + "@app.route('/')\ndef predict(): return 'hi'",
        FLASK + "def predict(x: int) -> int: ...",
        "def create_app():\n    from flask import Flask\n    return Flask(__name__)",
        "from shop import app\n@app.get('/')\ndef predict(x: int): ...",
        "def application(environ, start_response): ...",
        "async def app(scope, receive, send): ...",
        "class App:\n    async def __call__(self, scope, receive, send): ...",
        "from shop import create_app\napp = create_app()",
        "from flask_cors import CORS\ndef f(x: int): ...",
        "import flaskship\nfrom flaskship import create_app\napp = create_app('model.joblib')",
        "from aiohttp import web\ndef f(x: int): ...",
        "import streamlit as st\ndef predict(x: int) -> int: ...",
        "x = 1",
        "def f(:",
        "x = '\0'",
    ],
)
def test_an_app_or_nothing_is_told(tmp_path, source) -> None:
    assert not told(tmp_path, source)


@pytest.mark.parametrize(
    ("source", "attribute", "function"),
    [
        (FLASK + "def score(x: int) -> int: ...", "score", True),
        (FLASK + "def create(): ...", "create", False),
        (FLASK + "def create(debug: bool = False) -> Flask: ...", "create", False),
        ("import flask\ndef create(debug: bool):\n    return flask.Flask(__name__)", "create", False),
        (FLASK, "app", False),
        (FLASK, "create_app()", False),
        (FLASK, "nowhere", False),
        (MARKED, "nowhere", True),
        ("class A:\n    def predict(self, x: int) -> int: ...\nmodel = A()", "model", True),
        ("class A:\n    def __call__(self, environ, start_response): ...\nmodel = A()", "model", False),
        ("class A:\n    def score(self, x: int) -> int: ...", "A.score", True),
        ("import functools\ndef f(x: int, y: int) -> int: ...\ng = functools.partial(f, y=1)", "g", True),
        ("from shapes import Shapes", "Shapes", True),
        ("def f(x): ...", "f", True),
    ],
)
def test_what_an_attribute_names_is_told(tmp_path, source, attribute, function) -> None:
    assert told(tmp_path, source, attribute) == function


def test_a_file_that_is_not_there_is_no_function(tmp_path) -> None:
    assert not functions(tmp_path / "none.py")


def test_a_module_is_imported_from_above_its_top_package(tmp_path) -> None:
    inner = tmp_path / "site" / "shop" / "models"
    inner.mkdir(parents=True)
    (inner / "__init__.py").touch()
    (inner.parent / "__init__.py").touch()
    assert home(inner / "shapes.py") == (tmp_path / "site", "shop.models.shapes")
    assert home(inner / "__init__.py") == (tmp_path / "site", "shop.models")
    assert home(tmp_path / "site" / "shapes.py") == (tmp_path / "site", "shapes")


def test_folders_that_a_module_takes_for_packages_are_packages(tmp_path) -> None:
    inner = tmp_path / "shop" / "models"
    inner.mkdir(parents=True)
    (tmp_path / "shop" / "sizes.py").touch()
    score = inner / "score.py"
    for source in ("from ..sizes import SIZE", "import shop.sizes", "def f():\n    from shop.sizes import SIZE"):
        score.write_text(source)
        assert home(score) == (tmp_path, "shop.models.score")
    score.write_text("from . import sizes")
    assert home(score) == (tmp_path / "shop", "models.score")
    for source in ("import shop", "from shop import SIZE", "import models.sizes", "import os.path"):
        score.write_text(source)
        assert home(score) == (inner, "score")
