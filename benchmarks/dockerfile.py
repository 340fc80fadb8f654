"""Time and size of what `docker build` makes of the sales model: of the usual hand-written Dockerfile, and the ejected.

The wheels lie in the image that they start from, so nothing is fetched meanwhile.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import say

BUILDER = "flaskship-bench/builder"
SYSTEM = "python3,python3-pip,python3-venv,dash,coreutils,findutils"
PACKAGES = "flask\ngunicorn\npandas\nscikit-learn\n"
FROM_RAW = f"FROM {BUILDER}:raw\nCOPY wheels /wheels\nENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\n"
USUAL = f"""\
FROM {BUILDER}:wheels
WORKDIR /app
COPY . .
RUN python3 -m pip install --no-cache-dir --break-system-packages -r requirements.txt
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "app:app"]
"""
APP = """\
import joblib
import pandas as pd
from flask import Flask, request

app = Flask(__name__)
model = joblib.load("sales.joblib")

@app.post("/predict")
def predict():
    return {"prediction": model.predict(pd.DataFrame([request.json])).tolist()[0]}
"""


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def build(tag: str, context: Path, *options: str) -> float:
    """Seconds of `docker build`."""
    begin = time.perf_counter()
    docker("build", "--quiet", "--tag", tag, *options, str(context))
    return time.perf_counter() - begin


def builder(folder: Path, requirements: list[Path]) -> None:
    """An image with Python, pip, a shell, and the wheels of these files."""
    raw = folder / "raw.tar"
    command = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={SYSTEM}", "bookworm", str(raw)]
    subprocess.run(command, check=True, capture_output=True)
    docker("import", str(raw), f"{BUILDER}:raw")
    raw.unlink()
    place = folder / "builder"
    for each in requirements:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "-r", str(each)]
        subprocess.run([*download, "-d", str(place / "wheels")], check=True, capture_output=True)
    (place / "Dockerfile").write_text(FROM_RAW)
    build(f"{BUILDER}:wheels", place)


def rows(folder: Path, eject: Callable[[], object], train: Callable[[], None]) -> list[tuple[str, str]]:
    """First build, and build with another model, of both; `eject` writes `folder/project`, `train` another model."""
    usual, api = folder / "usual", folder / "project" / "api"
    usual.mkdir()
    for name, text in (("Dockerfile", USUAL), ("app.py", APP), ("requirements.txt", PACKAGES)):
        (usual / name).write_text(text)
    eject()
    builder(folder, [usual / "requirements.txt", api / "requirements.txt"])
    found = []
    ways = (("hand-written", usual, ()), ("ejected", api, ("--build-arg", f"BUILDER={BUILDER}:wheels")))
    for title, context, options in ways:
        tag = f"flaskship-bench/{title}:1"
        shutil.copy(folder / "sales.joblib", usual)
        first = build(tag, context, "--no-cache", *options)
        train()
        eject()
        shutil.copy(folder / "sales.joblib", usual)
        again = build(tag, context, *options)
        size = int(docker("image", "inspect", "-f", "{{.Size}}", tag))
        found += [
            (f"`docker build`, {title} Dockerfile: first", f"{first:.1f} s"),
            (f"`docker build`, {title} Dockerfile: another model", f"{again:.1f} s"),
            (f"{title} image, unpacked, with its base", f"{size / 1e6:.0f} MB"),
        ]
        say(f"  docker build, {title}: {first:.1f} s, another model {again:.1f} s")
    return found
