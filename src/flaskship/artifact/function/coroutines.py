"""Coroutines run from threads that have no event loop: one loop a process, in a daemon thread of its own.

A process that was forked gets a loop of its own when it first needs one, as a thread does not survive a fork.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
from collections.abc import Awaitable, Coroutine, Sequence
from threading import Lock, Thread
from typing import Any, TypeVar

Value = TypeVar("Value")


class _Loop:
    """The loop of this process, started when it is first asked for."""

    def __init__(self) -> None:
        self._starting = Lock()
        self._running: asyncio.AbstractEventLoop | None = None

    def __call__(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._running is None:
                self._running = asyncio.new_event_loop()
                Thread(target=self._running.run_forever, name="flaskship-async", daemon=True).start()
            return self._running


_loop = _Loop()
os.register_at_fork(after_in_child=_loop.__init__)  # type: ignore[misc]  # anew, as if it had just been made


def run(coroutine: Coroutine[Any, Any, Value]) -> Value:
    """What `coroutine` returns or raises, run on this process's loop; cancelled where the waiting thread is stopped."""
    future = asyncio.run_coroutine_threadsafe(_held(coroutine), _loop())
    try:
        return future.result()
    except concurrent.futures.CancelledError as error:
        raise RuntimeError("it was cancelled") from error
    except BaseException:  # whatever it is goes on up, Ctrl-C and a worker that ends too: nobody waits any more
        future.cancel()  # does nothing where the coroutine itself raised
        raise


async def outcomes(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    """What each returns, or the exception that it raises, in their order; all run at the same time."""
    return await asyncio.gather(*map(_held, awaitables), return_exceptions=True)


async def _held(awaitable: Awaitable[Value]) -> Value:
    try:
        return await awaitable
    except SystemExit as error:  # would end the loop, and with it everybody's answers
        raise RuntimeError(f"it asked to end the process: SystemExit({error})") from error
