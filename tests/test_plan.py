"""A plan is a description: what goes in, in which layer, and how it is said."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flaskship import app_bundle, bundle, plan
from flaskship.app_bundle import AppBundle, AppManifest
from flaskship.bundle import Bundle, Code, Compilation, Endpoint, Manifest, Report, Source
from flaskship.errors import BaseError, UsageError
from flaskship.plan import Plan
from flaskship.schema import Answer, Facts, Field, Signature, Task
from flaskship.settings import Settings
from flaskship.source import Content, Entry, Requirements

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


def test_an_image_for_a_gpu_says_what_it_wants_of_the_driver_and_has_one_process(made: Bundle) -> None:
    env = of(made, gpu=True).env
    assert (env["NVIDIA_VISIBLE_DEVICES"], env["NVIDIA_DRIVER_CAPABILITIES"]) == ("all", "compute,utility")
    assert env["FLASKSHIP_WORKERS"] == "1"
    assert of(made, gpu=True, workers=2).env["FLASKSHIP_WORKERS"] == "2"
    assert not [name for name in of(made).env if "NVIDIA" in name]


def test_python_finds_a_place_for_temporary_files_with_a_read_only_root_too(made: Bundle) -> None:
    env = of(made).env
    assert (env["TMPDIR"], env["TEMP"]) == ("/tmp", "/dev/shm")


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
    with pytest.raises(UsageError, match="'A_IS_NOT_SET' is no NAME=VALUE"):
        of(made, env=("A_IS_NOT_SET",))


def test_labels_say_what_it_is(made: Bundle) -> None:
    labels = of(made, label=("team=harbour",)).labels
    assert labels["io.flaskship.model"] == made.digest
    assert labels["io.flaskship.framework"] == "scikit-learn 1.5"
    assert '"name":"age"' in labels["io.flaskship.schema"]
    assert labels["team"] == "harbour"


APP = AppManifest(
    flaskship="0", name="hall", python="3.9", requirements=("click==7.1", "flask==1.1"),
    entry=Entry(root="site", file="site/app.py", object="app", framework="flask", port=5000, reasons=("It is one.",)),
    wanted=Requirements(wanted=("flask==1.1",)), source=Source(file="site/app.py", sha256="0", size=1),
    env={"GREETING": "hello"}, secrets=("TOKEN",),
)  # fmt: skip


def app(tmp_path: Path, manifest: AppManifest = APP) -> AppBundle:
    folder = tmp_path / "hall"
    (folder / "site" / "uploads").mkdir(parents=True)
    (folder / "site" / "app.py").write_text("app = 1")
    (folder / "site" / "model.pkl").write_bytes(b"weights")
    (folder / "video.mp4").write_bytes(bytes(plan.LIGHT))
    sizes = {"site/app.py": 7, "site/model.pkl": 7, "video.mp4": plan.LIGHT}
    return app_bundle.write(tmp_path / "bundle", manifest, folder, Content(files=sizes, folders=("site/uploads",)))


def of_app(tmp_path: Path, **settings: object) -> Plan:
    return Plan.of(
        app(tmp_path),
        Settings(**settings),
        python="3.9",
        executable="/usr/local/bin/python3.9",
        assets={"a/b": Path()},  # type: ignore[arg-type]
    )


def test_an_apps_files_are_its_own_and_large_ones_lie_in_a_layer_before(tmp_path: Path) -> None:
    made = of_app(tmp_path)
    assert [(part.title, part.own, len(part.files)) for part in made.parts[1:]] == [
        ("weights", True, 2), ("code", True, 2), ("manifest", False, 1),
    ]  # fmt: skip
    assert set(made.parts[1].files) == {"/bundle/code/site/model.pkl", "/bundle/code/video.mp4"}
    assert set(made.parts[2].files) == {"/bundle/code/site/app.py", "/bundle/code/site/uploads"}
    assert made.workdir == "/bundle/code/site"


def test_an_apps_packages_are_its_own_pins_and_a_server_for_its_python(tmp_path: Path) -> None:
    wanted = of_app(tmp_path).requirements
    assert {"click==7.1", "flask==1.1"} <= set(wanted)
    assert [each for each in wanted if each.startswith("granian==2.5")]  # the last for Python 3.9
    assert not [each for each in wanted if each.startswith(("msgspec", "numpy", "prometheus"))]


def test_of_flaskship_an_app_gets_what_serves_it_and_what_that_imports(tmp_path: Path) -> None:
    files = {name: each for name, each in of_app(tmp_path).parts[0].files.items() if "/flaskship/" in name}
    names = {re.sub(r".*/site-packages/flaskship/", "", name): each for name, each in files.items()}
    assert {"serve/__main__.py", "foreign/load.py", "health.py", "settings.py"} <= set(names)
    assert not [name for name in names if name.startswith(("web/", "artifact/", "bundle.py", "cli/", "source/"))]
    for name, path in names.items():
        if not name.endswith(".py") or name in ("__init__.py", "serve/load.py"):  # lazy; which models are loaded with
            continue
        assert isinstance(path, Path)
        for module in re.findall(r"^ *from (flaskship\.[\w.]+) import", path.read_text(encoding="utf-8"), re.MULTILINE):
            inside = module.removeprefix("flaskship.").replace(".", "/")
            assert {f"{inside}.py", f"{inside}/__init__.py"} & set(names), f"{name} imports {module}"


def test_an_apps_environment_labels_and_secrets(tmp_path: Path) -> None:
    made = of_app(tmp_path, env=("TOKEN=hush", "MODE=fast"), secret=("TOKEN", "KEY"))
    assert (made.env["GREETING"], made.env["MODE"], made.env["HOME"]) == ("hello", "fast", "/tmp")
    assert "hush" not in repr(made)
    labels = made.labels
    assert labels["io.flaskship.secrets"] == "KEY TOKEN"
    assert (labels["io.flaskship.target"], labels["io.flaskship.kind"], labels["io.flaskship.page-port"]) == (
        "app",
        "app",
        "5000",
    )
    assert made.entrypoint == ("/opt/flaskship/bin/python", "-I", "-m", "flaskship.serve", "/bundle")
    assert made.app is not None
    assert made.app.decisions == ("It is one.",)


def test_functions_have_their_weights_in_a_layer_before_their_code(tmp_path: Path) -> None:
    folder = tmp_path / "shapes"
    folder.mkdir()
    (folder / "shapes.py").write_text("def f(a: int) -> int: return a")
    (folder / "net.pt2").write_bytes(b"weights")
    signature = Signature(task=Task.FUNCTION, inputs=(Field(name="a"),))
    manifest = Manifest(
        flaskship="0", name="shapes", model="", signature=signature, facts=Facts(framework="python", kind="f"),
        source=Source(file="shapes.py", sha256="0", size=1), compilation=Compilation(compiled=False),
        requirements=("pillow==11.0",),
        code=Code(root=".", file="shapes.py", endpoints=(Endpoint(name="f", path="/f", signature=signature),)),
    )  # fmt: skip
    made = of(bundle.write_code(tmp_path / "bundle", manifest, folder, ["shapes.py", "net.pt2"], {}))
    assert [(part.title, sorted(Path(each).name for each in part.files)) for part in made.parts[1:]] == [
        ("weights", ["net.pt2"]), ("code", ["shapes.py"]), ("manifest", ["manifest.json"]),
    ]  # fmt: skip
    assert not [part for part in made.parts if part.own]
    assert "pillow==11.0" in made.requirements
    assert made.labels["io.flaskship.target"] == "function"
    assert '"path":"/f"' in made.labels["io.flaskship.endpoints"]
    assert "io.flaskship.schema" not in made.labels
