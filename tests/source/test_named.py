"""The paths that code names and the folder lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flaskship.source import entry, files

Write = Callable[[Mapping[str, str | bytes]], Path]

HEAD = """\
import os, pickle, joblib, pandas as pd, tensorflow as tf
from pathlib import Path
from flask import Flask, render_template, send_file
app = Flask(__name__)
"""


def missing(place: Path) -> tuple[str, ...]:
    return files.contents(place, entry.find(place)).missing


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("joblib.load('model.pkl')", "model.pkl"),
        ("pickle.load(open('models/m.sav', 'rb'))", "models/m.sav"),
        ("with open(file='words.txt', mode='r') as f: pass", "words.txt"),
        ("pd.read_csv('data/x.csv', sep=';')", "data/x.csv"),
        ("tf.keras.models.load_model('cnn.h5')", "cnn.h5"),
        ("tf.keras.models.load_model(filepath='cnn.h5')", "cnn.h5"),
        ("Path('data/x.json').read_text()", "data/x.json"),
        ("(Path('data') / 'x.json').open()", "data/x.json"),
        ("open(os.path.join('data', 'sub', 'x.json'))", "data/sub/x.json"),
        ("open(os.path.join(os.path.dirname(__file__), 'x.json'))", "x.json"),
        ("open(os.path.dirname(os.path.abspath(__file__)) + '/data/x.json')", "data/x.json"),
        ("BASE = Path(__file__).resolve().parent\nopen(BASE / 'm' / 'x.bin', 'rb')", "m/x.bin"),
        ("NAME = 'best'\njoblib.load(f'models/{NAME}.pkl')", "models/best.pkl"),
        ("joblib.load(os.environ.get('MODEL', 'model.pkl'))", "model.pkl"),
        ("joblib.load(os.getenv('MODEL') or 'model.pkl')", "model.pkl"),
        ("class Config:\n    MODEL = 'a/b.pkl'\njoblib.load(Config.MODEL)", "a/b.pkl"),
        ("app.config['MODEL'] = 'a/b.pkl'\njoblib.load(app.config['MODEL'])", "a/b.pkl"),
        ("from config import MODEL\njoblib.load(MODEL)", "c.pkl"),
        ("import config\njoblib.load(config.MODEL)", "c.pkl"),
        ("MODEL = os.path.join('a', 'b.pkl')\ndef read(path): return joblib.load(path)\nread(MODEL)", "a/b.pkl"),
        ("os.listdir('pictures')", "pictures"),
        ("render_template('gone.html')", "gone.html"),
        ("send_file('static/x.pdf')", "static/x.pdf"),
    ],
)
def test_a_path_that_is_read_and_not_there_is_named(folder: Write, line: str, path: str) -> None:
    place = folder({"app.py": HEAD + line, "config.py": "MODEL = 'c.pkl'\n", "templates/index.html": ""})
    assert [each.partition(" ")[0] for each in missing(place)] == [path]


@pytest.mark.parametrize(("argument", "said"), [("", 1), (", template_folder='.'", 0)])
def test_a_page_beside_the_code_is_none_of_its_templates(folder: Write, argument: str, said: int) -> None:
    code = f"app = Flask(__name__{argument})\nrender_template('index.html')"
    remark = "index.html (app.py, line {}; 'index.html' is there; Flask looks in 'templates')"
    place = folder({"app.py": HEAD + code, "index.html": ""})
    assert missing(place) == (remark.format(len((HEAD + code).splitlines())),) * said


@pytest.mark.parametrize(
    "line",
    [
        "open('out.txt', 'w')",
        "MODEL = 'models/unused.h5'",
        "open('out.log', mode='a')",
        "pd.DataFrame().to_csv('out.csv')\npd.read_csv('out.csv')",
        "os.makedirs('up')\nos.listdir('up')",
        "if os.path.exists('maybe.pkl'): joblib.load('maybe.pkl')",
        "pd.read_csv('https://example.org/x.csv')",
        "open(name)",
        "open(f'{name}.txt')",
        "open('/dev/null')",
        "open('/tmp/x')",
        "joblib.load(f'{folder}/x.pkl')",
        "import spacy\nspacy.load('en_core_web_sm')",
        "from transformers import AutoModel\nAutoModel.from_pretrained('bert-base-uncased')",
        "import torch\ntorch.hub.load('ultralytics/yolov5', 'custom')",
        "from ultralytics import YOLO\nYOLO('yolov8n.pt')",
        "pd.read_csv(request.files['file'])",
        "joblib.load('here/model.pkl')",
        "render_template('index.html')",
        "render_template('sub/index.html')",
        "send_file('here/model.pkl')",
    ],
)
def test_what_is_written_asked_for_elsewhere_or_there_is_not_missing(folder: Write, line: str) -> None:
    place = {"here/model.pkl": "", "templates/index.html": "", "templates/sub/index.html": ""}
    assert missing(folder({"app.py": HEAD + line, **place})) == ()


def test_a_missing_path_is_said_with_file_and_line(folder: Write) -> None:
    place = folder({"api/app.py": HEAD + "from load import model\n", "api/load.py": "x = 1\nmodel = open('m.pkl')\n"})
    assert missing(place) == ("m.pkl (api/load.py, line 2)",)


def test_only_what_the_app_imports_counts(folder: Write) -> None:
    assert missing(folder({"app.py": HEAD, "train.py": "import pandas as pd\npd.read_csv('train.csv')\n"})) == ()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("open('models/model.pkl')", "'models/Model.pkl' is there: Linux tells upper and lower case apart"),
        (r"open('models\\Model.pkl')", "Windows' separators; Linux needs 'models/Model.pkl'"),
        (r"open('data\\x.csv')", "Windows' separators; Linux needs 'data/x.csv'"),
        (r"open('C:\\Users\\me\\m.pkl')", "a path of another machine"),
        ("open('/home/me/m.pkl')", "a path of another machine"),
        ("open('../m.pkl')", "a path outside of the folder"),
        ("open('Model.pkl')", "'models/Model.pkl' is there"),
    ],
)
def test_why_a_path_is_not_found_is_said(folder: Write, line: str, says: str) -> None:
    found = missing(folder({"app.py": HEAD + line, "models/Model.pkl": ""}))
    assert found[0].endswith(f"(app.py, line 5; {says})")
