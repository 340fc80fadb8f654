"""One question to uv after another, until a set goes together or cannot."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flaskship.artifact.isolation import environments
from flaskship.errors import VersionMismatch
from flaskship.source.requirements import index
from flaskship.source.requirements.found import pin
from flaskship.source.requirements.index import Package

LIMIT = 240.0  # seconds for all questions
TRIES = 12  # of one set on one Python, each time with a package more let off its day, or built
TORCH = ("torch", "torchaudio", "torchdata", "torchtext", "torchvision")  # whose own index tells no days
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;]+)", re.MULTILINE)
WHEELLESS = re.compile(r"([a-z0-9][a-z0-9-]*)(?:[<>=!~,][^ ]*)? ha(?:s|ve) no (?:usable )?wheels")
UNREACHED = re.compile(r"Failed to fetch|error sending request|dns error|Connection refused|No space left")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which versions go together?"""

    python: str
    wanted: tuple[str, ...]
    day: str = ""  # as of that day; "" is today
    days: Mapping[str, str] = field(default_factory=dict)  # of single packages
    later: frozenset[str] = frozenset()  # those whose day is the first on which they had a wheel
    sources: frozenset[str] = frozenset()  # built from source, as they have no wheels
    backend: bool = True  # PyTorch's own index is asked for its build for CPUs

    def options(self) -> Iterator[str]:
        yield from ("--python-version", self.python, "--only-binary", ":all:", "--no-header", "--no-python-downloads")
        yield from ("--prerelease", "explicit")
        yield from ("--python", str(environments.interpreter(self.python) or sys.executable))
        yield from (part for name in sorted(self.sources) for part in ("--no-binary", name))
        if self.backend:
            yield from ("--torch-backend", "cpu")
        if self.day:
            yield from (part for name in TORCH for part in ("--exclude-newer-package", f"{name}=false"))
            yield from ("--exclude-newer", _after(self.day))
            for name, day in sorted(self.days.items()):
                yield from ("--exclude-newer-package", f"{name}={_after(day)}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What uv wrote: `name==version` a line, and beside it what needs it."""

    question: Question
    said: str

    @property
    def pins(self) -> list[str]:
        return sorted(f"{name}=={version}" for name, version in PINNED.findall(self.said))

    @property
    def needed(self) -> dict[str, list[str]]:
        """By package, which need it."""
        blocks = (each.replace("# via\n", "\n") for each in re.split(r"\n(?=[a-z0-9])", self.said))
        return {
            re.split(r"[=\[]", block)[0].strip(): re.findall(
                r"#\s+(?:via\s+)?([a-z0-9][a-z0-9-]*)$", block, re.MULTILINE
            )
            for block in blocks
        }

    def needing(self, name: str) -> set[str]:
        """What needs a package, also by way of others."""
        needed, found, waiting = self.needed, set[str](), [name]
        while waiting:
            new = set(needed.get(waiting.pop(), ())) - found
            found |= new
            waiting += new
        return found


@dataclass(frozen=True, slots=True)
class Refusal:
    """No such set, in uv's words."""

    reason: str

    @property
    def wheelless(self) -> set[str]:
        """The packages that have no wheel for that Python, as of that day."""
        return set(WHEELLESS.findall(self.reason))

    @property
    def short(self) -> str:
        plain = re.sub(r"^.*?cause: ", "", self.reason).partition(" hint: ")[0]
        return plain if len(plain) < 300 else f"{plain[:297]}…"


def ask(question: Question, until: float) -> Answer | Refusal:
    """Packages that had no wheels at all on that day are taken from when they had, or built.

    Raises `VersionMismatch` where no index can be reached, and at `until` of the monotonic clock.
    """
    free = {str(canonicalize_name(each.name)) for each in map(Requirement, question.wanted) if not pin(each)}
    question = _wheelless(question, free - question.later)
    said = _asked(question, until)
    for _ in range(TRIES):
        if isinstance(said, Answer):
            break
        better = _unreached(question, said) if UNREACHED.search(said.reason) else _wheelless(question, said.wheelless)
        if better == question:
            break
        question = better
        said = _asked(question, until)
    return said


def _asked(question: Question, until: float) -> Answer | Refusal:
    command = ["pip", "compile", "-", *question.options()]
    try:
        left = max(until - time.monotonic(), 1)
        done = environments.uv(command, "\n".join([*question.wanted, ""]), left)
    except subprocess.TimeoutExpired as error:
        raise VersionMismatch(
            f"No versions that go together were found in {LIMIT:g} s. Pin the model's libraries in requirements.txt."
        ) from error
    except FileNotFoundError as error:
        raise VersionMismatch("uv, which finds versions that go together, is not installed: pip install uv") from error
    if done.returncode == 0:
        return Answer(question, done.stdout)
    return Refusal(" ".join(done.stderr.partition("error:")[2].split()) or f"uv ended with {done.returncode}")


def _wheelless(question: Question, names: set[str]) -> Question:
    """Those of `names` that had no wheels for any Python by their day are of the day when they had, or built."""
    days, later, sources = dict(question.days), set(question.later), set(question.sources)
    for name, package in index.packages(names - sources).items():
        day = days.get(name, question.day)
        if name not in later and package.by(day):
            continue  # for other Pythons: this one is too new
        since = package.since(question.python, day) if day and name not in later else ""
        if since:
            days[name] = since
            later.add(name)
        else:
            days.pop(name, None)
            sources.add(name)
    return replace(question, days=days, later=frozenset(later), sources=frozenset(sources))


def _unreached(question: Question, said: Refusal) -> Question:
    """Without PyTorch's own index, where that is what cannot be reached."""
    if not question.backend or not re.search(r"https?://[^ ]*pytorch", said.reason):
        raise VersionMismatch(f"The packages that the folder needs cannot be fetched: {said.short}")
    files = index.packages(["torch"]).get("torch", Package(())).files
    builds = [each.version for each in files if each.version.local == "cpu" and each.runs_on(question.python)]
    pinned = any(each.startswith("torch==") for each in question.wanted)
    here = (f"torch=={max(builds)}",) if builds and not pinned else ()
    return replace(question, backend=False, wanted=(*question.wanted, *here))


def _after(day: str) -> str:
    """The day after: uv's days end by this machine's clock, the indexes' are of UTC."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
