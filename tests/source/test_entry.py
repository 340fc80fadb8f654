"""What starts somebody's app: the file, the object, the folder that it runs in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flaskship.errors import NotRecognised, UsageError
from flaskship.source import Interface, entry

Write = Callable[[Mapping[str, str | bytes]], Path]

FLASK = "from flask import Flask\n"
APP = """
from flask import Flask
import joblib
app = Flask(__name__)
model = joblib.load("model.pkl")

@app.route("/predict")
def predict():
    return str(model.predict([[1]])[0])

if __name__ == "__main__":
    app.run(debug=True)
"""
FACTORY = """
from flask import Flask

def create_app(config=None):
    app = Flask(__name__)
    from .views import bp
    app.register_blueprint(bp)
    return app
"""
VIEWS = """
import pickle
from flask import Blueprint
bp = Blueprint("api", __name__)
model = pickle.load(open("model/m.pkl", "rb"))

@bp.route("/predict")
def predict():
    return "1"
"""
STREAMLIT = "import streamlit as st, joblib\nmodel = joblib.load('model.pkl')\nst.title('Prices')\n"


@pytest.mark.parametrize("name", ["app.py", "flask_api.py", "run_keras_server.py", "deployment/serve.py", "a b/app.py"])
def test_the_module_that_makes_the_app_is_found_whatever_its_name(folder: Write, name: str) -> None:
    found = entry.find(folder({name: APP, "train.py": "import pandas\n"}))
    assert (found.file, found.object, found.framework, found.interface) == (name, "app", "flask", Interface.WSGI)
    assert found.root == (name.rpartition("/")[0] or ".")


@pytest.mark.parametrize(
    ("text", "name", "framework", "interface"),
    [
        ("import flask as f\nserver = f.Flask(__name__)", "server", "flask", "wsgi"),
        ("from flask import Flask as F\napp = application = F('x')", "app", "flask", "wsgi"),
        ("from flask import *\napi: Flask = Flask(__name__)", "api", "flask", "wsgi"),
        ("import flask\nclass Site(flask.Flask): pass\nweb = Site(__name__)", "web", "flask", "wsgi"),
        (FLASK + "try:\n    app = Flask('x')\nexcept OSError:\n    pass", "app", "flask", "wsgi"),
        (FLASK + "from flask_restful import Api\napp = Flask('x')\napi = Api(app)", "app", "flask", "wsgi"),
        ("import connexion\napp = connexion.FlaskApp('x')", "app", "connexion", "wsgi"),
        ("from fastapi import FastAPI\napi = FastAPI()", "api", "fastapi", "asgi"),
        ("from starlette.applications import Starlette\napp = Starlette()", "app", "starlette", "asgi"),
        ("from quart import Quart\napp = Quart('x')", "app", "quart", "asgi"),
        ("from litestar import Litestar\napp = Litestar([])", "app", "litestar", "asgi"),
        ("import bottle\napp = bottle.default_app()", "app", "bottle", "wsgi"),
        ("import falcon\napi = falcon.App()", "api", "falcon", "wsgi"),
        ("import falcon.asgi\napi = falcon.asgi.App()", "api", "falcon", "asgi"),
        ("import dash\nboard = dash.Dash(__name__)", "board.server", "dash", "wsgi"),
        (FLASK + "import os\napp = Flask('x') if os.name else None", "app", "flask", "wsgi"),
        ("from pyramid.config import Configurator as C\napp = C().make_wsgi_app()", "app", "pyramid", "wsgi"),
        ("def application(environ, start_response):\n    return []", "application", "wsgi", "wsgi"),
        (FLASK + "from asgiref.wsgi import WsgiToAsgi\nx = WsgiToAsgi(Flask('x'))", "x", "flask", "asgi"),
        (FLASK + "def make(): return Flask('x')\n", "make()", "flask", "wsgi"),
        (FLASK + "def main():\n    app = Flask('x')\n    app.run()\nmain()", "", "flask", "wsgi"),
        (FLASK + "if __name__ == '__main__':\n    app = Flask('x')\n    app.run()", "", "flask", "wsgi"),
        (FLASK + "class S:\n    def __init__(self):\n        self.app = Flask('x')\nS()", "", "flask", "wsgi"),
    ],
)  # fmt: skip
def test_the_object_is_found_by_value(folder: Write, text: str, name: str, framework: str, interface: str) -> None:
    found = entry.find(folder({"thing.py": text}))
    assert (found.file, found.object, found.framework, found.interface) == ("thing.py", name, framework, interface)


def test_a_factory_that_needs_arguments_is_taken_from_who_calls_it(folder: Write) -> None:
    found = entry.find(
        folder({
            "site/__init__.py": FLASK + "def create_app(config):\n    app = Flask('x')\n    return app\n",
            "run.py": "from site import create_app\napp = create_app('prod')\napp.run()\n",
        })
    )  # fmt: skip
    assert (found.file, found.object, found.root) == ("run.py", "app", ".")


def test_a_launcher_goes_before_the_package_that_it_imports(folder: Write) -> None:
    found = entry.find(
        folder({
            "api/app/__init__.py": FLASK + "app = Flask(__name__)\nfrom app import routes\n",
            "api/app/routes.py": "from app import app\n@app.route('/')\ndef home(): return 'x'\n",
            "api/run.py": "from app import app\napp.run(port=5001)\n",
        })
    )  # fmt: skip
    assert (found.file, found.object, found.root, found.port) == ("api/run.py", "app", "api", 5001)


def test_a_package_is_run_from_the_folder_above_it(folder: Write) -> None:
    found = entry.find(folder({"src/shop/__init__.py": FACTORY, "src/shop/views.py": VIEWS}))
    assert (found.file, found.object, found.root) == ("src/shop/__init__.py", "create_app()", "src")


@pytest.mark.parametrize(
    ("files", "file", "root"),
    [
        ({"Procfile": "web: gunicorn server:app --log-file -"}, "server.py", "."),
        ({"Procfile": "release: x\nweb: cd api && gunicorn -w 4 -b 0.0.0.0:$PORT web:app"}, "api/web.py", "api"),
        ({"Procfile": "web: gunicorn --chdir api web:app"}, "api/web.py", "api"),
        ({"Procfile": "web: python api/web.py"}, "api/web.py", "."),
        (
            {"Procfile": "web: sh start.sh", "start.sh": "#!/bin/sh\nset -e\nexec gunicorn api.web:app\n"},
            "api/web.py",
            ".",
        ),
        ({"Dockerfile": 'FROM python:3.9\nWORKDIR /app\nCOPY . .\nCMD ["python", "server.py"]'}, "server.py", "."),
        ({"Dockerfile": "FROM python\nCOPY api /srv\nWORKDIR /srv\nCMD python web.py"}, "api/web.py", "api"),
        (
            {"Dockerfile": "FROM python\nCOPY . /srv\nWORKDIR /srv\nENV FLASK_APP=api/web.py\nCMD flask run"},
            "api/web.py",
            ".",
        ),
        (
            {"api/Dockerfile": 'FROM python\nCOPY . /x\nWORKDIR /x\nENTRYPOINT ["gunicorn"]\nCMD ["web:app"]'},
            "api/web.py",
            "api",
        ),
        (
            {"docker-compose.yml": "services:\n  web:\n    build: ./api\n    command: gunicorn web:app\n"},
            "api/web.py",
            "api",
        ),
        ({"compose.yaml": "services:\n  web:\n    command: [python, server.py]\n"}, "server.py", "."),
        ({"compose.yaml": "services:\n  web:\n    command:\n      - python\n      - server.py\n"}, "server.py", "."),
        ({".flaskenv": "FLASK_APP=api.web:app\n"}, "api/web.py", "."),
        (
            {"render.yaml": "services:\n- type: web\n  rootDir: api\n  startCommand: gunicorn web:app\n"},
            "api/web.py",
            "api",
        ),
        ({"railway.json": '{"deploy": {"startCommand": "gunicorn server:app"}}'}, "server.py", "."),
        ({"app.yaml": "runtime: python39\nentrypoint: gunicorn -b :$PORT server:app\n"}, "server.py", "."),
    ],
)
def test_what_the_folder_says_itself_decides(folder: Write, files: dict[str, str], file: str, root: str) -> None:
    decoy = APP.replace("model.pkl", "other.pkl")
    both = {"app.py": decoy, "server.py": APP, "api/web.py": APP, "api/__init__.py": ""}
    found = entry.find(folder(both | files))
    assert (found.file, found.object, found.root) == (file, "app", root)
    assert next(iter(files)) in found.reasons[0]


def test_a_command_that_starts_no_app_is_passed_over(folder: Write) -> None:
    files = {"Procfile": "web: streamlit run dash.py", "dash.py": STREAMLIT, "Dockerfile": "FROM x\nCMD python gone.py"}
    found = entry.find(folder({"api.py": APP, **files}))
    assert found.file == "api.py"
    assert any("Streamlit" in each for each in found.reasons)


def test_a_wsgi_module_goes_before_the_module_that_it_imports(folder: Write) -> None:
    found = entry.find(folder({"app.py": APP, "wsgi.py": "from app import app as application\n"}))
    assert (found.file, found.object) == ("wsgi.py", "application")


def test_django_is_run_where_its_settings_are_found(folder: Write) -> None:
    text = """
