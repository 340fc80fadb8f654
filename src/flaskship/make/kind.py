"""What a target is, by looking at it: nothing is imported, nothing is run."""

from __future__ import annotations

from flaskship import artifact
from flaskship.artifact.function import reading
from flaskship.artifact.huggingface import checkpoint
from flaskship.errors import NotRecognised
from flaskship.settings import Settings
from flaskship.target import CODE, Kind, Target


def kind(target: Target, settings: Settings) -> Kind:
    """Its maker is the module of this name. Raises `NotRecognised` saying what was looked at, and what is possible."""
    path = target.path
    if settings.weights:
        return Kind.MODEL
    if path.is_dir() and not (settings.app or target.attribute) and checkpoint.is_one(path):
        return Kind.CHECKPOINT
    if path.is_dir():
        return Kind.APP if settings.app or target.attribute or _has_code(target) else _model(target)
    if path.suffix != CODE:
        return _model(target)
    return Kind.FUNCTION if not settings.app and reading.functions(path, target.attribute) else Kind.APP


def _has_code(target: Target) -> bool:
    depths = ("*", "*/*", "*/*/*", "*/*/*/*")
    return any(any(target.path.glob(f"{each}{CODE}")) for each in depths) or (target.path / "Procfile").exists()


def _model(target: Target) -> Kind:
    if target.attribute:
        raise NotRecognised(f"{str(target.path)!r} is no module, so it has no {target.attribute!r}. Name FILE.py:NAME.")
    artifact.sniff(target.path)  # its error says what it looks like
    return Kind.MODEL
