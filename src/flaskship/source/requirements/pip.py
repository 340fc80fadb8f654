"""Lists that pip reads: https://pip.pypa.io/en/stable/reference/requirements-file-format/"""

from __future__ import annotations

import codecs
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from flaskship.source.requirements.found import Found

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
OPTION = re.compile(r"(-[a-z]|--[a-z-]+)(?:\s*[= ]\s*|(?<=^-[a-z]))(.*)|(--[a-z-]+)")
LINKS = ("-f", "--find-links", "-i", "--index-url", "--extra-index-url")
TORCH = "download.pytorch.org"


def text(path: Path) -> str:
    """A text file's content, in whichever encoding an editor or PowerShell left it."""
    data = path.read_bytes()
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if b"\x00" in data[:64]:
        return data.decode("utf-16-be" if data[:1] == b"\x00" else "utf-16-le", errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read(folder: Path, path: str) -> Found:
    """The list at `path` in `folder`, with those that it includes."""
    found = Found(path=path)
    bounds = Found(path=path)
    _into(found, bounds, folder, Path(path), set())
    for name, bound in bounds.wanted.items():
        if name in found.wanted:
            found.wanted[name].specifier &= bound.specifier
    found.warnings += bounds.warnings
    if found.unpinned:
        found.decide(f"{', '.join(sorted(found.unpinned))}: a path on somebody's machine says no version.")
    return found


def _into(found: Found, bounds: Found, folder: Path, path: Path, seen: set[Path]) -> None:
    place = (folder / path).resolve()
    if place in seen:
        return None
    seen.add(place)
    if not place.is_file() or not place.is_relative_to(folder.resolve()):
        return found.warn(f"{path.as_posix()!r}, which it includes, is not in the folder.")
    for line in lines(text(place)):
        option = OPTION.fullmatch(line) if line.startswith("-") else None
        if option is None:
            _line(found, line)
        elif option[1] in ("-r", "--requirement"):
            _into(found, bounds, folder, path.parent / _plain(option[2]), seen)
        elif option[1] in ("-c", "--constraint"):
            _into(bounds, bounds, folder, path.parent / _plain(option[2]), seen)
        else:
            _option(found, option[1] or option[3], (option[2] or "").strip())
    return None


def lines(content: str) -> Iterator[str]:
    """Logical lines without comments: one that ends in a backslash goes on in the next."""
    for line in re.sub(r"\\[ \t]*\r?\n", " ", content).splitlines():
        plain = re.sub(r"(^|\s)#.*", "", line.replace("\x00", "")).strip().lstrip("\ufeff")
        if plain:
            yield plain


def _line(found: Found, line: str) -> None:
    if re.match(r"Package\s+Version|[-=\s]+$", line):  # the head of what `pip list` prints
        return
    plain = re.sub(r"\s--(hash|global-option|install-option|config-settings?)[= ].*", "", line)
    if command := re.fullmatch(r"[!$%\s]*(?:python3? -m )?pip3? install (.*)", plain):
        for each in words(command[1]):
            found.add(each)
        return
    found.add(plain)


def _option(found: Found, name: str, value: str) -> None:
    if name in ("-e", "--editable"):
        if _plain(value).startswith("."):
            return found.decide(f"-e {value} is left out: the folder's own code is there.")
        return found.warn(f"-e {value} is no name of the index, and is left out. Copy its code into the folder.")
    if name in LINKS and TORCH not in value and "pypi" not in value:
        found.decide(f"{name} {value} is not asked: the indexes that pip is told of here are.")
    return None


def words(command: str) -> Iterator[str]:
    """The requirements among the arguments of `pip install`."""
    try:
        given = shlex.split(command.split("&&")[0].split(";")[0])
    except ValueError:
        return
    skip = False
    for each in given:
        takes = each in ("-r", "-c", "-f", "-i", "-e", "-t", "--index-url", "--extra-index-url", "--find-links")
        if not (skip or each.startswith("-") or each in ("pip", "setuptools", "wheel") or "$" in each):
            yield each
        skip = takes or each in ("--trusted-host", "--timeout", "--default-timeout", "--target", "--progress-bar")


def _plain(path: str) -> str:
    return path.strip().strip("'\"").replace("\\", "/")
