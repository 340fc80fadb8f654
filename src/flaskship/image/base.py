"""The base of an image: from a registry, a root file system, a layout, an archive, or the local engine.

python:3.12-slim    a reference: the registry, or what was pulled or built here before
debian.tar          a root file system (also .tar.gz, .tar.xz), or an archive of an image
oci:DIR[:TAG]       an OCI layout; a directory with an oci-layout file is one too
engine:NAME         an image of the local Docker or Podman
auto                python:X.Y-slim where its registry answers, else Debian through mmdebstrap
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from flaskship.errors import BaseError, RegistryError
from flaskship.image import contents, debian, spec, tar
from flaskship.image.client import ATTEMPTS
from flaskship.image.contents import Contents
from flaskship.image.layer import Gzip, Layer, Progress, facts, known
from flaskship.image.layout import CHUNK, Layout
from flaskship.image.lock import Where
from flaskship.image.ref import Ref
from flaskship.image.registry import Registry
from flaskship.image.spec import Blob, Image, Platform
from flaskship.image.store import Store
from flaskship.plan import OLDEST

AUTO = "auto"
FORGOTTEN = 600  # seconds for which a registry that did not answer is not asked again, where there is another way
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    name: str  # as people say it
    pin: str = ""  # the reference with its digest, where it came from a registry
    digest: str  # of its manifest, or of a root file system
    platform: Platform
    layers: tuple[Layer, ...]
    config: Mapping[str, Any] = field(default_factory=dict)  # what a config calls "config": Env and the like
    contents: Contents

    @property
    def where(self) -> Where:
        return Where(platform=self.platform, python=self.contents.python, glibc=self.contents.glibc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Finds bases of one platform and fetches them into the store."""

    store: Store
    platform: Platform
    progress: Progress
    say: Callable[[str], None]
    insecure: bool = False
    saved: Callable[[str, Path], Path]  # archives an image of the local engine in a folder
    system: Sequence[str] = ()  # Debian packages that an assembled base gets
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"  # that is wanted where the base is left open
    oldest: tuple[int, ...] = OLDEST

    def find(self, name: str) -> Base:
        """The base called `name`. Raises `BaseError`, `RegistryError`, `UsageError` or `EngineError`."""
        if name == AUTO:
            return self._auto()
        kind, _, rest = name.partition(":")
        if kind == "engine":
            return self._archive(name, self.saved(rest, self.store.folder / "engine"))
        path = Path(rest if kind == "oci" else name)
        if kind == "oci" and not path.is_dir():
            path = Path(rest.rpartition(":")[0])
        if (path / "oci-layout").is_file():
            return self._layout(name, path, rest.removeprefix(str(path)).removeprefix(":"))
        if path.is_file():
            return self._archive(path.name, path) if self._is_archive(path) else self._root(path.name, path)
        if kind == "oci" or path.suffix == ".tar" or name.startswith((".", "/")):
            raise BaseError(f"No base {name!r}: there is no such file, nor an OCI layout in a directory of that name.")
        return self._reference(Ref.parse(name))

    def _auto(self) -> Base:
        wanted = f"python:{self.python}-slim"
        away = self.store.recall("away", wanted) or 0
        try:
            if debian.available() and time.time() - away < FORGOTTEN:
                raise RegistryError(f"The registry of {wanted} did not answer a while ago.")
            return self._reference(Ref.parse(wanted), attempts=1)
        except RegistryError as error:
            self.store.remember(time.time(), "away", wanted)
            if not debian.available():
                raise BaseError(
                    f"No base: {error.detail} Name one that can be had here (--base REF or FILE.tar), or install "
                    f"{debian.PROGRAM} (Debian: apt-get install {debian.PROGRAM}) and a Debian with Python is made."
                ) from error
        place = self.store.folder / f"debian-{self.platform.architecture}-{_short(self.system)}.tar"
        if not place.is_file():
            self.say(f"The registry of {wanted} does not answer: assembling Debian with Python")
            debian.assemble(place, self.platform, self.system)
        return self._root("debian", place)

    def _reference(self, ref: Ref, attempts: int = ATTEMPTS) -> Base:
        question = ("base", ref.full, self.platform)
        answer = self.store.recall(*question) if ref.digest else None
        if answer and self.store.layout.has(answer["digest"]):
            found = self.store.layout.image(answer)
        else:
            try:
                source = Registry.of(ref, insecure=self.insecure)
                source.client.attempts = attempts
                found = source.find(ref)
            except RegistryError:
                here = self.store.find(ref)
                if here is None:
                    raise
                found = here
            ref = ref.at(ref.digest or found.digest)
            found = self._fitting(found, str(ref))
            assert found.config is not None
            self.store.layout.put(found.manifest)
            self.store.layout.put(found.config)
            self.store.remember(found.manifest.descriptor, "base", ref.full, self.platform)
        return self._image(str(ref), found, pin=ref.full)

    def _layout(self, name: str, path: Path, tag: str) -> Base:
        named = Layout(path).named()
        if tag and tag not in named:
            raise BaseError(f"No image {tag!r} in the layout {str(path)!r}. There are: {', '.join(sorted(named))}.")
        if not tag and len(named) != 1:
            raise BaseError(f"{str(path)!r} holds {len(named)} images. Say which: oci:{path}:TAG")
        found = Layout(path).image(named[tag] if tag else next(iter(named.values())))
        return self._image(path.name, self._fitting(found, name))

    def _archive(self, name: str, path: Path) -> Base:
        """An archive of `docker save`: config and layers as files, by names that say nothing."""
        with tarfile.open(path) as members:
            listed = json.loads(_member(members, "manifest.json"))[0]
            config = Blob.of(_member(members, listed["Config"]), spec.CONFIG)
        layers = tuple(self._squeezed(path, each) for each in listed["Layers"])
        settings = json.loads(config.read())
        self._check(name, settings)
        return self._base(name, config.digest, layers, settings)

    def _root(self, name: str, path: Path) -> Base:
        layer = self._squeezed(path, "")
        settings = {"config": {"Env": [PATH]}, **self.platform.fields}
        return self._base(name, layer.diff_id, (layer,), settings)

    def _image(self, name: str, image: Image, pin: str = "") -> Base:
        settings = image.settings()
        self._check(name, settings)
        kept = []
        for blob in image.layers:
            moved = self.progress.start(f"base {blob.digest[7:19]}", blob.size)
            here = self.store.layout.put(blob, moved)
            kind = spec.OCI_LAYERS.get(here.media_type, here.media_type)
            kept.append(Blob(digest=here.digest, size=here.size, open=here.open, media_type=kind, origin=blob.origin))
        diff_ids = settings["rootfs"]["diff_ids"]
        layers = [
            Layer(blob=each, diff_id=tar_digest, title="base") for each, tar_digest in zip(kept, diff_ids, strict=True)
        ]
        return self._base(name, image.digest, tuple(layers), settings, pin)

    def _base(
        self, name: str, digest: str, layers: tuple[Layer, ...], settings: Mapping[str, Any], pin: str = ""
    ) -> Base:
        found = contents.look([each.blob for each in layers], self.store)
        contents.need(found, name, self.oldest)
        if found.architecture and found.architecture != self.platform.architecture:
            raise BaseError(f"The base {name!r} is for {found.architecture}, not for {self.platform}.")
        return Base(
            name=name, pin=pin, digest=digest, platform=self.platform, layers=layers,
            config=settings.get("config") or {}, contents=found,
        )  # fmt: skip

    def _fitting(self, image: Image, name: str) -> Image:
        """The image of this platform, of an index."""
        if not image.images:
            return image
        for each in image.images:
            if self.platform.fits(each.settings()):
                return each
        there = ", ".join(sorted({str(_platform(each.settings())) for each in image.images}))
        raise BaseError(f"The base {name!r} is not there for {self.platform}, only for {there}.")

    def _check(self, name: str, settings: Mapping[str, Any]) -> None:
        if not self.platform.fits(settings):
            raise BaseError(f"The base {name!r} is for {_platform(settings)}, not for {self.platform}.")

    def _is_archive(self, path: Path) -> bool:
        """As `_holds_image`, which goes through the whole tar; one that was a root before is one now."""
        return self.store.recall(*_squeezing(path, "")) is None and _holds_image(path)

    def _squeezed(self, path: Path, member: str) -> Layer:
        """A tar, or a tar in a tar, compressed into the store; known again by the file's place, size and time."""
        question = _squeezing(path, member)
        answer = self.store.recall(*question)
        if answer and self.store.layout.has(answer["digest"]):
            return known(self.store, answer)
        start = time.perf_counter()
        moved = self.progress.start("base", path.stat().st_size)
        with self.store.layout.writing(spec.LAYER_GZIP) as writer:
            squeeze = Gzip(writer, moved)
            try:
                _copy(path, member, squeeze)
                diff_id = squeeze.close()
            finally:
                squeeze.abandon()
        seconds = time.perf_counter() - start
        made = Layer(blob=writer.blob, diff_id=diff_id, title="base", made=True, seconds=seconds)
        self.store.remember(facts(made), *question)
        return made


