"""Push to and pull from a registry: what it has is not sent, what broke off goes on where it was.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from typing import BinaryIO
from urllib.parse import urlencode

import requests

from flaskship.errors import DigestMismatch, LoginRefused, RegistryError
from flaskship.image import layout, spec
from flaskship.image.client import ATTEMPTS, BROKEN, Client
from flaskship.image.layer import Moved, Progress, Silent
from flaskship.image.ref import Ref
from flaskship.image.spec import Blob, Image

AT_ONCE = 4  # transfers
ACCEPT = ", ".join((*spec.INDEXES, *spec.MANIFESTS))
LARGEST_MANIFEST = 4 << 20  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a push did with one blob."""

    digest: str
    how: str  # "there", "mounted", "sent"
    size: int  # bytes that went over the wire


@dataclass(slots=True)
class Registry:
    """A registry as an image target, and as a place to take images from."""

    client: Client
    progress: Progress = field(default_factory=Silent)
    sent: list[Sent] = field(default_factory=list)

    @classmethod
    def of(cls, ref: Ref, *, insecure: bool = False, progress: Progress | None = None) -> Registry:
        """Plain HTTP only for this machine, or when asked."""
        return cls(Client(ref.registry, plain=ref.local or insecure), progress or Silent())

    def find(self, ref: Ref) -> Image:
        """The image at `ref`: its manifests now, its blobs when they are opened."""
        content, kind = self._manifest(ref, ref.wanted)
        digest = spec.sha256(content)
        if ref.digest and digest != ref.digest:
            raise DigestMismatch(f"{ref.registry!r} answers {digest} for {ref.digest}. Do not use it.")

        def fetch(wanted: str, size: int, media_type: str) -> Blob:
            if wanted == digest:
                return Blob.of(content, kind)
            if media_type in (*spec.MANIFESTS, *spec.INDEXES):
                return Blob.of(self._manifest(ref, wanted)[0], media_type)
            return self._blob(ref, wanted, size, media_type)

        return layout.resolve({"digest": digest, "size": len(content), "mediaType": kind}, fetch)

    def publish(self, image: Image, ref: Ref) -> str:
        """Send what the registry lacks, several blobs at once, then the manifests."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = [pool.submit(self._upload, ref, blob) for blob in image.blobs]
            done, waiting = wait(jobs, return_when=FIRST_EXCEPTION)
            if failed := next((each for each in done if each.exception()), None):
                self.client.stop()
                for each in waiting:
                    each.cancel()
                failed.result()
        for part in image.whole:
            named = part is image and ref.tag
            self._send_manifest(ref, part, ref.tag if named else part.digest)
        return f"{replace(ref, digest='')}@{image.digest}"

    def check(self) -> None:
        """Raises `LoginRefused` where the registry does not take the credentials."""
        self.client.send("GET", "", attempts=2)

    def _manifest(self, ref: Ref, wanted: str) -> tuple[bytes, str]:
        try:
            path = f"{ref.repository}/manifests/{wanted}"
            response = self.client.send("GET", path, _scope(ref), headers={"Accept": ACCEPT}, expected=(200, 404))
        except RegistryError as error:
            raise type(error)(f"Cannot read {str(ref)!r}: {error.detail}") from error
        if response.status_code == 404:
            raise RegistryError(f"No image {str(ref)!r} in its registry. Is the name right, and was it pushed?")
        if len(response.content) > LARGEST_MANIFEST:
            raise RegistryError(f"The manifest of {str(ref)!r} is over {LARGEST_MANIFEST >> 20} MiB: that is none.")
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        return response.content, kind if kind in ACCEPT else json.loads(response.content).get("mediaType", kind)

    def _blob(self, ref: Ref, digest: str, size: int, media_type: str) -> Blob:
        def opened() -> BinaryIO:
            return io.BufferedReader(Download(partial(self._ranged, ref, digest), size))

        origin = f"{ref.registry}/{ref.repository}"
        return Blob(digest=digest, size=size, open=opened, media_type=media_type, origin=origin)

    def _ranged(self, ref: Ref, digest: str, offset: int) -> requests.Response:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        path = f"{ref.repository}/blobs/{digest}"
        return self.client.send(
            "GET", path, _scope(ref), headers=headers, expected=(206,) if offset else (200,), stream=True
        )

    def _upload(self, ref: Ref, blob: Blob) -> None:
        scope = _scope(ref, "pull,push")
        found = self.client.send("HEAD", f"{ref.repository}/blobs/{blob.digest}", scope, expected=(200, 404))
        if found.status_code == 200:
            self.sent.append(Sent(digest=blob.digest, how="there", size=0))
            return
        location = self._begin(ref, blob, scope)
        if not location:
            self.sent.append(Sent(digest=blob.digest, how="mounted", size=0))
            return
        moved = self.progress.start(blob.digest[7:19], blob.size)
        self._send_blob(ref, blob, location, scope, moved)
        self.sent.append(Sent(digest=blob.digest, how="sent", size=blob.size))

    def _begin(self, ref: Ref, blob: Blob, scope: str) -> str:
        """Where to send a blob; "" when the registry took it from another repository of its own."""
        registry, _, repository = blob.origin.partition("/")
        if registry == ref.registry and repository != ref.repository:
            asked = urlencode({"mount": blob.digest, "from": repository})
            both = f"{scope} repository:{repository}:pull"
            path = f"{ref.repository}/blobs/uploads/?{asked}"
            answer = self.client.send("POST", path, both, expected=(201, 202, 401, 403, 404, 405))
            if answer.status_code == 201:
                return ""
            if answer.status_code == 202:
                return answer.headers["Location"]
        return self.client.send("POST", f"{ref.repository}/blobs/uploads/", scope, expected=(202,)).headers["Location"]

    def _send_blob(self, ref: Ref, blob: Blob, location: str, scope: str, moved: Moved) -> None:
        """All of a blob in one stream; when it breaks, from where the registry says it is."""
        offset = 0
        for attempt in range(1, ATTEMPTS + 1):
            headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{offset}-{blob.size - 1}"}
            body = partial(Upload, blob, offset, moved)
            try:
                answer = self.client.send(
                    "PATCH", location, scope, headers=headers, body=body, attempts=1, expected=(202, 204)
                )
                location = answer.headers.get("Location", location)
                break
            except LoginRefused:
                raise
            except RegistryError:
                if attempt == ATTEMPTS:
                    raise
            self.client.wait(attempt)
            state = self.client.send("GET", location, scope, expected=(204, 404))
            if state.status_code == 404:
                location, offset = self._begin(ref, replace(blob, origin=""), scope), 0
            else:
                offset = int(state.headers.get("Range", "0--1").rpartition("-")[2]) + 1
                offset = 0 if offset == 1 else offset  # "0-0" also stands for nothing
                location = state.headers.get("Location", location)
            if offset >= blob.size:
                break
        joint = "&" if "?" in location else "?"
        self.client.send("PUT", f"{location}{joint}{urlencode({'digest': blob.digest})}", scope, expected=(201, 204))

    def _send_manifest(self, ref: Ref, image: Image, name: str) -> None:
        scope = _scope(ref, "pull,push")
        headers = {"Content-Type": image.manifest.media_type}
        path, content = f"{ref.repository}/manifests/{name}", image.manifest.read()
        answer = self.client.send("PUT", path, scope, headers=headers, body=content, expected=(200, 201, 202))
        subject = json.loads(content).get("subject")
        if subject and "OCI-Subject" not in answer.headers:
            self._refer(ref, subject["digest"], image)

    def _refer(self, ref: Ref, subject: str, image: Image) -> None:
        """For a registry without the referrers API: the index under the subject's digest as a tag."""
        tag = subject.replace(":", "-")
        path, scope = f"{ref.repository}/manifests/{tag}", _scope(ref, "pull,push")
        found = self.client.send("GET", path, scope, headers={"Accept": spec.INDEX}, expected=(200, 404))
        listed = json.loads(found.content)["manifests"] if found.status_code == 200 else []
        kind = json.loads(image.manifest.read()).get("artifactType", "")
        listed = [each for each in listed if each["digest"] != image.digest and each.get("artifactType") != kind]
        listed.append(image.manifest.descriptor | {"artifactType": kind})
        self.client.send(
            "PUT",
            path,
            scope,
            headers={"Content-Type": spec.INDEX},
            body=layout.index_json(listed),
            expected=(200, 201, 202),
        )