import os
from django.core.{0} import get_{0}_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")
application = get_{0}_application()
"""
    found = entry.find(
        folder({
            "web/site/wsgi.py": text.format("wsgi"), "web/site/asgi.py": text.format("asgi"),
            "web/site/settings.py": "DEBUG = True\n", "web/manage.py": "import django\n",
        })
    )  # fmt: skip
    assert (found.file, found.root, found.framework, found.interface) == ("web/site/wsgi.py", "web", "django", "wsgi")


@pytest.mark.parametrize(
    "decoy",
    [
        {"app.py": STREAMLIT},
        {"app.py": "import gradio as gr\ngr.Interface(fn=print, inputs='text', outputs='text').launch()\n"},
        {"app.py": "import requests\nprint(requests.post('http://localhost:5000/predict', json={}).text)\n"},
        {"app.py": "print 'Python 2'\nfrom flask import Flask\napp = Flask(__name__)\n"},
        {"app.py": FLASK + "app = Flask(__name__\n"},
        {"app_old.py": APP},
        {"app (1).py": APP},
        {"app copy.py": APP},
        {"backup/app.py": APP},
        {"tests/test_app.py": FLASK + "app = Flask(__name__)\n"},
        {"examples/app.py": APP},
        {"env/pyvenv.cfg": "home = /usr", "env/Lib/site-packages/flask/app.py": APP},
        {"venv36/Scripts/activate": "", "venv36/app.py": APP},
        {"lib/python3.8/site-packages/x/app.py": APP},
        {"node_modules/x/app.py": APP},
        {"export.py": "# coding: utf-8\n# In[1]:\n" + APP},
        {"hello/app.py": FLASK + "app = Flask(__name__)\n@app.route('/')\ndef x(): return 'hi'\napp.run()\n"},
    ],
)
def test_a_decoy_is_not_taken(folder: Write, decoy: dict[str, str]) -> None:
    assert entry.find(folder({"prediction_service.py": APP, **decoy})).file == "prediction_service.py"


def test_what_does_not_parse_is_named(folder: Write) -> None:
    found = entry.find(folder({"app.py": APP, "old.py": "print 'x'\n", "train.py": "!pip install x\n"}))
    said = " ".join(found.reasons)
    assert "'old.py' is written for Python 2" in said
    assert "'train.py' does not parse: invalid syntax, line 1" in said


@pytest.mark.parametrize(
    ("given", "file", "name", "root"),
    [
        ("api/web.py", "api/web.py", "app", "api"),
        ("api/web.py:app", "api/web.py", "app", "api"),
        ("api.web", "api/web.py", "app", "."),
        ("api.web:app", "api/web.py", "app", "."),
        ("factory:create_app()", "factory.py", "create_app()", "."),
        ("factory.py:create_app", "factory.py", "create_app()", "."),
        ("factory:create_app('a:b')", "factory.py", "create_app('a:b')", "."),
        (":other", "two.py", "other", "."),
    ],
)
def test_what_is_given_decides(folder: Write, given: str, file: str, name: str, root: str) -> None:
    place = folder({
        "app.py": APP, "Procfile": "web: gunicorn app:app", "api/web.py": APP,
        "factory.py": FLASK + "def create_app(x=1): return Flask('x')\n",
        "two.py": FLASK + "first = Flask('x')\nother = Flask('y')\nfirst.run()\n",
    })  # fmt: skip
    found = entry.find(place, given)
    assert (found.file, found.object, found.root) == (file, name, root)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("ap.py", "Did you mean 'app.py'?"),
        ("app.py:server", "'app.py' has no 'server'. It has 'app'."),
        ("broken.py", "'broken.py' cannot be served: it does not parse: invalid syntax, line 1."),
        (":server", "has an app called 'server'"),
        ("train.py", "'train.py' has no function to serve, and makes no WSGI or ASGI app."),
        ("board.py", "'board.py' is a Streamlit script: its server is its own."),
    ],
)
def test_what_is_given_and_is_not_there_is_said(folder: Write, given: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("?", r"\?")):
        entry.find(folder({"app.py": APP, "broken.py": "a b", "train.py": "x = 1\n", "board.py": STREAMLIT}), given)


def test_two_that_are_equally_good_are_asked_about(folder: Write) -> None:
    with pytest.raises(UsageError) as raised:
        entry.find(folder({"imdb.py": APP, "netflix.py": APP}))
    assert "--app imdb.py:app" in str(raised.value)
    assert "--app netflix.py:app" in str(raised.value)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"dash.py": STREAMLIT}, "Streamlit: 'dash.py'"),
        ({"model.ipynb": "{}"}, "it has notebooks ('model.ipynb') and no Python file"),
        ({"index.html": ""}, "no Python file in it"),
        ({"package.json": "{}"}, "It is a Node.js project"),
        ({"train.py": "import pandas\n"}, "none of its 1 Python files makes one ('train.py')"),
        ({"app.py": "print 'x'\nimport flask\n"}, "'app.py' is written for Python 2"),
    ],
)
def test_a_folder_without_an_app_says_what_it_has_instead(folder: Write, files: dict[str, str], says: str) -> None:
    with pytest.raises(NotRecognised) as raised:
        entry.find(folder(files))
    assert says in str(raised.value)


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotRecognised, match="No folder"):
        entry.find(tmp_path / "gone")


@pytest.mark.parametrize(
    ("files", "root"),
    [
        ({"model.pkl": "", "api/app.py": APP}, "."),
        ({"api/model.pkl": "", "api/app.py": APP}, "api"),
        ({"model.pkl": "", "a/b/app.py": APP}, "."),
        ({"model.pkl": "", "api/app.py": APP + "import util\n", "api/util.py": ""}, "."),
        ({"util/__init__.py": "", "api/app.py": "from util import x\n" + APP}, "."),
        ({"x/api/__init__.py": "", "x/api/app.py": "from .a import b\n" + APP, "x/api/a.py": ""}, "x"),
        ({"x/api/__init__.py": "", "x/api/app.py": "from api.a import b\n" + APP, "x/api/a.py": ""}, "x"),
        ({"api/__init__.py": "", "api/app.py": "from a import b\n" + APP, "api/a.py": ""}, "api"),
    ],
)
def test_the_working_directory_is_where_files_and_imports_are_found(
    folder: Write, files: dict[str, str], root: str
) -> None:
    assert entry.find(folder(files)).root == root


def test_why_another_folder_is_taken_is_said(folder: Write) -> None:
    found = entry.find(folder({"model.pkl": "", "api/app.py": APP}))
    assert "It runs in the folder itself, as 'model.pkl' (api/app.py, line 5) is there, not in 'api'." in found.reasons


@pytest.mark.parametrize(
    ("files", "port"),
    [
        ({}, 0),
        ({"app.py": APP.replace("debug=True", "port=8080")}, 8080),
        ({"app.py": APP.replace("debug=True", "'0.0.0.0', 8081")}, 8081),
        ({"app.py": "import os\n" + APP.replace("debug=True", "port=int(os.environ.get('PORT', 7000))")}, 7000),
        ({"Dockerfile": "FROM x\nEXPOSE 9000/tcp\nCMD python app.py"}, 9000),
        ({"Procfile": "web: gunicorn -b 0.0.0.0:8001 app:app"}, 8001),
        ({"templates/index.html": "<a>\n<script>fetch('http://127.0.0.1:5000/x')</script>"}, 5000),
        ({"static/js/main.js": "axios.post('http://localhost:5001/')"}, 5001),
        (
            {"app.py": APP.replace("debug=True", "port=8080"), "static/a.js": "'localhost:5000' + 'localhost:8080'"},
            8080,
        ),
        ({"static/a.js": "var api = 'https://example.org:5000/'"}, 0),
    ],
)
def test_the_port_is_what_the_pages_call_or_the_server_is_told(folder: Write, files: dict[str, str], port: int) -> None:
    assert entry.find(folder({"app.py": APP} | files)).port == port


def test_a_page_that_calls_a_port_is_pointed_out(folder: Write) -> None:
    found = entry.find(folder({"app.py": APP, "templates/i.html": "\n\n'http://localhost:5000/predict'"}))
    assert "'templates/i.html', line 3, calls localhost:5000: that port has to be published." in found.reasons


def test_connexion_three_is_asgi(folder: Write) -> None:
    files = {"app.py": "import connexion\napp = connexion.App('x')", "requirements.txt": "connexion[flask]==3.0.1\n"}
    assert entry.find(folder(files)).interface is Interface.ASGI


def test_what_is_run_before_the_app_is_told(folder: Write) -> None:
    docker = "FROM x\nRUN pip install -r requirements.txt && python -m nltk.downloader punkt\nCMD python app.py"
    found = entry.find(folder({"app.py": APP, "Dockerfile": docker}))
    assert (
        found.reasons[1] == "'Dockerfile' runs 'python -m nltk.downloader punkt' first: what it makes has to be there."
    )
    found = entry.find(folder({"app.py": APP, "Procfile": "web: python get.py && gunicorn app:app", "get.py": ""}))
    assert found.reasons[1] == "'Procfile' runs 'python get.py' first: what it makes has to be there."


def test_the_server_of_a_dash_app_is_taken_as_it_is_named(folder: Write) -> None:
    text = "import dash\napp = dash.Dash(__name__)\nserver = app.server\n"
    found = entry.find(folder({"board.py": text, "Procfile": "web: gunicorn board:server"}))
    assert (found.object, found.interface) == ("server", Interface.WSGI)


def test_an_app_of_a_class_from_elsewhere_is_taken_where_a_command_starts_it(folder: Write) -> None:
    text = "from maxfw.core import MAXApp\nsite = MAXApp('x', 'y')\nsite.run()\n"
    found = entry.find(folder({"app.py": text, "Dockerfile": "FROM x\nCMD python app.py"}))
    assert (found.file, found.object) == ("app.py", "")


def test_an_app_that_a_server_is_told_in_text_is_found(folder: Write) -> None:
    main = "import uvicorn\nif __name__ == '__main__':\n    uvicorn.run('api:app', port=8000)\n"
    found = entry.find(folder({"back/main.py": main, "back/api.py": "from fastapi import FastAPI\napp = FastAPI()\n"}))
    assert (found.file, found.object, found.interface, found.port) == ("back/main.py", "", Interface.ASGI, 8000)


def test_of_two_the_one_that_the_readme_runs_is_taken(folder: Write) -> None:
    readme = "# Prices\n\n    pip install -r requirements.txt\n    python netflix.py\n"
    assert entry.find(folder({"imdb.py": APP, "netflix.py": APP, "README.md": readme})).file == "netflix.py"


def test_a_factory_with_arguments_is_found_through_its_module(folder: Write) -> None:
    files = {"shop/__init__.py": FLASK + "def create_app(config):\n    app = Flask('x')\n    return app\n"}
    found = entry.find(
        folder({**files, "serve_it.py": "import shop\nsite = shop.create_app('x')\nsite.run(port=81)\n"})
    )
    assert (found.file, found.object, found.port) == ("serve_it.py", "site", 81)
