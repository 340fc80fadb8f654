"""How many CPUs this process may use, and the variables that hold numeric libraries to that.

BLAS, OpenMP and their kin start one thread for each core of the host, whatever the container's quota is, and then
hinder each other. They read their variables once, when they are loaded: so these are set before a worker starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

MAX_WORKERS = 4
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "LOKY_MAX_CPU_COUNT",  # what n_jobs=-1 means to joblib
)


def available(cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> float:
    """CPUs that this process may use: the smallest of affinity and every cgroup's quota, such as 1.5."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([float(affinity), *_quotas(cgroups, own)])


def workers(cpus: float) -> int:
    """Server processes for a quota: one a whole CPU, at least 1, at most 4."""
    return min(max(1, int(cpus)), MAX_WORKERS)


def variables(cpus: float, workers: int, given: Mapping[str, str]) -> dict[str, str]:
    """What to add to the environment of each of `workers` processes; what the user has `given` wins."""
    threads = str(max(1, int(cpus / workers)))
    return {name: threads for name in VARIABLES if name not in given}


def _quotas(cgroups: Path, own: Path) -> Iterator[float]:
    """The quota of this process's cgroup and of those above it, in both versions of cgroups."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2: "0::/path"
            for folder in _upwards(cgroups, path):
                yield from _quota(_numbers(folder / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for folder in _upwards(cgroups / controllers, path):
                yield from _quota(_numbers(folder / "cpu.cfs_quota_us") + _numbers(folder / "cpu.cfs_period_us"))


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """`root/a/b`, `root/a`, `root`. In a container the path may be the host's, of which only the root is there."""
    folder = root / path.lstrip("/")
    while folder != root:
        yield folder
        folder = folder.parent
    yield root


def _numbers(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _quota(pair: list[str]) -> Iterator[float]:
    """CPUs of a quota and its period, both in microseconds; none for `max` (version 2) and -1 (version 1)."""
    if len(pair) == 2 and pair[0].isdigit() and int(pair[1]) > 0:
        yield int(pair[0]) / int(pair[1])
