"""`flaskship new`: each template is made, passes its own test, and does what its README says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from containers import DEADLINE, server

from flaskship.cli import invoke
from flaskship.cli.new import KINDS

QUESTIONS = {  # of its README, what is served, and what is answered
    "sklearn": ("model.joblib", "/predict?area=62.5&rooms=3&district=centre", None, "prediction"),
    "function": ("rent.py", "/predict", {"area": 62.5, "district": "south", "balcony": True}, "847.5"),
    "flask": (".", "/species", {"petal_length": 4.5, "petal_width": 1.4}, "versicolor"),
}


def python(folder: Path, *arguments: str) -> str:
    """What `python ARGUMENTS` prints in `folder`, where it ends well; pytest ends with 5 where all is skipped."""
    env = {**os.environ, "FLASKSHIP_CACHE": str(folder / ".cache")}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0 or "needs PyTorch" in done.stdout, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_passes_its_own_test_and_answers_as_its_readme_says(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke(["new", "My first", "--from", kind]) == 0
    folder = tmp_path / "My first"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# my-first\n")
    said = python(folder, "-m", "pytest", "-ra", "-p", "no:cacheprovider")
    assert " passed" in said or "needs PyTorch" in said
    if kind in QUESTIONS:
        target, path, body, answer = QUESTIONS[kind]
        assert f"flaskship serve {target}" in readme and f"localhost:8000{path}" in readme
        if "python train.py" in readme:
            python(folder, "train.py")
        with server(folder, target) as url:
            method = "GET" if body is None else "POST"
            assert answer in requests.request(method, f"{url}{path}", json=body, timeout=DEADLINE).text


def test_the_next_commands_are_said_and_the_folder_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flats").mkdir()  # an empty one is as good as none
    assert invoke(["new", "flats", "--from", "function"]) == 0
    out, err = capfd.readouterr()
    assert out == "flats\n"
    assert [line.split("#")[0].strip() for line in err.splitlines()] == [
        "Next:",
        "cd flats",
        "pip install -r requirements.txt pytest",
        "pytest",
        "flaskship serve rent.py",
    ]


@pytest.mark.parametrize("there", ["a file", "a folder"])
def test_what_is_there_is_left_as_it_is(
    there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "flats" if there == "a file" else tmp_path / "flats" / "mine.py"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    assert invoke(["new", "flats", "--from", "flask"]) == 2
    assert "'flats' is there already" in capfd.readouterr().err
    assert kept.read_text() == "mine"
    assert len(list(tmp_path.rglob("*"))) <= 2
