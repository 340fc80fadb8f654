"""Run the API of bundles, with Granian or gunicorn.

The worker of an app that somebody else wrote runs in that app's environment, whose Python may be 3.8 and which has none
of Flaskship's libraries. So what stands here, what it imports and what runs around such an app (flaskship/foreign) asks
for Python 3.8, its standard library, and one of the two servers: no `match`, no `slots`, no `X | Y` at run time.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flaskship.serve import cpu
from flaskship.serve.job import Job, configure_logging
from flaskship.serve.listen import listen
from flaskship.serve.supervisor import Supervisor
from flaskship.serve.watch import Watch
from flaskship.settings import Settings, environment

MEMORY = Path("/dev/shm")  # shared memory, there in a read-only container too


def serve(
    bundles: Sequence[Path],
    settings: Settings,
    *,
    watched: Sequence[Path] = (),
    rebuild: Callable[[], tuple[Sequence[Path], str]] | None = None,
    load: str = "",
    executable: str = "",
) -> int:
    """Serve `bundles` until a signal says stop: 0.

    With `settings.reload`, `rebuild` is called when a path in `watched` changes, and gives the bundles to serve then,
    with the `executable` for these.
    `load` makes the application, by the bundle's kind where it is not named, in processes of the Python at
    `executable`, this one where none is named.
    Raises `UsageError` where the address cannot be had, and what the bundles raise when they cannot be loaded.
    """
    remake = rebuild if settings.reload else None
    cpus = cpu.available()
    with _shared() as shared:
        job = Job(tuple(bundles), settings, shared, load, executable or sys.executable)
        configure_logging(job)
        count = settings.workers or (1 if job.app else cpu.workers(cpus))  # an app may keep its state in memory
        given = environment()
        return Supervisor(
            job=job,
            listeners=listen(settings.host, settings.port, count),
            environment={**given, **cpu.variables(cpus, count, given)},
            rebuild=remake,
            watch=Watch(watched) if remake else None,
        ).run()


@contextmanager
def _shared() -> Iterator[Path]:
    """A directory for the time of serving, in memory where there is some."""
    place = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    path = Path(tempfile.mkdtemp(prefix="flaskship-", dir=place))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
