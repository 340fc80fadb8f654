"""Versions that go together, on the newest Python that has wheels for them.

What was pinned years ago goes with what there was then: an unpinned Jinja of today breaks a pinned Flask of 2020. So a
set with pins is resolved as of the day of its newest pin, on a Python of that time, and what only an older pin needs as
of that pin's day. Where this cannot be, as of today; then pins go, one at a time, those of model libraries last.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from difflib import get_close_matches

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from flaskship import indexes
from flaskship.artifact.isolation import environments
from flaskship.errors import VersionMismatch
from flaskship.settings import cache_folder
from flaskship.source import Requirements, Solved
from flaskship.source.requirements import index
from flaskship.source.requirements.found import PYTHONS, pin
from flaskship.source.requirements.index import Package
from flaskship.source.requirements.names import DISTRIBUTIONS, SAME, WEB

LIMIT = 240.0  # seconds for all tries
KEPT = 7 * 24 * 3600.0  # seconds that a solved set is taken from the cache
RELEASED = {  # Python -> its first day
    "3.8": "2019-10-14",
    "3.9": "2020-10-05",
    "3.10": "2021-10-04",
    "3.11": "2022-10-24",
    "3.12": "2023-10-02",
    "3.13": "2024-10-07",
    "3.14": "2025-10-07",
}
BEGIN = "2020-04-01"  # by then all that matters had wheels for Python 3.8, the oldest that apps are served on
TRIES = 6  # of one set on one Python, each time with a package more let off its day
TORCH = ("torch", "torchaudio", "torchvision")  # whose own index tells no days
ERA = "setuptools"  # which each environment had up to Python 3.11, and packages of that time import without a word
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;]+)", re.MULTILINE)
WHEELLESS = re.compile(r"([a-z0-9][a-z0-9-]*)(?:[<>=!~,][^ ]*)? ha(?:s|ve) no (?:usable )?wheels")
UNKNOWN = re.compile(r"([a-z0-9][a-z0-9-]*) was not found in the package registry")
UNREACHED = re.compile(r"Failed to fetch|error sending request|dns error|Connection refused|No space left")


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One question to uv."""

    python: str
    wanted: tuple[str, ...]
    day: str = ""  # "" is today
    days: Mapping[str, str] = field(default_factory=dict)  # of single packages
    sources: frozenset[str] = frozenset()  # built from source, as they have no wheels
    backend: bool = True  # PyTorch's own index is asked for its build for CPUs

    def options(self) -> Iterator[str]:
        yield from ("--python-version", self.python, "--only-binary", ":all:", "--no-header", "--no-python-downloads")
        yield from ("--python", str(environments.interpreter(self.python) or sys.executable))
        yield from (part for name in sorted(self.sources) for part in ("--no-binary", name))
        if self.backend:
            yield from ("--torch-backend", "cpu")
        if self.day:
            yield from (part for name in TORCH for part in ("--exclude-newer-package", f"{name}=false"))
            yield from ("--exclude-newer", _after(self.day))
            for name, day in sorted(self.days.items()):
                yield from ("--exclude-newer-package", f"{name}={_after(day)}")


@dataclass(kw_only=True)
class Search:
    """What is looked for, and what had to be given up on the way."""

    wanted: dict[str, Requirement]
    models: frozenset[str]
    known: dict[str, Package]
    until: float  # of the monotonic clock
    decisions: list[str] = field(default_factory=list)
    failed: str = ""  # uv's last reason

    def pins(self) -> dict[str, str]:
        return {name: pin(each) for name, each in self.wanted.items() if pin(each)}

    def let_go(self, name: str, reason: str) -> None:
        self.decisions.append(f"{self.wanted[name]} is taken without its version: {reason}.")
        self.wanted[name].specifier = SpecifierSet()


