"""Files of Bootstrap and Swagger UI that pages load, in the packages that bring them. Building copies them too."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from flaskship.errors import MissingExtra

FOREIGN = {
    "swagger-ui.css": ("flask_swagger_ui", "dist"),
    "swagger-ui-bundle.js": ("flask_swagger_ui", "dist"),
    "favicon-32x32.png": ("flask_swagger_ui", "dist"),
    "bootstrap.min.css": ("flask_bootstrap", "static/bootstrap5/css"),
}  # file -> the package that has it, and where in it
DISTRIBUTIONS = {"flask_swagger_ui": "flask-swagger-ui", "flask_bootstrap": "bootstrap-flask"}


@functools.cache
def place(package: str, folder: str) -> Path:
    """A folder inside an installed package, which is not imported: only its files are of use."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        name = DISTRIBUTIONS[package]
        raise MissingExtra(f"Showing pages needs {name}: pip install {name}")
    return Path(found.origin).parent / folder