def _scope(ref: Ref, actions: str = "pull") -> str:
    return f"repository:{ref.repository}:{actions}"


class Upload:
    """The bytes of a blob from an offset on, counted as they go."""

    def __init__(self, blob: Blob, offset: int, moved: Moved) -> None:
        self._file, self._left, self._moved = blob.open(), blob.size - offset, moved
        skip = offset
        while skip and (data := self._file.read(min(skip, layout.CHUNK))):
            skip -= len(data)

    def __len__(self) -> int:
        return self._left

    def read(self, count: int = -1) -> bytes:
        data = self._file.read(self._left if count < 0 else min(count, self._left))
        self._left -= len(data)
        self._moved(len(data))
        if not data:
            self._file.close()
        return data


class Download(io.RawIOBase):
    """The bytes of a blob; when the connection breaks, the rest over another one."""

    def __init__(self, ask: Callable[[int], requests.Response], size: int) -> None:
        self._ask, self._size, self._at, self._attempts = ask, size, 0, ATTEMPTS
        self._response = ask(0)
        self._chunks = self._response.iter_content(layout.CHUNK)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # Buffer is 3.12's
        while not self._rest and self._at < self._size:
            try:
                self._rest = next(self._chunks, b"")
            except BROKEN as error:
                self._again(error)
                continue
            if not self._rest:
                self._again(None)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        self._at += count
        return count

    def _again(self, error: Exception | None) -> None:
        self._attempts -= 1
        if not self._attempts:
            raise RegistryError(f"The connection broke {ATTEMPTS} times at byte {self._at:,}. Try again.") from error
        self._response.close()
        self._response = self._ask(self._at)
        self._chunks = self._response.iter_content(layout.CHUNK)

    def close(self) -> None:
        if not self.closed:
            self._response.close()
        super().close()
