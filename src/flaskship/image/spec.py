"""The OCI image specification, as far as it is used: media types, descriptors, manifests, platforms.

https://github.com/opencontainers/image-spec
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from flaskship.errors import UsageError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = f"{LAYER}+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = (MANIFEST, DOCKER_MANIFEST)
INDEXES = (INDEX, DOCKER_INDEX)
OCI_LAYERS = {  # a base's layers keep their bytes and get the name of the same kind in the OCI's terms
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
}
REF_NAME = "org.opencontainers.image.ref.name"
EPOCH = "1970-01-01T00:00:00Z"  # equal input, equal bytes: no clock in an image
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "AMD64": "amd64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes known by digest; opened only if someone lacks them."""

    digest: str
    size: int  # bytes
    open: Callable[[], BinaryIO]
    media_type: str = LAYER_GZIP
    origin: str = ""  # "registry/repository" that has it, for a mount

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Blob:
        return cls(digest=sha256(content), size=len(content), open=lambda: io.BytesIO(content), media_type=media_type)

    def read(self) -> bytes:
        with self.open() as file:
            return file.read()

    @property
    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """`linux/amd64`, `linux/arm64`, `linux/arm/v7`."""

    architecture: str
    variant: str = ""
    os: str = "linux"

    @classmethod
    def parse(cls, text: str) -> Platform:
        parts = text.strip().split("/")
        if len(parts) not in (2, 3) or parts[0] != "linux" or not all(parts):
            raise UsageError(f"{text!r} is no platform for an image. Write it like linux/amd64 or linux/arm64.")
        return cls(architecture=parts[1], variant=parts[2] if len(parts) == 3 else "")

    @classmethod
    def here(cls) -> Platform:
        machine = platform.machine()
        return cls(architecture=ARCHITECTURES.get(machine, machine))

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    @property
    def fields(self) -> dict[str, str]:
        return {"architecture": self.architecture, "os": self.os} | ({"variant": self.variant} if self.variant else {})

    def fits(self, fields: Mapping[str, Any]) -> bool:
        """True where an index's or a config's fields are of this platform; arm64's v8 goes without saying."""
        variant = fields.get("variant") or ""
        if self.architecture == "arm64" and variant == "v8":
            variant = ""
        return (fields.get("os"), fields.get("architecture"), variant) == (self.os, self.architecture, self.variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A manifest and what it names: config and layers of one platform, or the images of an index."""

    manifest: Blob
    config: Blob | None = None
    layers: tuple[Blob, ...] = ()
    images: tuple[Image, ...] = ()
    attached: tuple[Image, ...] = ()  # whose subject this one is
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return self.manifest.digest

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Config and layers, each once, of all platforms and of what is attached."""
        own = [*([self.config] if self.config else []), *self.layers]
        for other in (*self.images, *self.attached):
            own.extend(other.blobs)
        return tuple({blob.digest: blob for blob in own}.values())

    @property
    def whole(self) -> Iterator[Image]:
        """The manifests in the order in which a registry takes them: what is named comes before what names it."""
        for each in self.images:
            yield from each.whole
        yield self
        for each in self.attached:
            yield from each.whole

    def settings(self) -> dict[str, Any]:
        """The config as JSON has it; of an index, that of its first image."""
        if self.config is None:
            return self.images[0].settings()
        found: dict[str, Any] = json.loads(self.config.read())
        return found

    @property
    def labels(self) -> dict[str, str]:
        found: dict[str, str] = (self.settings().get("config") or {}).get("Labels") or {}
        return found


def image(config: Blob, layers: tuple[Blob, ...], annotations: Mapping[str, str], **more: Any) -> Image:
    """An image of one platform; `more` are further keys of the manifest, such as `subject`."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor,
        "layers": [layer.descriptor for layer in layers],
        "annotations": dict(sorted(annotations.items())),
        **more,
    }
    return Image(manifest=Blob.of(canonical(manifest), MANIFEST), config=config, layers=layers, annotations=annotations)


def index(images: Mapping[Platform, Image], annotations: Mapping[str, str]) -> Image:
    """Images of several platforms under one name."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [each.manifest.descriptor | {"platform": key.fields} for key, each in images.items()],
        "annotations": dict(sorted(annotations.items())),
    }
    return Image(manifest=Blob.of(canonical(manifest), INDEX), images=tuple(images.values()), annotations=annotations)


def attachment(subject: Image, content: bytes, media_type: str) -> Image:
    """A manifest that says: this document is about `subject` (OCI 1.1, "referrers")."""
    document = Blob.of(content, media_type)
    return image(Blob.of(b"{}", EMPTY), (document,), {}, artifactType=media_type, subject=subject.manifest.descriptor)


def canonical(value: Any) -> bytes:
    """JSON with one spelling."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
