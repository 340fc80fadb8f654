"""A minimal Debian with Python, or with nginx, as a root file system, from the host's own apt sources, by mmdebstrap.

No package manager, shell, documentation, locale: what serving needs, and /var/lib/dpkg/status.d for those who audit it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flaskship.errors import BaseError
from flaskship.image import contents, tar
from flaskship.image.layout import beside
from flaskship.image.lock import interpreter
from flaskship.image.spec import Platform
from flaskship.image.wheels import compiled

PROGRAM = "mmdebstrap"
UNWANTED = """
    debconf dpkg tar openssl mawk perl-base dash bash readline-common libacl1 libmd0 libselinux1 libpcre2-8-0 libzstd1
    libreadline8 libncursesw6 libnsl2 libtirpc3 libtirpc-common libgssapi-krb5-2 libk5crypto3 libkeyutils1 libkrb5-3
    libkrb5support0 libcom-err2 libdb5.3 libdb5.3t64 ca-certificates
    """
KEPT_FILES = re.compile(
    r"usr/lib/(?!.*/gconv/|python3\.\d+/(lib2to3|pydoc_data|idlelib|turtledemo|test|ensurepip)/|systemd/|tmpfiles\.d/)"
    r"|lib(32|64|x32)?/(?!systemd/|udev/)|usr/bin/python3|usr/share/(mime|zoneinfo)/|opt/"
    r"|usr/sbin/nginx$|(usr/)?bin/(da)?sh$"
    r"|etc/(python3|ld\.so|mime\.types|debian_version|os-release|host|services|protocols)|usr/libexec/"
)
HOOK = """cd "$1" && for each in var/cache/apt/archives/*.deb; do
dpkg-deb -f "$each" Package Version Architecture Source Maintainer; echo; done > .status &&
for each in var/cache/apt/archives/*.deb; do echo "#$(dpkg-deb -f "$each" Package)";
dpkg-deb --fsys-tarfile "$each" | tar -t; done > .files"""
SKELETON = {
    "etc/passwd": b"root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
    b"nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    "etc/group": b"root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n",
    "etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
}
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
LINKS = {"usr/lib/ssl/certs": "/etc/ssl/certs", "usr/lib/ssl/cert.pem": f"/{CERTIFICATES}"}
ASIDE = 15 * 60  # seconds that it may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Debian's packages, which come with all that they ask for, and those of them whose files are kept."""

    packages: tuple[str, ...]
    kept: re.Pattern[str]


PYTHON = Recipe(
    packages=("python3", "libstdc++6", "libgomp1", "ca-certificates", "media-types", "base-files"),
    kept=re.compile(rf"(?!({'|'.join(map(re.escape, UNWANTED.split()))})$)"),
)
NGINX = Recipe(
    packages=("nginx", "dash", "base-files"),  # a shell, with which a stack of Swarm writes nginx.conf
    kept=re.compile(r"(nginx|dash|base-files|libc6|libcrypt1|libpcre2-8-0|libssl3(t64)?|zlib1g)$"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """What is in the root file system that was written."""

    release: str  # "Debian GNU/Linux 12 (bookworm)"
    python: str  # "3.11"
    packages: int
    size: int  # bytes of the tar


def available() -> bool:
    return shutil.which(PROGRAM) is not None


def assemble(path: Path, platform: Platform, packages: Sequence[str] = (), recipe: Recipe = PYTHON) -> Assembled:
    """Write a root file system for `platform` to the tar at `path`, with further Debian `packages`.

    Raises `BaseError` where mmdebstrap is missing or fails.
    """
    if not available():
        raise BaseError(f"Assembling Debian needs {PROGRAM}: apt-get install {PROGRAM}")
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.tar"
        _run(raw, platform, (*recipe.packages, *packages))
        members = _members(raw)
        status, files = _pop(members, ".status"), _pop(members, ".files")
        entries = list(_chosen(members, status, files, recipe.kept))
        python = next((found[1] for each in entries if (found := re.search(r"bin/python(3\.\d+)$", each.name))), "")
        draft = Path(folder) / "modules"
        entries += _compiled(entries, python, draft) if python else []
        with beside(path) as (file, move):
            tar.write(entries, file)
            move(path)
    release = re.search(rb'PRETTY_NAME="([^"]*)"', _bytes(entries, "usr/lib/os-release"))
    return Assembled(
        release=release[1].decode() if release else "Debian", python=python, size=path.stat().st_size,
        packages=sum(each.name.startswith("var/lib/dpkg/status.d/") for each in entries),
    )  # fmt: skip


def _run(raw: Path, platform: Platform, packages: Sequence[str]) -> None:
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    given = [str(each) for each in sources if each.suffix in (".list", ".sources") and each.is_file()]
    suite = re.search(r"^VERSION_CODENAME=(\S+)", Path("/etc/os-release").read_text(encoding="utf-8"), re.MULTILINE)
    command = [PROGRAM, "--quiet", "--variant=extract", f"--architectures={platform.architecture}"]
    command += [f"--include={','.join(packages)}", f"--extract-hook={HOOK}"]
    command += [suite[1] if suite else "stable", str(raw), *given]
    found = subprocess.run(command, capture_output=True, text=True, timeout=ASIDE, check=False)
    if found.returncode:
        said = [line.strip() for line in found.stderr.splitlines() if line.startswith(("E:", "W:"))]
        raise BaseError(f"{PROGRAM} could not assemble Debian: {' '.join(said) or found.stderr.strip()[-500:]}")


def _members(raw: Path) -> dict[str, tar.Entry]:
    """All files, symlinks and directories of a tar by name; contents in memory (some 70 MB), hard links as files."""
    found: dict[str, tar.Entry] = {}
    with tarfile.open(raw) as members:
        for each in members:
            name = each.name.removeprefix("./")
            if each.issym():
                found[name] = tar.Entry(name=name, link=each.linkname)
            elif each.isdir() and name not in (".", ""):
                found[name] = tar.Entry(name=name)
            elif (file := members.extractfile(each) if each.isreg() or each.islnk() else None) is not None:
                found[name] = tar.Entry(name=name, source=file.read(), executable=bool(each.mode & 0o100))
    return found


def _pop(members: dict[str, tar.Entry], name: str) -> str:
    source = members.pop(name).source
    return source.decode() if isinstance(source, bytes) else ""


def _bytes(entries: Iterable[tar.Entry], name: str) -> bytes:
    return next((each.source for each in entries if each.name == name and isinstance(each.source, bytes)), b"")


def _chosen(members: Mapping[str, tar.Entry], status: str, files: str, kept: re.Pattern[str]) -> Iterator[tar.Entry]:
    """What goes into the root file system."""
    owners = _owners(files)
    for name, each in members.items():
        if each.source is None and not each.link:
            continue
        if kept.match(owners.get(name, "")) and KEPT_FILES.match(name):
            yield each
    yield from (tar.Entry(name=name, source=content) for name, content in SKELETON.items())
    yield from (tar.Entry(name=name, link=link) for name, link in LINKS.items())
    yield tar.Entry(name="tmp", mode=0o1777)
    yield from (tar.Entry(name=name) for name in ("home/nonroot", "root", "run", "proc", "sys", "dev", "var/tmp"))
    authorities = sorted(name for name in members if re.match(r"usr/share/ca-certificates/.*\.crt", name))
    yield tar.Entry(name=CERTIFICATES, source=b"".join(_bytes([members[name]], name) for name in authorities))
    for paragraph in filter(None, status.split("\n\n")):
        name = paragraph.partition("\n")[0].removeprefix("Package: ")
        if kept.match(name) or name == "ca-certificates":
            known = _licence(name, members)
            text = f"{paragraph}\nStatus: install ok installed\n" + (f"License: {known}\n" if known else "") + "\n"
            yield tar.Entry(name=f"var/lib/dpkg/status.d/{name}", source=text.encode())


def _owners(files: str) -> dict[str, str]:
    """The package of each file."""
    owners: dict[str, str] = {}
    package = ""
    for line in files.splitlines():
        if line.startswith("#"):
            package = line[1:]
        elif not line.endswith("/"):
            owners[line.removeprefix("./")] = package
    return owners


def _licence(name: str, members: Mapping[str, tar.Entry]) -> str:
    folder = members.get(f"usr/share/doc/{name}")
    owner = folder.link.rpartition("/")[2] if folder and folder.link else name
    return contents.licence(_bytes(members.values(), f"usr/share/doc/{owner}/copyright").decode("utf-8", "replace"))


def _compiled(entries: Sequence[tar.Entry], python: str, draft: Path) -> list[tar.Entry]:
    """The byte code of the standard library: without it every start would take a second more."""
    modules = []
    for number, each in enumerate(each for each in entries if re.match(r"usr/lib/python3[^/]*/.*\.py$", each.name)):
        place = draft / "source" / str(number)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_bytes([each], each.name))
        modules.append(tar.Entry(name=each.name, source=place))
    return list(compiled(modules, python, interpreter(python), draft))
