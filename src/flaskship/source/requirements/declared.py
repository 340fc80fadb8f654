"""Which of a folder's files say what it needs, the best first."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from flaskship.source.requirements import conda, pip, projects
from flaskship.source.requirements.found import Found, ranged

Reader = Callable[[Path, str], Found]


def dockerfile(folder: Path, path: str) -> Found:
    """The packages that a Dockerfile installs by name, and its Python."""
    found = Found(path=path)
    content = re.sub(r"\\[ \t]*\r?\n", " ", pip.text(folder / path))
    if base := re.search(r"^\s*FROM\s+(?:--platform=\S+\s+)?\S*python:?(3\.\d+)", content, re.I | re.M):
        found.python = base[1]
    for command in re.findall(r"\bpip3?(?:\.\d+)? install ([^\n]*)", content):
        for each in pip.words(command):
            if not each.startswith((".", "/")):
                found.add(each)
    return found


READERS: tuple[tuple[re.Pattern[str], Reader], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reader)
    for pattern, reader in (
        (r"requirements?\.txt", pip.read),
        (r"Pipfile\.lock", projects.pipfile_lock),
        (r"pyproject\.toml", projects.pyproject),
        (r"Pipfile", projects.pipfile),
        (r"(environment|conda|env)\.ya?ml", conda.read),
        (r"setup\.py", projects.setup_py),
        (r"setup\.cfg", projects.setup_cfg),
        (r"requirements/(prod|production|base|main|common|app|requirements|web|deploy)\.txt", pip.read),
        (r"(?!.*(dev|test|lint|doc))(req|requirements?)[\w.-]*\.(txt|in)", pip.read),
        (r"(?!.*(dev|test|lint|doc))requirements/[\w.-]+\.txt", pip.read),
        (r"Dockerfile", dockerfile),
    )
)


def read(folder: Path, root: str) -> list[Found]:
    """What each of these files asks for: the app's own folder's before those above it."""
    found: dict[str, Found] = {}
    for place in _upwards(root):
        here = sorted(_files(folder / place))
        for pattern, reader in READERS:
            for name in filter(pattern.fullmatch, here):
                path = (PurePosixPath(place) / name).as_posix()
                found[path] = found.get(path) or reader(folder, path)
    return list(found.values())


def python(folder: Path, root: str) -> tuple[str, str]:
    """The version that runtime.txt or .python-version names, and which of them."""
    for place in _upwards(root):
        for name in ("runtime.txt", ".python-version", ".tool-versions"):
            file = folder / place / name
            if not file.is_file():
                continue
            pattern = r"^\s*(?:python[- ])?(\d+\.\d+)" if name != ".tool-versions" else r"^\s*python\s+(\d+\.\d+)"
            if match := re.search(pattern, pip.text(file), re.MULTILINE):
                return match[1], (PurePosixPath(place) / name).as_posix()
    return "", ""


def _upwards(root: str) -> Iterator[str]:
    place = PurePosixPath(root or ".")
    yield place.as_posix()
    if place != PurePosixPath("."):
        yield from (each.as_posix() for each in place.parents)


def _files(place: Path) -> Iterator[str]:
    if place.is_dir():
        yield from (each.name for each in place.iterdir() if os.access(each, os.R_OK) and each.is_file())
        for inner in place.iterdir():
            if inner.name.lower() == "requirements" and os.access(inner, os.R_OK) and inner.is_dir():
                yield from (f"{inner.name}/{each.name}" for each in inner.iterdir() if each.is_file())


def allowed(text: str, versions: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `versions` that `text` allows: "3.8" names one, ">=3.7,<3.10" many."""
    if re.fullmatch(r"\d+\.\d+(\.\d+)?(\.\*)?", text.strip()):
        wanted = ".".join(text.split(".")[:2])
        return tuple(each for each in versions if each == wanted)
    bounds = ranged(text)
    return tuple(
        each for each in versions if bounds is None or any(f"{each}.{patch}" in bounds for patch in (0, 9, 20))
    )
