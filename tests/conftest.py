"""What every test shares: the examples' files, and skips for what a machine lacks, counted.

`@pytest.mark.needs("curl", "torch")` skips a test where neither a program nor a module has that name. Such skips are
counted at the end, and are failures where `CI=true`, which promises that all is set up.

Hypothesis tries the same examples each time; `--hypothesis-profile=search` tries others, and more of them.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from registries import running
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parent.parent
SCENARIOS = "tests/scenarios/"
NO_ENGINE = (f"{SCENARIOS}test_huggingface.py", f"{SCENARIOS}test_tabular.py")
NICE = 10  # of the processes that do not have the engine
LACKING: Counter[str] = Counter()

settings.register_profile(
    "same", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", settings.get_profile("same"), derandomize=False, max_examples=1000)
settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*names): programs or modules that the test cannot do without")


class Split(LoadScopeScheduling):
    """For `-n 2`: one process does all that shares a container engine, another the rest, file by file.

    The engine's part comes first and takes longest. Half of its time it waits for other processes; meanwhile the rest
    goes on, at a lower priority.
    """

    def _split_scope(self, nodeid: str) -> str:
        return SCENARIOS if shares_engine(nodeid) else nodeid.partition("::")[0]


def shares_engine(nodeid: str) -> bool:
    return nodeid.startswith(SCENARIOS) and not nodeid.startswith(NO_ENGINE)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Split:
    return Split(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: (not item.nodeid.startswith(SCENARIOS), not shares_engine(item.nodeid)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ and not shares_engine(item.nodeid):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    for name in (name for marker in item.iter_markers("needs") for name in marker.args):
        if shutil.which(name) is None and (not name.isidentifier() or importlib.util.find_spec(name) is None):
            pytest.skip(f"needs: {name}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
    if reason.startswith("Skipped: needs: "):
        LACKING[reason.removeprefix("Skipped: needs: ")] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    if LACKING and os.environ.get("CI") == "true" and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, count in LACKING.most_common():
        verdict = "a failure, as CI=true" if os.environ.get("CI") == "true" else "skipped"
        terminalreporter.write_line(f"{count} tests need {name!r}, which this machine lacks: {verdict}.")


@pytest.fixture(scope="session")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sales example's files: sales.joblib, online_sales.csv, online_sales_unlabelled.csv."""
    return _example("sales", tmp_path_factory.mktemp("sales"))


@pytest.fixture(scope="session")
def petrol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the petrol example's files: petrol.csv and petrol, petrol_scaled and petrol_pipeline .joblib."""
    return _example("petrol", tmp_path_factory.mktemp("petrol"))


def _example(name: str, folder: Path) -> Path:
    runpy.run_path(str(ROOT / "examples" / name / "train.py"))["main"](folder)
    return folder


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that asks nobody who they are: `127.0.0.1:PORT`."""
    if not shutil.which("docker-registry"):
        pytest.skip("needs: docker-registry")
    with running(tmp_path_factory.mktemp("registry")) as address:
        yield address
