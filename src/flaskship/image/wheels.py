"""Wheels as layers: laid out by uv from its cache, made equal on every machine, each heavy one a layer of its own.

They go into a virtual environment at /opt/flaskship. What uv writes of this machine is put right: the scripts' first
line, RECORD, uv's own notes. Byte code is of the kind that is found by hash, not by time.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from email.parser import HeaderParser
from fnmatch import fnmatch
from pathlib import Path

from flaskship import plan
from flaskship.image import tar
from flaskship.image.layer import FORMAT, Layer, Progress, facts, known, layer
from flaskship.image.lock import TORCH, Lock, Where, interpreter, run, run_torch
from flaskship.image.store import Store

PREFIX = plan.PREFIX.lstrip("/")  # the virtual environment, from the root
HEAVY = 4 * 10**6  # bytes, unpacked: a wheel over that is a layer of its own
LEFT_OUT = ("uv_cache.json", "direct_url.json", "REQUESTED", "INSTALLER")  # say how and when, not what
COMPILE = """
import py_compile, sys
for line in sys.stdin:
    source, target, shown = line.rstrip("\\n").split("\\t")
    try:
        py_compile.compile(source, target, shown, doraise=True, optimize=0,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except (py_compile.PyCompileError, SyntaxError, ValueError, RecursionError):
        pass  # files for another Python: templates, tests of parsers
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One line of the SBOM."""

    kind: str  # "pypi" or "deb"
    name: str
    version: str
    licence: str = ""
    architecture: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheels:
    layers: tuple[Layer, ...]
    packages: tuple[Package, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed wheel: its files as they will be in the image."""

    package: Package
    files: tuple[tar.Entry, ...]

    @property
    def size(self) -> int:
        return sum(each.size for each in self.files)


def site(python: str) -> str:
    """Where modules are, from the root."""
    return plan.site(python).lstrip("/")


def layers(lock: Lock, where: Where, store: Store, progress: Progress) -> Wheels:
    """The layers of all that is locked: heavy wheels first, the rest in one. Raises `NoWheel`."""
    compiler = interpreter(where.python)
    question = ("wheels", FORMAT, where.tag, where.python, bool(compiler), lock.text)
    answer = store.recall(*question)
    if answer and all(store.layout.has(each["digest"]) for each in answer["layers"]):
        packages = tuple(Package(**each) for each in answer["packages"])
        return Wheels(layers=tuple(known(store, each) for each in answer["layers"]), packages=packages)
    with store.scratch() as draft:
        found = installed(lock, where, draft)
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # one packs while another's byte code is made
            made = tuple(
                pool.map(
                    lambda group: layer(
                        store,
                        progress,
                        _title(group),
                        _question(group, lock, where, compiler),
                        _content(group, where, compiler),
                    ),
                    _groups(found),
                )
            )
    packages = tuple(each.package for each in found)
    store.remember(
        {"layers": [facts(each) for each in made], "packages": [asdict(each) for each in packages]}, *question
    )
    return Wheels(layers=made, packages=packages)


def _groups(found: Sequence[Distribution]) -> list[list[Distribution]]:
    heavy = sorted((each for each in found if each.size > HEAVY), key=lambda each: (-each.size, each.package.name))
    light = [each for each in found if each.size <= HEAVY]
    return [[each] for each in heavy] + ([light] if light else [])


def _title(group: Sequence[Distribution]) -> str:
    first = group[0].package
    return f"{first.name} {first.version}" if len(group) == 1 else f"{len(group)} wheels"


def _question(group: Sequence[Distribution], lock: Lock, where: Where, compiler: str) -> tuple[object, ...]:
    """What the bytes of a layer depend on."""
    names = {each.package.name for each in group}
    return where.tag, where.python, bool(compiler), *(pin.text for pin in lock.pins if pin.name in names)


def _content(group: Sequence[Distribution], where: Where, compiler: str) -> Callable[[Path], list[tar.Entry]]:
    def entries(draft: Path) -> list[tar.Entry]:
        files = [file for each in group for file in each.files]
        return files + list(compiled(files, where.python, compiler, draft))

    return entries


def installed(lock: Lock, where: Where, folder: Path) -> list[Distribution]:
    """The wheels of a lock, unpacked in `folder` and described, by name. Raises `NoWheel`."""
    requirements = folder / "requirements.txt"
    exact = re.sub(rf"({TORCH})==([^+\s]+)(?=\s)", r"\1===\3", lock.text, flags=re.MULTILINE)
    requirements.write_text(exact, encoding="utf-8")  # 2.8.0 alone: where 2.8.0+cpu is there too, `==` would take that
    options = ["--python-platform", where.tag, "--python-version", where.python, "--no-deps", "--require-hashes"]
    options += [] if where.here else ["--only-binary", ":all:"]
    prefix = folder / "prefix"
    command = ["pip", "install", "--prefix", str(prefix), *options, "-r", str(requirements)]
    (run_torch if "+cpu" in lock.text else run)(command, where, lock.text)
    found = [distribution(each, prefix, where.python) for each in prefix.glob("lib*/python*/site-packages/*.dist-info")]
    return sorted(found, key=lambda each: each.package.name)


def distribution(info: Path, prefix: Path, python: str) -> Distribution:
    """The wheel whose `.dist-info` is at `info`, installed in `prefix`."""
    with (info / "RECORD").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row and _kept(row[0])]
    files, record = [], []
    for path, checksum, size in rows:
        place = Path(os.path.normpath(info.parent / path))
        one = tar.entry(place, f"{PREFIX}/{_moved(place.relative_to(prefix).as_posix(), python)}")
        if place.parent == prefix / "bin":
            one = _script(one, place)
            checksum, size = _checksum(one.source) if isinstance(one.source, bytes) else (checksum, size)
        if place != info / "RECORD":
            files.append(one)
        record.append([path, checksum, size])
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(sorted(record))
    name = f"{PREFIX}/{_moved((info / 'RECORD').relative_to(prefix).as_posix(), python)}"
    return Distribution(package=_package(info), files=(*files, tar.Entry(name=name, source=text.getvalue().encode())))


