"""`python -m benchmarks [PART…]`: measures, prints what was reached, and exits with 1 where a target was missed."""

from __future__ import annotations

import importlib
import sys

from benchmarks.models import BUILD
from benchmarks.report import Claim, machine, out, table

PARTS = ("predict", "peers", "deep", "files", "start", "memory", "image")  # what the design has targets for
FURTHER = ("threads",)


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in PARTS + FURTHER]:
        out(f"No part {unknown[0]!r}. There are: {', '.join(PARTS + FURTHER)}.")
        return 2
    BUILD.mkdir(parents=True, exist_ok=True)
    out(f"Measured on: {machine()}")
    claims: list[Claim] = []
    for name in names or PARTS:
        claims += importlib.import_module(f"benchmarks.{name}").main()
    if claims:
        out(f"\n### Targets\n\n{table(('what', 'target', 'reached', ''), [claim.row() for claim in claims])}")
    return 0 if all(claim.kept for claim in claims) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
