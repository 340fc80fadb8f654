"""What the package indexes have: versions, since when, and wheels for which Pythons.

Only advice, which spares uv the tries that cannot succeed: where an index does not answer, nothing is known.
https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

from __future__ import annotations

import functools
import html
import os
import re
import subprocess
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, platform_tags
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from flaskship import indexes
from flaskship.artifact.isolation import environments
from flaskship.source.requirements.found import PYTHONS

PATIENCE = 15  # seconds for an index to answer
AT_ONCE = 8  # pages asked for
JSON = "application/vnd.pypi.simple.v1+json"


class _Silent(Exception):
    """An index that does not answer, or not as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    version: Version
    uploaded: str  # "2021-04-28T11:19:27Z", "" where the index does not say
    tags: frozenset[Tag] | None  # of a wheel; None is a source distribution

    @property
    def pure(self) -> bool:
        return self.tags is not None and any(each.platform == "any" for each in self.tags)

    def runs_on(self, python: str) -> bool:
        """A wheel for this machine's platform and that Python."""
        return any(each.platform in _platforms() and _speaks(each, python) for each in self.tags or ())


@dataclass(frozen=True, slots=True)
class Package:
    files: tuple[File, ...]

    def of(self, version: str) -> list[File]:
        try:
            wanted = Version(version)
        except InvalidVersion:
            return []
        return [each for each in self.files if each.version.public == wanted.public]

    def uploaded(self, version: str) -> str:
        """ISO date of a version's first file, "" where it is not known."""
        return min((each.uploaded[:10] for each in self.of(version) if each.uploaded), default="")

    def built(self, version: str) -> bool:
        """Whether a version is built from source: it is Python alone, or never had a wheel for this platform."""
        files = self.of(version)
        wheel = any(each.runs_on(python) for each in files for python in PYTHONS)
        compiled = any(each.tags is not None and not each.pure for each in self.files)
        return any(each.tags is None for each in files) and not wheel and not (compiled and self.by(""))

    def within(self, limits: SpecifierSet) -> str:
        """The newest version within `limits`, "" where that is its newest of all: they limit nothing."""
        there = [each.version for each in self.files if not each.version.is_prerelease]
        newest = max((each for each in there if each in limits), default=None)
        return str(newest) if newest and newest < max(there) else ""

    def newest(self, day: str = "") -> str:
        """The last version by that day, "" is today; "" where there is none."""
        there = (each for each in self.files if not each.version.is_prerelease)
        return str(max((each.version for each in there if not day or "" < each.uploaded[:10] <= day), default=""))

    def had(self, version: str, python: str) -> bool:
        return any(each.runs_on(python) for each in self.of(version)) or self.built(version)

    def by(self, day: str) -> bool:
        """Whether by that day ("" is today) there was a wheel of it for any Python that apps are served on."""
        there = (each for each in self.files if not day or "" < each.uploaded[:10] <= day)
        return any(each.runs_on(python) for each in there for python in PYTHONS)

    def since(self, python: str, day: str) -> str:
        """The first day after `day` on which a release had a wheel for `python`, "" where there was none."""
        there = (each for each in self.files if not each.version.is_prerelease and each.uploaded[:10] > day)
        return min((each.uploaded[:10] for each in there if each.runs_on(python)), default="")


def packages(names: Collection[str]) -> dict[str, Package]:
    """By name; without files where no index has it. Left out is what cannot be known, as an index does not answer."""
    places = _places()
    if not places or not names:
        return {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(_package, sorted(names)))
    return {name: each for name, each in zip(sorted(names), found, strict=True) if each is not None}


@functools.lru_cache(maxsize=512)
def _package(name: str) -> Package | None:
    try:
        return Package(tuple(file for place in _places() for file in _files(place, name)))
    except _Silent:
        return None


@functools.cache
def _places() -> tuple[str, ...]:
    """The indexes and folders of wheels that uv asks, as it says itself."""
    command = ["pip", "compile", "-", "--quiet", "--no-header", "--emit-index-url", "--emit-find-links"]
    try:
        done = environments.uv(command, "\n", PATIENCE)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ()
    return tuple(line.split(maxsplit=1)[1] for line in done.stdout.splitlines() if line.startswith("--"))


def _files(place: str, name: str) -> Iterator[File]:
    parts = urlsplit(place)
    if parts.scheme in ("http", "https"):
        yield from _page(f"{place.rstrip('/')}/{name}/", name)
        return
    folder = Path(unquote(parts.path) if parts.scheme == "file" else place)
    page = folder / name / "index.html"
    if page.is_file():
        yield from _links(page.read_text(encoding="utf-8", errors="replace"), name)
    elif folder.is_dir():
        yield from (file for each in folder.iterdir() if (file := _file(each.name, "", name)))


@functools.cache
def _session() -> requests.Session:
    session = requests.Session()
    session.verify = indexes.environment().get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE") or True
    session.headers["Accept"] = f"{JSON}, text/html;q=0.5"
    return session


def _page(url: str, name: str) -> Iterator[File]:
    try:
        answer = _session().get(url, timeout=PATIENCE)
        if answer.status_code == requests.codes.not_found:
            return
        answer.raise_for_status()
        if "json" not in answer.headers.get("Content-Type", ""):
            yield from _links(answer.text, name)
            return
        for each in answer.json()["files"]:
            if file := _file(each["filename"], each.get("upload-time") or "", name):
                yield file
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise _Silent from error


def _links(page: str, name: str) -> Iterator[File]:
    for attributes, title in re.findall(r"<a\s([^>]*)>([^<]*)</a>", page):
        uploaded = re.search(r'data-upload-time="([^"]*)"', attributes)
        file = _file(html.unescape(title).strip(), uploaded[1] if uploaded else "", name)
        if file:
            yield file


def _file(filename: str, uploaded: str, name: str) -> File | None:
    try:
        if filename.endswith(".whl"):
            found, version, _, tags = parse_wheel_filename(filename)
            return File(version=version, uploaded=uploaded, tags=tags) if found == name else None
        found, version = parse_sdist_filename(filename)
        return File(version=version, uploaded=uploaded, tags=None) if found == name else None
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None


@functools.cache
def _platforms() -> frozenset[str]:
    return frozenset([*platform_tags(), "any"])


def _speaks(tag: Tag, python: str) -> bool:
    short = python.replace(".", "")
    if tag.interpreter in ("py3", f"py{short}", f"cp{short}"):
        return True
    older = re.fullmatch(r"cp3(\d+)", tag.interpreter)
    return tag.abi == "abi3" and older is not None and int(older[1]) <= int(short[1:])
