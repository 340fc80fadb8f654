"""From a module's functions to a bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flaskship import __version__, artifact, bundle, cache, variables
from flaskship.artifact import facts
from flaskship.artifact.function import reading
from flaskship.artifact.function.model import FunctionModel
from flaskship.bundle import Bundle, Code, Compilation, Endpoint, Manifest, Recorded, Source
from flaskship.errors import BadInput, PredictionFailed, TargetError, UsageError
from flaskship.predict import recorded
from flaskship.predict.codec import Codec
from flaskship.predict.predictor import Predictor
from flaskship.schema import AnswerType
from flaskship.settings import Settings
from flaskship.source import Entry, Requirements, environments, files, requirements
from flaskship.target import Target

Say = Callable[[str], None]
PILLOW = "pillow"
OF_MODELS = ("sample", "target_column", "shape", "isolated")  # settings that say nothing of a function


def make(
    target: Target, settings: Settings, into: Path, say: Say, *, linked: bool = False, upgrade: bool = False
) -> Bundle:
    """A bundle of the functions that `target` names, written to `into`.

    Raises `TargetError` for what its module raises, and for a type hint that cannot be a field.
    """
    for each in OF_MODELS:
        if getattr(settings, each):
            raise UsageError(f"--{each.replace('_', '-')} is for models; {str(target)!r} is a function.")
    say(f"Reading {target}")
    folder, path = target.folder.resolve(), target.path.resolve()
    root = reading.home(path)[0].resolve()
    folder = folder if root.is_relative_to(folder) else _above(path, root)
    code = Code(root=_inside(root, folder), file=_inside(path, root), attribute=target.attribute, endpoints=())
    entry = Entry(root=code.root, file=_inside(path, folder))
    content = files.contents(folder, entry, (*settings.exclude, *variables.holding(folder, settings)))
    wanted = requirements.find(folder, entry, content)
    models = artifact.functions(folder, code.root, code.file, code.attribute)
    rows, doubts = golden(models)
    first = next(iter(models.values()))
    manifest = Manifest(
        flaskship=__version__,
        name=settings.name or path.stem,
        version=settings.model_version,
        model="",
        signature=first.signature,
        facts=first.facts,
        source=Source(file=path.name, sha256=cache.sha256(path), size=path.stat().st_size),
        compilation=Compilation(compiled=False, reason="it is code"),
        requirements=_pinned(wanted, models.values()),
        warnings=tuple(dict.fromkeys([*first.facts.warnings, *doubts, *content.warnings, *wanted.warnings])),
        code=replace(code, endpoints=tuple(described(name, each) for name, each in models.items())),
    )
    return bundle.write_code(into, manifest, folder, None if linked else content.files, rows)


def _above(path: Path, root: Path) -> Path:
    """The folder of a module that takes folders above it for packages, though nothing but its imports says so."""
    if not root.is_relative_to(Path.cwd()):
        raise TargetError(f"{path.name!r} imports from above its folder. Go to {str(root)!r} and name it from there.")
    return root


def _pinned(wanted: Requirements, models: Iterable[FunctionModel]) -> tuple[str, ...]:
    """What the code asks for, at the versions that are installed here: with them the functions were loaded.

    Masks are written as PNG by Pillow, whether the code imports it or not.
    """
    here = environments.fits(wanted)
    pins = {each.partition("==")[0]: each for each in (here.pins if here else ())}
    found = [pins.get(_name(each), each) for each in wanted.wanted]
    if any(each.signature.answers is AnswerType.SEGMENTATION for each in models) and PILLOW not in map(_name, found):
        found += facts.pins([PILLOW]) or [PILLOW]
    return tuple(dict.fromkeys(each for each in found if _name(each) != "flaskship"))


def _name(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


def _inside(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def described(name: str, model: FunctionModel) -> Endpoint:
    return Endpoint(name=name, path=model.path, signature=model.signature, batch=model.batch)


def golden(models: Mapping[str, FunctionModel]) -> tuple[dict[str, Recorded], list[str]]:
    """Golden rows by endpoint, and what speaks against them."""
    rows, doubts = {}, []
    for name, model in models.items():
        try:
            found = recorded.record(Codec(model.signature, hints=model.hints), Predictor(model))
        except (BadInput, PredictionFailed) as error:
            doubts.append(f"{name!r} does not answer its own examples and defaults: {error.detail}")
            continue
        if found:
            rows[name] = found
    return rows, doubts
