"""What one list of requirements asks for, line by line, and what had to be made of a line."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from flaskship.source.requirements.names import ELSEWHERE, INSTEAD, TYPOS

PYTHONS = ("3.14", "3.13", "3.12", "3.11", "3.10", "3.9", "3.8")  # that an app is served on, newest first
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "extra": ""}
NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
TORCH = r"download\.pytorch\.org"
VERSION = r"v?\d[\w.!+*-]*"
LONGEST = 1000  # characters of a requirement; of longer ones the patterns here take too long
LOGIN = re.compile(r"(?<=://)[^/\s]*@")  # of an address


@dataclass(kw_only=True)
class Found:
    """Grows as a file is read. `wanted` is by canonical name."""

    path: str  # of the file, in the folder: "requirements.txt"
    wanted: dict[str, Requirement] = field(default_factory=dict)
    python: str = ""  # a version, or a range of them: "3.8", ">=3.7,<3.10"
    decisions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unpinned: list[str] = field(
        default_factory=list
    )  # whose version was lost on the way, as conda's `@ file://` has none

    def decide(self, sentence: str) -> None:
        self.decisions.append(f"{self.path}: {without_login(sentence)}")

    def warn(self, sentence: str) -> None:
        self.warnings.append(f"{self.path}: {without_login(sentence)}")

    def add(self, text: str) -> None:
        """One requirement, however it is written."""
        line = text.strip().rstrip(",;").strip()
        if line[:1] in ("'", '"') and line[:1] == line[-1:]:
            line = line.strip(line[:1]).strip()
        if not line:
            return None
        if len(line) > LONGEST:
            return self.warn(f"{line[:60]!r}… is no requirement, and is left out.")
        if line in (".", "./"):
            return self.decide(f"{line} is left out: the folder's own code is there.")
        if build := re.match(rf"https?://{TORCH}/.*/(torch\w*)-([\d.]+)[^/]*\.whl", line):
            line = f"{build[1]}=={build[2]}"
            self.decide(f"the wheel of {line} is taken from the index, as the build for this machine.")
        if re.match(r"(git|hg|svn|bzr)\+|https?://|file:|\.{0,2}/|[A-Za-z]:\\|\.$|.*\.(whl|zip|tar\.gz)$", line):
            return self.warn(f"{line!r} is no name of the index, and is left out. Copy its code into the folder.")
        name, at, url = line.partition("@")
        if at and re.fullmatch(rf"{NAME}(\[[^\]]*\])?", name.strip()):
            return self._direct(name.strip(), url.strip())
        try:
            wanted = Requirement(repaired(line))
        except InvalidRequirement:
            return self._unreadable(line)
        return self._direct(wanted.name, wanted.url) if wanted.url else self._named(wanted)

    def _direct(self, name: str, url: str) -> None:
        if url.startswith("file:"):
            self.unpinned.append(name)
            return self._named(Requirement(name))
        return self.warn(f"{name!r} is taken from {url!r}, no package of the index, and is left out.")

    def _unreadable(self, line: str) -> None:
        match = re.match(rf"({NAME})\s*(?:[=<>!~]|$)", line)
        if not match:
            return self.warn(f"{line!r} is no requirement, and is left out.")
        self.warn(f"{line!r} names no version that there can be: {match[1]} is taken without one.")
        return self._named(Requirement(match[1]))

    def _named(self, wanted: Requirement) -> None:
        name: str = canonicalize_name(wanted.name)
        if wanted.marker and not _possible(wanted):
            return None
        if name in ELSEWHERE:
            return self.decide(f"{wanted.name} is left out: {ELSEWHERE[name]}.")
        if name.replace("-", "_") in sys.stdlib_module_names and name not in ("pip", "setuptools"):
            return self.decide(f"{wanted.name} is left out: it is a part of Python.")
        if name in TYPOS:
            self.decide(f"{wanted.name} is taken as {TYPOS[name]}, which is the name of the package.")
            name = TYPOS[name]
            if any(each.version.startswith("0.0") for each in wanted.specifier):  # of the empty package of that name
                wanted.specifier = SpecifierSet()
        if name in INSTEAD:
            other, reason = INSTEAD[name]
            self.decide(f"{wanted.name} is taken as {other}: {reason}.")
            name = other
        if any("+" in each.version for each in wanted.specifier):
            plain = SpecifierSet(re.sub(r"\+[\w.]+", "", str(wanted.specifier)).replace("===", "=="))
            self.decide(f"{wanted} is taken as {name}{plain}, the build for this machine.")
            wanted.specifier = plain
        wanted.name = name
        return self._once(wanted)

    def _once(self, wanted: Requirement) -> None:
        old = self.wanted.get(wanted.name)
        if old is None or old.marker or wanted.marker:
            if old is None or not old.marker or _here(wanted) or not _here(old):
                self.wanted[wanted.name] = wanted
            return
        pins = [pin(each) for each in (old, wanted)]
        if all(pins) and pins[0] != pins[1]:
            self.decide(f"{wanted.name} is listed twice: {pins[1]} is taken, not {pins[0]}.")
        elif not pins[1]:
            wanted.specifier &= old.specifier
        wanted.extras |= old.extras
        self.wanted[wanted.name] = wanted


def without_login(text: str) -> str:
    """A text with the user names, passwords and tokens of its addresses left out: it goes into logs and locks."""
    return LOGIN.sub("…@", text)


def pin(wanted: Requirement) -> str:
    """The version of `name==version`, "" where it is none."""
    found = [each.version for each in wanted.specifier if each.operator in ("==", "===")]
    return found[0] if len(found) == 1 and "*" not in found[0] else ""


def repaired(line: str) -> str:
    """A line as PEP 508 has it, where it is one of the usual mistakes, or conda's."""
    for pattern, better in (
        (rf"({NAME})=({VERSION})=\w*", r"\1==\2"),  # numpy=1.21.2=py39h20f2e39_0
        (rf"({NAME}(?:\[[^\]]*\])?)\s*=\s*({VERSION})", r"\1==\2"),  # numpy=1.21.2
        (rf"({NAME})\s+\(?({VERSION})\)?", r"\1==\2"),  # numpy 1.21.2, as pip list has it
        (rf"({NAME}.*?\d)\s+([<>=!~].*)", r"\1,\2"),  # numpy>=1.20 <2
        (rf"({NAME})\s*=>\s*({VERSION})", r"\1>=\2"),
        (rf"({NAME})\s*==\s*v({VERSION})", r"\1==\2"),
    ):
        if match := re.fullmatch(pattern, line):
            return match.expand(better)
    return line


