"""Of nets, what comes before they are opened: example rows that tell their shapes, and the program of a class."""

from __future__ import annotations

from pathlib import Path

from flaskship import artifact
from flaskship import sample as samples
from flaskship.errors import UsageError
from flaskship.schema import Array
from flaskship.settings import Settings
from flaskship.target import CODE, Target


def example(given: Target, settings: Settings) -> Array | None:
    """Rows of the sample, where what was given may say no shapes itself."""
    nets = (*artifact.PROGRAMS, *artifact.WEIGHTS)
    if settings.sample and (settings.weights or artifact.sniff(given.path).format in nets):
        return samples.example(settings.sample, settings.target_column)
    return None


def exported(given: Target, settings: Settings, like: Array | None, folder: Path) -> Path:
    """The file that answers: what was given, or its program in `folder`.

    That is of a class and its weights, of a model of Keras, and of a pickled module that is trusted.

    Raises `UsageError` where no class was named.
    """
    weights, into = settings.weights, folder / "model.pt2"
    if weights and (given.path.suffix != CODE or not given.attribute):
        raise UsageError(f"--weights is for a class of torch, as in: net.py:Net --weights {weights}")
    if weights and not weights.is_file():
        raise UsageError(f"No weights at {str(weights)!r}.")
    if not (weights or settings.trust or _is_archive(given.path)):
        return given.path
    file = given.path if weights else None
    made = artifact.exported(
        weights or given.path,
        into,
        file=file,
        name=given.attribute,
        like=like,
        shapes=settings.shape,
        trust=settings.trust,
    )
    return into if made else given.path


def _is_archive(path: Path) -> bool:
    """Whether it begins as a zip archive or HDF5 does, as what Keras saves: a large pickle is not read for that."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"\x89HDF")
