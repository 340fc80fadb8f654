"""Time and size of the image of the sales model, and how soon its container answers and stops.

Needs mmdebstrap, and for the last rows an engine.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import joblib
import pandas as pd
from sklearn.linear_model import LogisticRegression

from benchmarks import dockerfile
from benchmarks.models import BUILD
from benchmarks.report import Claim, out, say, table
from benchmarks.servers import free_port

ROOT = Path(__file__).parent.parent
ROUNDS = 5
TAG = "flaskship-bench/sales:1.0"
SIZE = ("image", "inspect", "-f", "{{.Size}}", TAG)


def flaskship(folder: Path, *arguments: str) -> float:
    """Seconds of a call, the start of Python included."""
    begin = time.perf_counter()
    environment = {**os.environ, "FLASKSHIP_CACHE": str(folder / "cache")}
    subprocess.run(
        [sys.executable, "-m", "flaskship", *arguments], cwd=folder, env=environment, check=True, capture_output=True
    )
    return time.perf_counter() - begin


def train(folder: Path, c: float) -> None:
    """Another model for the same rows, and its bundle."""
    rows = pd.read_csv(folder / "online_sales.csv")
    joblib.dump(
        LogisticRegression(max_iter=1000, C=c).fit(rows.drop(columns="converted"), rows["converted"]),
        folder / "sales.joblib",
    )
    shutil.rmtree(folder / "bundle", ignore_errors=True)
    flaskship(
        folder, "bundle", "sales.joblib", "--sample", "online_sales.csv", "--target-column", "converted", "-o", "bundle"
    )


def repeated(call: Callable[[], float]) -> float:
    return statistics.median(call() for _ in range(ROUNDS))


def layers(folder: Path) -> dict[str, int]:
    """Bytes of each layer of the image in the cache, by title."""
    store = folder / "cache" / "image"

    def read(digest: str) -> dict[str, object]:
        found: dict[str, object] = json.loads((store / "blobs" / digest.replace(":", "/")).read_bytes())
        return found

    index = json.loads((store / "index.json").read_bytes())
    manifest = read(index["manifests"][0]["digest"])
    history = read(manifest["config"]["digest"])["history"]  # type: ignore[index]
    return {str(each["comment"]): layer["size"] for each, layer in zip(history, manifest["layers"], strict=True)}  # type: ignore[call-overload]


def forget(folder: Path) -> None:
    """The base stays known; of all other layers, how they were made is forgotten."""
    (folder / "bundle.lock").unlink()
    for key in (folder / "cache" / "image" / "keys").iterdir():
        known = json.loads(key.read_bytes())
        if not isinstance(known, dict) or (known.get("title") != "base" and "python" not in known):
            key.unlink()


def started() -> tuple[float, float]:
    """Seconds from `docker run` to the first answer, and of `docker stop`."""
    port = free_port()
    begin = time.perf_counter()
    command = [
        "docker",
        "run",
        "--detach",
        "--read-only",
        "--cap-drop",
        "ALL",
        "--publish",
        f"127.0.0.1:{port}:8000",
        TAG,
    ]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
            break
        except OSError:
            time.sleep(0.005)
    ready = time.perf_counter() - begin
    begin = time.perf_counter()
    subprocess.run(["docker", "stop", name], check=True, capture_output=True)
    stopped = time.perf_counter() - begin
    subprocess.run(["docker", "rm", name], check=True, capture_output=True)
    return ready, stopped


def main() -> list[Claim]:
    say("Images:")
    if not shutil.which("mmdebstrap"):
        say("  left out: mmdebstrap is not installed")
        return []
    with tempfile.TemporaryDirectory(dir=BUILD) as place:
        folder = Path(place)
        subprocess.run(
            [sys.executable, ROOT / "examples" / "sales" / "train.py", folder], check=True, capture_output=True
        )
        base = flaskship(folder, "base", "debian", "-o", "debian.tar")
        train(folder, 1.0)
        build = ("build", "bundle", "-t", TAG, "--base", "debian.tar")
        first = flaskship(folder, *build)
        same = repeated(lambda: flaskship(folder, *build))

        def changed() -> float:
            train(folder, float(time.perf_counter()))
            return flaskship(folder, *build)

        weights = repeated(changed)

        def unlayered() -> float:
            forget(folder)
            return flaskship(folder, *build)

        wheels = repeated(unlayered)
        (folder / "bundle.lock").unlink()
        shutil.rmtree(folder / "cache" / "image")
        cold = flaskship(folder, *build)
        sizes = layers(folder)
        without = sum(size for title, size in sizes.items() if title != "base")
        rows = [
            ("assemble Debian", f"{base:.1f} s"),
            ("first build", f"{first:.1f} s"),
            ("nothing changed", f"{same:.2f} s"),
        ]
        rows += [
            ("another model", f"{weights:.2f} s"),
            ("only the base cached, and wheels in uv's cache", f"{wheels:.1f} s"),
        ]
        rows += [("only wheels in uv's cache", f"{cold:.1f} s")]
        rows += [(f"layer {title}", f"{size / 1e6:.2f} MB") for title, size in sizes.items()]
        claims = [
            Claim(what="image without base", reached=without / 1e6, target=60, at_least=False, unit="MB"),
            Claim(what="build, wheels in the cache", reached=wheels, target=3, at_least=False, unit="s"),
            Claim(what="build, another model", reached=weights, target=0.5, at_least=False, unit="s"),
        ]
        if shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True).returncode == 0:
            load = repeated(lambda: flaskship(folder, *build, "--load"))
            times = [started() for _ in range(ROUNDS)]
            ready, stopped = (statistics.median(each) for each in zip(*times, strict=True))
            rows += [("build and load", f"{load:.2f} s"), ("ready", f"{ready:.2f} s"), ("stopped", f"{stopped:.2f} s")]
            eject = ("eject", "bundle", "project", "--base", "debian.tar", "--force")
            rows += dockerfile.rows(
                folder, lambda: flaskship(folder, *eject), lambda: train(folder, float(time.perf_counter()))
            )
            rows.append(("image unpacked, with its base", f"{int(dockerfile.docker(*SIZE)) / 1e6:.0f} MB"))
            claims.append(Claim(what="docker run to ready", reached=ready, target=1.5, at_least=False, unit="s"))
            claims.append(Claim(what="docker stop", reached=stopped, target=1, at_least=False, unit="s"))
        else:
            say("  left out: no container engine answers")
    out(f"\n### Image of the sales model\n\n{table(('what', 'measured'), rows)}")
    return claims
