"""Docker and Podman over their socket: images in, containers out."""

from flaskship.engine.connection import answers, connected
from flaskship.engine.images import Engine, saved

__all__ = ["Engine", "answers", "connected", "saved"]
