"""What was claimed, and what was reached."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A target of the design, and the value that this run reached; a ratio where `unit` is "×"."""

    what: str
    reached: float
    target: float
    at_least: bool = True
    unit: str = "×"

    @property
    def kept(self) -> bool:
        return self.reached >= self.target if self.at_least else self.reached <= self.target

    def row(self) -> tuple[str, ...]:
        sign = "≥" if self.at_least else "≤"
        shown = "ok" if self.kept else "MISSED"
        return self.what, f"{sign} {self.target:g} {self.unit}", f"{self.reached:.3g} {self.unit}", shown


def say(text: str) -> None:
    """One line of progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def out(text: str) -> None:
    """A result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown, so that it can be pasted into the documentation."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [[f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)] for row in [head, *rows]]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    cpus = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return f"{cpus} cores, shared; load {load:.1f}; Python {sys.version.split()[0]}"