def _squeezing(path: Path, member: str) -> tuple[object, ...]:
    """The question to the store."""
    about = path.stat()
    return "squeezed", path.resolve(), about.st_size, about.st_mtime_ns, member


def _platform(settings: Mapping[str, Any]) -> Platform:
    return Platform(
        architecture=settings.get("architecture", "unknown"), variant=settings.get("variant") or "",
        os=settings.get("os", "linux"),
    )  # fmt: skip


def _short(words: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(sorted(words)).encode()).hexdigest()[:8]


def _holds_image(path: Path) -> bool:
    """True for an archive of `docker save`, False for a root file system. Raises `BaseError` for what is no tar."""
    try:
        with tarfile.open(path) as members:
            return any(each.name in ("manifest.json", "./manifest.json") for each in members)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BaseError(f"The base {str(path)!r} cannot be read as a tar: {str(error).partition(':')[0]}.") from error


def _member(members: tarfile.TarFile, name: str) -> bytes:
    try:
        file = members.extractfile(name)
    except KeyError as error:
        raise BaseError(f"{str(members.name)!r} is no archive of an image: it lacks {name!r}.") from error
    return file.read() if file else b""


OPENERS: Mapping[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open
}  # fmt: skip


def _copy(path: Path, member: str, out: tar.Sink) -> None:
    """Write a tar, or the tar that is a member of one, to `out`, no longer compressed."""
    if member:
        with tarfile.open(path) as members:
            file = members.extractfile(member)
            assert file is not None
            _pour(file, out)  # type: ignore[arg-type]  # the IO[bytes] of tarfile is one
    else:
        with path.open("rb") as file:
            _pour(file, out)


def _pour(file: BinaryIO, out: tar.Sink) -> None:
    head = file.read(6)
    file.seek(0)
    opener = next((each for magic, each in OPENERS.items() if head.startswith(magic)), None)
    source = opener(file) if opener else file
    while data := source.read(CHUNK):
        out.write(data)
