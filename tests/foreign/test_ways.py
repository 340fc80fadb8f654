"""Each way of starting a server is captured: the app is served, its start has run, and no server was started."""

from __future__ import annotations

import pytest

APP = """
from flask import Flask
app = Flask(__name__)
model = "none"

@app.get("/")
def home():
    return model
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] != "lifespan":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"loaded"})
"""
GUARDED = f"{APP}\nif __name__ == '__main__':\n    model = 'loaded'\n    "
WAYS = {
    "under __main__, in debug mode": f"{GUARDED}app.run(debug=True, port=5000)",
    "without a guard": f"{APP}\nmodel = 'loaded'\napp.run('0.0.0.0')\nmodel = 'after'",
    "in a thread": f"{APP}\nimport threading\nmodel = 'loaded'\nthreading.Thread(target=app.run).start()",
    "in another process": f"{GUARDED}import multiprocessing\n"
    "    child = multiprocessing.get_context('fork').Process(target=app.run)\n    child.start()\n    child.join()",
    "by Werkzeug": f"{GUARDED}from werkzeug.serving import run_simple\n"
    "    run_simple('', 5000, app, use_reloader=True)",
    "by a server of Werkzeug's": f"{GUARDED}from werkzeug import serving\n"
    "    serving.make_server('', 5000, app).serve_forever()",
    "by wsgiref": f"{GUARDED}from wsgiref.simple_server import make_server\n"
    "    with make_server('', 8000, app) as httpd:\n        httpd.serve_forever()",
    "by gunicorn's application": f"{GUARDED}from gunicorn.app.base import BaseApplication\n"
    "    class Own(BaseApplication):\n        def load_config(self): ...\n        def load(self): return app\n"
    "    Own().run()",
    "by nobody": APP.replace('"none"', '"loaded"'),
    "by a factory": "from flask import Flask\ndef create_app(config=None):\n    made = Flask('x')\n"
    "    made.add_url_rule('/', view_func=lambda: 'loaded')\n    return made\n",
    "ASGI, though its code read otherwise": ASGI,
    "within a block that stays open": f"{GUARDED}import contextlib\n"
    "    @contextlib.contextmanager\n    def session():\n        global model\n"
    "        model = 'loaded'\n        yield\n        model = 'closed'\n    with session():\n        app.run()",
}


@pytest.mark.parametrize("text", WAYS.values(), ids=WAYS.keys())
def test_a_server_that_would_start_is_captured(serving, text):
    assert serving(text).ready().get("/") == b"loaded"


def test_an_entry_file_of_a_package_is_run_as_a_module_of_it_and_once(serving):
    files = {
        "shop/__init__.py": "",
        "shop/models.py": "from shop.app import db\nname = db['name']\n",
        "shop/app.py": "from flask import Flask\napp = Flask(__name__)\ndb = {'name': 'one'}\nfrom . import models\n"
        "runs = globals().setdefault('runs', [])\nruns.append(1)\n"
        "@app.get('/')\ndef home():\n    return f'{models.name} {models.db is db} {len(runs)}'\n"
        "if __name__ == '__main__':\n    app.run()\n",
    }
    assert serving(files, file="shop/app.py").ready().get("/") == b"one True 1"


def test_other_modules_import_the_entry_file_and_do_not_run_it_again(serving):
    files = {
        "app.py": f"{APP}\nmarker = object()\nimport views\n",
        "views.py": "from app import app, marker\nimport __main__\n"
        "app.add_url_rule('/same', view_func=lambda: str(marker is __main__.marker))\n",
    }
    assert serving(files).ready().get("/same") == b"True"


def test_its_process_is_as_one_of_its_own_would_be(serving):
    text = (
        f"{APP}\nimport os, sys\n"
        "@app.get('/process')\ndef process():\n"
        "    from flask import current_app\n"
        '    return f"{sys.argv[1:]} {os.path.basename(os.getcwd())} {sys.path[0] == os.getcwd()} {app.debug} '
        "{os.environ['FROM_MANIFEST']} {'msgspec' in sys.modules}\"\n"
        "if __name__ == '__main__':\n    app.run(debug=True)\n"
    )
    assert serving(text).ready().get("/process") == b"[] app0 True False yes False"


def test_an_object_is_found_by_its_expression(serving):
    text = "from flask import Flask\ndef make(name, debug=True):\n    app = Flask(name)\n"
    text += "    app.add_url_rule('/', view_func=lambda: app.name)\n    return app\n"
    assert serving(text, object="make('prod', debug=False)").ready().get("/") == b"prod"


FAILURES = {
    "names 'model.pkl', which is not in": f"{APP}\nopen('model.pkl', 'rb')",
    "line 10, names 'models\\\\model.pkl', with Windows's separators": f"{APP}\nopen('models\\\\model.pkl', 'rb')",
    "names 'C:\\\\m\\\\x.pkl', a path of another machine": f"{APP}\nopen('C:\\\\m\\\\x.pkl', 'rb')",
    "needs the module 'own.gone', which is not in its folder": f"{APP}\nimport os\nos.mkdir('own')\nimport own.gone",
    "imports 'sklearn_none', which is not installed. Add 'sklearn_none'": f"{APP}\nimport sklearn_none",
    "needs the module 'flask.ext', which the installed 'flask' does not have": f"{APP}\nimport flask.ext",
    "reads the environment variable 'API_KEY', which is not set": f"{APP}\nimport os\nos.environ['API_KEY']",
    "asks for input at a terminal": f"{APP}\ninput('Port? ')",
    "ended the program with exit code 2": f"{APP}\nimport sys\nsys.exit(2)",
    "ended with ZeroDivisionError: division by zero": f"{APP}\n1 / 0",
    "app.py, line 1, is not Python 3": "print 'hello'",
    "has several apps: one, two. Name one: --app app.py:NAME.": "from flask import Flask\none = Flask('1')\n"
    "two = Flask('2')",
    "neither started a server nor holds an app": "x = 1",
    "A worker ended with exit code 3 while it started": "import os\nos._exit(3)",
}


@pytest.mark.parametrize(("sentence", "text"), FAILURES.items())
def test_what_does_not_start_ends_in_a_sentence(serving, sentence, text):
    code, said = serving(text).ended()
    assert sentence in said
    assert code == (1 if "_exit" in text else 3)
    assert "Traceback" not in said
