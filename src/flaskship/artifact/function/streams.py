"""What a generator yields, as one iterator for whoever streams it: checked, closable, its first item at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from flaskship.artifact.function import coroutines
from flaskship.errors import FlaskshipError, PredictionFailed

NOTHING = object()


class Stream(Iterator[Any]):
    """The items of `source`, an iterator or an asynchronous one, each passed through `present`.

    The first is fetched at once, so that input which the function refuses is refused before anything is sent. Raises
    `BadInput` as the function does, and `PredictionFailed` for whatever else it raises. `close` ends the function where
    it stands, its `finally` blocks run; no other thread may be in `next` meanwhile.
    """

    def __init__(self, function: str, source: Any, present: Callable[[Any], Any]) -> None:
        self._function = function
        self._source: Iterator[Any] = Awaited(source) if hasattr(source, "__anext__") else source
        self._present = present
        self._first = self._next()

    def __next__(self) -> Any:
        item, self._first = self._first, NOTHING
        if item is NOTHING:
            item = self._next()
        if item is NOTHING:
            raise StopIteration
        return item

    def close(self) -> None:
        self._first = NOTHING
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    def _next(self) -> Any:
        try:
            item = next(self._source, NOTHING)
            return item if item is NOTHING else self._present(item)
        except FlaskshipError:
            self.close()
            raise
        except (Exception, SystemExit) as error:  # a function is anybody's code, and raises what it likes
            raise failed(self._function, error) from error


class Awaited(Iterator[Any]):
    """An asynchronous iterator as a plain one, each step run on the process's event loop."""

    def __init__(self, source: AsyncIterator[Any]) -> None:
        self._source = source

    def __next__(self) -> Any:
        item = coroutines.run(self._step())
        if item is NOTHING:
            raise StopIteration
        return item

    async def _step(self) -> Any:
        return await anext(self._source, NOTHING)

    def close(self) -> None:
        close = getattr(self._source, "aclose", None)
        if close is not None:
            coroutines.run(close())


def failed(function: str, error: BaseException) -> PredictionFailed:
    """What `error`, raised by the user's function, is to whoever asked. Its words are for the log, never sent."""
    said = f": {error}" if str(error) else ""
    return PredictionFailed(f"{function} raised {type(error).__name__}{said}.")
