"""A plan is a description: what goes in, in which layer, and how it is said."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flaskship import bundle, plan
from flaskship.bundle import Bundle, Compilation, Manifest, Report, Source
from flaskship.errors import BaseError, UsageError
from flaskship.plan import Plan
from flaskship.schema import Answer, Facts, Field, Signature, Task
from flaskship.settings import Settings

PYPROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture
def made(tmp_path: Path) -> Bundle:
    return make(tmp_path, b"weights")


def make(tmp_path: Path, weights: bytes) -> Bundle:
    manifest = Manifest(
        flaskship="0", name="sales", model="model.onnx",
        signature=Signature(task=Task.REGRESSION, inputs=(Field(name="age"),)),
        facts=Facts(framework="scikit-learn", kind="Ridge", version="1.5"), source=Source(file="x", sha256="0", size=1),
        compilation=Compilation(compiled=True), requirements=("numpy==2.0", "onnxruntime==1.20"),
    )  # fmt: skip
    golden = ({"age": np.array([1.0])}, Answer(values=(np.array([1.0]),)))
    return bundle.write(tmp_path / "bundle", manifest, {"model.onnx": weights}, golden, Report())


def of(made: Bundle, **settings: object) -> Plan:
    return Plan.of(made, Settings(**settings), python="3.11", executable="/usr/bin/python3.11", assets={})  # type: ignore[arg-type]


def test_pins_of_the_model_win_over_what_serving_asks_for(made: Bundle) -> None:
    wanted = of(made, requirement=("my-package",)).requirements
    assert "numpy==2.0" in wanted
    assert not [each for each in wanted if each.startswith("numpy>")]
    assert {"onnxruntime==1.20", "my-package", "flask>=3.0"} <= set(wanted)
    assert not [each for each in wanted if each.startswith(("gunicorn", "click", "uv"))]


def test_gunicorn_is_there_when_it_serves(made: Bundle) -> None:
    assert plan.GUNICORN in of(made, server="gunicorn").requirements


@pytest.mark.parametrize("requirement", [*plan.SERVING, plan.GUNICORN])
def test_what_serving_asks_for_is_what_flaskship_depends_on(requirement: str) -> None:
    assert requirement in PYPROJECT["project"]["dependencies"]


def test_only_the_serving_half_goes_in(made: Bundle) -> None:
    names = {re.sub(r".*/flaskship/", "", name) for name in of(made).parts[0].files if "/flaskship/" in name}
    assert {"serve/__main__.py", "web/__init__.py", "health.py", "bundle.py"} <= names
    assert not [name for name in names if name.startswith(("cli/", "image/", "compiler", "make", "deploy"))]


def test_light_weights_travel_with_their_description_and_heavy_ones_alone(made: Bundle, tmp_path: Path) -> None:
    assert [part.title for part in of(made).parts[1:]] == ["model"]
    assert set(of(made).parts[1].files) == {"/bundle/manifest.json", "/bundle/golden.json", "/bundle/model.onnx"}
    heavy = of(make(tmp_path / "heavy", bytes(plan.LIGHT))).parts[1:]
    assert [(part.title, len(part.files)) for part in heavy] == [("weights", 1), ("signature", 2)]


def test_settings_of_the_server_are_baked_in_and_secrets_are_not(made: Bundle) -> None:
    env = of(made, workers=3, access_log=True, api_key="secret", port=9000, env=("A=b=c",)).env
    assert env["FLASKSHIP_WORKERS"] == "3"
    assert env["FLASKSHIP_ACCESS_LOG"] == "true"
    assert env["A"] == "b=c"
    assert not [name for name in env if "KEY" in name or "PORT" in name]


def isolated(made: Bundle, version: str) -> Bundle:
    pins = ("numpy==1.26.4", f"scikit-learn=={version}")
    return replace(made, manifest=replace(made.manifest, isolated=True, requirements=pins))


@pytest.mark.parametrize("version", ["1.2.2", "1.5.0", "9.0.0"])
def test_an_isolated_models_versions_are_those_of_its_image(made: Bundle, version: str) -> None:
    assert f"scikit-learn=={version}" in of(isolated(made, version)).requirements


def test_an_isolated_model_of_another_python_names_the_base_that_it_needs(made: Bundle) -> None:
    with pytest.raises(BaseError, match=r"1\.6\.1, which has no wheels .* 3\.9\. .* --base python:3\.13-slim"):
        Plan.of(isolated(made, "1.6.1"), Settings(), python="3.9", executable="/usr/bin/python3.9", assets={})


def test_an_isolated_model_of_too_old_a_python_is_refused_with_ways_out(made: Bundle) -> None:
    with pytest.raises(BaseError, match=r"only for 3\.9 or 3\.8; .* needs Python 3\.11 or later.*serve --isolated"):
        of(isolated(made, "0.24.2"))


def test_an_env_without_a_value_is_refused(made: Bundle) -> None:
    with pytest.raises(UsageError, match="'A' is no NAME=VALUE"):
        of(made, env=("A",))


def test_labels_say_what_it_is(made: Bundle) -> None:
    labels = of(made, label=("team=harbour",)).labels
    assert labels["io.flaskship.model"] == made.digest
    assert labels["io.flaskship.framework"] == "scikit-learn 1.5"
    assert '"name":"age"' in labels["io.flaskship.schema"]
    assert labels["team"] == "harbour"
