"""The main thread, lent to an app's program: signals, event loops and much else want to be used there.

Such a program may keep it for good, as its server would have.
"""

from __future__ import annotations

from queue import SimpleQueue
from typing import Callable

_programs: SimpleQueue[Callable[[], None]] = SimpleQueue()


def run(program: Callable[[], None]) -> None:
    """Have the main thread run `program`, which raises nothing; returns at once."""
    _programs.put(program)


def lend() -> None:
    """Run what comes, for good. For the main thread."""
    while True:
        _programs.get()()