def ranged(text: str) -> SpecifierSet | None:
    """A range of versions, also as Poetry writes it: `^3.8`, `~3.9`, `3.*`. None where it is none."""
    parts = []
    for each in filter(None, re.split(r"[,\s]+(?=[\^~<>=!\d*])", text.strip())):
        if match := re.fullmatch(r"\^\s*v?(\d+)((?:\.\d+)*).*", each):
            parts += [f">={each[1:].strip()}", f"<{_next(match[1], match[2])}"]
        elif match := re.fullmatch(r"~\s*(\d+(?:\.\d+)*)", each):
            parts += [f">={match[1]}", f"=={'.'.join(match[1].split('.')[:2])}.*"]
        elif re.fullmatch(r"\d[\w.+-]*(\.\*)?", each):
            parts.append(f"=={each}")
        elif each != "*":
            parts.append(each)
    try:
        return SpecifierSet(",".join(parts))
    except InvalidSpecifier:
        return None


def _next(major: str, rest: str) -> str:
    """The first version that `^major.rest` no longer allows: a leading zero holds the next number."""
    numbers = [int(major), *map(int, rest.split(".")[1:])]
    place = next((index for index, each in enumerate(numbers) if each), len(numbers) - 1)
    return ".".join(map(str, [*numbers[:place], numbers[place] + 1]))


def _possible(wanted: Requirement) -> bool:
    """Whether the marker is true on some Python."""
    assert wanted.marker is not None
    return any(wanted.marker.evaluate({**LINUX, "python_version": each}) for each in PYTHONS)


def _here(wanted: Requirement) -> bool:
    return wanted.marker is None or wanted.marker.evaluate({**LINUX})
