"""How many request threads a model of microseconds wants."""

from __future__ import annotations

from benchmarks.contenders import bare, flaskship
from benchmarks.predict import measure, summary
from benchmarks.report import Claim, out, say

THREADS = (1, 2, 4, 8)


def main() -> list[Claim]:
    say("/predict, LogisticRegression, by request threads:")
    contenders = [flaskship("logistic"), *(flaskship("logistic", "--threads", str(each)) for each in THREADS)]
    loads = measure([*contenders, bare("logistic")], 3, 3)
    out(f"\n### `/predict`, LogisticRegression, by request threads\n\n{summary(loads)}\n")
    return []
