"""The bundle of an app that somebody else wrote: a manifest, and its folder.

    manifest.json    "kind": "app"; what starts it, what it needs, the sha256 of every file
    code/            the folder's files, as they are
    link             in place of code/: the absolute path of the folder, served where it lies; no part of the digest

The manifest is read with the standard library alone where the app is run (foreign/), as that may be on an old Python.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import msgspec

from flaskship.bundle import CODE, LINK, Bundle, Source, digests, lay, writing
from flaskship.cache import MANIFEST, sha256
from flaskship.errors import BundleError
from flaskship.source import Content, Entry, Requirements

KIND = "app"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppManifest:
    flaskship: str  # the version that wrote it
    name: str
    kind: str = KIND
    version: str = ""
    entry: Entry
    python: str  # "3.11": of the environment that it runs in
    requirements: tuple[str, ...]  # pins, of all that it needs
    wanted: Requirements  # what these were found for: another Python may need other pins
    source: Source
    env: dict[str, str] = field(default_factory=dict)  # from its Dockerfile and its settings
    secrets: tuple[str, ...] = ()  # names of variables that are given when it runs, never kept
    solved: tuple[str, ...] = ()  # decisions that led from what is wanted to the requirements
    warnings: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()  # of code/, that hold no file
    files: dict[str, str] = field(default_factory=dict)  # path -> sha256

    @property
    def decisions(self) -> tuple[str, ...]:
        """All of them, a sentence each: what starts it, what it needs, which versions."""
        return (*self.entry.reasons, *self.wanted.decisions, *self.solved)


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


Packed: TypeAlias = Bundle | AppBundle


def read(path: Path) -> Packed:
    """The bundle at `path`, of whichever kind. Raises `BundleError` if it is none, is damaged, or was changed."""
    try:
        raw = (path / MANIFEST).read_bytes()
        if json.loads(raw).get("kind") != KIND:
            return Bundle.read(path)
        manifest = msgspec.json.decode(raw, type=AppManifest)
        changed = [name for name, expected in manifest.files.items() if sha256(path / name) != expected]
    except FileNotFoundError as error:
        raise BundleError(f"No bundle at {str(path)!r}: {Path(str(error.filename)).name!r} is missing.") from error
    except (OSError, ValueError, AttributeError, msgspec.MsgspecError) as error:
        raise BundleError(f"Cannot read the bundle at {str(path)!r}: {error}.") from error
    if changed:
        raise BundleError(
            f"{changed[0]!r} in bundle {str(path)!r} was changed: not the manifest's sha256. Build it anew."
        )
    return AppBundle(path=path, digest=f"sha256:{hashlib.sha256(raw).hexdigest()}", manifest=manifest)


def write(path: Path, manifest: AppManifest, folder: Path, content: Content | None) -> AppBundle:
    """A bundle at `path`: with the `content` of `folder`; where that is None, served from there."""
    with writing(path) as draft:
        lay(draft, {f"{CODE}/{name}": folder / name for name in (content.files if content else ())})
        folders = content.folders if content else ()
        for name in folders:
            (draft / CODE / name).mkdir(parents=True, exist_ok=True)
        whole = msgspec.json.encode(replace(manifest, folders=folders, files=digests(draft)))
        (draft / MANIFEST).write_bytes(msgspec.json.format(whole) + b"\n")
        if content is None:
            (draft / LINK).write_text(str(folder.resolve()), encoding="utf-8")
    found = read(path)
    assert isinstance(found, AppBundle)
    return found
