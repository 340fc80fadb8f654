"""Run the API of bundles, with Granian or gunicorn."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flaskship.serve import cpu
from flaskship.serve.job import LOAD, Job, configure_logging
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
    rebuild: Callable[[], Sequence[Path]] | None = None,
    load: str = LOAD,
) -> int:
    """Serve `bundles` until a signal says stop: 0.

    With `settings.reload`, `rebuild` is called when a path in `watched` changes, and gives the bundles to serve then.
    Raises `UsageError` where the address cannot be had, and what the bundles raise when they cannot be loaded.
    """
    configure_logging(settings)
    given = environment()
    cpus = cpu.available()
    count = settings.workers or cpu.workers(cpus)
    remake = rebuild if settings.reload else None
    with _shared() as shared:
        return Supervisor(
            job=Job(bundles=tuple(bundles), settings=settings, shared=shared, load=load),
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