def solve(requirements: Requirements, pythons: Sequence[str] | None = None) -> Solved:
    """A set that satisfies `requirements` on one of `pythons`, "3.11"; None is any that apps are served on.

    Raises `VersionMismatch` naming what cannot be had.
    """
    place = cache_folder() / "solved" / f"{_digest(requirements, pythons)}.json"
    try:
        if time.time() - place.stat().st_mtime < KEPT:
            told = json.loads(place.read_text(encoding="utf-8"))
            return Solved(python=told["python"], pins=tuple(told["pins"]), decisions=tuple(told["decisions"]))
    except (OSError, ValueError, TypeError, KeyError):
        pass  # none yet, or one that was damaged: it is made anew
    solved = _solve(requirements, tuple(pythons or ()))
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(solved)), encoding="utf-8")
    draft.replace(place)
    return solved


def _digest(requirements: Requirements, pythons: Sequence[str] | None) -> str:
    facts = [requirements.wanted, requirements.models, requirements.python, requirements.committed, pythons]
    here = [platform.machine(), sys.platform, indexes.options(), sorted(_told().items())]
    return hashlib.sha256(json.dumps([facts, here]).encode()).hexdigest()[:32]


def _told() -> dict[str, str]:
    return {name: value for name, value in indexes.environment().items() if name.startswith("UV_")}


def _solve(requirements: Requirements, pythons: tuple[str, ...]) -> Solved:
    wanted = {each.name: each for each in map(Requirement, requirements.wanted)}
    known = index.packages(wanted)
    search = Search(wanted=wanted, models=frozenset(requirements.models), known=known, until=time.monotonic() + LIMIT)
    _unknown(search)
    day, why = _day(search)
    later = "" if day else requirements.committed
    found = None
    for each in dict.fromkeys([day, "", later]):
        order = _ordered(search, pythons or PYTHONS, requirements.python, each if not pythons else "")
        found = found or _on_any(search, order, each)
    order = _ordered(search, pythons or PYTHONS, requirements.python, day if not pythons else "")
    found = found or _with_less(search, order, day or later)
    if found is None:
        raise _cannot(search)
    tried, pins = found
    when = (
        f"as of {tried.day}" + (f", the day of {why}" if why and tried.day == day else "")
        if tried.day
        else "as of today"
    )
    search.decisions.append(f"{len(pins)} packages go together on Python {tried.python}, {when}.")
    return Solved(python=tried.python, pins=tuple(sorted(pins)), decisions=tuple(search.decisions))


def _unknown(search: Search) -> None:
    """Lets go what no index has."""
    for name in [each for each in search.wanted if each in search.known]:
        package, version = search.known[name], pin(search.wanted[name])
        if not package.files:
            del search.wanted[name]
            near = get_close_matches(name, [*SAME, *DISTRIBUTIONS.values()], n=1, cutoff=0.8)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            search.decisions.append(f"{name} is left out: no index has a package of that name.{hint}")
        elif version and not package.of(version):
            search.let_go(name, "no index has that version")


def _day(search: Search) -> tuple[str, str]:
    """The day of the newest pin, and which that is. Models' pins are as good as others."""
    days = {
        f"{name} {version}": search.known[name].uploaded(version)
        for name, version in search.pins().items()
        if name in search.known
    }
    newest = max(days, key=lambda each: days[each], default="")
    if not newest or not days[newest]:
        return "", ""
    return max(days[newest], BEGIN), newest


def _blockers(search: Search, python: str) -> list[str]:
    """Pins without a wheel for that Python."""
    pins = search.pins().items()
    return [name for name, version in pins if name in search.known and not search.known[name].had(version, python)]


def _ordered(search: Search, pythons: Sequence[str], wish: str, day: str) -> list[str]:
    """The Pythons worth a try: those for which the most pins have wheels, the folder's own, those here, the newest."""

    def rank(python: str) -> tuple[object, ...]:
        return (*_weight(search, python), python != wish, environments.interpreter(python) is None)

    of_then = [each for each in pythons if not day or RELEASED.get(each, "") <= day] or list(pythons)[-1:]
    newest = sorted(of_then, key=Version, reverse=True)
    return sorted(newest, key=rank)


