"""Targets as named on the command line: `model.joblib`, `module.py:name`, `folder`, or `name=model.joblib`."""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from flaskship import cache, variables
from flaskship.cli import talk
from flaskship.errors import INTERRUPTED, FlaskshipError, NotRecognised, UsageError
from flaskship.settings import Settings
from flaskship.target import MODULE, Kind, Target, says

if TYPE_CHECKING:
    from flaskship.app_bundle import Packed
    from flaskship.bundle import Bundle

Given = TypeVar("Given")
Made = TypeVar("Made")

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SUFFIXES = ("joblib", "pkl", "pickle", "onnx", "skops", "json", "ubj", "txt", "cbm", "pt", "pt2", "keras", "py")
OF_FOLDER = ("app", "exclude", "env", "secret", "requirement", "system")  # settings that a folder of code may hold


def parse(text: str, settings: Settings) -> tuple[Target, Settings]:
    """The target, and the settings with the name given before `=`, and of code, with those that its folder holds.

    Raises `NotRecognised` where that folder is all of the file system, which nobody means and nobody may read.
    """
    name, equals, rest = text.partition("=")
    if equals and not Path(text).exists() and "(" not in name:
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot name a model: use letters, digits, '.', '_' and '-'.")
        text, settings = rest, replace(settings, name=name)
    target = Target.of(text)
    if not target.is_code:
        return target, settings
    if target.folder.resolve() == Path("/"):
        raise NotRecognised(f"{text!r} would take in the whole file system. Name a folder, or a file in one.")
    return target, _with_own(target, settings)


def _with_own(target: Target, settings: Settings) -> Settings:
    """What `[tool.flaskship]` in the target's own folder says, where nothing said otherwise; lists are joined."""
    if target.folder.resolve() == Path.cwd():
        return settings  # which has it
    own = Settings.load(target.folder, {}, {})
    found = {name: getattr(settings, name) or getattr(own, name) for name in OF_FOLDER}
    joined = {
        name: tuple(dict.fromkeys([*getattr(own, name), *value])) for name, value in found.items() if name != "app"
    }
    return replace(settings, **{**found, **joined})


def names_path(text: str) -> bool:
    """True for a file, a directory, a module or `name=path`, there or not; false for what can only be an image."""
    if Path(text).exists() or "=" in text or Path(text).suffix.lstrip(".") in SUFFIXES:
        return True
    target = Target.of(text)
    module = text.partition(":")[0]
    if not target.attribute:
        return False
    return not MODULE.fullmatch(module) or says(target)  # else `sales:latest`, an image, unless sales.py has that name


def bundled(text: str, settings: Settings, *, linked: bool = True, upgrade: bool = False) -> Packed:
    """The bundle of a target, made now where there is none; says each step."""
    from flaskship import make  # heavy: only the verbs that make a bundle pay for it

    target, settings = parse(text, settings)
    variables.set_here(variables.baked(settings))  # a module may ask for them when it is loaded
    return make.cached(target, settings, talk.note, linked=linked, upgrade=upgrade)


def modelled(text: str, settings: Settings, verb: str) -> Bundle:
    """The bundle of a model or of functions. Raises `UsageError` for an app, of which nobody knows what it takes."""
    from flaskship.bundle import Bundle  # brings NumPy
    from flaskship.make.kind import kind  # reads code

    target, own = parse(text, settings)
    found = (
        None if cache.find(target, own, linked=True) is None and kind(target, own) is Kind.APP else bundled(text, own)
    )
    if not isinstance(found, Bundle):
        raise UsageError(f"{text!r} is an app: it has no signature by which to {verb} it. Ask it over HTTP instead.")
    return found


def bundled_apart(texts: list[str], settings: Settings) -> list[Path]:
    """The bundles of targets; what is missing is made in a process of its own: this one stays small."""
    found = [cache.find(*parse(text, settings), linked=True) for text in texts]
    missing = [text for text, path in zip(texts, found, strict=True) if path is None]
    made = iter(_apart(_bundles, missing, settings) if missing else [])
    return [next(made) if path is None else path for path in found]


def interpreter_apart(bundle: Path, settings: Settings) -> Path:
    """The Python that an app's bundle is served with; its environment is made in a process of its own."""
    return _apart(_interpreter, bundle, settings)


def _bundles(texts: list[str], settings: Settings) -> list[Path]:
    return [bundled(text, settings).path for text in texts]


def _interpreter(bundle: Path, settings: Settings) -> Path:
    from flaskship.make import app  # reads folders, and makes environments

    return app.interpreter(bundle, talk.note)


def _apart(function: Callable[[Given, Settings], Made], given: Given, settings: Settings) -> Made:
    """What `function` gives, in a process of its own. Raises as it does."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(there, function, given, settings))
    process.start()
    there.close()
    try:
        result: Made | FlaskshipError | OSError = here.recv()
    except EOFError:
        process.join()
        raise FlaskshipError(f"Making the bundle ended with exit code {process.exitcode}.") from None
    process.join()
    if isinstance(result, FlaskshipError | OSError):
        raise result
    return result


def _send(results: Connection, function: Callable[[Given, Settings], Made], given: Given, settings: Settings) -> None:
    try:
        results.send(function(given, settings))
    except (FlaskshipError, OSError) as error:
        results.send(error)
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)  # a terminal's Ctrl-C reaches the caller too, who says what there is to say
    sys.stdout.flush()
    os._exit(0)  # a module's own threads may never end
