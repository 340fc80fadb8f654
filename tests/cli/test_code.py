"""Functions and apps on the command line."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from flaskship.cli import invoke as run
from flaskship.cli import targets
from flaskship.settings import Settings
from flaskship.target import Target

RENT = '''
from typing import Annotated
import numpy
from flaskship import Meta, endpoint

@endpoint("/rentapi")
def rent(area: Annotated[float, Meta(gt=0, le=500, examples=[60])], garden: bool = False) -> float:
    """What a flat costs a month."""
    return round(float(numpy.round(area * 10.0)) + 50 * garden, 2)
'''
HALL = """
import os
from flask import Flask
app = Flask(__name__)

@app.route("/")
def home():
    return os.environ["GREETING"] + open("sign.txt").read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with flats/rent.py, hall/app.py, and a cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLASKSHIP_CACHE", str(tmp_path / "cache"))
    files = {
        "flats/rent.py": RENT,
        "hall/app.py": HALL,
        "hall/sign.txt": "!",
        "hall/.env": "KEY=abc",
        "hall/notes.ipynb": "{}",
        "hall/pyproject.toml": '[tool.flaskship]\nenv = ["GREETING=hello", "TOKEN=hush"]\nsecret = ["TOKEN"]\n',
        "hall/requirements.txt": "flask\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_function_answers_offline_a_row_and_a_file(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", "flats.rent:rent", "--set", "area=60", "--set", "garden=yes"]) == 0
    assert json.loads(capfd.readouterr().out) == {"prediction": 650.0}
    (place / "rows.csv").write_text("id,area,garden\na,10,false\nb,20,true\n")
    assert run(["predict", "flats/rent.py", "--input", "rows.csv", "--output", "out.csv"]) == 0
    assert (place / "out.csv").read_text().splitlines() == [
        "id,area,garden,prediction", "a,10,false,100.0", "b,20,true,250.0",
    ]  # fmt: skip
    (place / "rows.jsonl").write_text('{"area": 10}\n{"area": 600}\n')
    capfd.readouterr()
    assert run(["predict", "flats/rent.py", "--input", "rows.jsonl"]) == 5
    assert "area" in capfd.readouterr().err


