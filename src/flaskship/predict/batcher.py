"""Joins the requests of several threads into one call of the model: leader and followers.

The thread that finds the model idle runs it at once with its own rows. Threads that come meanwhile wait in a queue.
When the model is free again its runner wakes the first of the queue, which takes all that waits and fits (of its own
shapes, up to `max_batch` rows), runs it, gives each waiter its slice and wakes the next. There is no timer, no poll and
no thread of its own: idle, a request waits for nobody; loaded, batches grow by themselves.

    thread A   [runs a]                  answers a
    thread B      waits  [runs b, c, d]            answers b
    thread C       waits                           answers c
    thread D        waits                          answers d
"""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from threading import Lock
from typing import TypeAlias

import numpy as np

from flaskship.errors import Overloaded, PredictionFailed
from flaskship.schema import Answer, Columns

Predict: TypeAlias = Callable[[Columns], Answer]
Observe: TypeAlias = Callable[[int, int, float], None]  # rows and requests of a call of the model, and its seconds
Queued: TypeAlias = Callable[[int], None]  # requests that wait


class Job:
    """One request: what it asks, and what it is answered."""

    __slots__ = ("abandoned", "answer", "columns", "error", "kind", "leads", "rows", "taken", "turn")

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.rows = len(next(iter(columns.values())))
        self.kind = [each.shape[1:] for each in columns.values() if each.ndim > 1]  # only equal shapes can be joined
        self.taken = False  # no longer in the queue: it leads, or is in the leader's batch
        self.leads = False
        self.abandoned = False  # its thread has gone
        self.answer: Answer | None = None
        self.error: Exception | None = None
        self.turn = Lock()  # held while there is nothing for this thread to do
        self.turn.acquire()

    @property
    def done(self) -> bool:
        return self.answer is not None or self.error is not None

    def result(self) -> Answer:
        if self.error is not None:
            raise self.error
        if self.answer is None:
            raise AssertionError("a job without an answer or an error")
        return self.answer