def _weight(search: Search, python: str) -> tuple[int, int, int]:
    """How many pins it costs: of model libraries, of others, of those that serve pages."""
    blocked = _blockers(search, python)
    models = sum(each in search.models for each in blocked)
    web = sum(each in WEB and each not in search.models for each in blocked)
    return models, len(blocked) - models - web, web


Found = tuple[Try, list[str]]


def _on_any(search: Search, order: Sequence[str], day: str) -> Found | None:
    """The first of the Pythons that takes all pins, but for those that have no wheels on any."""
    for python in order:
        if _weight(search, python) != _weight(search, order[0]):
            break
        kept = dict(search.wanted)
        blocked = _blockers(search, python)
        search.wanted = {name: Requirement(each.name if name in blocked else str(each)) for name, each in kept.items()}
        found = _tried(search, _asked(search, python, day))
        if found:
            search.decisions += [_without(search, kept[each], python) for each in blocked]
            return found
        search.wanted = kept
    return None


def _without(search: Search, wanted: Requirement, python: str) -> str:
    able = [each for each in reversed(PYTHONS) if search.known[wanted.name].had(pin(wanted), each)]
    where = f"Python {' and '.join(able)} only" if able else f"no Python from {PYTHONS[-1]} on"
    doubt = " What it wrote may not load, or answer differently." if wanted.name in search.models else ""
    return f"{wanted} is taken without its version on Python {python}: it has wheels for {where}.{doubt}"


def _with_less(search: Search, order: Sequence[str], day: str) -> Found | None:
    """Lets pins go, one at a time, until the rest goes together."""
    for each in _blockers(search, order[0]):
        search.decisions.append(_without(search, search.wanted[each], order[0]))
        search.wanted[each].specifier = SpecifierSet()
    while any(each.specifier for each in search.wanted.values()):
        culprit = _culprit(search)
        search.let_go(culprit, f"with it there is no set that goes together ({_short(search.failed)})")
        for when in dict.fromkeys([day, ""]):
            if found := _tried(search, _asked(search, order[0], when)):
                return found
    return None


def _culprit(search: Search) -> str:
    """The pin to let go: named in uv's reason, no model library's, rather one that serves pages, the oldest."""

    def rank(name: str) -> tuple[object, ...]:
        named = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", search.failed) is not None
        version = pin(search.wanted[name])
        day = search.known[name].uploaded(version) if version and name in search.known else ""
        return name in search.models, not named, name not in WEB, day, name

    return min((name for name, each in search.wanted.items() if each.specifier), key=rank)


def _asked(search: Search, python: str, day: str) -> Try:
    wanted = [str(each) for each in search.wanted.values()]
    sources = {
        name
        for name, each in search.wanted.items()
        if name in search.known and search.known[name].source_only(pin(each))
    }
    if day and ERA not in search.wanted and Version(python) < Version("3.12"):
        wanted.append(ERA)
    if day and "torch" in search.wanted and "torch" in search.known and not search.wanted["torch"].specifier:
        then = [each.version for each in search.known["torch"].files if each.uploaded and each.uploaded[:10] <= day]
        wanted += [f"torch<={max(then).public}"] if then else []
    if not day:
        wanted += _era(search)
    return Try(python=python, wanted=tuple(sorted(wanted)), day=day, sources=frozenset(sources))


def _era(search: Search) -> list[str]:
    """The libraries of a pinned scikit-learn's time, where no days are known."""
    sklearn = search.wanted.get("scikit-learn")
    numbers = re.findall(r"\d+", pin(sklearn))[:2] if sklearn else []
    era = environments.ERAS.get((int(numbers[0]), int(numbers[1]))) if len(numbers) == 2 else None
    return [each for each in era.bounds if not search.pins().get(re.split("<", each)[0])] if era else []


def _tried(search: Search, asked: Try) -> Found | None:
    """The pins of a set, what only an older pin needs being of that pin's time."""
    found = _mended(search, asked)
    if found is None or not found[0].day:
        return found and (found[0], _pinned(found[1]))
    days = _parts(search, found[0], found[1])
    better = _mended(search, replace(found[0], days={**days, **found[0].days})) if days else None
    return (better or found)[0], _pinned((better or found)[1])


