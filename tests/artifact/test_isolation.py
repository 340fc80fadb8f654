"""A pickle of another scikit-learn answers in an environment of its own as it did where it was made."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression

from flaskship import artifact
from flaskship.artifact import Model, pickles
from flaskship.artifact.isolation import environments
from flaskship.artifact.isolation import loader as isolation
from flaskship.artifact.isolation.environments import Recipe
from flaskship.artifact.isolation.process import Process
from flaskship.artifact.shim import worker
from flaskship.errors import NotRecognised, PredictionFailed, UnsafePickle, VersionMismatch
from flaskship.schema import Answer, FieldType, Task

TRAINING = """
    import json, pickle, sys
    import numpy as np, pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    X = np.random.RandomState(0).rand(80, 3)
    y = np.where(X[:, 0] > 0.5, "yes", "no")
    frame = pd.DataFrame({"a": X[:, 0], "unused": X[:, 1], "city": ["Rome", "Oslo"] * 40})
    columns = ColumnTransformer([
        ("n", make_pipeline(SimpleImputer(), StandardScaler()), ["a"]), ("c", OneHotEncoder(), ["city"])])
    models = {
        "forest": (RandomForestClassifier(10, random_state=0).fit(X, y), X),
        "linear": (make_pipeline(StandardScaler(), LinearRegression()).fit(X, X[:, 1] * 3), X),
        "frame": (make_pipeline(columns, LogisticRegression()).fit(frame, y), frame),
    }
    for name, (model, rows) in models.items():
        with open(sys.argv[1] + "/" + name + ".pkl", "wb") as file:
            pickle.dump(model, file, protocol=4)
        told = {"values": model.predict(rows[:5]).tolist()}
        if hasattr(model, "predict_proba"):
            told["probabilities"] = model.predict_proba(rows[:5]).tolist()
        told["rows"] = {c: rows[c][:5].tolist() for c in rows} if name == "frame" else rows[:5].tolist()
        with open(sys.argv[1] + "/" + name + ".json", "w") as file:
            json.dump(told, file)
"""
VERSIONS = ("0.24.2", "1.2.2")


@pytest.fixture(scope="session", params=VERSIONS)
def made(request, tmp_path_factory):
    """A folder of models made with another scikit-learn, and the answers that they gave there."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLASKSHIP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        era = environments.ERAS[tuple(int(part) for part in request.param.split(".")[:2])]
        wanted = (f"scikit-learn=={request.param}", "scipy", "joblib", "pandas", "numpy", "numpy<2", *era.bounds)
        try:
            python = environments.python(Recipe(requirements=wanted, pythons=era.pythons))
        except VersionMismatch as error:  # without an index, or without that Python; with CI=true a failure
            pytest.skip(f"needs: scikit-learn {request.param} ({error})")
        subprocess.run([python, "-I", "-W", "ignore", "-c", textwrap.dedent(TRAINING), folder], check=True)
        yield SimpleNamespace(
            folder=folder, version=request.param, open=cache(lambda name: isolation.open(folder / f"{name}.pkl"))
        )


def answers(made: SimpleNamespace, name: str) -> dict[str, object]:
    return json.loads((made.folder / f"{name}.json").read_text())


def answered(made: SimpleNamespace, name: str) -> tuple[Model, Answer]:
    """The model, and its answer to the rows x0, x1, x2 that were asked where it was made: it must be the same."""
    expected = answers(made, name)
    rows, model = np.array(expected["rows"]), made.open(name)
    answer = model.predict({f"x{place}": rows[:, place] for place in range(3)})
    assert answer.values[0].tolist() == expected["values"]
    return model, answer


def test_a_forest_answers_exactly_as_where_it_was_made(made):
    model, answer = answered(made, "forest")
    assert answer.probabilities.tolist() == answers(made, "forest")["probabilities"]
    signature = model.signature
    assert (signature.task, signature.classes, signature.names) == (
        Task.CLASSIFICATION,
        ("no", "yes"),
        ("x0", "x1", "x2"),
    )
    assert model.facts.made_with == {"scikit-learn": made.version}
    assert f"scikit-learn=={made.version}" in model.facts.requirements
    assert model.facts.kind == "RandomForestClassifier"


def test_a_regression_answers_numbers(made):
    model, answer = answered(made, "linear")
    assert model.signature.task is Task.REGRESSION
    assert answer.probabilities is None


def test_named_columns_have_their_types_choices_and_gaps(made):
    expected = answers(made, "frame")
    rows = expected["rows"]
    model = made.open("frame")
    number, city = model.signature.inputs
    assert (number.name, number.type, number.nullable) == ("a", FieldType.NUMBER, True)
    assert (city.name, city.type, city.choices, city.closed) == ("city", FieldType.TEXT, ("Oslo", "Rome"), True)
    columns = {"a": np.array(rows["a"]), "city": np.array(rows["city"], dtype=object)}
    answer = model.predict(columns)
    assert answer.values[0].tolist() == expected["values"]
    assert answer.probabilities.tolist() == expected["probabilities"]
    assert len(model.predict({**columns, "a": np.full(5, np.nan)}).values[0]) == 5


