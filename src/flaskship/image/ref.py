"""References to images: `me/sales:1.0`, `localhost:5000/sales@sha256:…`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from flaskship.errors import UsageError

DOCKER_HUB = "docker.io"
LOCAL = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")

_DOMAIN = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?")
_NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Where an image is: `registry/repository:tag`, or `@digest`, or both."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Ref:
        """The reference that `text` is in the way Docker reads it. Raises `UsageError`."""
        rest, _, digest = text.partition("@")
        head, _, tag = rest.rpartition(":") if ":" in rest.rpartition("/")[2] else (rest, "", "")
        domain, slash, path = head.partition("/")
        if not slash or not ("." in domain or ":" in domain or domain == "localhost"):
            domain, path = DOCKER_HUB, head if slash else f"library/{head}"
        if domain in ("index.docker.io", "registry-1.docker.io"):
            domain = DOCKER_HUB
        named = _DOMAIN.fullmatch(domain) and _NAME.fullmatch(path) and len(path) <= 255
        versioned = (not tag or _TAG.fullmatch(tag)) and (not digest or _DIGEST.fullmatch(digest))
        if not named or not versioned or text.endswith((":", "@")):
            raise UsageError(
                f"{text!r} is no reference to an image. Write it like me/sales:1.0 or registry.example:5000/me/sales:1:"
                " lower case, and a digest as sha256: with 64 hexadecimal digits."
            )
        return cls(registry=domain, repository=path, tag=tag or ("" if digest else "latest"), digest=digest)

    def __str__(self) -> str:
        """As people write it: without docker.io and library/."""
        name = f"{self.registry}/{self.repository}"
        if self.registry == DOCKER_HUB:
            name = self.repository.removeprefix("library/")
        return name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def full(self) -> str:
        """With the registry always: `docker.io/library/python:3.12-slim`."""
        name = f"{self.registry}/{self.repository}"
        return name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def wanted(self) -> str:
        """What to ask the registry for: the digest if there is one, else the tag."""
        return self.digest or self.tag

    @property
    def local(self) -> bool:
        """True for a registry on this machine, where plain HTTP is fine."""
        return LOCAL.fullmatch(self.registry) is not None

    def at(self, digest: str) -> Ref:
        """The same with a digest."""
        return replace(self, digest=digest)
