"""A real bundle, behind both servers."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest
from containers import DEADLINE, wait_until
from sklearn.linear_model import LogisticRegression

from flaskship import make
from flaskship.settings import Settings

BODY = b'{"x0": 0.5, "x1": 2}'
SERVE = """
import sys; from pathlib import Path; from flaskship.serve import serve; from flaskship.settings import Settings
flags = dict(each.split("=") for each in sys.argv[2:])
sys.exit(serve([Path(sys.argv[1])], Settings.load(None, {}, {"port": 0, **flags})))
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    rng = np.random.default_rng(5)
    x = rng.normal(size=(200, 2))
    joblib.dump(LogisticRegression().fit(x, x.sum(axis=1) > 0), folder / "signs.joblib")
    make.make(folder / "signs.joblib", Settings(), folder / "bundle")
    return folder / "bundle"


@contextmanager
def served(bundle: Path, **settings: object) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The port and the process of a server of the bundle; of what it says nothing may be left unread."""
    flags = [f"{key}={value}" for key, value in settings.items()]
    command = [sys.executable, "-c", SERVE, bundle, *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    try:
        assert line.startswith("Serving signs on http://127.0.0.1:"), line
        yield int(line.rpartition(":")[2]), process
    finally:
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=DEADLINE)
        assert (process.returncode, rest) == (0, "")


def ask(port: int, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("GET" if body is None else "POST", path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_both_servers_answer_with_the_same_bytes(bundle):
    answers = {}
    for server in ("granian", "gunicorn"):
        with served(bundle, server=server, workers=1) as (port, _):
            requests = [
                ("/predict", BODY),
                ("/predict?x0=0.5&x1=2", None),
                ("/predict", b"{}"),
                ("/openapi.json", None),
            ]
            answers[server] = [
                (status, re.sub(rb"127.0.0.1:\d+", b"", body))
                for status, body in (ask(port, *each) for each in requests)
            ]
    assert answers["granian"] == answers["gunicorn"]
    assert [status for status, _ in answers["granian"]] == [200, 200, 422, 200]


@pytest.mark.needs("pgrep")
def test_metrics_are_summed_over_workers_and_survive_a_killed_one(bundle):
    with served(bundle, workers=2) as (port, server):
        for _ in range(40):
            assert ask(port, "/predict", BODY)[0] == 200
        assert answered(port) == ["40.0"]
        children = subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True, check=True).stdout
        os.kill(int(children.split()[0]), signal.SIGKILL)
        assert server.stderr is not None
        assert f"Worker {children.split()[0]} was killed" in server.stderr.readline()
        wait_until(lambda: answered(port) == ["40.0"], "the other worker, or a new one, counts for the one killed")


def answered(port: int) -> list[str]:
    """How many predictions were answered; nothing where the connection went with a worker that was killed."""
    try:
        text = ask(port, "/metrics")[1].decode()
    except (ConnectionError, http.client.HTTPException):
        return []
    counted = [line for line in text.splitlines() if "requests_total{" in line and 'route="predict"' in line]
    return [line.rpartition(" ")[2] for line in counted]


def test_health_answers_while_a_large_file_is_read(bundle):
    rows = b"x0,x1\n" + b"0.25,-1.5\n" * 400_000
    with served(bundle, workers=1) as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        connection.putrequest("POST", "/predict_file")
        connection.putheader("Content-Type", "text/csv")
        connection.putheader("Content-Length", str(len(rows)))
        connection.endheaders(rows[:1_000_000])
        assert ask(port, "/livez")[0] == 200  # the server waits for the rest of the file
        connection.send(rows[1_000_000:])
        assert ask(port, "/livez")[0] == 200  # it reads the file, or has
        response = connection.getresponse()
        assert response.status == 200
        assert response.read().count(b"alse") == 400_000
        connection.close()


def test_a_bundle_that_was_changed_is_not_served(bundle, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in bundle.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "golden.json").write_bytes((copy / "golden.json").read_bytes() + b" ")
    command = [sys.executable, "-m", "flaskship", "serve", copy, "--port", "0"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=DEADLINE, env={**os.environ, "COLUMNS": "500"}
    )
    assert done.returncode == 3
    assert "'golden.json'" in done.stderr
    assert "was changed" in done.stderr


def test_a_function_opens_files_beside_it_whenever_it_is_called(tmp_path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "sizes.txt").write_text("7")
    (tmp_path / "code" / "signs.py").write_text(
        "from pathlib import Path\ndef predict(x: int) -> int: return x * int(Path('sizes.txt').read_text())"
    )
    make.make(tmp_path / "code" / "signs.py", Settings(), tmp_path / "bundle")
    with served(tmp_path / "bundle") as (port, _):
        assert ask(port, "/predict", b'{"x": 3}') == (200, b'{"prediction":21}')
