"""From a Hugging Face folder to a bundle: its functions, over the files that load it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from flaskship import __version__, artifact, bundle, cache
from flaskship.artifact.huggingface import checkpoint
from flaskship.bundle import Bundle, Code, Compilation, Manifest, Source
from flaskship.errors import UsageError
from flaskship.make.function import OF_MODELS, Say, described, golden
from flaskship.settings import Settings
from flaskship.target import Target


def make(
    target: Target, settings: Settings, into: Path, say: Say, *, linked: bool = False, upgrade: bool = False
) -> Bundle:
    """A bundle of the checkpoint that `target` names, written to `into`. Raises `TargetError`."""
    for each in OF_MODELS:
        if getattr(settings, each):
            raise UsageError(f"--{each.replace('_', '-')} is not for a Hugging Face folder, as {str(target)!r} is.")
    say(f"Reading {target}")
    folder = target.path.resolve()
    files = checkpoint.files(folder)
    models = artifact.functions(folder, ".", checkpoint.CONFIG, trust=settings.trust)
    rows, doubts = golden(models)
    first = next(iter(models.values()))
    manifest = Manifest(
        flaskship=__version__,
        name=settings.name or folder.name,
        version=settings.model_version,
        model="",
        signature=first.signature,
        facts=first.facts,
        source=Source(file=folder.name, sha256=_digest(folder, files), size=sum(files.values())),
        compilation=Compilation(compiled=False, reason="transformers runs it"),
        requirements=first.facts.requirements,
        warnings=tuple(dict.fromkeys([*first.facts.warnings, *doubts])),
        trusted=settings.trust and bool(checkpoint.config(folder).get("auto_map")),
        code=Code(
            root=".",
            file=checkpoint.CONFIG,
            endpoints=tuple(described(name, each) for name, each in models.items()),
        ),
    )
    return bundle.write_code(into, manifest, folder, None if linked else files, rows)


def _digest(folder: Path, files: Mapping[str, int]) -> str:
    """sha256 over that of each file."""
    found = hashlib.sha256()
    for name in files:
        found.update(f"{name} {cache.sha256(folder / name)}\n".encode())
    return found.hexdigest()
