"""OCI layouts: a directory (or a tar of one) with images by name and blobs by digest.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from flaskship.errors import DigestMismatch, ImageError
from flaskship.image import spec, tar
from flaskship.image.ref import Ref
from flaskship.image.spec import Blob, Image, Platform

MARK = spec.canonical({"imageLayoutVersion": "1.0.0"})
CHUNK = 1 << 20
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EFBIG, errno.EIO)
CONTAINERD_NAME = "io.containerd.image.name"  # what `docker load` of the containerd store calls it
Fetch = Callable[[str, int, str], Blob]  # digest, size, media type


class Writer:
    """Takes bytes; `blob` is what they have become once all is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0
        self.blob: Blob

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class Layout:
    """The OCI layout at `path`. Every file in it is complete: written beside, then moved."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def place(self, digest: str) -> Path:
        return self.path / "blobs" / digest.replace(":", "/")

    def has(self, digest: str) -> bool:
        return self.place(digest).is_file()

    def blob(self, digest: str, size: int, media_type: str) -> Blob:
        place = self.place(digest)
        return Blob(digest=digest, size=size, open=lambda: _opened(place), media_type=media_type)

    @contextmanager
    def writing(self, media_type: str) -> Iterator[Writer]:
        """Write a new blob; nothing is there unless all went well. Raises `ImageError` when the disk is full."""
        folder = self.place("sha256:")
        with beside(folder / "new") as (file, move):
            writer = Writer(file)
            yield writer
            move(self.place(writer.digest))
        writer.blob = self.blob(writer.digest, writer.size, media_type)

    def put(self, blob: Blob, moved: Callable[[int], None] = lambda count: None) -> Blob:
        """The blob, now here. Raises `DigestMismatch` when its bytes are others than its digest says."""
        if not self.has(blob.digest):
            with beside(self.place(blob.digest)) as (file, move), blob.open() as source:
                writer = Writer(file)
                while data := source.read(CHUNK):
                    writer.write(data)
                    moved(len(data))
                if writer.digest != blob.digest:
                    raise DigestMismatch(
                        f"{writer.size:,} bytes came for {blob.digest}, but they are {writer.digest}. "
                        "Something between here and there changed them: try again, or ask who runs the registry."
                    )
                move(self.place(blob.digest))
        return replace(self.blob(blob.digest, blob.size, blob.media_type), origin=blob.origin)

    def named(self) -> dict[str, dict[str, Any]]:
        """Descriptors by name (by digest where there is no name)."""
        try:
            found = json.loads((self.path / "index.json").read_bytes())["manifests"]
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, OSError) as error:
            raise ImageError(
                f"{str(self.path)!r} is no OCI layout: its index.json cannot be read ({error})."
            ) from error
        return {(each.get("annotations") or {}).get(spec.REF_NAME) or each["digest"]: each for each in found}

    def image(self, descriptor: Mapping[str, Any]) -> Image:
        """The image of a descriptor, down to its blobs."""
        return resolve(descriptor, lambda digest, size, kind: self.blob(digest, size, kind))

    def save(self, image: Image, name: str, moved: Callable[[int], None] = lambda count: None) -> None:
        """Put an image here, with all that it names, under `name`."""
        with self.locked():  # against who removes blobs that no image needs
            for blob in (*image.blobs, *(each.manifest for each in image.whole)):
                self.put(blob, moved)
            entries = {key: each for key, each in self.named().items() if key != name}
            entries[name] = image.manifest.descriptor | {"annotations": {spec.REF_NAME: name}}
            self._rewrite(entries)

    def remove(self, name: str) -> bool:
        with self.locked():
            entries = self.named()
            found = entries.pop(name, None)
            self._rewrite(entries)
        return found is not None

    def _rewrite(self, entries: Mapping[str, Any]) -> None:
        for name, content in (("oci-layout", MARK), ("index.json", index_json(list(entries.values())))):
            with beside(self.path / name) as (file, move):
                file.write(content)
                move(self.path / name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def publish(self, image: Image, ref: Ref) -> str:
        """Save under the tag, as `skopeo copy … oci:DIR:TAG` does."""
        self.save(image, ref.tag or str(ref))
        return f"{ref}@{image.digest}"


class Archive:
    """A tar that `docker load`, `podman load` and skopeo (`oci-archive:`, `docker-archive:`) read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def publish(self, image: Image, ref: Ref) -> str:
        with beside(self.path) as (file, move):
            tar.write(archived(image, ref), file)
            move(self.path)
        return f"{ref}@{image.digest}"


