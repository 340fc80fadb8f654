"""A model's image as something that runs: the one table from which nginx, Compose, Swarm and Kubernetes are written."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flaskship import variables
from flaskship.errors import UsageError
from flaskship.plan import BAKED, PAGE_PORT, SECRETS, TARGET, written
from flaskship.settings import Duration, Settings, Size, variable
from flaskship.target import Kind

REPLICAS = 2
NGINX = "nginx:stable-alpine"
LONGEST = 63  # characters of a name in DNS


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
    gpu: bool = False  # with an NVIDIA GPU
    max_body: Size = Settings().max_body
    timeout: Duration = Settings().timeout
    grace: Duration = Settings().grace
    drain: Duration = Settings().drain
    keep_alive: Duration = Settings().keep_alive
    rate_limit: int = 0  # requests a second from one client; 0 is no limit
    tls: TLS | None = None
    nginx: str = NGINX
    env: Mapping[str, str] = field(default_factory=dict)  # of the container, beyond the image's own
    api_key: str = ""  # written as a secret where the engine has such, never into an image
    secrets: Mapping[str, str] = field(default_factory=dict)  # further variables, likewise
    kind: Kind = Kind.MODEL
    page_port: int = 0  # that an app's own pages call at localhost; 0 where none is

    @property
    def writable(self) -> bool:
        """Whether it may write to its image's own files: an app keeps logs, uploads and databases beside its code."""
        return self.kind is Kind.APP

    @property
    def scratch(self) -> bool:
        """Whether it wants a place for files that nobody keeps: uploads that a function reads as files."""
        return self.kind in (Kind.FUNCTION, Kind.CHECKPOINT)

    @classmethod
    def of(
        cls,
        image: str,
        config: Mapping[str, Any],
        settings: Settings,
        *,
        given: Collection[str] = (),
        published: int = 80,
        valued: bool = True,
    ) -> Service:
        """The service of the image called `image`, whose config is `{"Env": […], "Labels": {…}}`.

        What was baked into the image holds, unless `settings` differ from the default or `given` names them: those go
        into the container's environment. Its secrets have values only where they are to be `valued`. Raises
        `UsageError` for an image that is none of Flaskship's, for half of a certificate, and for an --env or a secret
        without a value.
        """
        labels = config.get("Labels") or {}
        if "io.flaskship.version" not in labels:
            raise UsageError(f"{image!r} was not made by Flaskship: it lacks the labels. Build it: flaskship build")
        more, secrets = _variables(settings, (labels.get(SECRETS) or "").split(), valued)
        baked = Settings.load(None, {**dict(each.partition("=")[::2] for each in config.get("Env") or []), **more}, {})
        asked = {
            row.name
            for row in dataclasses.fields(Settings)
            if row.name in given or getattr(settings, row.name) != row.default
        }
        held = dataclasses.replace(baked, **{name: getattr(settings, name) for name in BAKED if name in asked})
        return cls(
            name=slug(settings.name or labels.get("io.flaskship.name", "")),
            image=image,
            version=labels.get("org.opencontainers.image.version", ""),
            port=baked.port,
            published=published,
            replicas=settings.replicas or REPLICAS,
            rate_limit=settings.rate_limit,
            tls=_tls(settings),
            nginx=NGINX if settings.nginx == "auto" else settings.nginx,
            env={variable(name): written(getattr(settings, name)) for name in BAKED if name in asked} | more,
            api_key=settings.api_key,
            secrets=secrets,
            kind=Kind(labels.get(TARGET, Kind.MODEL)),
            page_port=int(labels.get(PAGE_PORT) or 0),
            **{name: getattr(settings, name) for name in ("memory", "cpus", "gpu")},
            **{name: getattr(held, name) for name in HELD},
        )


HELD = ("max_body", "timeout", "grace", "drain", "keep_alive")  # that nginx or an orchestrator must know too


def slug(name: str) -> str:
    """`Online sales_2` as `online-sales-2`: what DNS, Docker and Kubernetes take, beginning with a letter."""
    found = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return (found if found[:1].isalpha() else f"model-{found}")[:LONGEST].strip("-")


def _variables(settings: Settings, named: Collection[str], valued: bool) -> tuple[dict[str, str], dict[str, str]]:
    """What is set in the container, and its secrets, those too that an image has `named`."""
    names = sorted({*settings.secret, *named})
    without = settings if valued else dataclasses.replace(settings, secret=())
    found = variables.given(without, names if valued else ())
    secrets = {name: found.pop(name, "") for name in names}
    return found, secrets


def _tls(settings: Settings) -> TLS | None:
    if settings.tls_cert is None and settings.tls_key is None:
        return None
    if settings.tls_cert is None or settings.tls_key is None:
        missing = "tls_cert" if settings.tls_cert is None else "tls_key"
        raise UsageError(f"HTTPS needs a certificate and its key: {missing!r} is missing.")
    return TLS(certificate=settings.tls_cert, key=settings.tls_key)
