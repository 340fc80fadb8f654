"""A server is a real process here, spoken to over real HTTP; only what it loads is fake."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from containers import DEADLINE, free_port

both = pytest.mark.parametrize("server", ["granian", "gunicorn"])


@both
def test_the_application_is_answered_from(serving, server):
    running = serving("42", server=server).ready()
    assert running.get("/predict") == (200, b"42")
    assert running.get("/echo", b"x" * 300_000) == (200, b"x" * 300_000)
    assert running.get("/chunks") == (200, b"one two three")
    assert running.get("/missing")[0] == 500


def test_clients_that_send_slowly_hold_up_nobody(serving):
    running = serving(workers=1, threads=1).ready()
    uploads = [socket.create_connection(("127.0.0.1", running.port), DEADLINE) for _ in range(3)]
    head = b"POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 300000\r\n\r\n"
    for each in uploads:
        each.sendall(head + b"x" * 9)
    for _ in range(6):
        assert running.get("/livez")[0] == 200
    for each in uploads:
        each.sendall(b"x" * 299_991)
        with each, each.makefile("rb") as answer:
            assert answer.read().endswith(b"\r\n\r\n" + b"x" * 300_000)
    for _ in range(40):  # with the seat back, and no thread lost
        assert running.get("/echo", b"x" * 200_000) == (200, b"x" * 200_000)
        assert running.get("/livez")[0] == 200


@both
def test_a_request_in_flight_is_answered_after_sigterm(serving, server):
    running = serving(server=server).ready()
    answer = running.started("/wait")
    (running.folder / "running").read_text()
    running.signal(signal.SIGTERM)
    running.until(lambda: refused(running.port))
    (running.folder / "go").write_text("done")
    assert answer.result(DEADLINE) == (200, b"done")
    assert running.ended() == 0


def refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@both
def test_readiness_is_503_while_draining_and_all_else_is_answered(serving, server):
    running = serving(server=server, drain="600s").ready()
    assert running.get("/readyz")[0] == 200
    running.signal(signal.SIGTERM)
    running.until(lambda: running.get("/readyz")[0] == 503)
    assert running.get("/livez")[0] == 200
    assert running.get("/predict") == (200, b"42")
    running.signal(signal.SIGTERM)  # again: do not wait
    assert running.ended() == 0


@both
def test_a_server_that_drains_lets_go_of_connections_that_clients_keep_alive(serving, server):
    running = serving(server=server, drain="600s").ready()
    kept = HTTPConnection("127.0.0.1", running.port, timeout=DEADLINE)
    kept.request("GET", "/predict")
    before = kept.getresponse()
    assert (before.read(), before.will_close) == (b"42", False)
    running.signal(signal.SIGTERM)
    running.until(lambda: closes(running.port))
    kept.request("GET", "/predict")
    after = kept.getresponse()
    assert (after.read(), after.will_close) == (b"42", True)
    running.signal(signal.SIGTERM)
    assert running.ended() == 0


@both
def test_an_idle_connection_is_closed_after_keep_alive_and_not_before(serving, server):
    running = serving(server=server, keep_alive="2s").ready()
    kept = HTTPConnection("127.0.0.1", running.port, timeout=DEADLINE)
    kept.request("GET", "/predict")
    assert kept.getresponse().read() == b"42"
    started = time.monotonic()
    assert kept.sock.recv(1) == b""
    assert time.monotonic() - started > 1
    kept.close()


def closes(port: int) -> bool:
    """Whether an answer says that it is the last on its connection."""
    connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    connection.request("GET", "/predict")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.will_close


@both
def test_an_idle_server_stops_without_a_word_and_does_not_wait_for_its_grace(serving, server):
    running = serving(server=server, workers=2, grace="600s").ready()
    running.signal(signal.SIGTERM)
    assert running.ended() == 0
    assert running.said[1:] == [""]


def test_what_runs_longer_than_the_grace_is_cut_off(serving):
    running = serving(grace="100ms").ready()
    answer = running.started("/wait")
    (running.folder / "running").read_text()
    running.signal(signal.SIGTERM)
    assert running.ended() == 0
    assert isinstance(answer.exception(DEADLINE), (ConnectionError, HTTPException))
    assert "were cut off" in running.said[-1]


def test_ctrl_c_reaches_the_workers_too_and_loses_no_request(serving):
    running = serving().ready()
    answer = running.started("/wait")
    (running.folder / "running").read_text()
    os.killpg(running.process.pid, signal.SIGINT)
    running.until(lambda: refused(running.port))
    (running.folder / "go").write_text("done")
    assert answer.result(DEADLINE) == (200, b"done")
    assert running.ended() == 0


@both
def test_a_killed_worker_comes_back(serving, server):
    running = serving(server=server).ready()
    _, pid = running.get("/pid")
    os.kill(int(pid), signal.SIGKILL)
    running.gone(int(pid))
    assert running.get("/pid")[1] not in (pid, b"")
    assert running.get("/predict") == (200, b"42")


def test_a_replacement_that_cannot_be_loaded_ends_the_server(serving):
    running = serving().ready()
    (running.folder / "bundle").write_text("broken")
    os.kill(int(running.get("/pid")[1]), signal.SIGKILL)
    assert running.ended() == 3
    assert running.said[-1].count("This bundle is broken.") == 3


@pytest.mark.parametrize("workers", [1, 2])
@both
def test_a_bundle_that_cannot_be_loaded_is_said_in_one_sentence(serving, server, workers):
    running = serving("broken", server=server, workers=workers)
    assert running.ended() == 3
    assert running.said == ["Bundle cannot be used: This bundle is broken. Build it anew.\n"]


def test_a_crash_of_the_load_ends_the_server(serving):
    running = serving("crash")
    assert running.ended() == 1
    assert running.said == ["Internal error: A worker ended with exit code 9 while it started.\n"]


@both
def test_health_answers_before_the_model_is_loaded(serving, server):
    running = serving("slow", server=server, port=free_port())
    running.until(lambda: running.get("/livez")[0] == 200)
    assert running.get("/readyz")[0] == 503
    assert running.get("/predict")[0] == 503
    (running.folder / "load").write_text("loaded")
    running.ready()
    assert running.get("/readyz")[0] == 200


def test_health_answers_while_a_request_runs(serving):
    running = serving(threads=2).ready()
    answer = running.started("/wait")
    (running.folder / "running").read_text()
    assert running.get("/livez")[0] == running.get("/readyz")[0] == 200
    (running.folder / "go").write_text("done")
    assert answer.result(DEADLINE) == (200, b"done")


def test_a_server_that_loads_stops_at_once(serving):
    running = serving("slow", port=free_port(), drain="600s", grace="600s")
    running.until(lambda: running.get("/livez")[0] == 200)
    running.signal(signal.SIGTERM)
    assert running.ended() == 0


def test_a_worker_ends_with_a_supervisor_that_was_killed(serving):
    running = serving().ready()
    pid = int(running.get("/pid")[1])
    shared = Path(running.get("/shared_folder")[1].decode())
    running.signal(signal.SIGKILL)
    running.gone(pid)
    assert refused(running.port)
    assert not shared.exists()


@both
def test_a_changed_target_is_served_anew_without_a_failed_request(serving, server):
    running = serving("old", server=server, reload="true").ready()
    (running.folder / "bundle").write_text("new text")
    seen = set()

    def turned() -> bool:
        try:
            seen.add(running.get("/predict"))
        except (OSError, HTTPException) as error:
            seen.add(repr(error))
        return (200, b"new text") in seen

    running.until(turned)
    assert seen == {(200, b"old"), (200, b"new text")}


def test_a_changed_target_is_served_by_the_python_that_it_now_asks_for(serving):
    running = serving("old", reload="true").ready()
    python = running.folder / "environment" / "bin" / "python"
    assert running.get("/within") != (200, str(python.parent.parent).encode())
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (running.folder / "bundle").write_text("new text")
    running.until(lambda: running.get("/within") == (200, str(python.parent.parent).encode()))


def test_a_changed_target_that_is_broken_leaves_the_old_one_serving(serving):
    running = serving("old", reload="true").ready()
    (running.folder / "bundle").write_text("broken")
    running.heard("This bundle is broken.")
    running.heard("The one before still is.")
    assert running.get("/predict") == (200, b"old")
    (running.folder / "bundle").write_text("mended")
    running.until(lambda: running.get("/predict") == (200, b"mended"))


def test_a_taken_port_is_a_usage_error(serving):
    first = serving().ready()
    second = serving(port=first.port)
    assert second.ended() == 2
    assert second.said[-1].startswith(f"Wrong usage: Port {first.port} of '127.0.0.1' is taken.")


def test_workers_are_held_to_their_share_of_the_cpus(serving):
    running = serving().ready()
    threads = running.get("/environment")[1].split()[0]
    assert int(threads) >= 1
    assert b"OMP_NUM_THREADS" not in running.get("/environment")[1]  # no variable of the process in a request's


def test_the_supervisor_imports_neither_numpy_nor_a_server():
    heavy = "{'numpy', 'granian', 'gunicorn', 'flask', 'msgspec'}"
    code = f"import flaskship.serve, sys; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_while_a_killed_worker_is_replaced_the_other_answers_all(serving):
    running = serving(workers=2).ready()
    (running.folder / "bundle").write_text("slow")
    _, killed = running.get("/pid")
    os.kill(int(killed), signal.SIGKILL)
    running.heard("was killed")
    answers = {running.get("/pid") for _ in range(50)}
    assert len(answers) == 1
    (running.folder / "load").write_text("loaded")
    running.until(lambda: running.get("/pid") not in answers)
    assert running.get("/predict")[0] == 200
