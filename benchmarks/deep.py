"""A perceptron and a small transformer, one row a request, at 1 and 64 connections: Flaskship, others, the model alone.

All have the same weights, as many processes as there are CPUs, and one thread of torch in each.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import networks
from benchmarks.contenders import APPS
from benchmarks.models import BUILD
from benchmarks.peers import environment
from benchmarks.predict import once, paused
from benchmarks.report import Claim, out, say, table
from benchmarks.servers import Contender
from benchmarks.wrk import Load
from flaskship.serve import cpu

ROUNDS, SECONDS = 5, 4
CONNECTIONS = (1, 64)
SOME = 10e-3  # seconds of a batch from which the model alone is what counts
PROCESSES = cpu.workers(cpu.available())
Loads = dict[tuple[str, int], list[Load]]  # by server and connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network, how it is asked, and how much faster than others Flaskship is to be."""

    kind: str
    name: str
    path: Path
    row: Any
    body: Any  # the row as Flaskship takes it
    first: Callable[[Any], float]  # a number of Flaskship's answer,
    expected: float  # and what it is
    times: float

    def environment(self, **more: str) -> dict[str, str]:
        return {"KIND": self.kind, "MODEL": str(self.path), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(APPS), **more}


def cases() -> tuple[Case, Case]:
    with torch.inference_mode():
        numbers = torch.jit.load(str(networks.net()))(torch.tensor([networks.VALUES]))
    return (
        Case(
            kind="net",
            name="perceptron",
            path=networks.net(),
            row=networks.VALUES,
            body=[networks.VALUES],
            first=lambda answer: answer["predictions"][0]["prediction"]["y0"],
            expected=float(numbers[0, 0]),
            times=5,
        ),
        Case(
            kind="text",
            name="transformer",
            path=networks.transformer(),
            row=networks.TEXT,
            body={"text": networks.TEXT},
            first=lambda answer: answer["probabilities"]["glad"],
            expected=networks.glad(),
            times=1.5,
        ),
    )


def contenders(case: Case) -> list[Contender]:
    def near(found: float) -> int:
        return int(abs(found - case.expected) > 1e-4)

    serve = [sys.executable, "-m", "flaskship", "serve", networks.bundle(case.path), "--port"]
    found = [
        Contender(
            name="flaskship",
            command=lambda port: [*serve, str(port)],
            label=lambda answer: near(case.first(answer)),
            body=case.body,
        )
    ]
    for make in (litserve, partial(litserve, wait=5), bentoml):
        try:
            found.append(make(case, near))
        except subprocess.CalledProcessError as error:
            out(f"One is left out: it cannot be installed here: {str(error.stderr)[-300:]}")
    return found


def litserve(case: Case, near: Callable[[float], int], wait: int = 0) -> Contender:
    """It waits so many milliseconds for others before it answers a row."""
    programs = environment("litserve", "torch", "transformers")
    return Contender(
        name=f"LitServe, waiting {wait} ms" if wait else "LitServe",
        command=lambda port: [programs / "python", "litserve_deep.py"],
        label=lambda answer: near(answer["y"][0]),
        body={"row": case.row},
        environment=case.environment(WORKERS=str(PROCESSES), SERVERS=str(PROCESSES), WAIT=str(wait / 1000)),
        folder=APPS,
    )


def bentoml(case: Case, near: Callable[[float], int]) -> Contender:
    programs = environment("bentoml", "torch", "transformers")
    home = {"BENTOML_HOME": str(BUILD / "bentoml"), "BENTOML_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1"}
    return Contender(
        name="BentoML",
        command=lambda port: [programs / "bentoml", "serve", "bentoml_deep:Network", "--port", str(port)],
        label=lambda answer: near(answer[0][0]),
        body={"rows": [case.row]},
        environment=case.environment(WORKERS=str(PROCESSES), **home),
        folder=APPS,
    )