def _mended(search: Search, asked: Try) -> tuple[Try, str] | None:
    """What uv writes; packages that had no wheels then are taken from when they had, or built."""
    for _ in range(TRIES):
        said = _ran(search, asked)
        if said is not None:
            return asked, said
        better = _unreached(asked, search) if UNREACHED.search(search.failed) else _wheelless(search, asked)
        if better is None:
            return None
        asked = better
    return None


def _wheelless(search: Search, asked: Try) -> Try | None:
    days, sources = dict(asked.days), set(asked.sources)
    names = {each for each in WHEELLESS.findall(search.failed) if each not in asked.sources}
    for name, package in index.packages(names).items():
        since = package.since(asked.python, days.get(name, asked.day)) if asked.day else ""
        if package.source_only():
            sources.add(name)
        elif since:
            days[name] = since
    better = replace(asked, days=days, sources=frozenset(sources))
    return better if better != asked else None


def _unreached(asked: Try, search: Search) -> Try | None:
    """Without PyTorch's own index, where that is what cannot be reached."""
    if not asked.backend or not re.search(r"https?://[^ ]*pytorch", search.failed):
        raise VersionMismatch(f"The packages that the folder needs cannot be fetched: {_short(search.failed)}")
    files = index.packages(["torch"]).get("torch", Package(())).files
    builds = [each.version for each in files if each.version.local == "cpu" and each.runs_on(asked.python)]
    here = (f"torch=={max(builds)}",) if builds and not any(each.startswith("torch==") for each in asked.wanted) else ()
    return replace(asked, backend=False, wanted=(*asked.wanted, *here))


def _ran(search: Search, asked: Try) -> str | None:
    """What uv writes, None where there is no such set: then `search.failed` says why."""
    left = search.until - time.monotonic()
    try:
        done = environments.uv(["pip", "compile", "-", *asked.options()], "\n".join(asked.wanted) + "\n", max(left, 1))
    except subprocess.TimeoutExpired as error:
        raise VersionMismatch(
            f"No versions that go together were found in {LIMIT:g} s. Pin the model's libraries in requirements.txt."
        ) from error
    search.failed = "" if done.returncode == 0 else " ".join(done.stderr.partition("error:")[2].split())
    return done.stdout if done.returncode == 0 else None


def _pinned(said: str) -> list[str]:
    return sorted(f"{name}=={version}" for name, version in PINNED.findall(said))


def _parts(search: Search, asked: Try, said: str) -> dict[str, str]:
    """The day for each package that has no pin and is older pins' alone: the earliest of those that need it."""
    days = {
        name: max(search.known[name].uploaded(version) or asked.day, BEGIN)
        for name, version in search.pins().items()
        if name in search.known
    }
    needed: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=[a-z0-9])", said):
        names = re.findall(r"#\s+(?:via\s+)?([a-z0-9][a-z0-9-]*)", block.replace("# via\n", ""))
        needed[re.split("[=\\[]", block)[0].strip()] = names
    for _ in needed:  # at most as deep as there are packages
        for name, by in needed.items():
            if name not in search.pins() and by:
                days[name] = min(days.get(each, asked.day) for each in by)
    return {name: day for name, day in days.items() if day < asked.day and name not in search.pins()}


def _cannot(search: Search) -> VersionMismatch:
    return VersionMismatch(
        f"No versions of {', '.join(sorted(search.wanted))} go together: {_short(search.failed)}."
        " Take out of requirements.txt what the app does not need, or pin what it does."
    )


def _short(reason: str) -> str:
    plain = re.sub(r"^.*?cause: ", "", reason).partition(" hint: ")[0]
    return plain if len(plain) < 300 else f"{plain[:297]}…"


def _after(day: str) -> str:
    """The day after: uv leaves out what is newer than a day's end by the clock of UTC, indexes' days are of UTC too."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
