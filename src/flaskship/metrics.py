"""Counters that cost a tenth of a microsecond and are summed over the worker processes.

Each process keeps its numbers as plain float64 cells in a memory map, one file in a directory that its server shares
with the others; the names of the cells stand beside it, a line each. Whoever is scraped reads all files. The cells of a
process that has ended are kept, except what it was doing at the time. Without a directory the cells are this process's
own.

    <id>.cells    float64, float64, …
    <id>.names    ["requests", 1, "sales", "predict", "POST", "200"]\n     name, number of cells, labels

`cells[i] += 1.0` is one bytecode each for load, add and store, between which CPython switches no thread.

Runs on Python 3.8 too, around somebody's app: see flaskship/serve.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import secrets
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

CELLS = 2**17  # of one process: 1 MiB, of which only what is used takes memory
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0, 16384.0)
GAUGES = frozenset({"in_flight", "requests_waiting", "busy"})
MINUTE = 60.0  # seconds


class Name(NamedTuple):
    """What a run of cells counts: `("requests", "sales", "predict", "POST", "200")`."""

    metric: str
    labels: tuple[str, ...]


class Metrics:
    """This process's cells, kept in files in `folder` where there is one."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._places: dict[Name, int] = {}
        self._sizes: dict[Name, int] = {}
        self._next = 0
        self._files = None if folder is None else Files(folder)
        self.cells = floats(bytearray(CELLS * 8) if self._files is None else self._files.memory)

    def close(self) -> None:
        """Let others know that this process counts no more; its end does so too."""
        self.cells.release()
        if self._files is not None:
            self._files.close()

    def place(self, metric: str, *labels: str, size: int = 1) -> int:
        """The index of the first of `size` cells of that name; they are taken when it is first asked for."""
        name = Name(metric, labels)
        found = self._places.get(name)
        return self._take(name, size) if found is None else found

    def _take(self, name: Name, size: int) -> int:
        with self._lock:
            if name in self._places:
                return self._places[name]
            if self._next + size > CELLS:
                raise MemoryError(f"More than {CELLS} numbers to count.")
            place, self._next = self._next, self._next + size
            if self._files is not None:
                self._files.write(json.dumps([name.metric, size, *name.labels]).encode() + b"\n")
            self._places[name], self._sizes[name] = place, size
            return place

    def add(self, metric: str, *labels: str) -> None:
        self.cells[self.place(metric, *labels)] += 1.0

    def histogram(self, metric: str, *labels: str, bounds: tuple[float, ...]) -> Callable[[float], None]:
        """A function that counts one value: a cell for each bound, one for what is above, and the sum."""
        place, cells = self.place(metric, *labels, size=len(bounds) + 2), self.cells
        total = place + len(bounds) + 1

        def observe(value: float) -> None:
            cells[place + bisect_left(bounds, value)] += 1.0
            cells[total] += value

        return observe

    def read(self) -> dict[Name, list[float]]:
        """The cells of all processes by name, summed."""
        return summed(self.processes())

    def processes(self) -> Iterator[dict[Name, list[float]]]:
        """The cells of each process by name; of one that has ended without what it was doing at the time."""
        return iter([self._own()]) if self.folder is None else _processes(self.folder)

    def _own(self) -> dict[Name, list[float]]:
        with self._lock:
            return {name: list(self.cells[place : place + self._sizes[name]]) for name, place in self._places.items()}


class Calls:
    """Counts the calls of a model in this process, and the requests that wait for it."""

    def __init__(self, metrics: Metrics, model: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._rows = metrics.histogram("batch_rows", model, bounds=ROWS)
        self._requests = metrics.histogram("batch_requests", model, bounds=ROWS)
        self._duration = metrics.histogram("model_duration_seconds", model, bounds=SECONDS)
        self._metrics, self._model = metrics, model
        self._cells, self._clock = metrics.cells, clock
        self._waiting = metrics.place("requests_waiting", model)
        self._busy = metrics.place("busy", model, size=5)  # since when; number and seconds of an even minute; of an odd
        self._cells[self._busy] = clock()

    def observe(self, rows: int, requests: int, seconds: float) -> None:
        """One call has ended."""
        self._rows(rows)
        self._requests(requests)
        self._duration(seconds)
        minute = self._clock() // MINUTE
        place, cells = self._busy + 1 + 2 * int(minute % 2), self._cells
        if cells[place] != minute:
            cells[place], cells[place + 1] = minute, 0.0
        cells[place + 1] += seconds

    def queued(self, requests: int) -> None:
        """How many wait now."""
        self._cells[self._waiting] = requests

    def read(self, tokens: int, padding: int) -> None:
        """Tokens of texts that the model has been given so far, and the padding among them."""
        place = self._metrics.place("tokens", self._model, size=2)
        self._cells[place], self._cells[place + 1] = tokens, padding


def summed(processes: Iterable[dict[Name, list[float]]]) -> dict[Name, list[float]]:
    found: dict[Name, list[float]] = {}
    for values in processes:
        for name, cells in values.items():
            sums = found.setdefault(name, [0.0] * len(cells))
            found[name] = [one + other for one, other in zip(sums, cells)]
    return found


def busy(cells: Sequence[float], now: float) -> float:
    """The share of the last minute, or of what there is of it, that a process's model was at work, by its "busy"."""
    since, *pairs = cells
    seconds = dict(zip(pairs[::2], pairs[1::2]))  # by minute
    minute, past = now // MINUTE, now % MINUTE
    recent = seconds.get(minute, 0.0) + seconds.get(minute - 1, 0.0) * (1 - past / MINUTE)
    return min(1.0, recent / max(min(MINUTE, now - since), 1e-9))


def floats(memory: bytes | bytearray | mmap.mmap) -> memoryview[float]:
    """`memory` as float64 cells."""
    view: Any = memoryview(memory).cast("d")
    found: memoryview[float] = view
    return found


class Files:
    """What a process shares: its cells, locked as long as it lives, and their names."""

    def __init__(self, folder: Path) -> None:
        stem = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
        create = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._cells = os.open(stem.with_suffix(".cells"), create, 0o600)
        fcntl.flock(self._cells, fcntl.LOCK_EX)
        os.truncate(self._cells, CELLS * 8)
        self.memory = mmap.mmap(self._cells, CELLS * 8)
        self._names = os.open(stem.with_suffix(".names"), create | os.O_APPEND, 0o600)

    def write(self, line: bytes) -> None:
        os.write(self._names, line)

    def close(self) -> None:
        self.memory.close()
        os.close(self._cells)
        os.close(self._names)


def _processes(folder: Path) -> Iterator[dict[Name, list[float]]]:
    for path in sorted(folder.glob("*.names")):
        with path.with_suffix(".cells").open("rb") as file:
            alive = not _lockable(file)
            whole, _, _ = path.read_bytes().rpartition(b"\n")  # its writer may be in the middle of a line
            lines = [json.loads(line) for line in whole.splitlines()]
            file.seek(0)
            cells = floats(file.read(8 * sum(line[1] for line in lines)))
        place, values = 0, {}
        for metric, size, *labels in lines:
            if alive or metric not in GAUGES:
                values[Name(metric, tuple(labels))] = list(cells[place : place + size])
            place += size
        yield values


def _lockable(file: BinaryIO) -> bool:
    """Whether no process holds the lock that the writer of `file` keeps while it lives."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
