"""What a model's pickle may name, by full name, from the table beside this module (`allowed.txt`).

The table has three sections. What is under `calls` may be called with any arguments: reconstructors, and types that
make nothing but themselves. Under `types`: may be made empty and given a state, as the classes of estimators are.
Under `names`: may be named, as the function of a FunctionTransformer is, but no pickle of a model calls it.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from pathlib import Path


class Use(StrEnum):
    CALL = "calls"
    TYPE = "types"
    NAME = "names"


@cache
def table() -> dict[tuple[str, str], Use]:
    """Every allowed (module, name), and how it may be used."""
    found: dict[tuple[str, str], Use] = {}
    use = Use.NAME
    for line in Path(__file__).with_suffix(".txt").read_text(encoding="ascii").splitlines():
        module, *names = line.split()
        if module.startswith("["):
            use = Use(module[1:-1])
        else:
            found.update(dict.fromkeys(((module, name) for name in names), use))
    return found


@cache
def packages() -> frozenset[str]:
    """The libraries that the table knows."""
    return frozenset(module.partition(".")[0] for module, _ in table())
