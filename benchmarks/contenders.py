"""How each server is started: each with the settings that were fastest for it here on two cores."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.models import bundle, joblib_file, onnx_file
from benchmarks.servers import Contender

APPS = Path(__file__).parent / "apps"
PYTHON = Path(sys.executable)


def label(answer: dict[str, int]) -> int:
    return answer["prediction"]


def flaskship(model: str, *flags: str) -> Contender:
    """As a user starts it, with no option but where to listen."""
    path = bundle(model)
    return Contender(
        name="flaskship " + " ".join(flags) if flags else "flaskship",
        command=lambda port: [PYTHON, "-m", "flaskship", "serve", path, "--port", str(port), *flags],
        label=label,
    )


def bare(model: str) -> Contender:
    return app(
        "bare Granian + ONNX Runtime",
        onnx_file(model),
        ["granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "1", "--no-ws", "bare:app"],
        "--port",
    )


def flask(model: str) -> Contender:
    command = ["gunicorn", "--workers", "2", "--threads", "4", "--timeout", "0", "flask_app:app"]
    return app("gunicorn + Flask + scikit-learn", joblib_file(model, plain=True), command, "--bind", "127.0.0.1:")


def fastapi(model: str) -> Contender:
    command = ["uvicorn", "--workers", "2", "--log-level", "warning", "fastapi_app:app"]
    return app("uvicorn + FastAPI + scikit-learn", joblib_file(model, plain=True), command, "--port")


def app(name: str, model: Path, command: Sequence[str], option: str, address: str = "") -> Contender:
    """One of `apps/`, run by a server of this environment."""
    return Contender(
        name=name,
        command=lambda port: [PYTHON.parent / command[0], *command[1:], option, f"{address}{port}"],
        label=label,
        environment={"MODEL": str(model)},
        folder=APPS,
    )


USUAL: tuple[Callable[[str], Contender], ...] = (flaskship, bare, flask, fastapi)
