"""From a folder with somebody's app to a bundle: what starts it, what is part of it, what it needs. It is not run."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flaskship import __version__, app_bundle, cache, variables
from flaskship.app_bundle import AppBundle, AppManifest
from flaskship.bundle import Source
from flaskship.errors import UsageError
from flaskship.image import lock as locks
from flaskship.plan import OLDEST
from flaskship.settings import Settings
from flaskship.source import Content, Entry, Requirements, Solved, dockerfile, entry, environments, files, requirements
from flaskship.source.dockerfile import Dockerfile
from flaskship.source.requirements.found import PYTHONS
from flaskship.target import Target

Say = Callable[[str], None]
TOOLS = (
    "-dev",
    "-essential",
    "gcc",
    "g++",
    "make",
    "git",
    "curl",
    "wget",
    "vim",
    "nano",
    "certificates",
    "pip",
    "venv",
)
EXTRAS = {"scikit-learn": "sklearn", "xgboost": "xgboost", "lightgbm": "lightgbm", "catboost": "catboost"}
NEWER = tuple(each for each in PYTHONS if tuple(map(int, each.split("."))) >= OLDEST)  # that Flaskship itself runs on
OF_MODELS = ("sample", "target_column", "isolated")  # settings that say nothing of an app


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What reading a folder tells."""

    folder: Path
    entry: Entry
    content: Content
    wanted: Requirements


def look(target: Target, settings: Settings, say: Say) -> Found:
    """What the folder of `target` is, each decision said.

    Raises `NotRecognised` where nothing in it is an app, `UsageError` where what was named is not there.
    """
    for each in OF_MODELS:
        if getattr(settings, each):
            raise UsageError(f"--{each.replace('_', '-')} is for models; {str(target)!r} is an app.")
    folder = target.folder.resolve()
    say(f"Reading {target}")
    start = entry.find(folder, _given(target, folder, settings))
    content = files.contents(folder, start, (*settings.exclude, *variables.holding(folder, settings)))
    wanted = requirements.find(folder, start, content)
    if wanted.flaskship:
        wanted = replace(wanted, wanted=tuple(sorted({*_own(wanted.wanted), *wanted.wanted})))
    if settings.requirement:
        asked = {each: f"{each} was asked for." for each in settings.requirement}
        wanted = replace(wanted, wanted=(*wanted.wanted, *asked), decisions=(*wanted.decisions, *asked.values()))
    for each in (*start.reasons, *wanted.decisions):
        say(each)
    return Found(folder=folder, entry=start, content=content, wanted=wanted)


def make(
    target: Target, settings: Settings, into: Path, say: Say, *, linked: bool = False, upgrade: bool = False
) -> AppBundle:
    """A bundle of the app that `target` names, written to `into`, with what its lock says, unless to `upgrade`.

    Raises as `look`, and `VersionMismatch`.
    """
    found = look(target, settings, say)
    kept = None if upgrade else locks.solved(cache.lock(target), found.wanted)
    pythons = NEWER if found.wanted.flaskship else None
    solved = kept or environments.fits(found.wanted) or environments.solve(found.wanted, pythons)
    for each in solved.decisions:
        say(each)
    start = found.folder / found.entry.file
    manifest = AppManifest(
        flaskship=__version__,
        name=settings.name or _name(target, found.folder),
        version=settings.model_version,
        entry=found.entry,
        python=solved.python,
        requirements=solved.pins,
        wanted=found.wanted,
        source=Source(file=found.entry.file, sha256=cache.sha256(start), size=sum(found.content.files.values())),
        env={**said(found).variables, **variables.baked(settings)},
        secrets=tuple(sorted(settings.secret)),
        solved=solved.decisions,
        warnings=warnings(found, settings),
    )
    return app_bundle.write(into, manifest, found.folder, None if linked else found.content)


def interpreter(bundle: Path, say: Say) -> Path:
    """The Python with all that the app in `bundle` needs: this one where it fits, else of an environment of its own.

    Raises `VersionMismatch` where that cannot be made.
    """
    found = app_bundle.read(bundle)
    assert isinstance(found, AppBundle)
    manifest = found.manifest
    solved = Solved(python=manifest.python, pins=manifest.requirements)
    here = environments.fits(manifest.wanted)
    if here and here.pins == solved.pins:
        return Path(sys.executable)
    say(f"Preparing an environment with Python {solved.python} and {len(solved.pins)} packages")
    return environments.python(solved)


def _own(wanted: Iterable[str]) -> list[str]:
    """What Flaskship itself needs and is not `wanted` anyway, for an app that imports it."""
    names = {canonicalize_name(Requirement(each).name) for each in wanted}
    needed = [Requirement(each) for each in importlib.metadata.requires("flaskship") or ()]
    extras = ["", *(extra for name, extra in EXTRAS.items() if name in names)]
    found = {
        canonicalize_name(each.name): f"{each.name}{each.specifier}"
        for each in needed
        if not each.marker or any(each.marker.evaluate({"extra": extra}) for extra in extras)
    }
    return [each for name, each in found.items() if name not in {*names, "flaskship"}]


def said(found: Found) -> Dockerfile:
    """What the Dockerfile of the folder, or else of the app's root in it, says; nothing where there is none."""
    places = (found.folder, found.folder / found.entry.root)
    return next((each for place in places if (each := dockerfile.read(place))), Dockerfile())


def warnings(found: Found, settings: Settings) -> tuple[str, ...]:
    """What whoever serves or packs it should know."""
    content = found.content
    system = [each for each in said(found).packages if not each.endswith(TOOLS) and each not in settings.system]
    flags = " ".join(f"--system {each}" for each in system)
    apt = (
        [f"Its Dockerfile installs {', '.join(system)}. Where the app needs that in an image: {flags}"]
        if system
        else []
    )
    missing = [f"The code names {each}, which is not in the folder." for each in content.missing]
    secret = [f"{each!r} looks like a secret and stays out of images{given(each)}." for each in content.secrets]
    return tuple(dict.fromkeys([*missing, *secret, *apt, *content.warnings, *found.wanted.warnings]))


def given(path: str) -> str:
    """How a container gets what a secret file holds, where there is a way."""
    return f": flaskship run --env-file {path}" if path.rpartition("/")[2].startswith(".env") else ""


def _given(target: Target, folder: Path, settings: Settings) -> str:
    """What was named in the folder: `FILE`, `FILE:OBJECT`, `:OBJECT`; "" where the folder itself was."""
    if settings.app:
        return settings.app
    if target.path.is_dir():
        return f":{target.attribute}" if target.attribute else ""
    file = target.path.resolve().relative_to(folder).as_posix()
    return f"{file}:{target.attribute}" if target.attribute else file


def _name(target: Target, folder: Path) -> str:
    return folder.name or target.path.stem
