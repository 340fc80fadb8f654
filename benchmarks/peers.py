"""`POST /predict` of one row against other model servers, each in an environment of its own that uv makes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.contenders import APPS, flaskship, label
from benchmarks.models import BUILD, ROW, joblib_file
from benchmarks.predict import measure, ratio, summary
from benchmarks.report import Claim, out, say
from benchmarks.servers import Contender

ROUNDS, SECONDS = 3, 3


def environment(*packages: str) -> Path:
    """The folder of the programs of an environment that has `packages`. Raises `CalledProcessError`."""
    folder = BUILD / f"venv-{packages[0]}{'-torch' if 'torch' in packages else ''}"
    if not (folder / "made").exists():
        say(f"  installing {' '.join(packages)}")
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, folder], check=True)
        install = [*uv, "pip", "install", "-q", "--python", folder / "bin" / "python", "--compile-bytecode"]
        if "torch" in packages:  # the build for CPUs alone, as scripts/install.sh has it
            ways = (["--no-index", "--no-deps"], ["--torch-backend", "cpu"])
            any(not subprocess.run([*install, *way, "torch"], capture_output=True).returncode for way in ways)
        subprocess.run([*install, *packages], check=True, capture_output=True, text=True)
        (folder / "made").touch()
    return folder / "bin"


def bentoml() -> Contender:
    programs = environment("bentoml", "scikit-learn")
    return peer(
        "BentoML",
        lambda port: [programs / "bentoml", "serve", "bentoml_app:Sales", "--port", str(port)],
        environment={"BENTOML_HOME": str(BUILD / "bentoml"), "BENTOML_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1"},
    )


def litserve() -> Contender:
    programs = environment("litserve", "scikit-learn")
    return peer("LitServe", lambda port: [programs / "python", "litserve_app.py"])


def vetiver() -> Contender:
    programs = environment("vetiver", "scikit-learn")
    command = [programs / "uvicorn", "--workers", "2", "--log-level", "warning", "vetiver_app:app", "--port"]
    return peer(
        "vetiver", lambda port: [*command, str(port)], body=[ROW], label=lambda answer: int(answer["predict"][0])
    )


def mlserver() -> Contender:
    programs = environment("mlserver", "mlserver-sklearn")
    folder = BUILD / "mlserver"
    folder.mkdir(exist_ok=True)
    model = {"name": "sales", "implementation": "mlserver_sklearn.SKLearnModel"}
    model["parameters"] = {"uri": str(joblib_file("logistic", plain=True))}
    (folder / "model-settings.json").write_text(json.dumps(model))

    def command(port: int) -> list[str | Path]:
        settings = {"http_port": port, "grpc_port": 0, "metrics_port": 0, "metrics_endpoint": None, "debug": False}
        settings["parallel_workers"] = (
            0  # in the server's own process: no hand-off, and its pool fails with this uvloop
        )
        (folder / "settings.json").write_text(json.dumps(settings))
        return [programs / "mlserver", "start", folder]

    tensor = {"name": "x", "shape": [1, 3], "datatype": "FP64", "data": list(ROW.values())}
    return peer(
        "MLServer",
        command,
        path="/v2/models/sales/infer",
        body={"inputs": [tensor]},
        label=lambda answer: answer["outputs"][0]["data"][0],
    )


def peer(name: str, command: Callable[[int], list[str | Path]], **kinds: object) -> Contender:
    model = {"MODEL": str(joblib_file("logistic", plain=True))}
    given = {**model, **kinds.pop("environment", {})}
    return Contender(name=name, command=command, environment=given, folder=APPS, **{"label": label, **kinds})


def main() -> list[Claim]:
    say("/predict, LogisticRegression, other model servers:")
    contenders = [flaskship("logistic")]
    for make in (bentoml, litserve, mlserver, vetiver):
        try:
            contenders.append(make())
        except subprocess.CalledProcessError as error:
            out(f"{make.__name__} is left out: it cannot be installed here: {str(error.stderr)[-300:]}")
    loads = measure(contenders, ROUNDS, SECONDS)
    out(f"\n### `/predict`, LogisticRegression, 32 connections, other model servers\n\n{summary(loads)}\n")
    names = [name for name in loads if name != "flaskship"]
    return [
        Claim(what=f"LogisticRegression: to {name}", reached=ratio(loads, "flaskship", name), target=25)
        for name in names
    ]
