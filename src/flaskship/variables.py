"""The environment of what is served: `--env NAME=VALUE`, `--env NAME` with the value that it has here, and secrets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from flaskship.errors import UsageError
from flaskship.settings import Settings, environment

OWN = ("FLASKSHIP_", "PATH", "HOME", "LD_", "PYTHONHOME")  # of the process
FILES = ("pyproject.toml", "flaskship.toml")  # of settings


def given(settings: Settings, secrets: Iterable[str] = ()) -> dict[str, str]:
    """All that it gets where it runs: what `settings.env` says, and each secret, also an image's `secrets`.

    Raises `UsageError` for a name that has no value here.
    """
    found = pairs([_valued(each) for each in settings.env], "--env")
    for name in (*settings.secret, *secrets):
        if name not in found and name not in environment():
            raise UsageError(f"The secret {name!r} has no value here. Set that variable, or say: --env {name}=VALUE")
        found.setdefault(name, environment().get(name, ""))
    return found


def set_here(found: Mapping[str, str]) -> None:
    """Give them to this process too, where somebody's code is loaded, but for what the process itself goes by."""
    os.environ.update({name: value for name, value in found.items() if not name.startswith(OWN)})


def baked(settings: Settings) -> dict[str, str]:
    """What an image keeps of it: no secret. Raises `UsageError` for a name that has no value here."""
    kept = [each for each in settings.env if each.partition("=")[0] not in settings.secret]
    return pairs([_valued(each) for each in kept], "--env")


def holding(folder: Path, settings: Settings) -> Iterator[str]:
    """The files of settings in which a secret's value stands: no image has them."""
    pairs = (each.partition("=") for each in settings.env)
    values = [value for name, _, value in pairs if value and name in settings.secret]
    for name in FILES:
        path = folder / name
        if path.is_file() and any(each in path.read_text(encoding="utf-8", errors="replace") for each in values):
            yield f"/{name}"


def _valued(word: str) -> str:
    """`NAME=VALUE` as it stands, `NAME` with the value that it has here."""
    if "=" in word:
        return word
    if word not in environment():
        raise UsageError(f"--env {word!r} is no NAME=VALUE, nor the name of a variable that is set here.")
    return f"{word}={environment()[word]}"


def pairs(words: Sequence[str], flag: str) -> dict[str, str]:
    """`["A=1"]` as a mapping. Raises `UsageError` for what has no `=`, and for a name with a space, or none."""
    for each in words:
        if "=" not in each or len(each.partition("=")[0].split()) != 1:
            raise UsageError(f"{flag} {each!r} is no NAME=VALUE.")
    return {each.partition("=")[0]: each.partition("=")[2] for each in words}
