"""`POST /predict` of one row, 32 connections: Flaskship, the best by hand, and what people write."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.contenders import USUAL
from benchmarks.report import Claim, out, say, table
from benchmarks.servers import JSON, Contender, Running, started
from benchmarks.wrk import CONNECTIONS, Load, run

ROUNDS, SECONDS = 5, 3
NAMES = {"logistic": "LogisticRegression", "forest": "RandomForest of 100 trees"}


def measure(contenders: Sequence[Contender], rounds: int = ROUNDS, seconds: int = SECONDS) -> dict[str, list[Load]]:
    """Loads by name: A B C, A B C, … so that what else the machine does hits all of them alike."""
    with ExitStack() as stack:
        running = paused(stack, contenders)
        loads: dict[str, list[Load]] = {server.contender.name: [] for server in running}
        for number in range(rounds):
            for server in running:
                load = once(server, seconds)
                say(f"  round {number + 1}: {server.contender.name}: {load.rate:,.0f}/s, {load.cpu * 1e6:.0f} µs CPU")
                loads[server.contender.name].append(load)
    return loads


def paused(stack: ExitStack, contenders: Sequence[Contender]) -> list[Running]:
    """The servers that start, each stopped until it is measured."""
    running = []
    for contender in contenders:
        say(f"  starting {contender.name}")
        try:
            server = stack.enter_context(started(contender))
        except RuntimeError as error:
            out(f"{contender.name} is left out: {error}")
            continue
        server.pause()
        running.append(server)
    return running


def once(server: Running, seconds: int, connections: int = CONNECTIONS) -> Load:
    asked = server.url, server.body, JSON, server.process.pid
    with server.awake():
        run(*asked, seconds=1, connections=connections)  # warm
        load = run(*asked, seconds=seconds, connections=connections)
    if load.errors:
        raise RuntimeError(f"{server.contender.name} answered {load.errors} requests with an error.")
    return load


def ratio(loads: dict[str, list[Load]], first: str, second: str) -> float:
    """The median over rounds of the first's rate to the second's."""
    pairs = zip(loads[first], loads[second], strict=True)
    return statistics.median(one.rate / other.rate for one, other in pairs)


def summary(loads: dict[str, list[Load]]) -> str:
    """One line a server; the ratio is Flaskship's rate to its own."""
    rows = []
    for name, found in loads.items():
        medians = [statistics.median(values) for values in zip(*map(_numbers, found), strict=True)]
        rate, median, p99, cpu = medians
        times = f"{ratio(loads, 'flaskship', name):.2f} ×"
        rows.append((name, f"{rate:,.0f}", f"{median * 1e3:.2f}", f"{p99 * 1e3:.2f}", f"{cpu * 1e6:.0f}", times))
    return table(("server", "requests/s", "median ms", "p99 ms", "CPU µs a request", "Flaskship answers"), rows)


def _numbers(load: Load) -> tuple[float, ...]:
    return load.rate, load.median, load.p99, load.cpu


def main() -> list[Claim]:
    claims = []
    for model, name in NAMES.items():
        say(f"/predict, {name}:")
        loads = measure([contender(model) for contender in USUAL])
        out(f"\n### `/predict`, {name}, 32 connections\n\n{summary(loads)}\n")
        flask = ratio(loads, "flaskship", "gunicorn + Flask + scikit-learn")
        if model == "logistic":
            best = ratio(loads, "flaskship", "bare Granian + ONNX Runtime")
            claims.append(Claim(what=f"{name}: to bare Granian + ONNX Runtime", reached=best, target=0.6))
            claims.append(Claim(what=f"{name}: to gunicorn + Flask + scikit-learn", reached=flask, target=7))
        else:
            claims.append(Claim(what=f"{name}: to gunicorn + Flask + scikit-learn", reached=flask, target=50))
    return claims