class Batcher:
    """`predict` for many threads, one call at a time, first come first served.

    A request of more than `max_batch` rows is not joined with others; it runs in parts of `max_alone` rows, between
    which others have their turn. When a batch fails each of its requests is run alone: only the culprit gets the error;
    with `again=False` (a function must not run twice for one request) all of them get it. Raises `Overloaded` when
    `max_queue` requests wait, or when a request has waited `timeout` seconds. `observe` is told of each call that was
    answered, `queued` how many requests wait whenever that changes.
    """

    def __init__(
        self,
        predict: Predict,
        *,
        max_batch: int = 256,
        max_alone: int = 16_384,
        max_queue: int = 256,
        timeout: float = 60.0,
        again: bool = True,
        observe: Observe | None = None,
        queued: Queued | None = None,
    ) -> None:
        self.predict = predict
        self.max_batch = max_batch
        self.max_alone = max(max_alone, max_batch)
        self.max_queue = max_queue
        self.timeout = timeout
        self.again = again
        self.observe = observe
        self.queued = queued
        self._changing = Lock()
        self._busy = False  # a leader is at work, or woken; while nobody leads the queue is empty
        self._queue: deque[Job] = deque()

    def __call__(self, columns: Columns) -> Answer:
        job = Job(columns)
        if job.rows <= self.max_alone:
            return self._answer(job, queue=self.max_queue)
        edges = [*range(0, job.rows, self.max_alone), job.rows]
        parts = [{name: column[low:high] for name, column in columns.items()} for low, high in pairwise(edges)]
        first = self._answer(Job(parts[0]), queue=self.max_queue)
        return join([first, *(self._answer(Job(part), queue=None) for part in parts[1:])])

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    def _answer(self, job: Job, queue: int | None) -> Answer:
        with self._changing:
            if self._busy:
                if queue is not None and len(self._queue) >= queue:
                    raise Overloaded(f"{queue} requests are waiting already. Retry later, or raise 'max_queue'.")
                self._queue.append(job)
                self._told()
            else:
                self._busy = job.taken = job.leads = True
                job.turn.release()
        try:
            if not job.turn.acquire(timeout=self.timeout):
                self._give_up(job)
        except BaseException:  # a thread that is gone must not be woken to lead
            self._leave(job)
            raise
        if not job.done:
            self._lead(job)
        return job.result()

    def _give_up(self, job: Job) -> None:
        """Raises, unless the answer or the lead came in the very last moment."""
        with self._changing:
            if job.done or job.leads:
                return
        raise Overloaded(f"No answer within {self.timeout:g} s. Retry later, or raise 'timeout'.")

    def _leave(self, job: Job) -> None:
        with self._changing:
            job.abandoned = True
            if not job.taken:
                self._queue.remove(job)
                self._told()
        if job.leads:
            self._pass_on([job])

    def _lead(self, job: Job) -> None:
        batch = [job]
        try:
            with self._changing:
                batch += self._companions(job)
            self._run(batch)
        finally:
            self._pass_on(batch)

    def _companions(self, job: Job) -> list[Job]:
        """What waits and can be joined with `job`, in the order in which it came. The others keep theirs."""
        found, rows, left = [], job.rows, deque[Job]()
        while self._queue and rows < self.max_batch:
            following = self._queue.popleft()
            if following.kind == job.kind and rows + following.rows <= self.max_batch:
                following.taken = True
                rows += following.rows
                found.append(following)
            else:
                left.append(following)
        self._queue.extendleft(reversed(left))
        self._told()
        return found

    def _told(self) -> None:
        if self.queued is not None:
            self.queued(len(self._queue))

    def _run(self, batch: list[Job]) -> None:
        if len(batch) == 1:
            self._run_alone(batch[0])
            return
        names = batch[0].columns
        columns = {name: np.concatenate([job.columns[name] for job in batch]) for name in names}
        try:
            answer = self._timed(columns, len(batch))
        except Exception as error:  # noqa: BLE001  # raised in the jobs' own threads
            for job in batch:
                if self.again:  # whoever caused it gets it, alone
                    self._run_alone(job)
                else:
                    job.error = own(error)
            return
        start = 0
        for job in batch:
            job.answer = answer[start : start + job.rows]
            start += job.rows

    def _run_alone(self, job: Job) -> None:
        try:
            job.answer = self._timed(job.columns, 1)
        except Exception as error:  # noqa: BLE001  # raised in the job's own thread
            job.error = error

    def _timed(self, columns: Columns, requests: int) -> Answer:
        started = time.perf_counter()
        answer = self.predict(columns)
        rows = len(next(iter(columns.values())))
        if answer.rows != rows:
            raise PredictionFailed(f"The model answered {answer.rows} rows for {rows}.")
        if self.observe is not None:
            self.observe(rows, requests, time.perf_counter() - started)
        return answer

    def _pass_on(self, batch: list[Job]) -> None:
        """Wakes the batch and the next leader. What a dying leader leaves undone goes back to the head of the queue."""
        others = batch[1:]
        with self._changing:
            for job in reversed(others):
                if not job.done and not job.abandoned:
                    job.taken = False
                    self._queue.appendleft(job)
            self._busy = bool(self._queue)
            if self._busy:
                following = self._queue.popleft()
                self._told()
                following.taken = following.leads = True
                following.turn.release()
        for job in others:
            if job.done:
                job.turn.release()


def own(error: Exception) -> Exception:
    """The same error for another thread, which adds its own traceback."""
    made = copy.copy(error)
    made.__cause__ = error.__cause__
    return made


def join(answers: list[Answer]) -> Answer:
    """One answer of the rows of all, in order."""
    if len(answers) == 1:
        return answers[0]
    probabilities = [each.probabilities for each in answers if each.probabilities is not None]
    scores = [each.score for each in answers if each.score is not None]
    return Answer(
        values=tuple(np.concatenate(values) for values in zip(*(each.values for each in answers), strict=True)),
        probabilities=np.concatenate(probabilities) if probabilities else None,
        score=np.concatenate(scores) if scores else None,
    )
