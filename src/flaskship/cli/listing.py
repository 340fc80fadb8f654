"""What an image would hold, before there is one: `flaskship build --dry-run`. Nothing of it is kept."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from flaskship import app_bundle, cache, make, plan, variables
from flaskship.app_bundle import AppBundle, Packed
from flaskship.bundle import REPORT
from flaskship.cli import about, talk, targets
from flaskship.image.base import AUTO
from flaskship.settings import Settings
from flaskship.source import Content


def lines(text: str, settings: Settings) -> Iterator[str]:
    """Files with their sizes, what stays out and why, packages, layers, environment."""
    target, settings = targets.parse(text, settings)
    with tempfile.TemporaryDirectory() as folder:
        found = target.path if cache.is_bundle(target.path) else Path(folder) / "bundle"
        bundle = (
            app_bundle.read(found)
            if found == target.path
            else make.make(target, settings, found, talk.note, linked=True)
        )
        code = isinstance(bundle, AppBundle) or bundle.manifest.code is not None
        holding = variables.holding(bundle.folder, settings) if isinstance(bundle, AppBundle) else ()
        content = about.contents(bundle, (*settings.exclude, *holding)) if code else Content(files=_own(bundle))
        yield from _files(content)
        yield from _image(bundle, content, settings, code=code)


def _own(bundle: Packed) -> dict[str, int]:
    """A model's files."""
    found = sorted(each for each in bundle.path.rglob("*") if each.is_file() and each.name != REPORT)
    return {each.relative_to(bundle.path).as_posix(): each.stat().st_size for each in found}


def _files(content: Content) -> Iterator[str]:
    yield f"Goes in: {len(content.files)} files, {about.size(sum(content.files.values()))}"
    yield from (f"  {about.size(size):>8}  {name}" for name, size in content.files.items())
    yield from (f"  {'folder':>8}  {name}" for name in content.folders)
    if content.left_out or content.secrets:
        yield "Stays out:"
    yield from (f"  {name}: {why}" for name, why in content.left_out.items())
    yield from (f"  {name}: looks like a secret" for name in content.secrets)
    if content.missing:
        yield "Named in the code, and not there:"
    yield from (f"  {each}" for each in content.missing)


def _image(bundle: Packed, content: Content, settings: Settings, *, code: bool) -> Iterator[str]:
    app = bundle.manifest if isinstance(bundle, AppBundle) else None
    python = app.python if app else f"{sys.version_info[0]}.{sys.version_info[1]}"
    yield f"Base: {f'python:{python}-slim, or Debian with Python' if settings.base == AUTO else settings.base}"
    wanted = plan.requirements(bundle, settings)
    yield f"Packages: {len(wanted)}{'' if app else ', and what they ask for'}"
    yield from (f"  {each}" for each in wanted)
    yield "Layers: base, packages, flaskship, " + ", ".join(
        f"{name} ({about.size(size)})" for name, size in _layers(content.files, code=code).items()
    )
    yield from _said("Environment", (f"{name}={value}" for name, value in plan.env(bundle, settings).items()))
    secrets = {*settings.secret, *(app.secrets if app else ())}
    yield from _said("Given where it runs, and kept nowhere", sorted(secrets))
    yield from _said("Decisions", app.decisions if app else ())
    yield from _said("Warnings", bundle.manifest.warnings)


def _layers(files: Mapping[str, int], *, code: bool) -> dict[str, int]:
    if not code:
        return {"model": sum(files.values())}
    heavy = sum(size for name, size in files.items() if plan.is_heavy(name, size))
    layers = {"weights": heavy, "code": sum(files.values()) - heavy}
    return {name: size for name, size in layers.items() if size}


def _said(title: str, found: Iterable[str]) -> Iterator[str]:
    told = list(found)
    if told:
        yield f"{title}:"
    yield from (f"  {each}" for each in told)
