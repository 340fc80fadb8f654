"""A model as a Flask app, or as a part of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flaskship import cache, web
from flaskship.bundle import Bundle
from flaskship.settings import Settings, environment

if TYPE_CHECKING:
    from flask import Blueprint, Flask


def create_app(target: str | Path, **settings: Any) -> Flask:
    """A Flask app that serves the model at `target`, which may be a bundle; `settings` as in docs/settings.md.

        app = flaskship.create_app("model.joblib", sample="rows.csv", target_column="sold")
        app.register_blueprint(my_blueprint)

    Raises as `flaskship serve` would: `NotRecognised`, `UnsafePickle`, `VersionMismatch`, `UsageError`, …
    """
    loaded = Settings.load(Path.cwd(), environment(), settings)
    return web.create_app([_subject(Path(target), loaded)], loaded)


def blueprint(target: str | Path, **settings: Any) -> Blueprint:
    """The same routes as a blueprint, for an app that its owner keeps writing.

    app.register_blueprint(flaskship.blueprint("model.joblib"), url_prefix="/model")
    """
    loaded = Settings.load(Path.cwd(), environment(), settings)
    return web.blueprint(_subject(Path(target), loaded), loaded)


def _subject(target: Path, settings: Settings) -> web.Subject:
    found = cache.find(target, settings)
    if found is not None:
        return web.subject(Bundle.read(found), settings)
    from flaskship import make  # brings the frameworks

    return web.subject(make.cached(target, settings), settings)