def test_files_are_fields_by_their_path_and_a_dash_is_the_output(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (place / "count.py").write_text("def count(data: bytes, tags: list[int] = []) -> int: return len(data) + sum(tags)")
    (place / "tags.json").write_text("[1, 2]")
    assert run(["predict", "count.py", "--set", "data=@hall/app.py", "--set", "tags=@tags.json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"prediction": len(HALL) + 3}
    assert run(["predict", "count.py", "--set", "data=@nosuch"]) == 2
    assert "No file 'nosuch' to read for 'data'." in capfd.readouterr().err
    (place / "rows.csv").write_text("area\n10\n")
    assert run(["predict", "flats/rent.py", "--input", "rows.csv", "--output", "-"]) == 0
    assert capfd.readouterr().out == "area,prediction\n10,100.0\n"
    assert not (place / "-").exists()


def test_a_functions_golden_row_is_replayed(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "flats/rent.py"]) == 0
    assert capfd.readouterr().out == "golden rows of rent: the same answers\n"
    assert run(["bundle", "flats/rent.py", "-o", "b"]) == 0
    code = place / "b" / "code" / "rent.py"
    code.write_text(RENT.replace("10.0", "11.0"))
    manifest = place / "b" / "manifest.json"
    told = json.loads(manifest.read_text())
    told["files"].pop("code/rent.py")  # as if somebody had changed the code, and the manifest with it
    manifest.write_text(json.dumps(told))
    capfd.readouterr()
    assert run(["check", "b"]) == 4
    assert "'rent' answers {'area': 60, 'garden': False} with {'prediction': 660.0}" in capfd.readouterr().err


def test_without_a_golden_row_check_says_so(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "flats" / "rent.py").write_text("def rent(area: float) -> float: return area * 10")
    assert run(["check", "flats/rent.py"]) == 0
    assert "no golden rows: a function has one where" in capfd.readouterr().out


@pytest.mark.parametrize("verb", ["predict", "check"])
def test_an_app_has_no_signature_to_ask_it_by(verb: str, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["--set", "a=1"] if verb == "predict" else []
    assert run([verb, "hall", *arguments]) == 2
    assert "'hall' is an app" in capfd.readouterr().err


def test_functions_and_apps_are_described(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "flats/rent.py"]) == 0
    out = capfd.readouterr().out
    assert "rent: POST /rentapi, answers value" in out
    assert "numpy==" in out
    assert run(["inspect", "hall", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["kind"], told["entry"]["object"], told["secrets"]) == ("app", "app", ["TOKEN"])
    assert told["content"]["secrets"] == [".env"]
    assert "notes.ipynb" in told["content"]["left_out"]


def test_the_limits_of_a_functions_arguments_are_shown(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "limited.py").write_text("""
from typing import Annotated
from flaskship import Meta
def say(
    text: Annotated[str, Meta(min_length=1, max_length=200)], code: Annotated[str, Meta(pattern="^[A-Z]")],
    share: Annotated[float, Meta(ge=0, le=1)], odds: Annotated[float, Meta(gt=0.5)],
    tens: Annotated[int, Meta(le=90, multiple_of=10)], tags: Annotated[list[str], Meta(max_length=3)],
) -> str: return text
""")
    assert run(["inspect", "limited.py"]) == 0
    out = capfd.readouterr().out
    assert f"Framework     Python {platform.python_version()}\n" in out
    shown = {line.split()[0]: " ".join(line.split()[2:]) for line in out.splitlines() if line.startswith(" ")}
    assert shown == {
        "Field": "Range or choices Default",
        "text": "1 to 200 characters",
        "code": "as '^[A-Z]'",
        "share": "0 to 1",
        "odds": "more than 0.5",
        "tens": "at most 90, a multiple of 10",
        "tags": "at most 3 values",
    }


@pytest.mark.parametrize("more", [(), ("--exclude", "sign.txt")])
def test_a_dry_run_lists_what_goes_in_and_keeps_nothing(
    place: Path, more: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    before = {each for each in place.rglob("*") if "cache" not in each.parts}
    assert run(["build", "hall", "--dry-run", "--env", "MODE=fast", *more]) == 0
    lines = [" ".join(line.split()) for line in capfd.readouterr().out.splitlines()]
    assert ("1 B sign.txt" in lines) is not bool(more)
    assert "notes.ipynb: a notebook" in lines
    assert ".env: looks like a secret" in lines
    assert {"GREETING=hello", "MODE=fast", "TOKEN"} <= set(lines)
    assert [line for line in lines if line.startswith("flask==")]
    assert "hush" not in " ".join(lines)
    assert {each for each in place.rglob("*") if "cache" not in each.parts} == before
    assert not (place / "cache" / "bundles").exists()


def test_a_dry_run_of_a_function_lists_its_folder(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["build", "flats/rent.py", "--dry-run"]) == 0
    out = capfd.readouterr().out
    assert "rent.py" in out
    assert "numpy==" in out
    assert "hall" not in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["build", "hall"], "An image needs a name: -t me/sales:1.0"),
        (["serve", "hall", "flats/rent.py"], "'hall' is an app, and has its own routes: it is served alone."),
        (["serve", "hall", "--secret", "NOT_SET_ANYWHERE"], "The secret 'NOT_SET_ANYWHERE' has no value here"),
        (["build", "hall", "-t", "x", "--env", "NOT_SET_ANYWHERE"], "nor the name of a variable that is set here"),
        (["build", "hall", "-t", "x", "--app", "none.py"], "none.py"),
        (["serve", "hall", "--sample", "rows.csv"], "--sample is for models"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert sentence in " ".join(capfd.readouterr().err.split())


def test_settings_of_a_targets_own_folder_are_read_and_those_given_win(place: Path) -> None:
    (place / "hall" / "pyproject.toml").write_text(
        '[tool.flaskship]\napp = "app.py"\nexclude = ["*.txt"]\nenv = ["A=1", "B=1"]\nport = 9\n'
    )
    target, settings = targets.parse("front=hall", Settings(env=("B=2",)))
    assert target == Target(path=Path("hall"))
    assert (settings.name, settings.app, settings.exclude) == ("front", "app.py", ("*.txt",))
    assert settings.env == ("A=1", "B=1", "B=2")  # the last holds
    assert settings.port == 8000  # of the server, which is started elsewhere
    assert targets.parse("hall", Settings(app="other.py"))[1].app == "other.py"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("hall", True), ("flats/rent.py:rent", True), ("flats.rent:rent", True), ("a=me/sales", True),
        ("none.py", True), ("flats.rent:1.0", False), ("flats:latest", False), ("flats.rent:latest", False),
        ("me/sales:1.0", False), ("localhost:5000/me/sales", False),
    ],
)  # fmt: skip
def test_a_module_and_what_in_it_is_told_from_an_image(text: str, named: bool) -> None:
    assert targets.names_path(text) is named
