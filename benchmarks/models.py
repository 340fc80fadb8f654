"""The models that are compared: saved once, in `build/benchmarks`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks.report import say

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "benchmarks"
FEATURES = ["age", "new_user", "total_pages_visited"]
ROW = {"age": 45, "new_user": 0, "total_pages_visited": 5}
MODELS = {
    "logistic": LogisticRegression(max_iter=1000),
    "forest": RandomForestClassifier(n_estimators=100, max_depth=10, random_state=24),
}


def csv() -> Path:
    """316,200 rows of the sales example, with the answer."""
    path = BUILD / "sales" / "online_sales.csv"
    if not path.exists():
        say("Generating the sales example.")
        subprocess.run([sys.executable, ROOT / "examples/sales/train.py", path.parent], check=True, capture_output=True)
    return path


def joblib_file(name: str, *, plain: bool = False) -> Path:
    """The model as scikit-learn users save it; `plain` without column names, which the others need no DataFrame for."""
    path = BUILD / f"{name}{'-plain' if plain else ''}.joblib"
    if not path.exists():
        say(f"Training {name}.")
        rows = pd.read_csv(csv()).iloc[:20_000]
        x = rows[FEATURES].to_numpy() if plain else rows[FEATURES]
        joblib.dump(MODELS[name].fit(x, rows["converted"]), path)
    return path


def onnx_file(name: str) -> Path:
    """The model as one who knows would convert it by hand: no ZipMap, double precision."""
    path = BUILD / f"{name}.onnx"
    if not path.exists():
        model = joblib.load(joblib_file(name, plain=True))
        options = {id(model): {"zipmap": False}}
        converted = to_onnx(model, np.zeros((1, 3)), options=options, target_opset={"": 18, "ai.onnx.ml": 3})
        path.write_bytes(converted.SerializeToString())
    return path


def bundle(name: str) -> Path:
    """The model as Flaskship serves it."""
    path = BUILD / f"{name}.bundle"
    if not path.exists():
        say(f"Making the bundle of {name}.")
        command = [sys.executable, "-m", "flaskship", "bundle", joblib_file(name), "-o", path]
        subprocess.run([*command, "--sample", csv(), "--target-column", "converted"], check=True)
    return path
