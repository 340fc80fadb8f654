"""Versions that go together, on the newest Python that has wheels for them.

What was pinned years ago goes with what there was then: an unpinned Jinja of today breaks a pinned Flask of 2020. So a
set with pins is resolved as of the day of its newest pin, on a Python of that time, and what only an older pin needs as
of that pin's day. Where this cannot be, as of today; then pins go, one at a time, those of model libraries last.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import platform
import re
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from flaskship import indexes
from flaskship.artifact.isolation import environments
from flaskship.errors import VersionMismatch
from flaskship.settings import cache_folder
from flaskship.source import Requirements, Solved, bounds
from flaskship.source.asking import LIMIT, Answer, Question, Refusal, ask
from flaskship.source.requirements import index
from flaskship.source.requirements.found import PYTHONS, pin
from flaskship.source.requirements.index import Package
from flaskship.source.requirements.names import DISTRIBUTIONS, SAME, WEB

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
ERA = "setuptools"  # which each environment had up to Python 3.11, and packages of that time import without a word


@dataclass(kw_only=True)
class Search:
    """What is looked for, and what had to be given up on the way."""

    wanted: dict[str, Requirement]
    models: frozenset[str]
    known: dict[str, Package]
    until: float  # of the monotonic clock
    decisions: list[str] = field(default_factory=list)
    refusal: Refusal = Refusal("")  # the last

    def pins(self) -> dict[str, str]:
        return {name: pin(each) for name, each in self.wanted.items() if pin(each)}

    def take(self, trial: Search) -> None:
        """Goes on from where a trial led."""
        self.wanted, self.decisions, self.refusal = trial.wanted, trial.decisions, trial.refusal

    def let_go(self, names: Collection[str], reason: str, alone: bool = False) -> None:
        """The versions of `names`. With one that serves pages all of these go: they are made for each other."""
        web = [each for each, wanted in self.wanted.items() if self.serves(each) and wanted.specifier]
        together = sorted({*names, *(web if any(self.serves(each) for each in names) and not alone else ())})
        verb = "are taken without their versions" if len(together) > 1 else "is taken without its version"
        self.decisions.append(f"{listed(str(self.wanted[each]) for each in together)} {verb}: {reason}.")
        for each in together:
            self.wanted[each] = copy.copy(self.wanted[each])
            self.wanted[each].specifier = SpecifierSet()

    def serves(self, name: str) -> bool:
        """Whether it is what serves pages, newer versions of which serve apps that were written for older ones."""
        return (name in WEB or name.startswith("flask-")) and name not in self.models


def solve(requirements: Requirements, pythons: Sequence[str] | None = None) -> Solved:
    """A set that satisfies `requirements` on one of `pythons`, "3.11"; None is any that apps are served on.

    Raises `VersionMismatch` naming what cannot be had, also where only other Pythons have wheels of it.
    """
    place = cache_folder() / "solved" / f"{_digest(requirements, pythons)}.json"
    try:
        if time.time() - place.stat().st_mtime < KEPT:
            told = json.loads(place.read_text(encoding="utf-8"))
            return Solved(python=told["python"], pins=tuple(told["pins"]), decisions=tuple(told["decisions"]))
    except (OSError, ValueError, TypeError, KeyError):
        pass  # none yet, or one that was damaged: it is made anew
    solved = _solve(requirements, tuple(pythons or ()))
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(asdict(solved)), encoding="utf-8")
        draft.replace(place)
    return solved


def _digest(requirements: Requirements, pythons: Sequence[str] | None) -> str:
    own = [(each.name, each.stat().st_mtime_ns) for each in sorted(Path(__file__).parent.rglob("*.py"))]
    facts = [own, replace(requirements, decisions=(), warnings=()), pythons]
    here = [platform.machine(), sys.platform, indexes.options(), sorted(_told().items())]
    return hashlib.sha256(repr([facts, here]).encode()).hexdigest()[:32]


def _told() -> dict[str, str]:
    return {name: value for name, value in indexes.environment().items() if name.startswith("UV_")}


def _solve(requirements: Requirements, pythons: tuple[str, ...]) -> Solved:
    wanted: dict[str, Requirement] = {}
    for each in map(Requirement, requirements.wanted):
        each.name = canonicalize_name(each.name)
        wanted[each.name] = each  # the last counts, as it was asked for on the command line
    models, known = frozenset(requirements.models), index.packages(wanted)
    search = Search(wanted=wanted, models=models, known=known, until=time.monotonic() + LIMIT)
    _unknown(search)
    if pythons:
        _refuse(search, pythons)
    able = tuple(each for each in pythons or PYTHONS if Version(each) <= Version(requirements.until or each))
    if not able:
        raise VersionMismatch(
            f"The code imports what Python {listed(pythons)} no longer has: it needs {requirements.until}."
        )
    pins, (day, newest) = search.pins(), _day(search)
    later = "" if day else requirements.committed
    found: Answer | None = None
    for when in dict.fromkeys([day, "", later]):
        order = _ordered(search, able, requirements.python, when if not pythons else "")
        if found := _on_any(search, order, when):
            break
    else:
        order = _ordered(search, able, requirements.python, day if not pythons else "")
        found = _with_less(search, order, day or later)
    if found is None:
        raise _cannot(search)
    search.decisions += _outcome(found, pins, newest if day > BEGIN else "")
    kept = (each for each in found.pins if each.partition("==")[0] not in needless(found))
    return Solved(python=found.question.python, pins=tuple(kept), decisions=tuple(search.decisions))


def _outcome(found: Answer, pins: Mapping[str, str], newest: str) -> Iterator[str]:
    now = dict(each.split("==") for each in found.pins)
    other = [f"{name} {now[name]}" for name, version in pins.items() if name in now and now[name] != version]
    if other:
        yield f"In place of what was pinned: {', '.join(sorted(other))}."
    if needless(found):
        yield f"{listed(needless(found))} is left out: XGBoost asks for it, and needs it on several NVIDIA cards only."
    asked = found.question
    if built := sorted(asked.sources & now.keys()):
        yield f"{listed(built)} {'is' if len(built) == 1 else 'are'} built from source, which may want a compiler."
    if not asked.backend:
        yield "PyTorch's own index cannot be reached: another build than that for CPUs may be taken, which is large."
    reason = f", the day of {newest}" if newest and asked.day else ""
    when = f"as of {asked.day}{reason}" if asked.day else "as of today"
    yield f"{len(now)} packages go together on Python {asked.python}, {when}."


def needless(found: Answer) -> list[str]:
    """The 300 MB for NVIDIA's cards that XGBoost alone asks for, and loads only where it is told to use several."""
    return [name for name, by in found.needed.items() if name.startswith("nvidia-nccl") and by == ["xgboost"]]


