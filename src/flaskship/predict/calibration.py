"""How many rows a network is given at once: found when it is loaded, on the machine where it runs.

Calls with 1, 2, 4, … rows are timed. The smallest number with nearly the most rows a second is taken: more would
make each caller wait longer and gain nothing.

    seconds a call    {1: 0.0029, 8: 0.0095, 16: 0.0167, 32: 0.0340}
    rows a second           345       842      958      941             -> 16
"""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from flaskship.errors import FlaskshipError
from flaskship.schema import Answer, Columns

LEAST, MOST = 8, 256  # rows that are chosen, whatever is measured
BUDGET = 1.0  # seconds for all
LONG = 0.25  # seconds of one call, in which all others wait
TIMES = 5  # each number of rows is tried; the first call of a shape may cost more, and others be at work
NEAR = 0.97  # of the most rows a second
ROOM = 2**26  # bytes of columns


def calibrated(
    predict: Callable[[Columns], Answer],
    row: Columns,
    *,
    most: int = MOST,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """The number of rows, from `LEAST` to `most`, for a model that answers the first of `row`. Takes about `BUDGET`."""
    size = max(1, sum(column.nbytes for column in row.values()))
    return chosen(measured(predict, row, min(most, max(1, ROOM // size)), clock), most)


def measured(
    predict: Callable[[Columns], Answer], row: Columns, most: int, clock: Callable[[], float]
) -> dict[int, float]:
    """Seconds of a call by rows, up to `most`; of fewer where it fails or takes long."""
    begun, found, rows, last = clock(), dict[int, float](), 1, 0.0
    while rows <= most and last <= LONG:
        columns = {name: np.concatenate([column[:1]] * rows) for name, column in row.items()}
        for _ in range(TIMES):
            if clock() - begun + 2 * last > BUDGET:
                return found
            started = clock()
            try:
                predict(columns)
            except FlaskshipError:  # no memory for so many
                return found
            last = clock() - started
            found[rows] = min(last, found.get(rows, last))
        rows, last = 2 * rows, found[rows]
    return found


def chosen(seconds: Mapping[int, float], most: int = MOST) -> int:
    """The smallest number of rows whose rate is near to the best, within the limits."""
    best = max((rows / taken for rows, taken in seconds.items()), default=0.0)
    enough = (rows for rows, taken in sorted(seconds.items()) if rows / taken >= NEAR * best)
    return min(max(next(enough, LEAST), LEAST), most)


def once(folder: Path | None, key: str, find: Callable[[], int]) -> int:
    """What `find` gives; where processes of a server share `folder`, one of them finds it and the others wait."""
    if folder is None:
        return find()
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    with (folder / f"{name}.batch").open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        told = file.read()
        if told:
            return int(told)
        found = find()
        file.write(str(found))
        return found
