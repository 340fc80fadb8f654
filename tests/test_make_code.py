"""From functions and from a folder with an app to bundles."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flaskship import app_bundle, make
from flaskship.app_bundle import AppBundle
from flaskship.bundle import Bundle
from flaskship.errors import BundleError, NotRecognised, TargetError, UsageError
from flaskship.image import lock as locks
from flaskship.image.lock import Lock
from flaskship.settings import Settings
from flaskship.target import Target

MODULE = '''
from typing import Annotated
import numpy
from flaskship import Meta, endpoint
from tables import FACTOR

@endpoint("/double")
def twice(size: Annotated[float, Meta(examples=[2.5])], name: str = "box") -> float:
    """Twice as large."""
    return FACTOR * size

@endpoint(batch=8)
def shout(text: list[str]) -> list[str]:
    return [each.upper() for each in text]

@endpoint
def rolled(sides: int = 1_000_000) -> int:
    return int(numpy.random.default_rng().integers(sides))
'''
APP = """
from flask import Flask
app = Flask(__name__)
NAME = open("name.txt").read()

@app.route("/")
def home():
    return NAME

if __name__ == "__main__":
    app.run(port=5000)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASKSHIP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "shapes"
    folder.mkdir()
    (folder / "tables.py").write_text("FACTOR = 2\n")
    (folder / "shapes.py").write_text(MODULE)
    return folder / "shapes.py"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app with a secret, an empty folder and a Dockerfile beside it."""
    folder = tmp_path / "hall"
    (folder / "uploads").mkdir(parents=True)
    (folder / "app.py").write_text(APP)
    (folder / "name.txt").write_text("town hall")
    (folder / "requirements.txt").write_text("flask\n")
    (folder / ".env").write_text("API_KEY=abc\n")
    (folder / "Dockerfile").write_text(
        "FROM python:3.11\nENV GREETING=hello PORT=9\nRUN apt-get install -y gcc libgl1\nCMD python app.py\n"
    )
    return folder


def functions(target: Path | str, into: Path, **settings: object) -> Bundle:
    made = make.make(Target.of(target), Settings(**settings), into)  # type: ignore[arg-type]
    assert isinstance(made, Bundle)
    return made


def packed(target: Path | str, into: Path, **settings: object) -> AppBundle:
    made = make.make(Target.of(target), Settings(**settings), into)  # type: ignore[arg-type]
    assert isinstance(made, AppBundle)
    return made


def test_functions_are_a_bundle_with_their_folder_signatures_and_pins(module: Path, tmp_path: Path) -> None:
    made = functions(module, tmp_path / "b")
    code = made.manifest.code
    assert code is not None
    assert [(each.name, each.path, each.batch) for each in code.endpoints] == [
        ("twice", "/double", 0), ("shout", "/shout", 8), ("rolled", "/rolled", 0),
    ]  # fmt: skip
    assert code.endpoints[0].signature.names == ("size", "name")
    assert {"code/shapes.py", "code/tables.py"} <= set(made.manifest.files)
    assert [each.partition("==")[0] for each in made.manifest.requirements] == ["numpy"]
    assert set(made.functions()) == {"twice", "shout", "rolled"}


def test_masks_bring_pillow_along_though_the_code_imports_none(tmp_path: Path) -> None:
    (tmp_path / "eyes.py").write_text(
        "from flaskship import Segmentation\n"
        "def cut(raw: bytes) -> Segmentation:\n"
        "    return Segmentation(boxes=[], class_ids=[], class_names=[], scores=[])\n"
    )
    needed = functions(tmp_path / "eyes.py", tmp_path / "b").manifest.requirements
    assert [each.partition("==")[0] for each in needed] == ["pillow"]


def test_a_golden_row_is_kept_of_what_has_examples_and_answers_twice_the_same(module: Path, tmp_path: Path) -> None:
    recorded = functions(module, tmp_path / "b").recorded
    assert set(recorded) == {"twice"}  # no example of a text, and a roll of dice
    assert recorded["twice"].row == {"size": 2.5, "name": "box"}
    assert recorded["twice"].answer == {"prediction": 5.0}


def test_one_function_is_named_by_its_module(module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(module.parent.parent)
    code = functions("shapes/shapes.py:shout", tmp_path / "b").manifest.code
    assert code is not None
    assert [each.name for each in code.endpoints] == ["shout"]


@pytest.mark.parametrize("target", ["module", "app"])
def test_a_linked_bundle_holds_no_copy_and_no_path_counts(
    target: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(target)
    folder = path if path.is_dir() else path.parent
    linked = make.make(path, Settings(), tmp_path / "b", linked=True)
    assert linked.folder == folder
    assert not (linked.path / "code").exists()
    moved = Path(shutil.copytree(folder, tmp_path / "elsewhere" / folder.name))
    again = make.make(moved / path.relative_to(folder), Settings(), tmp_path / "c", linked=True)
    assert again.digest == linked.digest


@pytest.mark.parametrize("target", ["module", "app"])
def test_code_is_bundled_once_and_anew_when_a_file_beside_it_changes(
    target: str, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(target)
    first = make.cached(path, Settings())
    assert make.cached(path, Settings()).path == first.path
    assert make.cached(path, Settings(), linked=True).path != first.path
    folder = path if path.is_dir() else path.parent
    (folder / "more.txt").write_text("more")
    changed = make.cached(path, Settings())
    assert changed.path != first.path
    assert "code/more.txt" in changed.manifest.files


def test_a_hint_that_cannot_be_a_field_is_told_when_it_is_bundled(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text("class Odd: ...\ndef f(x: Odd) -> int: return 1\n")
    with pytest.raises(TargetError, match=r"f\(\) in 'odd\.py', line 2: argument 'x' is Odd"):
        functions(tmp_path / "odd.py", tmp_path / "b")


def test_an_app_is_its_folder_without_secrets_and_what_starts_it(app: Path, tmp_path: Path) -> None:
    made = packed(app, tmp_path / "b")
    manifest = made.manifest
    assert (manifest.name, manifest.entry.file, manifest.entry.object, manifest.entry.port) == (
        "hall",
        "app.py",
        "app",
        5000,
    )
    assert manifest.env == {"GREETING": "hello"}  # a server's own variables are not taken over
    assert "code/app.py" in manifest.files
    assert "code/.env" not in manifest.files
    assert manifest.folders == ("uploads",)
    assert (made.folder / "uploads").is_dir()
    assert "flask==" in " ".join(manifest.requirements)
    assert any(".env" in each for each in manifest.warnings)
    assert any("installs libgl1." in each and "--system libgl1" in each for each in manifest.warnings)


@pytest.mark.parametrize(("name", "given"), [("hall/app.py", ""), ("hall/app.py:app", ""), ("hall", "app.py:app")])
def test_an_app_is_named_in_several_ways(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, given: str
) -> None:
    monkeypatch.chdir(app.parent)
    assert packed(name, tmp_path / "b", app=given).manifest.entry.file == "app.py"


def test_secrets_are_named_and_their_values_nowhere(app: Path, tmp_path: Path) -> None:
    (app / "flaskship.toml").write_text('env = ["TOKEN=hush"]')
    made = packed(app, tmp_path / "b", env=("TOKEN=hush", "MODE=fast"), secret=("TOKEN",))
    assert made.manifest.secrets == ("TOKEN",)
    assert made.manifest.env == {"GREETING": "hello", "MODE": "fast"}
    assert b"hush" not in b"".join(each.read_bytes() for each in made.path.rglob("*") if each.is_file())


def test_what_a_lock_says_holds_until_something_else_is_wanted(app: Path, tmp_path: Path) -> None:
    first = packed(app, tmp_path / "b").manifest
    old = ("flask==2.0.0", "werkzeug==2.0.0")
    kept = type(first)(**{each: getattr(first, each) for each in first.__slots__} | {"requirements": old})
    locks.write(app / "flaskship.lock", Lock(text=""), old, "3.9", kept)
    locked = packed(app, tmp_path / "c").manifest
    assert (locked.python, locked.requirements, locked.decisions) == ("3.9", old, first.decisions)
    upgraded = make.make(app, Settings(), tmp_path / "d", upgrade=True)
    assert upgraded.manifest.requirements == first.requirements
    (app / "requirements.txt").write_text("flask\nnumpy\n")
    assert "numpy" in " ".join(packed(app, tmp_path / "e").manifest.requirements)


def test_a_changed_file_of_an_app_is_found(app: Path, tmp_path: Path) -> None:
    made = packed(app, tmp_path / "b")
    assert app_bundle.read(made.path) == made
    (made.folder / "name.txt").write_text("another")
    with pytest.raises(BundleError, match=r"'code/name\.txt' .* was changed"):
        app_bundle.read(made.path)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("plain.py", UsageError, "no function to serve, and makes no WSGI or ASGI app"),
        ("table.csv:app", NotRecognised, "is no module"),
        ("empty", NotRecognised, "is a directory that holds nothing.*functions.*web apps"),
        ("none/app.py", NotRecognised, "No file or directory"),
        ("hall/app.py:nothing", UsageError, "nothing"),
    ],
)
def test_what_is_nothing_of_these_is_told_so(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.py").write_text("X = 1\n")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(error, match=words):
        make.cached(Target.of(name), Settings())


@pytest.mark.parametrize("name", ["shapes/shapes.py", "hall"])
def test_what_is_said_of_a_models_sample_is_not_taken_for_code(
    module: Path, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="--sample is for models"):
        make.cached(Target.of(name), Settings(sample=Path("rows.csv")))
