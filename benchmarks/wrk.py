"""Load from wrk, and what the server under it spent."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.models import BUILD

CONNECTIONS = 32
TICKS = os.sysconf("SC_CLK_TCK")
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One run; `cpu`, spent by the server on a request, is less noisy than the rate on a shared machine."""

    rate: float  # requests/s
    median: float  # seconds
    p99: float  # seconds
    errors: int
    cpu: float  # seconds a request


def run(
    url: str, body: bytes, headers: Mapping[str, str], group: int, *, seconds: int, connections: int = CONNECTIONS
) -> Load:
    """Post `body` from so many connections, to a server whose processes are in the process group `group`."""
    before = spent(group)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-s", script(body, headers), url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    total = int(found(r"(\d+) requests in", text))
    return Load(
        rate=float(found(r"Requests/sec:\s+([\d.]+)", text)),
        median=latency("50", text),
        p99=latency("99", text),
        errors=int(found(r"Non-2xx or 3xx responses: (\d+)", text, "0")),
        cpu=(spent(group) - before) / max(total, 1),
    )


def script(body: bytes, headers: Mapping[str, str]) -> Path:
    """wrk's script for these requests."""
    lines = ['wrk.method = "POST"', f"wrk.body = {quoted(body.decode())}"]
    lines += [f"wrk.headers[{quoted(name)}] = {quoted(value)}" for name, value in headers.items()]
    path = BUILD / "post.lua"
    path.write_text("\n".join(lines))
    return path


def quoted(text: str) -> str:
    """A Lua string: the escapes of JSON that ASCII text needs are Lua's too."""
    return json.dumps(text)


def found(pattern: str, text: str, default: str = "") -> str:
    match = re.search(pattern, text)
    if match is None and not default:
        raise RuntimeError(f"wrk did not say {pattern!r}:\n{text}")
    return match[1] if match else default


def latency(percentile: str, text: str) -> float:
    match = re.search(rf"^\s+{percentile}%\s+([\d.]+)(us|ms|s)", text, re.MULTILINE)
    if match is None:
        raise RuntimeError(f"wrk gave no latency:\n{text}")
    return float(match[1]) * UNITS[match[2]]


def spent(group: int) -> float:
    """CPU seconds of all processes of a process group so far."""
    total = 0
    for pid in members(group):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def members(group: int) -> list[int]:
    """The processes of a process group, and their descendants in groups of their own."""
    parents = {}
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.name)] = int(fields[1])
        if int(fields[2]) == group:
            found.append(int(path.name))
    for pid in sorted(parents):
        if pid not in found and parents[pid] in found:
            found.append(pid)
    return found
