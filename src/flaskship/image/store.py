"""What was made or fetched before: an OCI layout in the user's cache, and what is known about its blobs.

    image/oci-layout, index.json, blobs/    the images that were built or pulled here, by name
    image/keys/<sha256 of a question>       the answer, as JSON

All in it may be deleted at any time; two builds at once share it, since every file is complete from its first moment.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from flaskship.errors import ImageError
from flaskship.image import spec
from flaskship.image.layout import Layout, beside
from flaskship.image.ref import Ref
from flaskship.image.spec import Image


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

    def _place(self, question: tuple[object, ...]) -> Path:
        return self.folder / "keys" / spec.sha256(spec.canonical([str(each) for each in question])).partition(":")[2]