def test_artifact_isolated_serves_it_again_and_again(made):
    for _ in range(2):
        assert artifact.isolated(made.folder / "forest.pkl").signature.task is Task.CLASSIFICATION


def test_callers_in_several_threads_get_their_own_answers(made):
    expected = answers(made, "forest")
    rows = np.array(expected["rows"])
    model = made.open("forest")

    def one(place: int) -> list[float]:
        return model.predict({f"x{each}": rows[place : place + 1, each] for each in range(3)}).probabilities[0].tolist()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, [0, 1, 2, 3, 4] * 4))
    assert found == expected["probabilities"] * 4


def test_a_model_that_raises_says_so_and_answers_the_next(made):
    model = made.open("frame")
    row = {"a": np.array([0.5]), "city": np.array(["Paris"], dtype=object)}
    with pytest.raises(PredictionFailed, match=r"ValueError: Found unknown categories \['Paris'\]"):
        model.predict(row)
    assert model.predict({**row, "city": np.array(["Rome"], dtype=object)}).values[0][0] in ("yes", "no")


def test_a_closed_model_leaves_no_process(made):
    model = isolation.open(made.folder / "forest.pkl")
    child = model.process._child
    model.close()
    assert child.poll() is not None


FAKE = """#!{python}
import os, sys
sys.path.insert(0, {shim!r})
import numpy, worker
told, answers = sys.stdin.buffer, sys.stdout.buffer
worker.read(told)
worker.write(answers, {{"task": "regression"}}, [])
worker.read(told)
if not os.path.exists({marker!r}):
    open({marker!r}, "w").close()
    sys.exit("Segmentation fault")
worker.write(answers, {{"shares": False, "score": False}}, [numpy.array([1.5])])
told.read()
"""


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "python"
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_process_that_dies_is_an_error_once_and_started_again(tmp_path, caplog):
    shim = str(Path(worker.__file__).parent)
    fake = FAKE.format(python=sys.executable, shim=shim, marker=str(tmp_path / "marker"))
    process = Process(script(tmp_path, fake), {})
    process.start()
    with pytest.raises(PredictionFailed, match="process died: Segmentation fault"):
        process.ask({}, [])
    assert "isolated model: Segmentation fault" in caplog.messages
    assert process.ask({}, [])[1][0].tolist() == [1.5]
    process.close()


def test_a_process_that_dies_at_its_start_says_its_last_words(tmp_path):
    with pytest.raises(VersionMismatch, match="died while loading it: Illegal instruction"):
        Process(script(tmp_path, "#!/bin/sh\necho 'Illegal instruction' >&2\nexit 1\n"), {}).start()


def test_an_unsafe_pickle_is_not_loaded_there_either(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"cos\nsystem\n(S'touch MARKER'\ntR.")
    with pytest.raises(UnsafePickle, match=r"os\.system"):
        isolation.open(path)


def test_only_pickles_are_isolated(tmp_path):
    (tmp_path / "model.txt").write_bytes(b"tree\nversion=v4\n")
    with pytest.raises(NotRecognised, match="is for pickles"):
        isolation.open(tmp_path / "model.txt")


def of_version(tmp_path: Path, version: str) -> Path:
    data = pickle.dumps(LogisticRegression(), 4)
    here = sklearn.__version__.encode()
    changed = data.replace(b"\x8c" + bytes([len(here)]) + here, b"\x8c" + bytes([len(version)]) + version.encode())
    size = int.from_bytes(data[3:11], "little") + len(changed) - len(data)
    (tmp_path / "model.pkl").write_bytes(changed[:3] + size.to_bytes(8, "little") + changed[11:])
    return tmp_path / "model.pkl"


def test_a_version_without_wheels_says_so(tmp_path):
    path = of_version(tmp_path, "0.19.2")
    with pytest.raises(VersionMismatch, match=r"scikit-learn 0\.19\.2, which has no wheels"):
        isolation.open(path)


def test_the_recipe_names_what_the_pickle_does(tmp_path):
    wanted = environments.recipe(pickles.scan(of_version(tmp_path, "1.2.2")))
    assert wanted.requirements[0] == "scikit-learn==1.2.2"
    assert wanted.pythons[0] == "3.11"
    assert "scipy<1.12" in wanted.requirements


def test_an_environment_that_cannot_be_made_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("FLASKSHIP_CACHE", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    here = ".".join(map(str, sys.version_info[:2]))
    wanted = Recipe(requirements=("scikit-learn==99.0",), pythons=(here,))
    with pytest.raises(VersionMismatch, match=r"Cannot make an environment with scikit-learn==99\.0"):
        environments.python(wanted)
    assert list((tmp_path / "environments").iterdir()) == []


def test_a_python_that_is_not_here_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("FLASKSHIP_CACHE", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(VersionMismatch, match=r"on Python 3\.99"):
        environments.python(Recipe(requirements=("scikit-learn",), pythons=("3.99",)))
