"""Targets as named on the command line: `model.joblib`, or `name=model.joblib`."""

from __future__ import annotations

import multiprocessing
import re
import sys
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from flaskship import cache
from flaskship.cli import talk
from flaskship.errors import INTERRUPTED, FlaskshipError, UsageError
from flaskship.settings import Settings

if TYPE_CHECKING:
    from flaskship.bundle import Bundle

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SUFFIXES = ("joblib", "pkl", "pickle", "onnx", "skops", "json", "ubj", "txt", "cbm", "pt", "pt2", "keras", "py")


def parse(text: str, settings: Settings) -> tuple[Path, Settings]:
    """The path, and the settings with the name given before `=`."""
    name, equals, path = text.partition("=")
    if not equals or Path(text).exists():
        return Path(text), settings
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a model: use letters, digits, '.', '_' and '-'.")
    return Path(path), replace(settings, name=name)


def names_path(text: str) -> bool:
    """True for a file, a directory or `name=path`, there or not; false for what can only be an image."""
    return Path(text).exists() or "=" in text or Path(text).suffix.lstrip(".") in SUFFIXES


def bundled(text: str, settings: Settings) -> Bundle:
    """The bundle of a target, made now where there is none; says each step."""
    from flaskship import make  # heavy: only the verbs that make a bundle pay for it

    path, settings = parse(text, settings)
    return make.cached(path, settings, talk.note)


def bundled_apart(texts: list[str], settings: Settings) -> list[Path]:
    """The bundles of targets; what is missing is made in a process of its own: this one stays small."""
    found = [cache.find(*parse(text, settings)) for text in texts]
    missing = [text for text, path in zip(texts, found, strict=True) if path is None]
    made = iter(_made_apart(missing, settings) if missing else [])
    return [next(made) if path is None else path for path in found]


def _made_apart(texts: list[str], settings: Settings) -> list[Path]:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_make, args=(texts, settings, there))
    process.start()
    there.close()
    try:
        result: list[Path] | FlaskshipError | OSError = here.recv()
    except EOFError:
        process.join()
        raise FlaskshipError(f"Making the bundle ended with exit code {process.exitcode}.") from None
    process.join()
    if isinstance(result, Exception):
        raise result
    return result


def _make(texts: list[str], settings: Settings, results: Connection) -> None:
    try:
        results.send([bundled(text, settings).path for text in texts])
    except (FlaskshipError, OSError) as error:
        results.send(error)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)  # a terminal's Ctrl-C reaches the caller too, who says what there is to say
