"""A folder's files, without those that are nobody's code: virtual environments, caches, version control."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from flaskship.errors import FileError, NotRecognised

# Name of a folder -> why it stays out, wherever it lies.
FOLDERS = {
    **dict.fromkeys((".git", ".hg", ".svn", ".bzr", ".jj", "CVS", ".github", ".gitlab", ".dvc"), "version control"),
    **dict.fromkeys(
        (
            *("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints", ".cache"),
            *(".hypothesis",),
            *(".tox", ".nox", ".eggs", ".pytype", ".sass-cache", ".parcel-cache", ".next", ".nuxt", ".webassets-cache"),
            *("htmlcov", ".Rproj.user", ".gradle", ".terraform", ".serverless", ".vercel", ".elasticbeanstalk"),
        ),
        "a cache",
    ),
    **dict.fromkeys((".idea", ".vscode", ".vs", ".spyproject", ".settings", ".fleet", ".devcontainer"), "an editor's"),
    **dict.fromkeys(("node_modules", "bower_components", "jspm_packages"), "packages of the front end"),
    **dict.fromkeys(("__MACOSX", "$RECYCLE.BIN", "System Volume Information", ".Trashes"), "the system's"),
}
ENVIRONMENT = "a virtual environment"
PARTS = ("bin", "Scripts", "lib", "lib64", "Lib", "include", "Include", "share", "etc", "pyvenv.cfg")  # of such a one
SITES = (("lib", "python*/"), ("lib64", "python*/"), ("Lib", ""))
SITE = re.compile(r"(?i)(^|/)lib(64)?/(python[\d.]+/)?site-packages$")
LARGE = 2 << 30  # bytes


@dataclass(frozen=True)
class Tree:
    """Paths are relative to `folder`, with `/`."""

    folder: Path
    files: dict[str, int] = field(default_factory=dict)  # path -> size in bytes, sorted
    empty: tuple[str, ...] = ()  # folders without anything in them
    left_out: dict[str, str] = field(default_factory=dict)  # path of a file or folder -> why
    warnings: tuple[str, ...] = ()

    @cached_property
    def folders(self) -> frozenset[str]:
        """All that hold files or are empty, and "." itself."""
        found = {".", *self.empty}
        for path in self.files:
            while (cut := path.rfind("/")) > 0 and (path := path[:cut]) not in found:
                found.add(path)
        return frozenset(found)

    @cached_property
    def folded(self) -> dict[str, str]:
        """Each path in lower case -> as it is written."""
        return {path.lower(): path for path in (*self.folders, *self.files)}

    def read(self, path: str, limit: int = 1 << 20) -> str:
        """A file's text, at most `limit` bytes of it; "" where it cannot be read."""
        file = self.folder / path
        if not file.is_file():  # nor a pipe, which would be waited for
            return ""
        try:
            with file.open("rb") as stream:
                data = stream.read(limit)
        except OSError:
            return ""  # says nothing then: it is named among the warnings
        coding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        return data.decode(coding, errors="replace")


class Walk:
    """One pass over a folder. A link inside it counts as what it leads to."""

    def __init__(self, folder: Path) -> None:
        self.top = os.path.realpath(folder)
        self.files: dict[str, int] = {}
        self.empty: list[str] = []
        self.left_out: dict[str, str] = {}
        self.warnings: list[str] = []

    def folder(self, place: str, prefix: str, above: tuple[str, ...]) -> None:
        try:
            with os.scandir(place) as found:
                entries = sorted(found, key=lambda each: each.name)
        except OSError as error:
            self.leave(prefix.rstrip("/"), f"cannot be read: {error.strerror}", warn=True)
            return
        names = {each.name for each in entries}
        if environment(place, names):
            if prefix:
                self.left_out[prefix.rstrip("/")] = ENVIRONMENT
                return
            self.left_out.update(dict.fromkeys(sorted(names.intersection(PARTS)), ENVIRONMENT))
        if not entries and prefix:
            self.empty.append(prefix.rstrip("/"))
        for each in entries:
            path = prefix + each.name
            if path in self.left_out:
                continue
            try:
                self.entry(each, path, above)
            except OSError as error:  # of this one, as of a link in /proc; or it has just gone
                self.leave(path, f"cannot be read: {error.strerror}", warn=True)

    def entry(self, each: os.DirEntry[str], path: str, above: tuple[str, ...]) -> None:
        if each.is_symlink() and not self.inside(each, path, above):
            return
        if each.is_dir():
            why = FOLDERS.get(each.name) or (ENVIRONMENT if SITE.search(path) else "")
            if why or each.name.endswith((".egg-info", ".dist-info")):
                self.left_out[path] = why or "a record of an installation"
            else:
                self.folder(each.path, f"{path}/", (*above, os.path.realpath(each.path)))
            return
        facts = each.stat()
        if not stat.S_ISREG(facts.st_mode):
            self.leave(path, "no file: a socket, a pipe or a device", warn=True)
        elif not os.access(each.path, os.R_OK):
            self.leave(path, "cannot be read: no right to", warn=True)
        else:
            self.files[path] = facts.st_size
            if facts.st_size > LARGE:
                self.warnings.append(f"{path!r} is large: {facts.st_size / (1 << 30):.1f} GiB. Does the app need it?")

    def inside(self, link: os.DirEntry[str], path: str, above: tuple[str, ...]) -> bool:
        """Whether the link leads to something of this folder; where not, says so."""
        target = os.path.realpath(link.path)
        if not os.access(target, os.F_OK):  # nor where nobody may look
            self.leave(path, f"a link to {str(Path(link.path).readlink())!r}, which is not there", warn=True)
        elif target in above:
            self.leave(path, "a link to a folder that it lies in")
        elif not target.startswith(self.top + os.sep):
            self.leave(path, f"a link to {target!r}, outside of the folder: copy it in if the app needs it", warn=True)
        else:
            return True
        return False

    def leave(self, path: str, why: str, *, warn: bool = False) -> None:
        self.left_out[path] = why
        if warn:
            self.warnings.append(f"{path!r} stays out: {why}.")


def environment(place: str, names: set[str]) -> bool:
    """Whether the folder at `place` is a virtual environment, whatever its name: it has what activates one."""
    if "pyvenv.cfg" in names or "conda-meta" in names:
        return True
    at = Path(place)
    if any(name in names and (at / name / "activate").is_file() for name in ("bin", "Scripts")):
        return True
    return any(any(at.glob(f"{name}/{below}site-packages")) for name, below in SITES if name in names)


def walk(folder: Path) -> Tree:
    """Raises `NotRecognised` where there is no folder, `FileError` where it cannot be read."""
    if not folder.is_dir():
        raise NotRecognised(f"No folder {str(folder)!r}.")
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise FileError.of(error) from error
    each = Walk(folder)
    each.folder(each.top, "", (each.top,))
    return Tree(
        folder=folder,
        files=dict(sorted(each.files.items())),
        empty=tuple(sorted(each.empty)),
        left_out=each.left_out,
        warnings=tuple(each.warnings),
    )
