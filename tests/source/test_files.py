"""What of a folder goes into an image."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from flaskship.source import Content, entry, files
from flaskship.source.tree import walk

Write = Callable[[Mapping[str, str | bytes]], Path]

APP = """
from flask import Flask, render_template
app = Flask(__name__)

@app.route("/")
def home():
    return render_template("index.html")
"""
BASE = {"app.py": APP, "templates/index.html": "", "requirements.txt": "flask"}
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n"


def read(place: Path, exclude: Sequence[str] = ()) -> Content:
    return files.contents(place, entry.find(place), exclude)


@pytest.mark.parametrize(
    ("path", "left_out", "why"),
    [
        ("env/pyvenv.cfg", "env", "a virtual environment"),
        ("my_environment/Scripts/activate", "my_environment", "a virtual environment"),
        ("x/lib/python3.8/site-packages/flask/__init__.py", "x", "a virtual environment"),
        ("x/Lib/site-packages/flask/__init__.py", "x", "a virtual environment"),
        ("conda/conda-meta/history", "conda", "a virtual environment"),
        ("pkg/__pycache__/a.cpython-38.pyc", "pkg/__pycache__", "a cache"),
        (".mypy_cache/x.json", ".mypy_cache", "a cache"),
        (".ipynb_checkpoints/a.ipynb", ".ipynb_checkpoints", "a cache"),
        (".git/HEAD", ".git", "version control"),
        ("sub/.svn/entries", "sub/.svn", "version control"),
        (".gitignore", ".gitignore", "version control"),
        ("notebooks/train.ipynb", "notebooks/train.ipynb", "a notebook"),
        ("web/node_modules/a/index.js", "web/node_modules", "packages of the front end"),
        (".idea/x.xml", ".idea", "an editor's"),
        (".vscode/settings.json", ".vscode", "an editor's"),
        (".app.py.swp", ".app.py.swp", "an editor's"),
        ("static/.DS_Store", "static/.DS_Store", "the system's"),
        ("__MACOSX/app.py", "__MACOSX", "the system's"),
        ("flaskship.lock", "flaskship.lock", "of the building"),
        ("thing.egg-info/PKG-INFO", "thing.egg-info", "a record of an installation"),
    ],
)
def test_what_no_app_needs_stays_out(folder: Write, path: str, left_out: str, why: str) -> None:
    found = read(folder(BASE | {path: "x"}))
    assert found.left_out[left_out] == why
    assert set(found.files) == set(BASE)


@pytest.mark.parametrize(
    "path", ["data/x.csv", "static/img/a.png", "uploads/.gitkeep", "build/index.html", "Procfile", "a/.env.example"]
)
def test_what_an_app_may_need_goes_in_with_its_size(folder: Write, path: str) -> None:
    assert read(folder(BASE | {path: b"12345"})).files[path] == 5


def test_an_environment_that_was_made_in_the_folder_itself_stays_out_and_the_app_goes_in(folder: Write) -> None:
    environment = {"pyvenv.cfg": "", "bin/activate": "", "lib/python3.8/site-packages/x.py": "", "include/x.h": ""}
    assert set(read(folder(BASE | environment)).files) == set(BASE)


@pytest.mark.parametrize(
    "path",
    [
        ".env", ".env.production", "api/.env", "prod.env", "server.key", "id_rsa", "cert.p12", "credentials.json",
        "google-credentials.json", "client_secret_123.json", ".netrc", ".pypirc", ".aws/config", ".kube/config",
        "secrets.toml", ".streamlit/secrets.toml", "x-firebase-adminsdk-abc.json", ".ssh/known_hosts",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_stays_out_and_is_named(folder: Write, path: str) -> None:
    found = read(folder(BASE | {path: "x"}))
    assert found.secrets == (path,)
    assert path not in found.files


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("tls.pem", KEY),
        ("config/deploy", KEY),
        ("notes.txt", "x\n" + KEY),
        ("account.json", '{"type": "service_account", "project_id": "x"}'),
        ("x.json", '{"client_id": "a", "client_secret": "abc"}'),
    ],
)
def test_a_secret_is_known_by_what_it_holds(folder: Write, path: str, text: str) -> None:
    assert read(folder(BASE | {path: text})).secrets == (path,)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".env.example", "A=1"),
        (".env.sample", ""),
        ("ca.pem", "-----BEGIN CERTIFICATE-----\nMIID"),
        ("keyboard.json", '{"type": "keys"}'),
        ("static/key.js", "var key = 'BEGIN PRIVATE KEY'"),
    ],
)
def test_what_only_sounds_like_a_secret_goes_in(folder: Write, path: str, text: str) -> None:
    found = read(folder(BASE | {path: text}))
    assert path in found.files
    assert found.secrets == ()


def test_a_secret_that_the_code_opens_is_told_and_can_be_kept(folder: Write) -> None:
    place = folder(BASE | {"app.py": APP + "key = open('server.key').read()\n", "server.key": "x"})
    assert "app.py, line 8 opens 'server.key', which stays out as it looks like a secret" in read(place).warnings[0]
    assert "server.key" in read(place, exclude=["!server.key"]).files


@pytest.mark.parametrize("text", [f'KEY = """{KEY}"""\n', "stripe.api_key = 'sk_" + "test_" + "a1" * 12 + "'\n"])
def test_code_that_holds_a_key_goes_in_and_is_told(folder: Write, text: str) -> None:
    found = read(folder(BASE | {"config.py": text}))
    assert "config.py" in found.files
    assert found.warnings == ("config.py, line 1 holds what looks like a key, and goes in: --env is the place for it.",)


def test_the_dockerignore_of_the_folder_that_the_app_runs_in_is_heeded_too(folder: Write) -> None:
    files = {"api/app.py": APP, "api/.dockerignore": "data\n", "api/data/x.csv": "", "data/x.csv": ""}
    assert set(read(folder(files)).files) == {"api/app.py", "data/x.csv"}


def test_a_secret_key_that_is_made_anew_at_each_start_is_told(folder: Write) -> None:
    place = folder(BASE | {"app.py": "import os\n" + APP + "app.config['SECRET_KEY'] = os.urandom(24).hex()\n"})
    assert "app.py, line 9 makes a new secret key at each start" in " ".join(read(place).warnings)


def test_dockerignore_is_heeded_but_for_what_the_app_needs(folder: Write) -> None:
    place = folder(
        BASE
        | {
            ".dockerignore": "data\n*.md\n!README.md\ntemplates/\n**/*.log\n",
            "data/a.csv": "",
            "data/b.csv": "",
            "x.md": "",
        }
        | {"README.md": "", "a/b/c.log": ""}
    )
    found = read(place)
    assert set(found.files) == {*BASE, "README.md"}
    assert found.left_out == {
        ".dockerignore": "of the building", "a/b/c.log": ".dockerignore: **/*.log", "data": ".dockerignore: data",
        "x.md": ".dockerignore: *.md",
    }  # fmt: skip
    assert ".dockerignore leaves out 'templates/', which the app needs (app.py, line 1): it goes in." in found.warnings


def test_what_is_excluded_stays_out_even_where_the_app_needs_it(folder: Write) -> None:
    found = read(folder(BASE | {"data/a.csv": "", "data/b.csv": ""}), exclude=["data", "!data/b.csv", "templates"])
    assert set(found.files) == {"app.py", "requirements.txt", "data/b.csv"}
    assert found.left_out["templates/index.html"] == "'templates' is excluded"


def test_of_a_front_end_that_was_built_only_the_output_goes_in(folder: Write) -> None:
    sources = {"ui/package.json": '{"scripts": {"build": "x"}}', "ui/src/App.js": "", "ui/public/index.html": ""}
    built = {"ui/build/index.html": "", "ui/build/static/main.js": ""}
    assert set(read(folder(BASE | sources | built)).files) == {*BASE, *built}


def test_a_front_end_that_is_not_built_stays_out_where_nothing_serves_it(folder: Write) -> None:
    sources = {"ui/package.json": '{"dependencies": {"react": "1"}}', "ui/src/App.js": "", "ui/index.html": ""}
    found = read(folder(BASE | sources))
    assert set(found.files) == set(BASE)
    assert found.left_out["ui"] == "sources of a front end: not built, and the app serves none of it"


def test_a_front_end_whose_sources_the_app_serves_goes_in(folder: Write) -> None:
    app = APP.replace("Flask(__name__)", "Flask(__name__, static_folder='../ui/src', template_folder='../ui')")
    sources = {"ui/package.json": '{"scripts": {"build": "x"}}', "ui/src/App.js": "", "ui/index.html": ""}
    found = read(folder({"api/app.py": app} | sources))
    assert set(found.files) == {"api/app.py", *sources}


def test_a_library_in_the_static_files_is_no_front_end(folder: Write) -> None:
    library = {
        "static/x/package.json": '{"scripts": {"build": ""}}',
        "static/x/dist/index.html": "",
        "static/x/src/a.js": "",
    }
    assert set(read(folder(BASE | library)).files) == {*BASE, *library}


def test_empty_folders_and_those_written_into_have_to_be_there(folder: Write) -> None:
    text = APP + "def up(f):\n    f.save(os.path.join('static/uploads', f.filename))\n"
    place = folder(BASE | {"app.py": "import os\n" + text})
    (place / "logs").mkdir()
    found = read(place)
    assert found.folders == ("logs", "static/uploads")
    assert "app.py, line 10 writes into 'static/uploads', which is not there: it is made." in found.warnings


@pytest.mark.parametrize("path", ["E:/out/x.csv", "/srv/out/x.csv", "../out/x.csv", "out\\\\x.csv"])
def test_a_folder_outside_that_the_code_writes_into_is_not_made(folder: Write, path: str) -> None:
    found = read(folder(BASE | {"app.py": APP + f"def up(f):\n    f.save('{path}')\n"}))
    assert (found.folders, found.warnings) == ((), ())


def test_a_folder_that_the_code_makes_is_not_made_for_it(folder: Write) -> None:
    text = APP + "import os\nos.makedirs('up')\ndef up(f):\n    f.save(os.path.join('up', f.filename))\n"
    assert read(folder(BASE | {"app.py": text})).folders == ()


def test_a_pointer_of_git_lfs_is_named(folder: Write) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 123456789\n"
    found = read(folder(BASE | {"model.h5": pointer}))
    assert found.warnings == ("'model.h5' is a pointer of Git LFS, not the file itself: run 'git lfs pull'.",)


def test_links_are_followed_inside_and_named_where_they_lead_out(folder: Write, tmp_path: Path) -> None:
    place = folder(BASE | {"models/a.pkl": "abc"})
    (tmp_path / "outside.pkl").write_text("x")
    (place / "in.pkl").symlink_to("models/a.pkl")
    (place / "out.pkl").symlink_to(tmp_path / "outside.pkl")
    (place / "gone.pkl").symlink_to("nowhere")
    (place / "models/self").symlink_to(place)
    found = read(place)
    assert set(found.files) == {*BASE, "models/a.pkl", "in.pkl"}
    assert found.files["in.pkl"] == 3
    assert set(found.left_out) == {"out.pkl", "gone.pkl", "models/self"}
    assert len(found.warnings) == 2


def test_what_is_no_file_stays_out(folder: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(BASE)
    os.mkfifo(place / "pipe")
    os.mkfifo(place / ".dockerignore")  # is not waited for
    monkeypatch.chdir(place)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("x.sock")
        found = read(place)
    assert set(found.files) == set(BASE)
    assert "'pipe' stays out: no file: a socket, a pipe or a device." in found.warnings


def test_a_large_file_is_told(folder: Write) -> None:
    place = folder(BASE)
    with (place / "big.bin").open("wb") as file:
        file.truncate(3 << 30)  # takes no room
    assert read(place).warnings == ("'big.bin' is large: 3.0 GiB. Does the app need it?",)


def test_what_goes_while_it_is_read_is_told() -> None:
    found = walk(Path("/proc/self/fd"))  # which lists the very file by which it is listed
    assert any(why == "cannot be read: No such file or directory" for why in found.left_out.values())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_told(folder: Write) -> None:
    place = folder(BASE | {"data/x.csv": ""})
    (place / "data/x.csv").chmod(0)
    assert read(place).left_out["data/x.csv"] == "cannot be read: no right to"