def _unknown(search: Search) -> None:
    """Lets go what no index has."""
    for name in [each for each in search.wanted if each in search.known]:
        package, version = search.known[name], pin(search.wanted[name])
        if not package.files:
            del search.wanted[name]
            near = get_close_matches(name, [*SAME, *DISTRIBUTIONS.values()], n=1, cutoff=0.8)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            search.decisions.append(f"{name} is left out: no index has a package of that name.{hint}")
        elif not package.by("") and all(each.tags is not None for each in package.files):
            del search.wanted[name]
            search.decisions.append(f"{name} is left out: there is nothing of it for this machine.")
        elif version and not package.of(version):
            search.let_go([name], "no index has that version")


def _refuse(search: Search, pythons: Sequence[str]) -> None:
    """Raises `VersionMismatch` where others than the named Pythons have wheels of more pins than what serves pages."""
    given, best = (min(each, key=lambda python: _weight(search, python)[:2]) for each in (pythons, PYTHONS))
    if _weight(search, given)[:2] > _weight(search, best)[:2]:
        lacking = [each for each in _blockers(search, given) if not search.serves(each)]
        named = listed(f"{each} {search.pins()[each]}" for each in lacking)
        raise VersionMismatch(f"There are no wheels of {named} for Python {given}; Python {best} has more of them.")


def _day(search: Search) -> tuple[str, str]:
    """The day of the newest pin, and which that is. Models' pins are as good as others."""
    days = _days(search)
    newest = max(days, key=lambda each: days[each], default="")
    return (max(days[newest], BEGIN), newest) if newest else ("", "")


