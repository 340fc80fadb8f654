"""Servers that a program starts are captured: their app is kept, and they never start."""

from __future__ import annotations

import asyncio
import functools
import importlib
import os
import sys
import threading
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, Iterable, NamedTuple, Sequence

from flaskship.errors import FlaskshipError


class Capture:
    """What a program would have served, or why it cannot be. Settled once."""

    def __init__(self) -> None:
        self._settled = threading.Event()
        self._lock = threading.Lock()
        self._process = os.getpid()
        self.app: Any = None
        self.error: FlaskshipError | None = None

    def wait(self, seconds: float) -> bool:
        """Whether it is settled by then."""
        return self._settled.wait(seconds)

    def take(self, app: Any) -> None:
        self._settle("app", app)

    def fail(self, error: FlaskshipError) -> None:
        self._settle("error", error)

    def _settle(self, name: str, value: Any) -> None:
        with self._lock:
            if not self._settled.is_set():
                setattr(self, name, value)
                self._settled.set()

    def serve(self, app: Any) -> None:
        """Take the app, and do not return, as its server would not: its caller's sessions and files stay open."""
        self.take(app)
        if os.getpid() == self._process:  # in a process that the program forked, nobody would ever look
            threading.Event().wait()

    async def serve_async(self, app: Any) -> None:
        """The same for a coroutine, whose loop goes on."""
        self.take(app)
        await asyncio.get_running_loop().create_future()


class Way(NamedTuple):
    """Something of a library that starts a server, and what stands in its place.

    `place` is `module:attribute.path`; a release of the library that has no such thing is left as it is.
    """

    place: str
    instead: Callable[[Capture, Any], Any]  # of the capture and the original

    @property
    def module(self) -> str:
        return self.place.partition(":")[0]

    def patch(self, capture: Capture, module: ModuleType) -> None:
        owner: Any = module
        *path, name = self.place.partition(":")[2].split(".")
        for each in path:
            owner = getattr(owner, each, None)
        original = getattr(owner, name, None)
        if original is not None:
            setattr(owner, name, self.instead(capture, original))


class Hook(MetaPathFinder):
    """Patches each library right after the program imports it, and imports none itself."""

    def __init__(self, capture: Capture, ways: Iterable[Way]) -> None:
        self._capture = capture
        self._ways: dict[str, list[Way]] = {}
        for way in ways:
            self._ways.setdefault(way.module, []).append(way)

    def install(self) -> None:
        for name in self._ways:
            if name in sys.modules:
                self._patch(sys.modules[name])
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._ways:
            return None
        others = [each for each in sys.meta_path if each is not self]
        spec = next(filter(None, (each.find_spec(fullname, path, target) for each in others)), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self._patch(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # this loader's own, of this module
        return spec

    def _patch(self, module: ModuleType) -> None:
        for way in self._ways[module.__name__]:
            way.patch(self._capture, module)


def named(app: Any, *, factory: bool = False) -> Any:
    """The app that a server was told, which may be text: `main:app`."""
    if isinstance(app, str):
        module, _, attributes = app.partition(":")
        app = functools.reduce(getattr, (attributes or "app").split("."), importlib.import_module(module))
    return app() if factory else app
