"""What is in a base image: its Python, its C library, its Debian packages with their licences. Layers are read once."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from email.parser import HeaderParser
from typing import BinaryIO

from flaskship.errors import BaseError
from flaskship.image.spec import Blob
from flaskship.image.store import Store
from flaskship.image.wheels import Package

PYTHONS = re.compile(r"((?:usr/local|usr|opt/[^/]+)/bin)/python(3\.\d+)")
STATUS = re.compile(r"var/lib/dpkg/(status|status\.d/[^/]+)")
COPYRIGHT = re.compile(r"usr/share/doc/([^/]+)/copyright")
COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z]+(?:-[\d.]*\d)?)")
MACHINES = {0x3E: "amd64", 0xB7: "arm64", 0x28: "arm", 0xF3: "riscv64", 0x15: "ppc64le", 0x16: "s390x", 0x03: "386"}
OLD_GLIBC = 28  # what is asked of wheels where nothing says how new the C library is


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    python: str = ""  # "3.11"; "" where there is none
    executable: str = ""  # "/usr/local/bin/python3.11"
    architecture: str = ""  # of that executable
    glibc: int = OLD_GLIBC  # 36 is 2.36; 0 is musl
    packages: tuple[Package, ...] = ()


@dataclass(slots=True)
class Seen:
    """What was met on the way through the layers; later layers win."""

    pythons: dict[str, str] = field(default_factory=dict)  # folder -> version
    architectures: dict[str, str] = field(default_factory=dict)  # folder -> architecture
    status: dict[str, str] = field(default_factory=dict)
    copyrights: dict[str, str] = field(default_factory=dict)
    linked: dict[str, str] = field(default_factory=dict)  # documentation that is another package's
    musl: bool = False


def look(layers: Sequence[Blob], store: Store) -> Contents:
    """What is in the layers, remembered by their digests. Raises `BaseError` for a layer that is no tar."""
    question = ("contents", 2, *(each.digest for each in layers))
    answer = store.recall(*question)
    if answer:
        return Contents(**{**answer, "packages": tuple(Package(**each) for each in answer["packages"])})
    seen = Seen()
    for layer in layers:
        with layer.open() as file:
            _read(file, layer, seen)
    found = _summed(seen)
    store.remember(asdict(found), *question)
    return found


def _read(file: BinaryIO, layer: Blob, seen: Seen) -> None:
    try:
        with tarfile.open(fileobj=file, mode="r|*") as members:
            for member in members:
                _note(member, members, seen)
    except (tarfile.TarError, EOFError, OSError) as error:
        kind = " Flaskship reads gzip, bzip2 and xz, not zstd." if "zstd" in layer.media_type else ""
        raise BaseError(f"The base's layer {layer.digest} cannot be read as a tar: {error}.{kind}") from error


def _note(member: tarfile.TarInfo, members: tarfile.TarFile, seen: Seen) -> None:
    name = member.name.removeprefix("./").lstrip("/")
    if found := PYTHONS.fullmatch(name):
        seen.pythons[found[1]] = found[2]
        if member.isreg() and (file := members.extractfile(member)):
            head = file.read(20)
            if head[:4] == b"\x7fELF":
                seen.architectures[found[1]] = MACHINES.get(int.from_bytes(head[18:20], "little"), "")
    elif STATUS.fullmatch(name) and member.isreg() and not name.endswith(".md5sums"):
        seen.status[name] = _text(member, members)
    elif found := COPYRIGHT.fullmatch(name):
        if member.isreg():
            seen.copyrights[found[1]] = licence(_text(member, members))
        else:
            seen.linked[found[1]] = member.linkname.split("/")[-2] if "/" in member.linkname else ""
    elif name.startswith("usr/share/doc/") and member.issym():
        seen.linked[name.rpartition("/")[2]] = member.linkname.rpartition("/")[2]
    elif name.startswith("lib/ld-musl-"):
        seen.musl = True


def _text(member: tarfile.TarInfo, members: tarfile.TarFile) -> str:
    file = members.extractfile(member)
    return file.read().decode("utf-8", "replace") if file else ""


def _summed(seen: Seen) -> Contents:
    packages = {each.name: each for text in seen.status.values() for each in _packages(text, seen)}
    libc = packages.get("libc6")
    newest = re.match(r"2\.(\d+)", libc.version) if libc else None
    folder = next(iter(sorted(seen.pythons, key=lambda each: (each != "usr/local/bin", each))), "")
    version = seen.pythons.get(folder, "")
    return Contents(
        python=version,
        executable=f"/{folder}/python{version}" if folder else "",
        architecture=seen.architectures.get(folder, ""),
        glibc=0 if seen.musl and not libc else int(newest[1]) if newest else OLD_GLIBC,
        packages=tuple(packages[name] for name in sorted(packages)),
    )


def _packages(text: str, seen: Seen) -> Iterator[Package]:
    """The installed packages of a dpkg status file (or of the parts of one, in status.d)."""
    for paragraph in text.split("\n\n"):
        about = HeaderParser().parsestr(paragraph)
        name = about["Package"]
        if not name or "deinstall" in str(about.get("Status", "")):
            continue
        known = seen.copyrights.get(name) or seen.copyrights.get(seen.linked.get(name, ""), "")
        yield Package(
            kind="deb", name=name, version=str(about["Version"]), architecture=str(about["Architecture"]),
            licence=about.get("License") or known,
        )  # fmt: skip


def licence(text: str) -> str:
    """The licences that a Debian copyright file names: its `License:` fields, else the common ones it names."""
    machine = re.findall(r"^License:[ \t]*(\S[^\n]*)$", text, re.MULTILINE) if "Format:" in text[:500] else []
    return " AND ".join(dict.fromkeys(each.strip() for each in machine or COMMON.findall(text)))


def need(found: Contents, name: str, oldest: tuple[int, ...]) -> None:
    """Raises `BaseError` where a base holds no Python, or one before the `oldest` that will do."""
    if not found.python:
        raise BaseError(
            f"The base {name!r} holds no Python 3 (looked for /usr/local/bin, /usr/bin and /opt/*/bin). Take one that"
            " does, such as python:3.12-slim, or assemble one: flaskship base debian -o base.tar, then --base base.tar."
        )
    if tuple(map(int, found.python.split("."))) < oldest:
        wanted = ".".join(map(str, oldest))
        raise BaseError(f"The base {name!r} holds Python {found.python}; Flaskship runs on {wanted} and later.")
