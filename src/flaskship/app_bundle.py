"""The bundle of an app that somebody else wrote: a manifest, and its folder.

    manifest.json    "kind": "app"; what starts it, what it needs, the sha256 of every file
    code/            the folder's files, as they are
    link             in place of code/: the absolute path of the folder, served where it lies; no part of the digest

The manifest is read with the standard library alone where the app is run (foreign/), as that may be on an old Python.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from flaskship.bundle import Source
from flaskship.source import Entry

CODE, LINK = "code", "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppManifest:
    flaskship: str  # the version that wrote it
    name: str
    kind: str = "app"
    version: str = ""
    entry: Entry
    python: str  # "3.11": of the environment that it runs in
    requirements: tuple[str, ...]  # pins, of all that it needs
    source: Source
    env: dict[str, str] = field(default_factory=dict)  # from its Dockerfile and its settings
    secrets: tuple[str, ...] = ()  # names of variables that are given when it runs, never kept
    decisions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)  # path -> sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class AppBundle:
    path: Path
    digest: str
    manifest: AppManifest

    @property
    def folder(self) -> Path:
        """Where the app's files are."""
        link = self.path / LINK
        return Path(link.read_text(encoding="utf-8")) if link.is_file() else self.path / CODE
