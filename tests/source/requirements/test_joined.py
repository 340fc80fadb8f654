"""What a folder asks for, imports and holds, joined. Nothing here asks an index, and no code of the folder runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LinearRegression

from flaskship.source import Content, Entry, Requirements
from flaskship.source.requirements import find

HERE = f"scikit-learn=={sklearn.__version__}"


def needs(folder: Path, app: str = "", root: str = ".", installed: dict[str, list[str]] | None = None, **files: str):
    """What `folder` needs whose app.py is this, with other files; `___` in a name is a slash, `__` a dot."""
    place = folder / root
    place.mkdir(parents=True, exist_ok=True)
    (place / "app.py").write_text(app)
    for name, content in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    every = {each.relative_to(folder).as_posix(): each.stat().st_size for each in folder.rglob("*") if each.is_file()}
    entry = Entry(root=root, file=(Path(root) / "app.py").as_posix())
    return find(folder, entry, Content(files=every), installed or {})


def model(path: Path, version: str = "") -> None:
    """A pickle, as another version of scikit-learn would have written it where one is named."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = pickle.dumps(LinearRegression().fit(np.eye(2), [1, 2]), protocol=4)
    old, new = sklearn.__version__.encode(), (version or sklearn.__version__).encode()
    path.write_bytes(data.replace(bytes([len(old)]) + old, bytes([len(new)]) + new))


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("import sklearn.linear_model", "scikit-learn"),
        ("from PIL import Image", "pillow"),
        ("import cv2", "opencv-python-headless"),
        ("from flask_cors import CORS", "flask-cors"),
        ("from bs4 import BeautifulSoup", "beautifulsoup4"),
        ("import yaml, dotenv, jwt, dateutil.parser", "pyjwt python-dateutil python-dotenv pyyaml"),
        ("from google.cloud import storage", "google-cloud-storage"),
        ("import psycopg2", "psycopg2-binary"),
        ("import keras", "keras tensorflow"),
        ("from transformers import pipeline", "torch transformers"),
        ("import pandas as pd\npd.read_excel('a.xlsx')", "openpyxl pandas"),
        ("import pandas as pd\npd.read_excel('a.xls')", "pandas xlrd"),
        ("import pandas as pd\npd.read_parquet('a.parquet')", "pandas pyarrow"),
        ("from fastapi import FastAPI, UploadFile", "fastapi python-multipart"),
        ("import flask\n@app.route('/')\nasync def home(): ...", "asgiref flask"),
        ("import flask_sqlalchemy\nurl = 'mysql+pymysql://u@h/d'", "flask-sqlalchemy pymysql"),
        ("import importlib\nimportlib.import_module('joblib')", "joblib"),
        ("def late():\n    import requests", "requests"),
        ("import os, json, sys, tomllib, distutils.util", ""),
        ("try:\n    import xgboost\nexcept ImportError:\n    xgboost = None", ""),
        ("try:\n    import tflite_runtime\nexcept ImportError:\n    import tensorflow.lite", "tensorflow"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch", ""),
    ],
)
def test_imports_name_their_distributions(tmp_path, code, wanted):
    assert needs(tmp_path, code).wanted == tuple(wanted.split())


def test_only_what_the_entry_reaches_counts_and_the_folders_own_modules_do_not(tmp_path):
    found = needs(
        tmp_path,
        "import features\nfrom web.views import page\nfrom web import forms",
        root="api",
        api___features__py="import numpy",
        api___web______init____py="",
        api___web___views__py="from . import tools\nfrom ..shared import x",
        api___web___tools__py="import joblib",
        api___web___forms__py="import wtforms",
        api___shared__py="x = 1",
        api___training__py="import tensorflow",
    )
    assert found.wanted == ("joblib", "numpy", "wtforms")


def test_a_distribution_that_is_installed_tells_its_modules(tmp_path):
    found = needs(tmp_path, "import vecs", installed={"vecs": ["Vector-Tools"]})
    assert (found.wanted, found.warnings) == (("vector-tools",), ())
    found = needs(tmp_path, "import my_vecs")
    assert found.wanted == ("my-vecs",)
    assert found.warnings == ("'my_vecs' (app.py, line 1) is taken to come with 'my-vecs': no table has its package.",)


@pytest.mark.parametrize(
    ("code", "listed"),
    [
        ("import vecs.words, vecs.lines", "python-vecs"),
        ("import vecs", "vecs-python==1.2"),
        ("from Vecs import Word", "PyVecs"),
        ("import fast_vecs.words", "vecs>=1"),
    ],
)
def test_a_listed_package_brings_the_module_that_is_called_like_it(tmp_path, code, listed):
    found = needs(tmp_path, code, requirements__txt=listed)
    assert (found.wanted, found.warnings) == ((listed.lower(),), ())
    assert not [each for each in found.decisions if "taken" in each or "Added" in each]


