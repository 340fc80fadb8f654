"""From a model file to a bundle."""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from flaskship import cache as stored
from flaskship import make
from flaskship.bundle import Bundle
from flaskship.errors import NotRecognised, UnsafePickle, UsageError
from flaskship.make.model import GOLDEN_ROWS
from flaskship.settings import Settings


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FLASKSHIP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def line(tmp_path):
    path = tmp_path / "line.joblib"
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), path)
    return path


def test_the_sales_model_is_compiled_scored_and_answers_as_before(sales):
    settings = Settings(sample=sales / "online_sales.csv", target_column="converted")
    made = make.cached(sales / "sales.joblib", settings)
    manifest = made.manifest
    assert manifest.signature.names == ("age", "new_user", "total_pages_visited")
    assert manifest.compilation.compiled
    assert manifest.compilation.label_changes == 0
    assert manifest.score["accuracy"] > 0.97
    assert manifest.sample_rows == 316_200
    assert made.report.gain > 1
    assert manifest.requirements == ("numpy>=1.26",)  # whatever NumPy the image's Python has
    row = pd.DataFrame({"age": [45], "new_user": [0], "total_pages_visited": [5]})
    expected = joblib.load(sales / "sales.joblib").predict_proba(row)
    answer = made.load().predict({name: row[name].to_numpy() for name in row})
    np.testing.assert_allclose(answer.probabilities, expected, rtol=1e-9)
    assert made.golden.check(made.load().predict) < 1e-6


def test_equal_input_gives_an_equal_digest(line, tmp_path):
    first = make.make(line, Settings(), tmp_path / "a")
    second = make.make(line, Settings(), tmp_path / "b")
    assert first.digest == second.digest


def test_a_bundle_is_made_once_and_anew_when_the_model_or_a_setting_changes(line):
    said: list[str] = []
    first = make.cached(line, Settings(), said.append)
    assert said
    said.clear()
    assert make.cached(line, Settings(), said.append).path == first.path
    assert not said
    assert make.cached(line, Settings(compile=False), said.append).path != first.path
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [1.0, 4.0]), line)
    assert make.cached(line, Settings(), said.append).path != first.path


def test_a_bundle_is_its_own_bundle(line, tmp_path):
    made = make.make(line, Settings(), tmp_path / "a")
    assert make.cached(tmp_path / "a", Settings()) == made


def test_without_compiling_the_original_serves_and_the_reason_is_kept(line):
    manifest = make.cached(line, Settings(compile=False)).manifest
    assert manifest.model == "model.joblib"
    assert manifest.compilation.reason == "--no-compile was given"
    assert any(requirement.startswith("scikit-learn==") for requirement in manifest.requirements)


def test_a_model_that_cannot_be_compiled_says_why(tmp_path):
    path = tmp_path / "neighbours.joblib"
    joblib.dump(KNeighborsClassifier(metric=_distance).fit([[0.0], [1.0], [2.0]] * 3, [0, 1, 1] * 3), path)
    made = make.cached(path, Settings(trust=True))
    assert not made.manifest.compilation.compiled
    assert made.manifest.compilation.reason
    assert made.manifest.trusted
    with pytest.raises(UnsafePickle):
        Bundle.read(made.path).load()


def _distance(one, other):
    return abs(one - other).sum()


def test_a_name_and_a_version_can_be_given(line):
    manifest = make.cached(line, Settings(name="price", model_version="3")).manifest
    assert (manifest.name, manifest.version) == ("price", "3")


def test_a_target_that_is_not_there_is_said(tmp_path):
    with pytest.raises(NotRecognised, match=r"No file or directory '.*none\.joblib'"):
        make.cached(tmp_path / "none.joblib", Settings())


def test_a_target_column_needs_a_sample(line):
    with pytest.raises(UsageError, match="--sample"):
        make.cached(line, Settings(target_column="y"))


def test_the_cache_keeps_the_newest_bundles_only(line, cache, monkeypatch):
    monkeypatch.setattr(stored, "KEPT", 3)
    for version in "12345":
        make.cached(line, Settings(model_version=version))
    assert len(list((cache / "bundles").iterdir())) == 3


@pytest.mark.parametrize("compiles", [True, False])
def test_a_model_that_refuses_some_made_up_rows_is_served(tmp_path, compiles):
    model = make_pipeline(FunctionTransformer(np.log1p), Ridge())  # a made-up row below -1 has no logarithm
    path = tmp_path / "logarithm.joblib"
    joblib.dump(model.fit([[0.0, 4.0], [1.0, 2.0], [3.0, 1.0]], [1.0, 3.0, 2.0]), path)
    made = make.cached(path, Settings(compile=compiles))
    rows = made.golden.columns
    assert len(rows["x0"]) == GOLDEN_ROWS
    assert min(rows["x0"].min(), rows["x1"].min()) > -1


@pytest.mark.needs("torch")
def test_a_net_for_a_gpu_is_no_graph(tmp_path):
    import torch

    rows = {0: torch.export.Dim("rows")}
    program = torch.export.export(torch.nn.Linear(2, 1), (torch.zeros(3, 2),), dynamic_shapes=(rows,))
    torch.export.save(program, tmp_path / "net.pt2")
    made = make.make(tmp_path / "net.pt2", Settings(gpu=True), tmp_path / "bundle")
    assert (made.manifest.compilation.compiled, made.manifest.compilation.reason) == (False, "it is for a GPU")
    assert [each for each in made.manifest.requirements if each.startswith("torch==")]
