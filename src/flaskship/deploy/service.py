"""A model's image as something that runs: the one table from which nginx, Compose, Swarm and Kubernetes are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flaskship.settings import Duration, Settings, Size

REPLICAS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    certificate: Path  # PEM, the whole chain
    key: Path  # PEM


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What runs, how much of it, and the limits that nginx, the server and the app hold alike."""

    name: str  # of containers and objects: lower case letters, digits and dashes, at most 63
    image: str  # the reference that the engine or the cluster pulls
    version: str = ""  # of the model
    port: int = 8000  # that the container listens on
    published: int = 80  # that users come to
    replicas: int = REPLICAS
    memory: Size = Size(0)  # most bytes of a container; 0 is no limit
    cpus: float = 0.0  # most CPUs of a container; 0 is no limit
    max_body: Size = Settings().max_body
    timeout: Duration = Settings().timeout
    grace: Duration = Settings().grace
    drain: Duration = Settings().drain
    keep_alive: Duration = Settings().keep_alive
    rate_limit: int = 0  # requests a second from one client; 0 is no limit
    tls: TLS | None = None
    nginx: str = "nginx:stable-alpine"
    env: Mapping[str, str] = field(default_factory=dict)  # of the container, beyond the image's own
    api_key: str = ""  # written as a secret where the engine has such, never into an image