@dataclass(slots=True)
class Alone:
    """The model in loops of batches of the size that suits it best, in as many processes as the servers have."""

    case: Case
    rows: list[int] = field(default_factory=list)  # of a batch, by process
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)  # rows/s of all
    times: list[float] = field(default_factory=list)  # seconds of a batch

    def __enter__(self) -> Alone:
        given = self.case.environment(EXAMPLE=json.dumps(self.case.row))
        for _ in range(PROCESSES):
            command = [sys.executable, str(APPS / "network.py")]
            pipe = subprocess.PIPE
            self.processes.append(
                subprocess.Popen(command, env={**os.environ, **given}, stdin=pipe, stdout=pipe, text=True)
            )
        self.rows = [int(self._said(each)) for each in self.processes]
        return self

    def __exit__(self, *error: object) -> None:
        for each in self.processes:
            each.kill()
            each.wait()

    def run(self, seconds: int) -> None:
        for each in self.processes:
            assert each.stdin is not None
            each.stdin.write(f"{seconds}\n")
            each.stdin.flush()
        found = [tuple(map(float, self._said(each).split())) for each in self.processes]
        self.rates.append(sum(count * rows / taken for (count, taken), rows in zip(found, self.rows, strict=True)))
        self.times.append(statistics.mean(taken / count for count, taken in found))

    def _said(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"network.py ended with exit code {process.wait()}.")
        return line


def measure(case: Case) -> tuple[Loads, Alone]:
    loads: Loads = {}
    with ExitStack() as stack:
        running = paused(stack, contenders(case))
        alone = stack.enter_context(Alone(case))
        for number in range(ROUNDS):
            for connections in CONNECTIONS:
                for server in running:
                    load = once(server, SECONDS, connections)
                    name = server.contender.name
                    say(f"  round {number + 1}, {connections}: {name}: {load.rate:,.0f}/s, {load.cpu * 1e6:.0f} µs CPU")
                    loads.setdefault((name, connections), []).append(load)
            alone.run(SECONDS)
            say(f"  round {number + 1}: alone: {alone.rates[-1]:,.0f}/s, {alone.times[-1] * 1e3:.1f} ms a batch")
    return loads, alone


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median over rounds."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def rates(loads: list[Load]) -> list[float]:
    return [load.rate for load in loads]


def medians(loads: list[Load]) -> list[float]:
    return [load.median for load in loads]


def summary(loads: Loads, alone: Alone) -> str:
    rows = []
    for (name, connections), found in sorted(loads.items(), key=lambda item: item[0][1]):
        rate, cpu_time = (statistics.median(values) for values in (rates(found), [load.cpu for load in found]))
        times = [statistics.median(values) for values in (medians(found), [load.p99 for load in found])]
        faster = ratio(rates(loads["flaskship", connections]), rates(found))
        shown = [f"{rate:,.0f}", *(f"{each * 1e3:.2f}" for each in times), f"{cpu_time * 1e6:,.0f}", f"{faster:.2f} ×"]
        rows.append((name, str(connections), *shown))
    rate, seconds = statistics.median(alone.rates), statistics.median(alone.times)
    faster = ratio(rates(loads["flaskship", CONNECTIONS[-1]]), alone.rates)
    loop = f"the model alone, loops of {' and '.join(map(str, alone.rows))} rows"
    rows.append((loop, "", f"{rate:,.0f}", f"{seconds * 1e3:.1f}", "", "", f"{faster:.2f} ×"))
    head = ("server", "connections", "rows/s", "median ms", "p99 ms", "CPU µs a row", "Flaskship answers")
    return table(head, rows)


def claims(case: Case, loads: Loads, alone: Alone) -> list[Claim]:
    one, many = CONNECTIONS
    found = []
    for name in [name for name, connections in loads if connections == many and name != "flaskship"]:
        faster = ratio(rates(loads["flaskship", many]), rates(loads[name, many]))
        sooner = ratio(medians(loads[name, one]), medians(loads["flaskship", one]))
        found += [
            Claim(what=f"{case.name}, {many} connections: to {name}", reached=faster, target=case.times),
            Claim(what=f"{case.name}, latency alone: {name}'s to Flaskship's", reached=sooner, target=1),
        ]
    if statistics.median(alone.times) >= SOME:
        reached = ratio(rates(loads["flaskship", many]), alone.rates)
        found.append(Claim(what=f"{case.name}, {many} connections: to the model alone", reached=reached, target=0.9))
    return found


def main() -> list[Claim]:
    found = []
    for case in cases():
        say(f"/predict, {case.name}:")
        loads, alone = measure(case)
        out(f"\n### `/predict`, {case.name}\n\n{summary(loads, alone)}\n")
        found += claims(case, loads, alone)
    return found
