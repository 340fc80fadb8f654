"""Flaskship ships a trained model as a production web API in a container.

create_app   a model as a Flask app
blueprint    a model as a part of a Flask app
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "blueprint", "create_app"]

if TYPE_CHECKING:
    from flaskship.app import blueprint, create_app


def __getattr__(name: str) -> Any:
    """Public names are imported when they are used: `import flaskship` costs nothing."""
    if name in __all__:
        from flaskship import app  # the lazy seam itself

        return getattr(app, name)
    raise AttributeError(f"module 'flaskship' has no attribute {name!r}")
