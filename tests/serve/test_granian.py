from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from flaskship.serve import granian, starting
from flaskship.serve.job import FAST, JOINED, Job, Loaded
from flaskship.settings import Settings

NET = {"compilation": {"compiled": True}, "facts": {"scaled": True}}


@pytest.mark.parametrize(("direct", "threads", "seats"), [(True, 0, FAST), (False, 0, JOINED), (True, 8, 8)])
def test_a_net_that_takes_microseconds_has_few_request_threads_once_that_is_known(
    tmp_path: Path, direct: bool, threads: int, seats: int
) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(NET))
    job = Job(bundles=(tmp_path,), settings=Settings(threads=threads), shared=tmp_path)
    server = granian.Server(job, socket.create_server(("127.0.0.1", 0)).detach())
    server.open(Loaded(application=starting.wsgi, names=("net",), direct=direct))
    free = 0
    while server._seats.acquire(blocking=False):
        free += 1
    assert free == seats
