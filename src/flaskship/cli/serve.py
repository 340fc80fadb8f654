"""`flaskship serve TARGET…`"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from flaskship import cache, serve, variables
from flaskship.cli import talk, targets
from flaskship.cli.options import MAKING, load, settings_options
from flaskship.errors import BundleError, UsageError

KIND = "app"
RUNNING = (
    "host", "port", "workers", "threads", "server", "reload", "max_body", "timeout", "grace", "drain",
    "max_batch", "max_queue", "max_streams", "api_key", "access_log", "log_level",
)  # fmt: skip


@click.command("serve")
@click.argument("target", nargs=-1, required=True)
@settings_options(*MAKING, *RUNNING, "env", "secret")
def command(target: tuple[str, ...], **flags: Any) -> int:
    """Run the API of TARGET: a model file, FILE.py, FILE.py:NAME, a folder with an app, a bundle, or NAME=TARGET.

    Several targets are served side by side, each under /NAME/…, with an index page at /. An app is served alone.
    """
    settings = load(flags)
    parsed = [targets.parse(text, settings) for text in target]
    watched = [each.folder if each.is_code else each.path for each, _ in parsed]
    watched += [beside for _, own in parsed for beside in (own.weights, own.sample) if beside]
    for _, own in parsed:
        variables.set_here(variables.given(own))

    def made() -> tuple[list[Path], str]:
        """The bundles, and the Python of the environment that an app asks for."""
        bundles = _said(targets.bundled_apart(list(target), settings))
        app = next((each for each in map(_manifest, bundles) if each.get("kind") == KIND), None)
        if app is None:
            return bundles, ""
        if len(bundles) > 1:
            raise UsageError(f"{app['name']!r} is an app, and has its own routes: it is served alone.")
        return bundles, str(targets.interpreter_apart(bundles[0], settings))

    bundles, executable = made()
    return serve.serve(bundles, settings, watched=watched, rebuild=made, executable=executable)


def _said(bundles: list[Path]) -> list[Path]:
    """The bundles, after their warnings. Raises `UsageError` where two share a name."""
    manifests = [_manifest(path) for path in bundles]
    for manifest in manifests:
        for warning in manifest.get("warnings", ()):
            talk.warn(warning)
    name, times = Counter(manifest.get("name") for manifest in manifests).most_common(1)[0]
    if times > 1:
        raise UsageError(f"{times} targets are named {name!r}. Name them apart: a={name} b={name}.")
    return bundles


def _manifest(path: Path) -> dict[str, Any]:
    """Read without the types, which would bring NumPy into this process; the workers read it whole."""
    try:
        return dict(json.loads((path / cache.MANIFEST).read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(f"Cannot read the bundle at {str(path)!r}: {error}.") from error
