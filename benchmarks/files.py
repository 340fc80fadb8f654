"""`POST /predict_file` of 316,200 rows against the least that it could take: read the CSV, run the model."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import onnxruntime
import pandas as pd
import pyarrow.csv

from benchmarks.contenders import flaskship
from benchmarks.models import FEATURES, csv, joblib_file, onnx_file
from benchmarks.report import Claim, out, say, table
from benchmarks.servers import Running, started

ROUNDS = 7
BOUNDARY = "a-boundary-that-no-row-has"


def read_pandas(path: Path) -> np.ndarray:
    return pd.read_csv(path, usecols=FEATURES).to_numpy(dtype=np.float64)


def read_pyarrow(path: Path) -> np.ndarray:
    read = pyarrow.csv.read_csv(path)
    return np.column_stack([read[name].to_numpy().astype(np.float64) for name in FEATURES])


READERS = (read_pandas, read_pyarrow)


def models() -> dict[str, Callable[[np.ndarray], object]]:
    """Ways to answer labels and probabilities of all rows."""
    fitted = joblib.load(joblib_file("logistic", plain=True))
    session = onnxruntime.InferenceSession(onnx_file("logistic"), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    weights, intercept = fitted.coef_[0], fitted.intercept_[0]

    def by_hand(x: np.ndarray) -> object:
        decision = x @ weights + intercept
        return decision > 0, 1 / (1 + np.exp(-decision))

    return {
        "scikit-learn": lambda x: (fitted.predict(x), fitted.predict_proba(x)),
        "ONNX Runtime": lambda x: session.run(None, {name: x}),
        "NumPy": by_hand,
    }


def timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def upload(server: Running, body: bytes, accept: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Accept": accept}
    connection.request("POST", "/predict_file", body, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"/predict_file answered {response.status}: {answer[:500]!r}")
    return answer


def form(path: Path) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'
    return head.encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def main() -> list[Claim]:
    say("/predict_file, 316,200 rows:")
    path = csv()
    x, body, ways = read_pandas(path), form(path), models()
    times: dict[str, list[float]] = {}
    with started(flaskship("logistic")) as server:
        for _ in range(ROUNDS):
            runs: dict[str, Callable[[], object]] = {
                **{f"reader: {each.__name__[5:]}": lambda each=each: each(path) for each in READERS},
                **{f"model: {name}": lambda way=way: way(x) for name, way in ways.items()},
                "POST /predict_file, JSON": lambda: upload(server, body, "application/json"),
                "POST /predict_file, CSV": lambda: upload(server, body, "text/csv"),
            }
            for name, work in runs.items():
                times.setdefault(name, []).append(timed(work))
    medians = {name: statistics.median(found) for name, found in times.items()}
    out("\n### `/predict_file`, 316,200 rows\n")
    out(table(("what", "ms"), [(name, f"{seconds * 1e3:.0f}") for name, seconds in medians.items()]))
    rounds = zip(_fastest(times, "reader"), _fastest(times, "model"), times["POST /predict_file, JSON"], strict=True)
    reached = statistics.median(answered / (read + predicted) for read, predicted, answered in rounds)
    return [Claim(what="/predict_file: to fastest reader + model alone", reached=reached, target=1.5, at_least=False)]


def _fastest(times: dict[str, list[float]], kind: str) -> list[float]:
    """Seconds of the fastest of a kind in each round, so that what else the machine does hits all of a ratio alike."""
    return [min(found) for found in zip(*(own for name, own in times.items() if name.startswith(kind)), strict=True)]
