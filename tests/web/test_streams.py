"""Answers that come bit by bit: in every form, over real servers and through nginx, and what ends them."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import functions
import pytest
import requests
from containers import DEADLINE, free_port, server, wait_until
from golden import SALES

from flaskship import artifact, web
from flaskship.deploy import nginx
from flaskship.predict.codec import Codec
from flaskship.predict.predictor import Predictor
from flaskship.settings import Settings

PROBLEM = "application/problem+json"
both = pytest.mark.parametrize("kind", ["granian", "gunicorn"])

STORY = '''
"""Streams that wait for whoever reads them."""

import itertools
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from flaskship import endpoint


@endpoint
def gated(folder: str) -> Iterator[str]:
    """Goes on when somebody writes to the pipe."""
    yield "one"
    yield (Path(folder) / "go").read_text()


@endpoint
def endless(folder: str) -> Iterator[int]:
    """Says through the pipe that it was ended."""
    try:
        for number in itertools.count():
            yield number
            time.sleep(0.02)
    finally:
        (Path(folder) / "ended").write_text("ended")


@endpoint
async def later(folder: str) -> AsyncIterator[int]:
    """The same, asynchronously."""
    import asyncio

    try:
        for number in itertools.count():
            yield number
            await asyncio.sleep(0.02)
    finally:
        (Path(folder) / "ended").write_text("ended")


@endpoint
def twice(number: float) -> float:
    return 2 * number
'''


@pytest.fixture(scope="module")
def one() -> Callable[..., object]:
    """A client of a function of functions.py."""
    models = artifact.functions(Path(functions.__file__).parent, ".", "functions.py")

    def client(name: str, **settings: object):
        model = models[name]
        made = web.Subject(name=name, codec=Codec(model.signature, hints=model.hints), path=model.path)
        made.open(Predictor(model, observe=made.observe))
        app = web.create_app([made], Settings(**settings))
        client = app.test_client()
        client.closed = model.native.__globals__["closed"]
        return client

    return client


def events(text: str) -> list[tuple[str, object]]:
    """Kind and data of each event."""
    found = []
    for part in text.removesuffix("\n\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in part.split("\n"))
        found.append((fields.get("event", ""), json.loads(fields["data"])))
    return found


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*", "", "text/html,*/*;q=0.8"])
def test_events_are_what_is_sent_unless_another_form_is_asked_for(one, accept):
    answer = one("tell").post("/tell", json={"prompt": "a", "words": 2}, headers={"Accept": accept})
    assert answer.content_type == "text/event-stream; charset=utf-8"
    assert events(answer.text) == [("", "a 0"), ("", "a 1"), ("end", None)]
    assert (answer.headers["X-Accel-Buffering"], answer.headers["Cache-Control"]) == ("no", "no-store")
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize(
    ("accept", "body"),
    [
        ("text/plain", "a 0a 1"),
        ("application/x-ndjson", '"a 0"\n"a 1"\n'),
        ("application/json", '{"prediction":["a 0","a 1"]}'),
    ],
)
def test_the_other_forms_of_a_stream(one, accept, body):
    answer = one("tell").get("/predict?prompt=a&words=2", headers={"Accept": accept})
    assert answer.text == body
    assert answer.mimetype == accept


def test_a_stream_of_nothing_is_an_answer(one):
    client = one("tell")
    assert events(client.post("/tell", json={"prompt": "a", "words": 0}).text) == [("end", None)]
    assert client.get("/tell?prompt=a&words=0", headers={"Accept": "text/plain"}).text == ""


@pytest.mark.parametrize("asked", [{"prompt": "refuse"}, {"prompt": 1}, {}])
def test_what_is_refused_before_the_first_item_has_a_status(one, asked):
    answer = one("tell").post("/tell", json=asked)
    assert (answer.status_code, answer.mimetype) == (422, PROBLEM)


def test_what_fails_on_the_way_ends_with_an_error_that_says_nothing_of_the_inside(one):
    client = one("tell")
    asked = {"prompt": "a", "fail": True}
    found = events(client.post("/tell", json=asked, headers={"X-Request-ID": "mine"}).text)
    assert [kind for kind, _ in found] == ["", "", "error"]
    assert found[-1][1]["status"] == 500
    assert found[-1][1]["request_id"] == "mine"
    lines = client.post("/tell", json=asked, headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert json.loads(lines[-1])["error"]["title"] == "Prediction failed"
    assert "secret" not in str(found) + lines[-1]


def test_a_head_request_leaves_nothing_open(one):
    client = one("tell")
    client.closed.clear()
    answer = client.head("/tell?prompt=head")
    assert (answer.status_code, answer.data) == (200, b"")
    answer.close()
    assert client.closed == ["head"]
    assert client.options("/tell").headers["Allow"]


def test_a_stream_is_counted_and_in_flight_until_it_is_closed(one):
    client = one("tell")
    answer = client.post("/tell", json={"prompt": "left"}, buffered=False)
    assert next(answer.response).startswith(b"data")
    assert "flaskship_requests_in_flight 1.0" in client.get("/metrics").text
    client.closed.clear()
    answer.close()
    assert client.closed == ["left"]
    told = client.get("/metrics").text
    assert "flaskship_requests_in_flight 0.0" in told
    assert 'flaskship_requests_total{method="POST",model="tell",route="predict",status="200"} 1.0' in told


def test_an_upload_is_there_until_its_stream_ends(one):
    file = {"file": (io.BytesIO(b"a\nb\n"), "lines.txt")}
    answer = one("lines").post("/lines", data=file, headers={"Accept": "application/x-ndjson"}, buffered=False)
    place = Path(json.loads(next(answer.response)))
    assert place.read_text() == "a\nb\n"
    assert [json.loads(line) for line in answer.response] == ["a\n", "b\n"]
    answer.close()
    assert not place.exists()


def test_more_streams_than_are_allowed_are_429_until_one_ends(one):
    client = one("tell", max_streams=1)
    first = client.post("/tell", json={"prompt": "a"}, buffered=False)
    refused = client.post("/tell", json={"prompt": "a"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert "max_streams" in refused.json["detail"]
    first.close()
    assert client.post("/tell", json={"prompt": "a"}).status_code == 200


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    (folder / "story.py").write_text(STORY)
    return folder


@pytest.fixture
def pipes(tmp_path: Path) -> Path:
    for name in ("go", "ended"):
        os.mkfifo(tmp_path / name)
    return tmp_path


@contextmanager
def asked(address: str, path: str, folder: Path, **headers: str) -> Iterator[object]:
    """The response to a stream that has begun; whoever leaves this has hung up."""
    connection = HTTPConnection(address.removeprefix("http://"), timeout=DEADLINE)
    connection.request(
        "POST", path, json.dumps({"folder": str(folder)}), {"Content-Type": "application/json"} | headers
    )
    response = connection.getresponse()
    try:
        yield response
    finally:
        response.close()
        connection.close()


def told(pipe: Path) -> bytes:
    """What somebody writes to the pipe, waited for."""
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert select.select([descriptor], [], [], DEADLINE)[0], f"nobody wrote to {pipe.name}"
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


@pytest.fixture(scope="module", params=["granian", "gunicorn"])
def running(request, story) -> Iterator[str]:
    """The address of a server of either kind."""
    with server(story, "story.py", "--server", request.param) as address:
        yield address


def test_items_come_when_they_are_there(running, pipes):
    with asked(running, "/gated", pipes) as response:
        assert response.readline() == b'data: "one"\n'
        (pipes / "go").write_text("two")
        assert b'data: "two"' in response.read()


@pytest.mark.parametrize("path", ["/endless", "/later"])
def test_the_function_ends_when_its_client_leaves(running, pipes, path):
    with asked(running, path, pipes) as response:
        assert response.readline() == b"data: 0\n"
    assert told(pipes / "ended") == b"ended"


@both
def test_streams_hold_up_nobody(story, pipes, kind):
    gate = os.open(pipes / "go", os.O_RDWR)  # while it is open, nobody who reads comes to the end
    flags = ["--server", kind, "--threads", "2", "--max-streams", "12"]
    with server(story, "story.py", *flags) as address, ExitStack() as held:
        held.callback(os.close, gate)
        for _ in range(12):
            response = held.enter_context(asked(address, "/gated", pipes))
            assert response.readline() == b'data: "one"\n'
        for _ in range(6):
            with asked(address, "/gated", pipes) as response:
                assert response.status == 429
            assert requests.get(f"{address}/twice?number=21", timeout=DEADLINE).json() == {"prediction": 42.0}


def test_a_server_that_stops_ends_its_streams_in_good_order(story, pipes):
    command = [sys.executable, "-m", "flaskship", "serve", "story.py", "--port", "0", "--workers", "1"]
    flags = ["--grace", "10s", "--drain", "100ms"]  # its last quarter is for what is told to end
    with subprocess.Popen([*command, *flags], cwd=story, stderr=subprocess.PIPE, text=True) as process:
        address = next(line.split()[-1] for line in process.stderr if line.startswith("Serving "))
        with asked(address, "/endless", pipes) as response:
            response.readline()
            process.send_signal(signal.SIGTERM)
            ended = ThreadPoolExecutor(1).submit(told, pipes / "ended")
            last = response.read().decode()
        assert ended.result(DEADLINE) == b"ended"
        assert '"status":503' in last.rpartition("event: error")[2]
        assert "cut off" not in process.stderr.read()
    assert process.returncode == 0


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("accept", ["text/event-stream", "text/plain", "application/x-ndjson"])
def test_nginx_passes_items_on_as_they_come(behind, pipes, accept):
    headers = {"Accept": accept, "Accept-Encoding": "gzip"}
    with asked(behind, "/gated", pipes, **headers) as response:
        unpacked = zlib.decompressobj(31) if response.headers["Content-Encoding"] == "gzip" else None
        text = b""
        while b"one" not in text:
            part = response.read1()
            text += unpacked.decompress(part) if unpacked else part
        (pipes / "go").write_text("two")
        rest = response.read()
        assert b"two" in (unpacked.decompress(rest) if unpacked else rest)


@pytest.mark.needs("nginx")
def test_behind_nginx_too_the_function_ends_when_its_client_leaves(behind, pipes):
    with asked(behind, "/endless", pipes) as response:
        response.readline()
    assert told(pipes / "ended") == b"ended"


@pytest.fixture(scope="module")
def behind(story, tmp_path_factory) -> Iterator[str]:
    """The address of nginx, set up as for replicas, in front of one server."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    with server(story, "story.py") as address:
        text = nginx.render(SALES).replace("/tmp/", f"{folder}/").replace(f"listen {nginx.PLAIN}", f"listen {port}")
        text = text.replace("http://api:8000", address).replace("user ", "# user ")
        (folder / "nginx.conf").write_text(text)
        command = ["nginx", "-c", folder / "nginx.conf", "-g", "daemon off;"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: answers(port), "nginx answers")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(DEADLINE)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
