from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from containers import DEADLINE
from hypothesis import given, settings
from hypothesis import strategies as st

from flaskship.errors import BadInput, Overloaded, PredictionFailed
from flaskship.predict.batcher import Batcher, Job, join
from flaskship.schema import Answer, Columns


def rows(*values: float) -> Columns:
    return {"x": np.array(values, dtype=float)}


def double(columns: Columns) -> Answer:
    return Answer(values=(2 * columns["x"],), probabilities=np.stack([columns["x"]] * 2, axis=1), score=columns["x"])


class Gate:
    """A model that says when it begins and goes on when it is told to; keeps what it was given."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.given: list[list[float]] = []

    def __call__(self, columns: Columns) -> Answer:
        self.given.append(columns["x"].ravel().tolist())
        self.begun.release()
        assert self.go.acquire(timeout=DEADLINE)
        return double(columns)


class Told(deque[Job]):
    """A queue that says when one has come."""

    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Semaphore(0)

    def append(self, job: Job) -> None:
        super().append(job)
        self.came.release()


class Queued:
    """A batcher whose model is at work on `first`, and callers that stand in its queue in the order they were added."""

    def __init__(
        self, gate: Gate, first: Columns, model: Callable[[Columns], Answer] | None = None, **how: Any
    ) -> None:
        self.batcher = Batcher(model or gate, **how)
        self.batcher._queue = self.queue = Told()
        self.pool = ThreadPoolExecutor(32)
        self.first = self.pool.submit(self.batcher, first)
        assert gate.begun.acquire(timeout=DEADLINE)

    def add(self, columns: Columns) -> Future[Answer]:
        """Returns when the caller is in the queue."""
        future = self.pool.submit(self.batcher, columns)
        assert self.queue.came.acquire(timeout=DEADLINE)
        return future


@pytest.fixture
def often_switching() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_an_idle_batcher_calls_the_model_in_the_callers_own_thread():
    threads = []

    def model(columns: Columns) -> Answer:
        threads.append(threading.get_ident())
        return double(columns)

    assert Batcher(model)(rows(1, 2)).values[0].tolist() == [2, 4]
    assert threads == [threading.get_ident()]


def test_what_waits_is_joined_and_everyone_gets_the_own_slice():
    gate, seen = Gate(), []
    callers = Queued(gate, rows(1), observe=lambda *call: seen.append(call[:2]))
    others = [callers.add(rows(2, 3)), callers.add(rows(4)), callers.add(rows(5, 6, 7))]
    gate.go.release(2)
    assert callers.first.result(DEADLINE).values[0].tolist() == [2]
    assert [other.result(DEADLINE).values[0].tolist() for other in others] == [[4, 6], [8], [10, 12, 14]]
    assert [other.result().probabilities.shape for other in others] == [(2, 2), (1, 2), (3, 2)]
    assert others[2].result().score.tolist() == [5, 6, 7]
    assert gate.given == [[1], [2, 3, 4, 5, 6, 7]]
    assert seen == [(1, 1), (6, 3)]
    assert callers.batcher.waiting == 0


def test_a_batch_takes_no_more_rows_than_allowed_and_first_come_are_first_served():
    gate = Gate()
    callers = Queued(gate, rows(0), max_batch=4)
    futures = [callers.first] + [
        callers.add(rows(*values)) for values in ([1, 2], [3, 4], [5, 6, 7], [8], [9] * 6, [10])
    ]
    gate.go.release(5)
    assert [len(future.result(DEADLINE).values[0]) for future in futures] == [1, 2, 2, 3, 1, 6, 1]
    assert gate.given == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9] * 6, [10]]


def test_tensors_of_different_shapes_are_never_joined():
    gate = Gate()
    callers = Queued(gate, {"x": np.zeros((1, 2))})
    shapes = [(1, 2), (1, 3), (2, 2), (1, 3), (1, 3, 3)]
    futures = [callers.first] + [callers.add({"x": np.full(shape, 1.0)}) for shape in shapes]
    gate.go.release(4)
    assert [future.result(DEADLINE).values[0].shape for future in futures] == [(1, 2), *shapes]
    assert list(map(len, gate.given)) == [2, 3 * 2, 2 * 3, 3 * 3]  # values of a call


def test_pictures_and_texts_of_any_size_are_joined_where_each_is_an_object():
    gate, given = Gate(), []

    def model(columns: Columns) -> Answer:
        gate({"x": np.zeros((len(columns["image"]), 1))})
        given.append([each.shape for each in columns["image"]])
        return Answer(values=(columns["text"],))

    def asked(size: int, text: str) -> Columns:
        image = np.empty(1, object)
        image[0] = np.zeros((size, size))
        return {"image": image, "text": np.array([text], object)}

    callers = Queued(gate, asked(1, "a"), model)
    futures = [callers.add(asked(size, "b" * size)) for size in (3, 2, 3)]
    gate.go.release(2)
    assert [future.result(DEADLINE).values[0].tolist() for future in futures] == [["bbb"], ["bb"], ["bbb"]]
    assert given == [[(1, 1)], [(3, 3), (2, 2), (3, 3)]]


def test_who_does_not_fit_is_passed_over_and_leads_next():
    gate = Gate()
    callers = Queued(gate, rows(0), max_batch=4)
    futures = [callers.add(rows(*values)) for values in ([1, 1, 1], [2, 2], [3], [4])]
    gate.go.release(3)
    assert [future.result(DEADLINE).values[0].tolist() for future in futures] == [[2, 2, 2], [4, 4], [6], [8]]
    assert gate.given == [[0], [1, 1, 1, 3], [2, 2, 4]]


def test_how_many_wait_is_told_whenever_it_changes():
    gate, told = Gate(), []
    callers = Queued(gate, rows(0), queued=told.append)
    futures = [callers.add(rows(value)) for value in (1, 2)]
    assert told[-1] == 2
    gate.go.release(2)
    assert [future.result(DEADLINE).rows for future in (callers.first, *futures)] == [1, 1, 1]
    assert told[-1] == 0


def test_a_large_request_runs_in_parts_and_is_joined_again():
    given = []

    def model(columns: Columns) -> Answer:
        given.append(len(columns["x"]))
        return double(columns)

    answer = Batcher(model, max_batch=2, max_alone=4)(rows(*range(10)))
    assert given == [4, 4, 2]
    assert answer.values[0].tolist() == [2 * value for value in range(10)]
    assert answer.probabilities.shape == (10, 2)


def test_others_have_their_turn_between_the_parts_of_a_large_request():
    gate = Gate()
    callers = Queued(gate, rows(1, 2, 3, 4), max_batch=2, max_alone=2)
    small = callers.add(rows(9))
    gate.go.release(3)
    assert small.result(DEADLINE).values[0].tolist() == [18]
    assert callers.first.result(DEADLINE).values[0].tolist() == [2, 4, 6, 8]
    assert gate.given == [[1, 2], [9], [3, 4]]


def test_only_the_culprit_of_a_failing_batch_gets_the_error():
    gate = Gate()

    def model(columns: Columns) -> Answer:
        answer = gate(columns)
        if 13 in columns["x"]:
            raise BadInput("thirteen")
        return answer

    callers = Queued(gate, rows(0), model)
    futures = [callers.add(rows(value)) for value in (1, 13, 3)]
    gate.go.release(5)
    assert callers.first.result(DEADLINE).values[0].tolist() == [0]
    assert futures[0].result(DEADLINE).values[0].tolist() == [2]
    with pytest.raises(BadInput, match="thirteen"):
        futures[1].result(DEADLINE)
    assert futures[2].result(DEADLINE).values[0].tolist() == [6]
    assert gate.given == [[0], [1, 13, 3], [1], [13], [3]]


def test_a_failing_batch_that_must_not_run_again_fails_for_all_of_it_and_nobody_else():
    gate = Gate()

    def model(columns: Columns) -> Answer:
        answer = gate(columns)
        if -1.0 in columns["x"]:
            raise PredictionFailed("The model could not answer these rows.") from ValueError(f"{columns['x']}")
        return answer

    callers = Queued(gate, rows(0), model, max_batch=2, again=False)
    futures = [callers.add(rows(value)) for value in (1, -1, 2, 3)]
    gate.go.release(3)
    errors = [future.exception(DEADLINE) for future in futures]
    assert [type(error) for error in errors] == [PredictionFailed, PredictionFailed, type(None), type(None)]
    assert errors[0] is not errors[1]
    assert errors[0].__cause__ is errors[1].__cause__
    assert gate.given == [[0], [1, -1], [2, 3]]


def test_a_model_that_answers_too_few_rows_has_failed():
    with pytest.raises(PredictionFailed, match="answered 1 rows for 2"):
        Batcher(lambda columns: Answer(values=(columns["x"][:1],)))(rows(1, 2))


def test_a_full_queue_refuses_and_serves_on():
    gate = Gate()
    callers = Queued(gate, rows(1), max_queue=1)
    second = callers.add(rows(2))
    with pytest.raises(Overloaded, match="1 requests are waiting already") as caught:
        callers.batcher(rows(3))
    assert (caught.value.status, caught.value.retry_after) == (429, 1)
    gate.go.release(3)
    assert [
        each.rows for each in (callers.first.result(DEADLINE), second.result(DEADLINE), callers.batcher(rows(4)))
    ] == [1, 1, 1]


def test_who_has_waited_too_long_goes_and_leaves_nothing_behind():
    gate = Gate()
    batcher = Batcher(gate, timeout=0.01)
    first = ThreadPoolExecutor(1).submit(batcher, rows(1))
    assert gate.begun.acquire(timeout=DEADLINE)
    with pytest.raises(Overloaded, match=r"No answer within 0\.01 s"):
        batcher(rows(2))
    assert batcher.waiting == 0
    gate.go.release(2)
    assert first.result(DEADLINE).rows == 1
    assert batcher(rows(3)).values[0].tolist() == [6]
    assert gate.given == [[1], [3]]


def test_a_dying_leader_leaves_its_followers_to_the_next():
    gate = Gate()

    def model(columns: Columns) -> Answer:
        answer = gate(columns)
        if columns["x"].tolist()[0] == 13 and len(columns["x"]) > 1:
            raise SystemExit
        return answer

    callers = Queued(gate, rows(0), model)
    futures = [callers.add(rows(value)) for value in (13, 1, 2)]
    gate.go.release(10)
    assert callers.first.result(DEADLINE).rows == 1
    with pytest.raises(SystemExit):
        futures[0].result(DEADLINE)
    assert [future.result(DEADLINE).values[0].tolist() for future in futures[1:]] == [[2], [4]]
    assert gate.given == [[0], [13, 1, 2], [1, 2]]
    assert callers.batcher(rows(5)).values[0].tolist() == [10]


@pytest.mark.parametrize("options", [{}, {"max_batch": 3, "max_alone": 4}, {"timeout": 0.0005}])
def test_thousands_of_callers_each_get_their_own_answer(often_switching, options):
    calls, refused = [], []
    batcher = Batcher(double, max_queue=10_000, observe=lambda *call: calls.append(call), **options)

    def many(thread: int) -> None:
        for turn in range(400):
            own = np.arange(1 + (thread + turn) % 6) + 1000 * thread + turn
            try:
                assert batcher({"x": own}).values[0].tolist() == (2 * own).tolist()
            except Overloaded:
                refused.append(thread)

    with ThreadPoolExecutor(24) as pool:
        for done in [pool.submit(many, thread) for thread in range(24)]:
            done.result(DEADLINE)
    assert batcher.waiting == 0
    assert not refused or "timeout" in options
    assert batcher(rows(1)).values[0].tolist() == [2]  # nobody is left believing that the model is busy
    assert max(requests for _, requests, _ in calls) > 1


def test_failures_among_thousands_hit_only_their_own_callers(often_switching):
    def model(columns: Columns) -> Answer:
        if (columns["x"] < 0).any():
            raise ValueError("negative")
        return double(columns)

    batcher = Batcher(model, max_queue=10_000)

    def many(thread: int) -> None:
        for turn in range(100):
            value = -1.0 if (thread + turn) % 7 == 0 else float(turn)
            try:
                assert batcher(rows(value)).values[0].tolist() == [2 * value]
                assert value >= 0
            except ValueError:
                assert value < 0

    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(many, thread) for thread in range(16)]:
            done.result(DEADLINE)


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(-100, 100), min_size=1, max_size=9), min_size=1, max_size=12), st.integers(1, 5))
def test_any_mix_of_requests_is_answered_row_by_row(requests, size):
    batcher = Batcher(double, max_batch=size, max_alone=size + 1)
    with ThreadPoolExecutor(len(requests)) as pool:
        answers = list(pool.map(lambda values: batcher(rows(*values)).values[0].tolist(), requests))
    assert answers == [[2 * value for value in values] for values in requests]


def test_joined_answers_have_the_rows_of_all():
    parts = [double(rows(1, 2)), double(rows(3))]
    joined = join(parts)
    assert joined.values[0].tolist() == [2, 4, 6]
    assert joined.probabilities.shape == (3, 2)
    assert joined.score.tolist() == [1, 2, 3]
    assert join(parts[:1]) is parts[0]
