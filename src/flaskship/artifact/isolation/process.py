"""A process of another Python that has a model loaded and answers for it.

The other side is `shim.worker`, which needs nothing of Flaskship and runs on Python 3.8; the two talk over its stdin
and stdout. A worker that dies is an error for the caller whom it was answering, and is started again for the next.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flaskship.artifact.shim import worker
from flaskship.errors import PredictionFailed, VersionMismatch
from flaskship.schema import Array

LOG = logging.getLogger("flaskship.isolated")
PATIENCE = 1.0  # seconds for a worker to end by itself
SHOWN = 5  # last lines of the worker's stderr that go into an error


class Process:
    """A worker with its model loaded. One question at a time."""

    def __init__(self, python: Path, question: Mapping[str, Any]) -> None:
        self._python, self._question = python, dict(question)
        self._lock = threading.Lock()
        self._owner = 0  # the process that started it: a fork has to start its own
        self._child: subprocess.Popen[bytes] | None = None
        self._stop: Callable[[], object] = lambda: None
        self._said: deque[str] = deque(maxlen=SHOWN)
        self.described: dict[str, Any] = {}

    def start(self) -> dict[str, Any]:
        """What the worker says of the model. Raises `VersionMismatch` when it cannot load it."""
        with self._lock:
            self._started()
        return self.described

    def ask(self, header: dict[str, Any], arrays: list[Array]) -> tuple[dict[str, Any], list[Array]]:
        """The worker's answer. Raises `PredictionFailed` when the model raised, or the worker died."""
        with self._lock:
            if self._owner != os.getpid() or self._child is None or self._child.poll() is not None:
                self._started()
            try:
                told, values = self._exchange(header, arrays)
            except (OSError, EOFError) as error:
                raise PredictionFailed(f"The isolated model's process died: {self._last_words()}.") from error
        if "error" in told:
            raise PredictionFailed(f"The isolated model raised {told['error']}.")
        return told, values

    def close(self) -> None:
        with self._lock:
            self._end()

    def _started(self) -> None:
        command = [str(self._python), "-I", "-B", worker.__file__]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._child, self._owner = child, os.getpid()
        reader = threading.Thread(target=_logged, args=(child, self._said), daemon=True)
        reader.start()
        self._stop = weakref.finalize(self, _ended, child, reader, os.getpid())
        try:
            told, _ = self._exchange(self._question, [])
        except (OSError, EOFError) as error:
            said = self._last_words()
            raise VersionMismatch(f"The isolated model's process died while loading it: {said}.") from error
        if "error" in told:
            self._end()
            raise VersionMismatch(f"The model does not load in an environment of its own: {told['error']}.")
        self.described = told

    def _exchange(self, header: dict[str, Any], arrays: list[Array]) -> tuple[dict[str, Any], list[Array]]:
        assert self._child is not None and self._child.stdin is not None and self._child.stdout is not None
        worker.write(self._child.stdin, header, arrays)
        return worker.read(self._child.stdout)

    def _end(self) -> None:
        self._stop()
        self._child = None

    def _last_words(self) -> str:
        self._end()
        return " / ".join(self._said) or "it said nothing"


def _ended(child: subprocess.Popen[bytes], reader: threading.Thread, owner: int) -> None:
    """Lets a worker end, or ends it where it is at work."""
    if os.getpid() != owner:
        return
    with contextlib.suppress(BrokenPipeError):  # what was not sent any more
        child.stdin.close()  # type: ignore[union-attr]  # a pipe, as the next
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    child.stdout.close()  # type: ignore[union-attr]
    reader.join(PATIENCE)


def _logged(child: subprocess.Popen[bytes], said: deque[str]) -> None:
    """Passes what the worker writes to stderr on to the log, until it ends."""
    assert child.stderr is not None
    with child.stderr as lines:
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            said.append(text)
            LOG.warning("isolated model: %s", text)
