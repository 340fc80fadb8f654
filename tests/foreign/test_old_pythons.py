"""The oldest Pythons run an app, and what runs it asks for nothing but their standard library and a server."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "flaskship"
SHARED = ["errors", "exchange", "health", "metrics", "settings"]
WITH_SERVER = {"asgi", "granian", "gunicorn", "load", "__main__", "bootstrap"}  # serve/load.py is for models

WSGI = """
import os, time
from flask import Flask, request
app = Flask(__name__)

@app.get("/")
def home():
    return "hello"

@app.get("/pid")
def pid():
    return str(os.getpid())

@app.get("/slow")
def slow():
    open("running", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
    return "slow"

@app.post("/size")
def size():
    return str(len(request.files["file"].read()))

if __name__ == "__main__":
    app.run(debug=True)
"""
ASGI = """
import asyncio, os

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                print("lifespan over")
                return
    body = b"hello"
    if scope["path"] == "/pid":
        body = str(os.getpid()).encode()
    elif scope["path"] == "/slow":
        open("running", "w").close()
        while not os.path.exists("go"):
            await asyncio.sleep(0.01)
        body = b"slow"
    elif scope["path"] == "/size":
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        body = str(size).encode()
    status = 200 if scope["path"] in ("/", "/pid", "/slow", "/size") else 404
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10"])
def test_what_runs_an_app_needs_the_standard_library_alone(environments, version):
    folders = {name: (PACKAGE / name).glob("*.py") for name in ("serve", "foreign")}
    named = [f"flaskship.{part}.{path.stem}" for part, paths in folders.items() for path in paths]
    modules = [each for each in named if each.rpartition(".")[2] not in {*WITH_SERVER, "__init__"}]
    modules += [f"flaskship.{name}" for name in SHARED] + ["flaskship.foreign.load"]
    code = (
        f"import sys; sys.path.append({str(PACKAGE.parent)!r})\n"
        + "".join(f"import {each}\n" for each in modules)
        + "from flaskship.settings import Settings; print(Settings.load(None, {'FLASKSHIP_PORT': '9'}, {}).port)"
    )
    done = subprocess.run([environments(version), "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "9\n"), done.stderr


@pytest.mark.parametrize(
    ("version", "text"), [("3.8", WSGI), ("3.9", WSGI), ("3.10", WSGI), ("3.9", ASGI), ("3.10", ASGI)]
)
def test_an_app_is_served_survives_a_kill_and_stops_in_good_order(serving, environments, tmp_path, version, text):
    server = serving(text, environments(version), interface="asgi" if text is ASGI else "wsgi").ready()
    assert server.get("/") == b"hello"
    assert server.ask("/readyz")[0] == 200
    assert b'flaskship_requests_total{model="sample"' in server.get("/metrics")
    first = int(server.get("/pid"))
    os.kill(first, signal.SIGKILL)
    server.until(lambda: int(server.get("/pid")) != first)
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n%s\r\n--x--\r\n' % bytes(3_000_000)
    told = int(server.ask("/size", form, Content_Type="multipart/form-data; boundary=x")[2])
    assert told == (len(form) if text is ASGI else 3_000_000)
    running = server.started("/slow")
    server.until((tmp_path / "app0" / "running").exists)
    server.process.terminate()
    (tmp_path / "app0" / "go").touch()
    assert running.result()[2] == b"slow"
    code, said = server.ended()
    assert code == 0
    assert ("lifespan over" in said) is (text is ASGI)


def test_an_asgi_app_on_python_3_8_is_refused_in_a_sentence(serving, environments):
    code, said = serving(ASGI, environments("3.8"), interface="asgi").ended()
    assert code == 3 and "An ASGI app needs Python 3.9 or later" in said
