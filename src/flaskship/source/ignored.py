"""The pattern language of `.dockerignore`, as Docker reads it.

https://docs.docker.com/build/concepts/context/#dockerignore-files and github.com/moby/patternmatcher: the last pattern
that matches decides, `!` takes back, a pattern that matches a folder takes all that is in it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    text: str  # as it is written
    taken_back: bool  # begins with "!"
    expression: re.Pattern[str]


def patterns(lines: Iterable[str]) -> list[Pattern]:
    """One a line; comments and empty lines are none. An expression that cannot be is passed over."""
    found = []
    for line in lines:
        text = "" if line.startswith("#") else line.removeprefix("\ufeff").strip()
        bare = text.removeprefix("!").strip()
        if not bare:
            continue
        clean = posixpath.normpath(bare)
        clean = clean.lstrip("/") if clean != "/" else clean
        try:
            found.append(Pattern(text, text.startswith("!"), re.compile(expression(clean))))
        except re.error:
            continue
    return found


def expression(pattern: str) -> str:
    """`**/x` -> `(.*/)?x`, `**x` -> `.*x`, `*` -> `[^/]*`, `?` -> `[^/]`."""
    if re.match(r"\*\*[^/*?\[\\][^*?\[\\]*$", pattern):
        return rf"^.*{re.escape(pattern[2:])}\Z"
    out, at = ["^"], 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        if letter == "*" and pattern[at : at + 1] == "*":
            at += 1
            at += pattern[at : at + 1] == "/"
            out.append(".*" if at >= len(pattern) else "(.*/)?")
        elif letter == "*":
            out.append("[^/]*")
        elif letter == "?":
            out.append("[^/]")
        elif letter == "\\" and at < len(pattern):
            out.append(re.escape(pattern[at]))
            at += 1
        elif letter in "[]-^":
            out.append(letter)
        else:
            out.append(re.escape(letter))
    return "".join(out) + r"\Z"


class Ignored:
    """What a list of patterns says of each path."""

    def __init__(self, found: list[Pattern]) -> None:
        self.found = found
        self._folders: dict[str, list[bool]] = {"": [False] * len(found)}

    def of(self, path: str) -> Pattern | None:
        """The pattern that leaves the path out; None where none does."""
        above = self._matches(posixpath.dirname(path))
        decided: Pattern | None = None
        for pattern, already in zip(self.found, above, strict=True):
            if pattern.taken_back == (decided is not None) and (already or pattern.expression.match(path)):
                decided = None if pattern.taken_back else pattern
        return decided

    def kept(self, path: str) -> bool:
        """Whether a pattern with `!` names it, and is the last that does."""
        above = self._matches(posixpath.dirname(path))
        said = [
            pattern.taken_back
            for pattern, already in zip(self.found, above, strict=True)
            if already or pattern.expression.match(path)
        ]
        return bool(said) and said[-1]

    def _matches(self, folder: str) -> list[bool]:
        """Which patterns match a folder or one above it."""
        if folder not in self._folders:
            above = self._matches(posixpath.dirname(folder))
            self._folders[folder] = [
                already or bool(pattern.expression.match(folder))
                for pattern, already in zip(self.found, above, strict=True)
            ]
        return self._folders[folder]
