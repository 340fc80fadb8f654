"""Flaskship ships a trained model as a production web API in a container.

endpoint                        marks a function or a method as one that is served
Meta                            msgspec's: limits, description and examples of an argument
Labels, Boxes, Segmentation     what a function may answer besides plain values
BadInput                        raised by a function that refuses what it is given: 422
create_app                      a model as a Flask app
blueprint                       a model as a part of a Flask app
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "BadInput",
    "Boxes",
    "Labels",
    "Meta",
    "Segmentation",
    "__version__",
    "blueprint",
    "create_app",
    "endpoint",
]

if TYPE_CHECKING:
    from msgspec import Meta

    from flaskship.app import blueprint, create_app
    from flaskship.endpoints import endpoint
    from flaskship.errors import BadInput
    from flaskship.results import Boxes, Labels, Segmentation

HOMES = {
    "BadInput": "flaskship.errors",
    "Boxes": "flaskship.results",
    "Labels": "flaskship.results",
    "Meta": "msgspec",
    "Segmentation": "flaskship.results",
    "blueprint": "flaskship.app",
    "create_app": "flaskship.app",
    "endpoint": "flaskship.endpoints",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when they are used: `import flaskship` costs nothing."""
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'flaskship' has no attribute {name!r}")
