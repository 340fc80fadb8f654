"""What a server with one worker keeps in memory after some thousands of requests."""

from __future__ import annotations

from pathlib import Path

from benchmarks.contenders import app, flaskship
from benchmarks.models import joblib_file
from benchmarks.report import Claim, out, say, table
from benchmarks.servers import JSON, started
from benchmarks.wrk import members, run

MB = 1e6


def memory(pid: int) -> tuple[float, float]:
    """MB of a process: resident, and proportional (what it shares with others divided among them)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split()[0]: int(line.split()[1]) * 1024 / MB for line in lines}
    return sizes["Rss:"], sizes["Pss:"]


def main() -> list[Claim]:
    say("Memory with one worker:")
    model = joblib_file("logistic", plain=True)
    usual = ["gunicorn", "--workers", "1", "--threads", "4", "flask_app:app"]
    contenders = [
        flaskship("logistic", "--workers", "1"),
        flaskship("forest", "--workers", "1"),
        app("gunicorn + Flask + scikit-learn", model, usual, "--bind", "127.0.0.1:"),
    ]
    rows, totals = [], []
    for model_name, contender in zip(("logistic", "forest", "logistic"), contenders, strict=True):
        with started(contender) as server:
            run(server.url, server.body, JSON, server.process.pid, seconds=3)
            found = [memory(pid) for pid in sorted(members(server.process.pid))]
        totals.append(sum(proportional for _, proportional in found))
        each = ", ".join(f"{resident:.0f} / {proportional:.0f}" for resident, proportional in found)
        rows.append((f"{contender.name} ({model_name})", each, f"{totals[-1]:.0f}"))
    out("\n### Memory, one worker\n")
    out(table(("server", "each process: resident / proportional MB", "all, proportional MB"), rows))
    return [
        Claim(what=f"memory, {name}, one worker", reached=total, target=120, at_least=False, unit="MB")
        for name, total in zip(("LogisticRegression", "RandomForest of 100 trees"), totals, strict=False)
    ]