def _days(search: Search) -> dict[str, str]:
    """When each pin was new, by "numpy 1.19.5"; so is the last version that a limit such as `<2` allows."""
    found = {}
    for name, wanted in search.wanted.items():
        if wanted.specifier and (package := search.known.get(name)):
            version = pin(wanted) or package.within(wanted.specifier)
            found[f"{name} {version}"] = package.uploaded(version) if version else ""
    return {name: day for name, day in found.items() if day}


def _blockers(search: Search, python: str) -> list[str]:
    """Pins without a wheel for that Python."""
    pins = search.pins().items()
    return [name for name, version in pins if name in search.known and not search.known[name].had(version, python)]


def _ordered(search: Search, pythons: Sequence[str], wish: str, day: str) -> list[str]:
    """The Pythons worth a try: those for which the most pins have wheels, the folder's own, those here, the newest."""

    def rank(python: str) -> tuple[object, ...]:
        return (
            *_weight(search, python),
            _later(search, python),
            python != wish,
            environments.interpreter(python) is None,
        )

    of_then = [each for each in pythons if not day or RELEASED.get(each, "") <= day] or list(pythons)[-1:]
    newest = sorted(of_then, key=Version, reverse=True)
    return sorted(newest, key=rank)


def _weight(search: Search, python: str) -> tuple[int, int, int]:
    """How many pins it costs: of model libraries, of others, of those that serve pages."""
    blocked = sorted(_blockers(search, python))
    models = sum(each in search.models for each in blocked)
    web = sum(search.serves(each) for each in blocked)
    return models, len(blocked) - models - web, web


def _on_any(search: Search, order: Sequence[str], day: str) -> Answer | None:
    """The first of the Pythons that takes all pins, but for those that have no wheels on any.

    Where each is too new for what an old pin needs, the pin goes if it only serves pages.
    """
    second: tuple[Answer, Search] | None = None
    blamed: set[str] = set()
    for python in (each for each in order if _weight(search, each) == _weight(search, order[0])):
        trial = _without_blockers(search, python)
        whole = ask(_question(trial, python, day), search.until)
        if isinstance(whole, Refusal):
            search.refusal = whole
            continue
        days = _parts(trial, whole)
        parted = ask(replace(whole.question, days={**days, **whole.question.days}), search.until) if days else whole
        if isinstance(parted, Answer) or not parted.wheelless:  # else versions contradict each other, the day's do not
            search.take(trial)
            return parted if isinstance(parted, Answer) else whole
        blamed |= {name for each in parted.wheelless for name in whole.needing(each)}
        second = second or (whole, trial)
    if second is None:
        return None
    if old := [each for each in blamed & search.pins().keys() if search.serves(each)]:
        search.let_go(old, f"Python {order[0]} is too new for what they need, and newer ones serve the same apps")
        return _on_any(search, order, day)
    search.take(second[1])
    return second[0]


def copied(search: Search) -> Search:
    return replace(search, wanted=dict(search.wanted), decisions=list(search.decisions))


def _without_blockers(search: Search, python: str) -> Search:
    """A search in which the pins that have no wheel for that Python are gone."""
    trial = copied(search)
    blocked = sorted(_blockers(search, python))
    if blocked:
        ever = any(search.known[each].had(pin(search.wanted[each]), one) for each in blocked for one in PYTHONS)
        where = f"Python {python}" if ever else f"Python {PYTHONS[-1]} or later"
        doubt = "; what they wrote may not load, or answer differently" if search.models & set(blocked) else ""
        named = listed(f"{each} {pin(search.wanted[each])}" for each in blocked)
        nearest = {each: next_of(search, each, python) for each in blocked if each in search.models}
        trial.let_go(blocked, f"there are no wheels of {named} for {where}{doubt}")
        for name, version in nearest.items():
            if version:
                trial.wanted[name].specifier = SpecifierSet(f"=={version}.*")
                trial.decisions.append(f"{name} {version} is taken: the next that has wheels.")
    return trial


def _later(search: Search, python: str) -> list[Version]:
    """How much later what has wheels is than what wrote the model files."""
    blocked = sorted(each for each in _blockers(search, python) if each in search.models)
    return [Version(next_of(search, each, python) or "9999") for each in blocked]