def archived(image: Image, ref: Ref, lacking: frozenset[str] = frozenset()) -> Iterator[tar.Entry]:
    """The members of an archive; without the blobs in `lacking`, which the reader has."""
    names = {spec.REF_NAME: ref.tag or "latest", CONTAINERD_NAME: ref.full}
    descriptors = [image.manifest.descriptor | {"annotations": names}]
    yield tar.Entry(name="oci-layout", source=MARK)
    yield tar.Entry(name="index.json", source=index_json(descriptors))
    here = Platform.here()
    loaded = (
        image if image.config else next((each for each in image.images if here.fits(each.settings())), image.images[0])
    )
    assert loaded.config is not None
    member = {
        "Config": _member(loaded.config),
        "RepoTags": [str(replace(ref, digest="", tag=ref.tag or "latest"))],
        "Layers": [_member(layer) for layer in loaded.layers],
    }
    yield tar.Entry(name="manifest.json", source=spec.canonical([member]))
    for blob in {each.digest: each for each in (*image.blobs, *(one.manifest for one in image.whole))}.values():
        if blob.digest not in lacking:
            yield tar.Entry(name=_member(blob), source=blob)


def _member(blob: Blob) -> str:
    return f"blobs/{blob.digest.replace(':', '/')}"


def index_json(descriptors: Sequence[Mapping[str, Any]]) -> bytes:
    return spec.canonical({"schemaVersion": 2, "mediaType": spec.INDEX, "manifests": descriptors})


def resolve(descriptor: Mapping[str, Any], fetch: Fetch) -> Image:
    """The image that a descriptor names, its manifests read through `fetch`, its blobs not yet opened."""
    blob = fetch(descriptor["digest"], descriptor["size"], descriptor["mediaType"])
    content = blob.read()
    if spec.sha256(content) != blob.digest:
        raise DigestMismatch(f"The manifest {blob.digest} holds other bytes than that: {spec.sha256(content)}.")
    found = json.loads(content)
    notes = found.get("annotations") or {}
    manifest = Blob.of(content, found.get("mediaType") or blob.media_type)
    if manifest.media_type in spec.INDEXES:
        each = [one for one in found["manifests"] if (one.get("platform") or {}).get("os") != "unknown"]
        return Image(manifest=manifest, images=tuple(resolve(one, fetch) for one in each), annotations=notes)
    if manifest.media_type not in spec.MANIFESTS:
        raise ImageError(f"{blob.digest} is a {manifest.media_type}, which is no image.")
    parts = [fetch(one["digest"], one["size"], one["mediaType"]) for one in (found["config"], *found["layers"])]
    return Image(manifest=manifest, config=parts[0], layers=tuple(parts[1:]), annotations=notes)


def _opened(place: Path) -> BinaryIO:
    try:
        return place.open("rb")
    except FileNotFoundError as error:
        raise ImageError(f"The layout lacks sha256:{place.name}. Build or pull the image again.") from error


@contextmanager
def beside(path: Path) -> Iterator[tuple[BinaryIO, Callable[[Path], None]]]:
    """A new file in the folder of `path`, and what moves it to its place; gone unless it was moved.

    Raises `ImageError` for a full disk and for a folder that cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
            draft = Path(file.name)

            def move(place: Path) -> None:
                file.flush()
                draft.chmod(0o644)
                draft.replace(place)

            try:
                yield file, move  # type: ignore[misc]  # the wrapper of a temporary file is a BinaryIO
            finally:
                draft.unlink(missing_ok=True)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise ImageError(f"Cannot write to {str(path.parent)!r}: {os.strerror(error.errno)}.") from error
