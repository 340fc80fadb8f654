from __future__ import annotations

import pytest

from flaskship.serve import cpu


def write(folder, files):
    for name, text in files.items():
        path = folder / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("own", "files", "cpus"),
    [
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 0.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 64),
        ("0::/a/b\n", {"a/cpu.max": "150000 100000\n", "a/b/cpu.max": "max 100000\n"}, 1.5),
        ("0::/kubepods/pod1\n", {"cpu.max": "200000 100000\n"}, 2),  # the host's path, not to be seen in here
        ("4:memory:/x\n1:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "25000\n", "cpu/x/cpu.cfs_period_us": "100000\n"}, 0.25),
        (
            "3:cpu,cpuacct:/\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"},
            64,
        ),
        ("", {}, 64),
    ],
)
def test_the_smallest_quota_counts(tmp_path, monkeypatch, own, files, cpus):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(64)))
    (tmp_path / "own").write_text(own)
    write(tmp_path, files)
    assert cpu.available(tmp_path / "groups", tmp_path / "own") == cpus


def test_affinity_counts_where_there_are_no_cgroups(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 5, 6})
    assert cpu.available(tmp_path / "none", tmp_path / "none") == 3


@pytest.mark.parametrize(("cpus", "workers"), [(0.5, 1), (1.0, 1), (1.9, 1), (2.0, 2), (64, 4)])
def test_one_worker_a_whole_cpu_at_most_four(cpus, workers):
    assert cpu.workers(cpus) == workers


def test_workers_share_the_cpus_and_the_users_values_win():
    given = {"OMP_NUM_THREADS": "7"}
    variables = cpu.variables(8, 4, given)
    assert variables["OPENBLAS_NUM_THREADS"] == "2"
    assert "OMP_NUM_THREADS" not in variables
    assert cpu.variables(0.5, 1, {})["OMP_NUM_THREADS"] == "1"
