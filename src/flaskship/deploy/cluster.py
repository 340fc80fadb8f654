"""What Swarm and Kubernetes must both know of a service: how it stops, what it may use, where its key is."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import indent

from flaskship.deploy.service import Service
from flaskship.settings import Duration, variable

NOTICE = Duration(5)  # until those in front of a container have heard that it goes
SPARE = 5  # seconds after all that a stop takes, before the container is killed
CPUS = 0.5  # asked for where no --cpus says how many
MIB = 1 << 20
API_KEY = variable("api_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes of a container; 0 where nothing is known."""

    request: int  # that a node must have free for it
    limit: int  # over which it is ended

    @classmethod
    def of(cls, service: Service, measured: int) -> Memory:
        """What the user says is both; else what was `measured`, and twice that as the limit."""
        return cls(request=service.memory or measured, limit=service.memory or 2 * measured)


def stopping(*parts: Duration) -> int:
    """Whole seconds until a container is killed whose stop takes these `parts`, one after the other."""
    return math.ceil(sum(parts) + SPARE)


def environment(service: Service) -> Mapping[str, str]:
    """What the container's environment adds to the image's own; the API key is no part of it."""
    return {name: service.env[name] for name in sorted(service.env) if name != API_KEY}


def secret(service: Service) -> str:
    """The name of the secret that holds the API key: another key has another name, so that replicas are rolled.

    A few bits of a slow hash, which help nobody to guess the key.
    """
    salt = f"flaskship {service.name}".encode()
    digest = hashlib.scrypt(service.api_key.encode(), salt=salt, n=2**14, r=8, p=1, dklen=4)
    return f"{service.name[:46].rstrip('-')}-api-key-{digest.hex()}"


def title(service: Service) -> str:
    return f"{service.name} {service.version}".strip()


def quantity(size: int, unit: str) -> str:
    """Bytes as `96Mi` (or `96M`, as Docker has it) where they are whole MiB, else as they are, in quotes for Docker."""
    return f'"{size}"' if size % MIB else f"{size // MIB}{unit}"


def block(name: str, parts: Mapping[str, Sequence[str]]) -> str:
    """Lines of YAML under the names of their parts, without those that have none."""
    said = [f"  {part}:\n" + indent("\n".join(lines), " " * 4) for part, lines in parts.items() if lines]
    return "\n".join([f"{name}:", *said])


def label(text: str) -> str:
    """`text` where it may be a label's value in Kubernetes, else nothing."""
    return text if re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", text) else ""