def _kept(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    if any(fnmatch(path, each) or fnmatch(path, f"{each}/*") for each in plan.UNWANTED):
        return False
    return not (folder.endswith(".dist-info") and name in LEFT_OUT) and not path.endswith(".pyc")


def _moved(path: str, python: str) -> str:
    """A path in the prefix of this machine's Python, as it is for the image's."""
    path = re.sub(r"^lib(64)?/python3\.\d+t?/", f"lib/python{python}/", path)
    return re.sub(r"^include/site/python3\.\d+/", f"include/site/python{python}/", path)


def _script(one: tar.Entry, place: Path) -> tar.Entry:
    """A script, run by the image's Python. A first line too long for the system is three, of which sh runs two."""
    content = place.read_bytes()
    lines = content.split(b"\n", 3)
    if lines[0] == b"#!/bin/sh" and lines[1].startswith(b"'''exec'"):
        content = b"\n".join([b"#!python", *lines[3:]])
    if not re.match(rb"#!.*python", content):
        return one
    return replace(
        one, source=re.sub(rb"\A#!.*", f"#!/{PREFIX}/bin/python".encode(), content, count=1), executable=True
    )


def _checksum(content: bytes) -> tuple[str, str]:
    """As RECORD has it: https://packaging.python.org/en/latest/specifications/recording-installed-packages/"""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={digest}", str(len(content))


def _package(info: Path) -> Package:
    about = HeaderParser().parsestr((info / "METADATA").read_text(encoding="utf-8", errors="replace"))
    classes = [each.rpartition(" :: ")[2] for each in about.get_all("Classifier", []) if each.startswith("License ::")]
    said = str(about.get("License", "")).strip()
    licence = about.get("License-Expression") or (said if said and "\n" not in said else " OR ".join(classes))
    name = re.sub(r"[-_.]+", "-", str(about["Name"])).lower()
    return Package(kind="pypi", name=name, version=str(about["Version"]), licence=licence)


def compiled(files: Iterable[tar.Entry], python: str, compiler: str, draft: Path) -> Iterator[tar.Entry]:
    """The byte code of the modules among `files`, written to `draft`; none where no such Python is here to make it.

    One process a hundred files, in order: what a process has compiled before shows in the bytes.
    """
    if not compiler:
        return
    sources = sorted(
        (each.name, each.source)
        for each in files
        if each.name.endswith(".py") and isinstance(each.source, Path) and "/tests/" not in each.name
    )
    jobs, made = [], []
    for number, (name, source) in enumerate(sources):
        folder, _, file = name.rpartition("/")
        jobs.append(f"{source}\t{draft / str(number)}\t/{name}\n")
        made.append((f"{folder}/__pycache__/{file[:-3]}.cpython-{python.replace('.', '')}.pyc", draft / str(number)))
    env = {"PYTHONHASHSEED": "0", "PATH": os.defpath}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [
            pool.submit(
                subprocess.run, [compiler, "-s", "-S", "-c", COMPILE], input="".join(jobs[at : at + 100]),
                text=True, check=True, env=env, capture_output=True,
            )
            for at in range(0, len(jobs), 100)
        ]  # fmt: skip
    for each in runs:
        each.result()
    yield from (tar.Entry(name=name, source=place) for name, place in made if place.is_file())
