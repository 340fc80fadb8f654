"""Somebody's folder of code, read and never run: what starts it, what belongs to it, what it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Interface(StrEnum):
    WSGI = "wsgi"
    ASGI = "asgi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What starts an app. `root` and `file` are relative to the folder, with `/`; "." is the folder itself.

    The file is run as `__main__`, with `root` as working directory and first on `sys.path`, the file's own folder last;
    below `root` it is a module of a package, as `python -m` has it. What starts a server is captured; then `object` is
    looked for in what the file defined: "app", "site.app", "create_app()", "make('prod')"; ""
    takes the app that was captured, or the only one there is.
    """

    root: str
    file: str
    object: str = ""
    interface: Interface = Interface.WSGI
    framework: str = ""  # "flask", "fastapi", "starlette", "django", …
    reasons: tuple[str, ...] = ()  # why this one, a sentence each
    port: int = 0  # that the app's own pages name (localhost:5000), or its server was told; 0 where none is


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What goes into an image of a folder. Paths are relative to it, with `/`, sorted."""

    files: dict[str, int]  # path -> size in bytes
    folders: tuple[
        str, ...
    ] = ()  # that hold no file and have to be there: empty ones, and such as the code writes into
    left_out: dict[str, str] = field(default_factory=dict)  # path of a file or folder -> why
    secrets: tuple[str, ...] = ()  # left out since they look like secrets
    missing: tuple[str, ...] = ()  # what the code names and the folder lacks: "model.pkl (app.py, line 12)"
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a folder's code and files need, as far as reading tells."""

    wanted: tuple[str, ...]  # PEP 508, a distribution at most once, sorted
    models: tuple[str, ...] = ()  # names among them that read the pickles: their pins are let go last
    python: str = ""  # a version that the folder asks for: "3.8"
    until: str = ""  # the last Python with all that it imports of the standard library: "3.11"; "" is any
    committed: str = ""  # ISO date of the last commit in it, "" where there is none
    flaskship: bool = False  # whether the code itself imports Flaskship, as an app with a `flaskship.blueprint` does
    decisions: tuple[str, ...] = ()  # a sentence each: joined, mapped, overruled
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """A set that goes together on one Python."""

    python: str  # "3.11"
    pins: tuple[str, ...]  # "flask==2.3.3", every distribution that is needed, sorted
    decisions: tuple[str, ...] = ()
