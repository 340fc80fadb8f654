"""What was made or fetched before: an OCI layout in the user's cache, and what is known about its blobs.

    image/oci-layout, index.json, blobs/    the images that were built or pulled here, by name
    image/keys/<sha256 of a question>       the answer, as JSON

All in it may be deleted at any time; two builds at once share it, since every file is complete from its first moment.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from flaskship.errors import ImageError
from flaskship.image import spec
from flaskship.image.layout import Layout, beside
from flaskship.image.ref import Ref
from flaskship.image.spec import Image

FRESH = 3600  # seconds


class Store:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layout = Layout(folder)

    def recall(self, *question: object) -> Any:
        """The answer that was remembered, or None."""
        try:
            return json.loads(self._place(question).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def remember(self, answer: Any, *question: object) -> None:
        place = self._place(question)
        with beside(place) as (file, move):
            file.write(spec.canonical(answer))
            move(place)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the store's disk, for as long as it is needed."""
        folder = self.folder / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as path:
            yield Path(path)

    def save(self, image: Image, ref: Ref) -> None:
        self.layout.save(image, ref.full)
        for each in image.whole:
            if each.attached:
                self.remember([one.manifest.descriptor for one in each.attached], "attached", each.digest)

    def find(self, ref: Ref) -> Image | None:
        """The image of that name that was built or pulled here."""
        named = self.layout.named()
        found = named.get(ref.full)
        if found is None and ref.digest:
            found = next((each for each in named.values() if each["digest"] == ref.digest), None)
        return self._attached(self.layout.image(found)) if found else None

    def _attached(self, image: Image) -> Image:
        """The image with what was attached to it, and to its images, when it was made."""
        known = self.recall("attached", image.digest) or []
        attached = tuple(self.layout.image(each) for each in known if self.layout.has(each["digest"]))
        return replace(image, attached=attached, images=tuple(map(self._attached, image.images)))

    def get(self, ref: Ref) -> Image:
        """As `find`. Raises `ImageError` when there is none."""
        found = self.find(ref)
        if found is None:
            known = [str(Ref.parse(name)) for name in self.layout.named() if not name.startswith("sha256:")]
            there = f" There are: {', '.join(sorted(known)[:10])}." if known else ""
            raise ImageError(
                f"No image {str(ref)!r} was built or pulled here.{there} Build it: flaskship build TARGET -t {ref}"
            )
        return found

    def images(self) -> dict[str, Image]:
        """All that were built or pulled here, by their full names; without those that lack a part."""
        found = {}
        for name, descriptor in self.layout.named().items():
            with suppress(ImageError):
                found[name] = self._attached(self.layout.image(descriptor))
        return found

    def remove(self, names: Sequence[str]) -> int:
        """Forget images, and drop the parts that no other one needs. The bytes that are free now."""
        known = self.images()
        parts = {digest for name in names if name in known for digest in _digests(known[name])}
        for name in names:
            self.layout.remove(name)
        return self.drop([self.layout.place(each) for each in parts])

    def unneeded(self) -> list[Path]:
        """The parts of no image that is named, if they have lain here for an hour: a build may be making newer ones."""
        files = self.layout.place("sha256:").iterdir() if self.layout.place("sha256:").is_dir() else []
        needed = self._needed()
        return [each for each in files if each not in needed and each.stat().st_mtime < time.time() - FRESH]

    def drop(self, parts: Iterable[Path]) -> int:
        """Delete those of `parts` that no image needs. The bytes that are free now."""
        freed = 0
        with self.layout.locked():
            needed = self._needed()
            for each in parts:
                if each not in needed and each.is_file():
                    freed += each.stat().st_size
                    each.unlink()
        return freed

    def _needed(self) -> set[Path]:
        return {self.layout.place(digest) for image in self.images().values() for digest in _digests(image)}

    def _place(self, question: tuple[object, ...]) -> Path:
        return self.folder / "keys" / spec.sha256(spec.canonical([str(each) for each in question])).partition(":")[2]


def _digests(image: Image) -> set[str]:
    return {each.digest for each in image.blobs} | {each.digest for each in image.whole}
