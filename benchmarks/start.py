"""From the start of the command to the first answer."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import time

from benchmarks.contenders import flask, flaskship
from benchmarks.report import Claim, out, say, table
from benchmarks.servers import Contender, free_port

ROUNDS = 7
POST = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b'Content-Length: 51\r\n\r\n{"age":45,"new_user":0,"total_pages_visited":5    }'
)


def until_answered(contender: Contender) -> float:
    """Seconds until the first 200, asked as fast as the machine can."""
    port = free_port()
    begin = time.perf_counter()
    process = subprocess.Popen(
        list(map(str, contender.command(port))),
        cwd=contender.folder,
        env={**os.environ, **contender.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not answered(port):
            if process.poll() is not None:
                raise RuntimeError(f"{contender.name} ended with exit code {process.returncode}.")
            time.sleep(0.002)
        return time.perf_counter() - begin
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def answered(port: int) -> bool:
    with socket.socket() as connection:
        if connection.connect_ex(("127.0.0.1", port)):
            return False
        connection.sendall(POST)
        try:
            return connection.recv(64).startswith(b"HTTP/1.1 200")
        except ConnectionError:
            return False


def main() -> list[Claim]:
    say("Start to the first answer:")
    contenders = [flaskship("logistic"), flaskship("logistic", "--workers", "1"), flask("logistic")]
    times: dict[str, list[float]] = {each.name: [] for each in contenders}
    for _ in range(ROUNDS):
        for contender in contenders:
            times[contender.name].append(until_answered(contender))
    rows = [(name, f"{statistics.median(each):.2f}", f"{min(each):.2f}") for name, each in times.items()]
    out("\n### Start of a compiled bundle to the first 200\n")
    out(table(("server", "median s", "best s"), rows))
    reached = statistics.median(times["flaskship"])
    return [
        Claim(what="start of a compiled bundle to the first 200", reached=reached, target=0.7, at_least=False, unit="s")
    ]
