from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from containers import DEADLINE

from flaskship.errors import PredictionFailed
from flaskship.predict.calibration import BUDGET, LEAST, MOST, calibrated, chosen, once
from flaskship.schema import Answer, Columns


class Machine:
    """A model on a clock of its own: `seconds` a call of so many rows."""

    def __init__(self, seconds: Callable[[int], float], most: int = MOST) -> None:
        self.seconds, self.most = seconds, most
        self.now = 0.0
        self.tried: list[int] = []

    def __call__(self, columns: Columns) -> Answer:
        rows = len(columns["x"])
        if rows > self.most:
            raise PredictionFailed("no memory")
        self.tried.append(rows)
        self.now += self.seconds(rows)
        return Answer(values=(columns["x"],))

    def calibrate(self, **how: int) -> int:
        return calibrated(self, {"x": np.zeros(3)}, clock=lambda: self.now, **how)


@pytest.mark.parametrize(
    ("seconds", "rows"),
    [
        (lambda rows: 0.001, MOST),  # a card with room to spare
        (lambda rows: 0.001 * rows, LEAST),  # nothing is gained
        (lambda rows: 0.002 + 0.0009 * rows, 64),
        (lambda rows: 0.001 + 0.0005 * rows + 0.00001 * rows * rows, 8),  # large batches leave the cache
        (lambda rows: 3.0, LEAST),  # too slow for a trial: a few callers at once, no more
    ],
)
def test_the_fewest_rows_of_nearly_the_best_rate_are_taken(seconds, rows):
    assert Machine(seconds).calibrate() == rows


def test_it_ends_in_time_and_after_a_long_call():
    slow = Machine(lambda rows: 0.1 * rows)
    slow.calibrate()
    assert slow.now <= BUDGET
    assert max(slow.tried) == 2
    endless = Machine(lambda rows: 30.0)
    endless.calibrate()
    assert endless.tried == [1]


def test_no_more_rows_are_taken_than_the_model_has_memory_for_or_are_allowed():
    assert Machine(lambda rows: 0.001, most=32).calibrate() == 32
    assert Machine(lambda rows: 0.001).calibrate(most=64) == 64
    assert Machine(lambda rows: 0.001).calibrate(most=4) == 4


def test_pictures_are_tried_up_to_a_bounded_size():
    sizes = []

    def predict(columns: Columns) -> Answer:
        sizes.append(columns["x"].nbytes)
        return Answer(values=(np.zeros(len(columns["x"])),))

    assert LEAST <= calibrated(predict, {"x": np.zeros((1, 3, 512, 512))}) <= 16
    assert max(sizes) <= 2**26


def test_of_nothing_measured_the_least_is_taken():
    assert chosen({}) == LEAST
    assert chosen({1: 1.0}, most=2) == 2


def test_one_of_several_processes_measures_and_the_others_wait_for_its_number(tmp_path):
    begun, go, found = threading.Semaphore(0), threading.Semaphore(0), []

    def find() -> int:
        found.append(1)
        begun.release()
        assert go.acquire(timeout=DEADLINE)
        return 32

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(once, tmp_path, "shop", find)
        assert begun.acquire(timeout=DEADLINE)
        others = [pool.submit(once, tmp_path, "shop", find) for _ in range(2)]
        go.release()
        assert [each.result(DEADLINE) for each in (first, *others)] == [32, 32, 32]
    assert found == [1]
    assert once(tmp_path, "another", lambda: 8) == 8
    assert once(None, "shop", lambda: 16) == 16


def test_who_fails_to_measure_leaves_it_to_the_next(tmp_path):
    def fails() -> int:
        raise MemoryError

    with pytest.raises(MemoryError):
        once(tmp_path, "shop", fails)
    assert once(tmp_path, "shop", lambda: 64) == 64
