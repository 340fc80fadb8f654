"""A model, or a module's functions, as a Flask app, or as a part of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flaskship import app_bundle, cache, web
from flaskship.bundle import Bundle
from flaskship.errors import UsageError
from flaskship.settings import Settings, environment
from flaskship.target import Target

if TYPE_CHECKING:
    from flask import Blueprint, Flask


def create_app(target: str | Path, **settings: Any) -> Flask:
    """A Flask app that serves `target`: a model's file, a bundle, `module.py`, `module.py:name`, `package.module:name`.

        app = flaskship.create_app("model.joblib", sample="rows.csv", target_column="sold")
        app.register_blueprint(my_blueprint)

    `settings` are those of docs/settings.md. Raises as `flaskship serve` would: `NotRecognised`, `UnsafePickle`,
    `VersionMismatch`, `UsageError`, …
    """
    loaded = Settings.load(Path.cwd(), environment(), settings)
    return web.create_app(web.subjects(_bundle(Target.of(target), loaded), loaded), loaded)


def blueprint(target: str | Path, **settings: Any) -> Blueprint:
    """The same routes as a blueprint, for an app that its owner keeps writing.

    app.register_blueprint(flaskship.blueprint("model.joblib"), url_prefix="/model")
    """
    loaded = Settings.load(Path.cwd(), environment(), settings)
    found = web.subjects(_bundle(Target.of(target), loaded), loaded)
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise UsageError(f"A blueprint is of one endpoint, and {str(target)!r} has {names}. Name one: {target}:NAME")
    return web.blueprint(found[0], loaded)


def _bundle(target: Target, settings: Settings) -> Bundle:
    found = cache.find(target, settings, linked=True)
    if found is not None:
        made = app_bundle.read(found)
    else:
        from flaskship import make  # brings the frameworks

        made = make.cached(target, settings, linked=True)
    if not isinstance(made, Bundle):
        raise UsageError(f"{str(target)!r} is an app already. Serve it: flaskship serve {target}")
    return made