def test_a_module_that_no_table_has_is_warned_of_once(tmp_path):
    assert len(needs(tmp_path, "import my_vecs.words, my_vecs.lines").warnings) == 1


def test_the_bson_that_is_imported_is_the_one_of_pymongo(tmp_path):
    assert needs(tmp_path, "from bson.objectid import ObjectId").wanted == ("pymongo",)


def test_what_is_imported_and_not_asked_for_is_added_and_said(tmp_path):
    lists = {"requirements__txt": "flask==2.0.1\n", "Pipfile": "[packages]\nrequests = '==2.25.1'\n"}
    found = needs(tmp_path, "import flask, joblib, requests", **lists)
    assert found.wanted == ("flask==2.0.1", "joblib", "requests==2.25.1")
    assert found.decisions[-1] == (
        "Added, as they are imported, and not in requirements.txt:"
        " joblib (app.py, line 1), requests==2.25.1 (as in Pipfile)."
    )


def test_a_slip_of_the_pen_is_known_by_what_is_imported(tmp_path):
    found = needs(tmp_path, "import lightgbm", requirements__txt="ligthgbm==3.2.1\n")
    assert found.wanted == ("lightgbm==3.2.1",)
    assert "ligthgbm is taken as lightgbm, which is imported." in found.decisions


def test_a_pickle_brings_the_library_that_the_code_never_imports(tmp_path):
    model(tmp_path / "models" / "m.pkl")
    found = needs(tmp_path, "import flask, pickle", requirements__txt="flask\n")
    assert HERE in found.wanted
    assert found.models == ("scikit-learn",)
    assert f"{HERE} is taken: it wrote models/m.pkl." in found.decisions


def test_the_version_that_wrote_a_pickle_wins_over_a_pin(tmp_path):
    model(tmp_path / "m.pkl", "0.24.2")
    found = needs(tmp_path, "import sklearn", requirements__txt="scikit-learn==1.0.2\n")
    assert "scikit-learn==0.24.2" in found.wanted
    assert "scikit-learn==0.24.2 is taken, not scikit-learn==1.0.2: it wrote m.pkl." in found.decisions


def test_of_two_versions_that_wrote_pickles_the_newer_is_taken_and_the_other_named(tmp_path):
    model(tmp_path / "a.pkl", "0.24.2")
    model(tmp_path / "b.sav", "1.0.2")
    found = needs(tmp_path)
    assert "scikit-learn==1.0.2" in found.wanted
    assert any(each.startswith("a.pkl was written by scikit-learn 0.24.2, b.sav by 1.0.2") for each in found.warnings)


def test_numpy_is_as_new_as_what_a_file_names(tmp_path):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"rows": np.arange(3.0)}, protocol=4))
    found = needs(tmp_path, requirements__txt="numpy==1.19.5\n")
    assert found.wanted == ("numpy>=2" if np.__version__ >= "2" else "numpy==1.19.5",)


def test_a_text_that_speaks_of_torch_is_no_model_of_it(tmp_path):
    files = {"notes__txt": "torch==1.0, trained by torch", "pytorch__txt": "x"}
    assert needs(tmp_path, "import flask", **files).wanted == ("flask",)


def test_model_files_of_other_libraries_imply_them(tmp_path):
    (tmp_path / "boost.cbm").write_bytes(b"CBM1" + bytes(60))
    (tmp_path / "trees.txt").write_bytes(b"tree\nversion=v3\nnum_class=1\n")
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64) + b"model_config keras_version\x00\x002.4.0")
    assert needs(tmp_path).wanted == ("catboost", "lightgbm", "tensorflow<2.16")


@pytest.mark.parametrize(
    ("files", "python"),
    [
        ({"runtime__txt": "python-3.9.7"}, "3.9"),
        ({"Dockerfile": "FROM python:3.10\n", "requirements__txt": "flask"}, "3.10"),
        ({"pyproject__toml": "[project]\nname='x'\nrequires-python='>=3.7,<3.12'\n"}, "3.11"),
        ({"pyproject__toml": "[project]\nname='x'\nrequires-python='>=3.8'\n"}, ""),
        ({"runtime__txt": "python-3.6.9"}, "3.8"),
        ({"environment__yml": "dependencies:\n  - python=3.8\n"}, "3.8"),
    ],
)
def test_the_python_that_a_folder_asks_for(tmp_path, files, python):
    assert needs(tmp_path, "import flask", **files).python == python


def test_a_module_that_python_no_longer_has_asks_for_an_older_one(tmp_path):
    assert needs(tmp_path, "import imp, cgi").until == "3.11"


def test_a_file_that_does_not_parse_is_named_and_stops_nothing(tmp_path):
    found: Requirements = needs(tmp_path, "import flask, old", old__py="print 'hello'")
    assert found.wanted == ("flask",)
    assert any(each.startswith("old.py cannot be read") for each in found.warnings)
