"""The bundle of somebody's app to the application that answers for it."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from flaskship.errors import AppFailed, BundleError, UsageError
from flaskship.foreign import found
from flaskship.foreign.around import Around
from flaskship.foreign.asgi import AroundAsync
from flaskship.foreign.capture import Capture, Hook
from flaskship.foreign.failing import failed, line
from flaskship.foreign.program import Program
from flaskship.foreign.site import Site
from flaskship.foreign.ways import WAYS
from flaskship.serve import foreground
from flaskship.serve.job import Job, Loaded

log = logging.getLogger("flaskship.foreign")

PATIENCE = 60  # seconds after which a start that goes on is told of


def load(job: Job) -> Loaded:
    """The app, started as its own server would have started it. Raises `AppFailed` where it does not start."""
    if len(job.bundles) != 1:
        raise UsageError("An app is served alone: name one target.")
    manifest = read(job.bundles[0])
    for name, value in {**manifest.get("env", {}), "PORT": str(job.settings.port)}.items():
        os.environ.setdefault(name, value)
    program = entry(job.bundles[0], manifest)
    program.prepare()
    capture = Capture()
    Hook(capture, WAYS).install()
    foreground.run(lambda: run(program, manifest["entry"]["object"], capture))
    app = found.unwrapped(started(capture, program))
    settle(app)
    site = Site(app, manifest["name"], program.root, job)
    asynchronous = found.asynchronous(app)
    return Loaded((AroundAsync if asynchronous else Around)(app, site), (site.name,), asynchronous)


def read(bundle: Path) -> Any:
    """The manifest, of app_bundle.py's form. Raises `BundleError`."""
    try:
        return json.loads((bundle / "manifest.json").read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError(f"Cannot read the bundle at {str(bundle)!r}: {error}.") from error


def entry(bundle: Path, manifest: Any) -> Program:
    """What starts the app. Raises `AppFailed` where it is not there."""
    link = bundle / "link"
    folder = Path(link.read_text(encoding="utf-8")) if link.is_file() else bundle / "code"
    told = manifest["entry"]
    if not (folder / told["file"]).is_file():
        raise AppFailed(f"{told['file']!r}, which starts the app, is not in {str(folder)!r}. Name another: --app FILE.")
    return Program((folder / told["root"]).resolve(), (folder / told["file"]).resolve())


def run(program: Program, expression: str, capture: Capture) -> None:
    """Run the program. Ends only where it starts no server, or after it."""
    try:
        capture.take(found.app(program.run(), expression))
    except BaseException as error:  # noqa: BLE001  # whatever it raised: this is its last frame
        log.debug("%s", traceback.format_exc())
        reason = failed(error, program.root)
        if capture.wait(0):  # it is served already, by what went on beside
            log.error("%s: %s", reason.title, reason.detail)
        capture.fail(reason)


def started(capture: Capture, program: Program) -> Any:
    """The app, once its program has started it. Raises `AppFailed` where it did not."""
    begun = time.monotonic()
    main = threading.main_thread().ident or 0
    while not capture.wait(PATIENCE):
        log.warning("Still starting after %d s: %s", time.monotonic() - begun, line(main, program.root))
    sys.stdout.flush()
    if capture.error is not None:
        raise capture.error
    return capture.app


def settle(app: Any) -> None:
    """Debug and testing off, whatever the program set: a client sees nothing of the inside."""
    for name in ("debug", "testing"):
        if isinstance(getattr(app, name, None), bool):
            with suppress(AttributeError):  # Sanic lets nobody set them; they tell of no debugger there
                setattr(app, name, False)
