"""The command line: results on stdout, talk on stderr, exit codes by error."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import LogisticRegression

from flaskship.cli import VERBS
from flaskship.cli import invoke as run


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty working directory and cache, with a small model in it: whether a is greater than 2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLASKSHIP_CACHE", str(tmp_path / "cache"))
    model = LogisticRegression().fit([[0, 1], [1, 0], [4, 1], [5, 0]], ["low", "low", "high", "high"])
    joblib.dump(model, "level.joblib")
    return tmp_path


def test_predict_answers_one_row_from_flags(capfd):
    assert run(["predict", "level.joblib", "--set", "x0=5", "--set", "x1=1"]) == 0
    out, err = capfd.readouterr()
    answer = json.loads(out)
    assert answer["prediction"] == "high"
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert "Compiling" in err


def test_predict_asks_a_function_without_arguments_as_it_is(place, capfd):
    (place / "state.py").write_text("def state() -> str: return 'up'\n")
    assert run(["predict", "state.py:state"]) == 0
    assert json.loads(capfd.readouterr().out) == {"prediction": "up"}


def test_predict_names_every_fault_and_ends_with_the_code_of_bad_input(capfd):
    assert run(["predict", "level.joblib", "--set", "x0=much", "--set", "x3=1"]) == 5
    out, err = capfd.readouterr()
    assert out == ""
    assert "x0" in err
    assert "x3" in err
    assert "x1" in err


def test_predict_scores_a_file_beside_its_own_columns(place, capfd):
    (place / "rows.csv").write_text("id;x1;x0\na;1;0\nb;0;5\n")
    assert run(["predict", "level.joblib", "--input", "rows.csv", "--output", "out.csv"]) == 0
    lines = (place / "out.csv").read_text().splitlines()
    assert lines[0] == "id;x1;x0;prediction;probability_high;probability_low"
    assert lines[1].startswith("a;1;0;low;")
    assert lines[2].startswith("b;0;5;high;")
    assert "2 rows" in capfd.readouterr().err


def test_predict_writes_csv_to_stdout_where_no_output_is_named(place, capfd):
    (place / "rows.csv").write_text("x0,x1\n0,1\n")
    assert run(["predict", "level.joblib", "--input", "rows.csv"]) == 0
    assert capfd.readouterr().out.splitlines()[1].startswith("0,1,low,")


def test_predict_writes_json_lines_by_the_ending(place):
    (place / "rows.jsonl").write_text('{"x0": 5, "x1": 0}\n')
    assert run(["predict", "level.joblib", "--input", "rows.jsonl", "--output", "out.jsonl"]) == 0
    assert json.loads((place / "out.jsonl").read_text())["prediction"] == "high"


def test_a_bad_row_leaves_no_output_and_nothing_half_written(place, capfd):
    (place / "rows.csv").write_text("x0,x1\n" + "1,2\n" * 1000 + "1,two\n")
    assert run(["predict", "level.joblib", "--input", "rows.csv", "--output", "out.csv"]) == 5
    assert "row 1001, column 'x1'" in capfd.readouterr().err
    assert sorted(each.name for each in place.glob("*out*")) == []


def test_a_bad_row_is_answered_with_nulls_where_asked(place, capfd):
    (place / "rows.csv").write_text("x0,x1\n5,0\n1,two\n")
    assert run(["predict", "level.joblib", "--input", "rows.csv", "--on-error", "null"]) == 0
    out, err = capfd.readouterr()
    assert out.splitlines()[1].startswith("5,0,high,")
    assert out.splitlines()[2] == "1,two,,,"
    assert "1 problems answered with nulls" in err


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["predict", "level.joblib"], 2, "Give one row with --set"),
        (["predict", "level.joblib", "--set", "x0"], 2, "'x0' is no FIELD=VALUE"),
        (["predict", "level.joblib", "--input", "none.csv"], 2, "No file 'none.csv'"),
        (["predict", "level.joblib", "--input", "level.joblib"], 5, "The file is no table: it is no text."),
        (["serve", "."], 3, "'.' is a directory that holds"),
        (["build", "/", "-t", "x"], 3, "'/' would take in the whole file system."),
        (["predict", "none.joblib", "--set", "a=1"], 3, "No file or directory 'none.joblib'"),
        (["inspect", "level.joblib", "--sample", "none.csv"], 2, "No sample at 'none.csv'"),
        (["inspect", "level.joblib", "--target-column", "y"], 2, "give --sample too"),
        (["serve", "level.joblib", "--port", "many"], 2, "'many'"),
        (["serve", "level.joblib", "a=level.joblib", "--name", "b", "--port", "0", "b=level.joblib"], 2, "named 'b'"),
        (["serve", "level.joblib", "level.joblib"], 2, "2 targets are named 'level'"),
        (["check", "http://127.0.0.1:9"], 2, "--golden"),
        (["nonsense"], 3, "No file or directory 'nonsense'"),
        (
            ["inspct", "level.joblib"],
            2,
            "No verb 'inspct', nor a file",
        ),
        (["serve", "levl.joblib"], 3, "No file or directory 'levl.joblib'. Did you mean 'level.joblib'?"),
        (["predict", "level.joblib", "--input", "level.joblib", "--output", "a.xlsx"], 2, "Cannot write .xlsx files"),
        (["check", "http://127.0.0.1:9", "--golden", "level.joblib"], 7, "No server answers at 'http://127.0.0.1:9'"),
        (["bundle", "level.joblib", "-o", "/proc/none/b"], 11, "'/proc/none': No such file or directory."),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(arguments, code, sentence, capfd):
    assert run(arguments) == code
    out, err = capfd.readouterr()
    assert sentence in " ".join(err.split())
    assert out == ""
    assert "Traceback" not in err


@pytest.mark.parametrize("verb", ["inspect", "serve"])
def test_a_cache_that_cannot_be_is_told_with_how_to_have_another(verb, monkeypatch, capfd):
    monkeypatch.setenv("FLASKSHIP_CACHE", "/proc/none")
    assert run([verb, "level.joblib"]) == 11
    err = capfd.readouterr().err
    assert "No cache can be kept in '/proc/none/bundles'" in err
    assert "FLASKSHIP_CACHE=DIR" in err


def test_a_full_disk_is_one_sentence(place, capfd):
    (place / "rows.csv").write_text("x0,x1\n0,1\n")
    command = [sys.executable, "-m", "flaskship", "predict", "level.joblib", "--input", "rows.csv"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 11
    assert done.stderr.decode().splitlines()[-1] == "Cannot read or write: No space left on device."


def test_inspect_puts_each_value_on_one_line_for_a_program(capfd):
    assert run(["inspect", "level.joblib"]) == 0
    assert re.search(r"^Digest +sha256:[0-9a-f]{64}$", capfd.readouterr().out, re.MULTILINE)


def test_inspect_shows_what_a_model_is(capfd):
    assert run(["inspect", "level.joblib"]) == 0
    out = capfd.readouterr().out
    for shown in (
        "LogisticRegression",
        "scikit-learn",
        "x0",
        "x1",
        "'high', 'low'",
        "yes, for NumPy",
        "label changes",
        "sha256:",
    ):
        assert shown in out


def test_inspect_as_json_holds_everything(capfd):
    assert run(["inspect", "level.joblib", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["facts"]["kind"] == "LogisticRegression"
    assert shown["compilation"]["label_changes"] == 0
    assert shown["one_row"]["gain"] > 0
    assert shown["signature"]["classes"] == ["high", "low"]
    assert shown["requirements"]
    assert shown["size"] > 0


def test_inspect_says_why_a_model_is_not_compiled(capfd):
    assert run(["inspect", "level.joblib", "--no-compile"]) == 0
    assert "no: --no-compile was given" in capfd.readouterr().out


def test_check_replays_the_golden_rows(capfd):
    assert run(["check", "level.joblib"]) == 0
    assert "golden rows: the same answers" in capfd.readouterr().out


def test_bundle_writes_a_directory_and_its_digest_last(place, capfd):
    assert run(["bundle", "level.joblib", "-o", "made"]) == 0
    assert capfd.readouterr().out.splitlines()[-1].startswith("sha256:")
    assert run(["predict", "made", "--set", "x0=5", "--set", "x1=1"]) == 0


def test_a_bundle_that_was_changed_is_refused(place, capfd):
    run(["bundle", "level.joblib", "-o", "made"])
    with (place / "made" / "model.json").open("ab") as file:
        file.write(b"x")
    assert run(["check", "made"]) == 3
    assert "was changed" in capfd.readouterr().err


def test_a_bundle_with_a_broken_manifest_is_one_sentence(place, capfd):
    (place / "made").mkdir()
    (place / "made" / "manifest.json").write_text("{")
    assert run(["serve", "made", "--port", "0"]) == 3
    assert "Cannot read the bundle at 'made'" in " ".join(capfd.readouterr().err.split())


def test_settings_come_from_the_file_of_the_directory(place, capfd):
    (place / "flaskship.toml").write_text("compile = false\n")
    assert run(["inspect", "level.joblib", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["compilation"]["reason"] == "--no-compile was given"


def test_what_is_no_verb_is_a_target_to_serve(capfd):
    assert run(["level.joblib", "--port", "none"]) == 2
    assert "--port" in capfd.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, capfd):
    assert run([verb, "--help"]) == 0
    assert f"flaskship {verb}" in capfd.readouterr().out


def test_help_shows_the_variable_the_default_and_the_values_of_a_setting(capfd):
    assert run(["serve", "--help"]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "FLASKSHIP_SAMPLE" in shown
    assert "--server granian|gunicorn" in shown
    assert "default: 127.0.0.1" in shown


def test_help_and_version_import_no_framework():
    modules = "sorted({'numpy', 'flask'} & set(sys.modules))"
    code = f"import sys; from flaskship.cli import invoke; invoke(['-h']); print({modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