def next_of(search: Search, name: str, python: str) -> str:
    """The first `major.minor` after a pin with wheels for that Python by the day: later ones may load less of old."""
    pinned, (day, _) = Version(pin(search.wanted[name])), _day(search)
    later = (each for each in search.known[name].files if each.version > pinned and not each.version.is_prerelease)
    there = [each.version for each in later if each.runs_on(python) and not each.uploaded[:10] > (day or "9")]
    return ".".join(map(str, min(there).release[:2])) if there else ""


def _with_less(search: Search, order: Sequence[str], day: str) -> Answer | None:
    """Lets pins go, one at a time, until the rest goes together."""
    search.take(_without_blockers(search, order[0]))
    while any(each.specifier for each in search.wanted.values()):
        culprit, trial = _culprit(search), copied(search)
        reason = _reason(search, culprit)
        if culprit.startswith("flask-") and search.serves(culprit):  # an extension: Flask may keep its version
            trial.let_go([culprit], reason, alone=True)
            if found := _on_any(trial, order[:1], day):
                search.take(trial)
                return found
        search.let_go([culprit], reason)
        if found := _on_any(search, order[:1], day):
            return found
    return _on_any(search, order[:1], "")


def _reason(search: Search, culprit: str) -> str:
    """Why one version does not go with the others, in few words where uv's are as they mostly are."""
    name, said = re.escape(culprit), search.refusal.reason
    for pattern, form in (
        (rf"([a-z0-9][\w.-]*[<>=]\S*) depends on ({name}(?:{{[^}}]*}})?[<>=!]\S*)", "{} needs {}"),
        (rf"({name}==\S+) depends on (\S+)", "{} needs {}"),
        (rf"you require ({name}[<>]\S+) and {name}==", "the model's library goes with {}"),
    ):
        if match := re.search(pattern, said):
            return form.format(*(each.rstrip(",.") for each in match.groups()))
    return f"with it nothing goes together. {search.refusal.short.rstrip('.')}"


def _culprit(search: Search) -> str:
    """The pin to let go: named in uv's reason, no model library's, rather one that serves pages, the oldest."""

    def rank(name: str) -> tuple[object, ...]:
        named = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", search.refusal.reason) is not None
        version = pin(search.wanted[name])
        day = search.known[name].uploaded(version) if version and name in search.known else ""
        return name in search.models, not named, not search.serves(name), day, name

    return min((name for name, each in search.wanted.items() if each.specifier), key=rank)


def _question(search: Search, python: str, day: str) -> Question:
    wanted = [str(each) for each in search.wanted.values()]
    known = ((name, each, search.known[name]) for name, each in search.wanted.items() if name in search.known)
    sources = {name for name, each, package in known if package.built(pin(each) or package.newest(day))}
    if day and ERA not in search.wanted and Version(python) < Version("3.12"):
        wanted.append(ERA)
    if day and "torch" in search.wanted and "torch" in search.known and not search.wanted["torch"].specifier:
        then = [each.version for each in search.known["torch"].files if each.uploaded and each.uploaded[:10] <= day]
        wanted += [f"torch<={max(then).public}"] if then else []
    wanted += [*bounds.of_sklearn(search.wanted), *bounds.of_numpy(search.wanted)]
    if not day:
        wanted += bounds.of_flask(search.pins().get("flask", ""))
    return Question(python=python, wanted=tuple(sorted(wanted)), day=day, sources=frozenset(sources))


def _parts(search: Search, answer: Answer) -> dict[str, str]:
    """The day for each package that has no pin and is older pins' alone: the earliest of those that need it."""
    day, pins, needed = answer.question.day, search.pins(), answer.needed
    if not day:
        return {}
    days = {name.partition(" ")[0]: max(each, BEGIN) for name, each in _days(search).items()}
    days |= {name: day for name in pins if name not in days}
    others = {name: by for name, by in needed.items() if by and name not in days}
    for _ in others:  # at most as deep as there are packages
        days |= {name: min(days.get(each, day) for each in by) for name, by in others.items()}
    return {name: each for name, each in days.items() if each < day and name not in pins}


def _cannot(search: Search) -> VersionMismatch:
    return VersionMismatch(
        f"No versions of {', '.join(sorted(search.wanted))} go together: {search.refusal.short.rstrip('.')}."
        " Take out of requirements.txt what the app does not need, or pin what it does."
    )


def listed(names: Iterable[str]) -> str:
    """`a, b and c`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
