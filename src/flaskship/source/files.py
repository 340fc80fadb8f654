"""What of a folder goes into an image: all but what no app needs, what `.dockerignore` says, and secrets."""

from __future__ import annotations

import fnmatch
import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flaskship.errors import AppFailed
from flaskship.source import Content, Entry, keras, named, secrets
from flaskship.source.code import Code, Module
from flaskship.source.ignored import Ignored, Pattern, patterns
from flaskship.source.named import Named, Use
from flaskship.source.tree import Tree, walk
from flaskship.source.values import Values

# Pattern of a file's name -> why it stays out.
NAMES = {
    **dict.fromkeys(("*.ipynb",), "a notebook"),
    **dict.fromkeys(("*.pyc", "*.pyo", "*.pyd", ".coverage", ".coverage.*", "*.cover", ".eslintcache"), "a cache"),
    **dict.fromkeys((".gitignore", ".gitattributes", ".gitmodules", ".hgignore"), "version control"),
    **dict.fromkeys(("*.swp", "*.swo", "*~", ".#*", "*.code-workspace", ".project", ".pydevproject"), "an editor's"),
    **dict.fromkeys(
        (".spyproject", "*.sublime-project", "*.sublime-workspace", ".editorconfig", "*.iml"), "an editor's"
    ),
    **dict.fromkeys((".DS_Store", "Thumbs.db", "desktop.ini", "._*", "Desktop.ini", ".directory"), "the system's"),
    **dict.fromkeys((".RData", ".Rhistory", ".python_history", ".bash_history"), "a history"),
    **dict.fromkeys(("flaskship.lock", "*.py.lock", ".dockerignore"), "of the building"),
}
NAME = re.compile("|".join(f"(?P<n{at}>{fnmatch.translate(each)})" for at, each in enumerate(NAMES)))
WHY = list(NAMES.values())
BUILT = ("build", "dist", "out", "public/build", "www")  # where a front end's output lies
FRONT = {  # of its sources
    *("src", "public", "node_modules", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "tsconfig.json", "e2e"),
    *("package.json", "angular.json", "vite.config.js", "vite.config.ts", "webpack.config.js", "babel.config.js"),
    *("cypress",),
}
TOOLS = {"build", "react", "vue", "@angular/core", "svelte", "next", "nuxt", "vite", "webpack", "preact", "solid-js"}
OURS = {"static", "templates", "assets", "vendor"}  # a library's package.json in there is of no front end
POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class Needed:
    """What the app itself names: never left out by a rule."""

    files: frozenset[str]
    folders: tuple[str, ...]  # each with a "/" at its end
    where: dict[str, str]  # path -> "(app.py, line 3)"

    def said(self, path: str) -> str:
        """Who needs a path; "" where nobody says so."""
        if path in self.files:
            return self.where.get(path, "")
        return next((self.where[each] for each in self.folders if path.startswith(each)), "")


class Dockerignore:
    """What `.dockerignore` says: that of the folder, and that of the one that the app runs in."""

    def __init__(self, tree: Tree, root: str) -> None:
        self.said = {at: Ignored(patterns(tree.read(f"{at}.dockerignore").splitlines())) for at in {"", f"{root}/"}}
        self.said.pop("./", None)

    def of(self, path: str) -> Pattern | None:
        inside = ((ignored, path[len(at) :]) for at, ignored in self.said.items() if path.startswith(at))
        return next((found for ignored, rest in inside if (found := ignored.of(rest))), None)


def contents(folder: Path, entry: Entry, exclude: Sequence[str] = ()) -> Content:
    """`exclude` are patterns as in `.dockerignore`; one with "!" keeps what would be left out, a secret too.

    Raises `NotRecognised` where there is no folder, `AppFailed` where the app reads a model that it cannot.
    """
    tree = walk(folder)
    code = Code(tree)
    modules = code.reach(entry.file)
    names = named.paths(code, modules, entry.root)
    needed = needs(code, modules, names, entry.root)
    refuse(folder, needed)
    given = Ignored(patterns(exclude))
    secret = {path: why for path, why in secrets.of(tree).items() if not given.kept(path)}
    left_out = dict(tree.left_out)
    warnings = list(tree.warnings)
    left_out.update(fronts(tree, needed))
    ignored = Dockerignore(tree, entry.root)
    files: dict[str, int] = {}
    for path, size in tree.files.items():
        if path in secret or above(path, left_out):
            continue
        if why := reason(path, given, ignored, needed, warnings):
            left_out[path] = why
        else:
            files[path] = size
    warnings += [*pointers(tree, files), *used_secrets(secret, needed), *secrets.in_code(tree, files)]
    warnings += secrets.remade(modules)
    into = named.written_into(names, tree, entry.root)
    warnings += [f"{at[1:-1]} writes into {path!r}, which is not there: it is made." for path, at in into.items()]
    return Content(
        files=files,
        folders=tuple(sorted({*(path for path in tree.empty if not above(path, left_out)), *into})),
        left_out=whole(left_out, files),
        secrets=tuple(sorted(secret)),
        missing=tuple(named.missing(names, tree, entry.root)),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def refuse(folder: Path, needed: Needed) -> None:
    for path in sorted(needed.files):
        if keras.of_windows(folder / path):
            raise AppFailed(
                f"{path!r} {needed.where[path]} was saved by Keras on Windows, with backslashes in its weights' names,"
                " which no other system finds. Save it anew, with a newer Keras or on Linux."
            )


def needs(code: Code, modules: Sequence[Module], names: Sequence[Named], root: str) -> Needed:
    where = {module.path: f"({module.path}, line 1)" for module in modules}
    folders = {}
    for each in names:
        path = each.inside(root)
        if each.use not in (Use.READ, Use.NAMED, Use.FOLDER):
            continue
        if path in code.tree.files:
            where.setdefault(path, each.at)
        elif path in code.tree.folders and path != ".":
            folders[f"{path}/"] = each.at
    for path, at in served(code, modules):
        folders[f"{path}/"] = at
    return Needed(frozenset(where), tuple(sorted(folders)), where | folders)


def served(code: Code, modules: Sequence[Module]) -> Iterator[tuple[str, str]]:
    """The folders of templates and static files: those beside the modules, and those that `Flask(…)` is told."""
    for module in modules:
        own = posixpath.dirname(module.path)
        for name in ("templates", "static"):
            if (path := posixpath.join(own, name)) in code.tree.folders:
                yield path, f"({module.path}, line 1)"
        for each in told(code, module):
            path = each.inside(own or ".")
            if path in code.tree.folders and path != ".":
                yield path, each.at


def told(code: Code, module: Module) -> Iterator[Named]:
    values = Values(code, module)
    for call in module.calls:
        for keyword in call.keywords:
            if keyword.arg in ("template_folder", "static_folder", "directory") and (
                text := values.text(keyword.value)
            ):
                yield Named(text, Use.FOLDER, module.path, call.lineno)


def above(path: str, left_out: dict[str, str]) -> bool:
    """Whether the path, or a folder that it lies in, is left out."""
    while path:
        if path in left_out:
            return True
        path = path.rpartition("/")[0]
    return False


def whole(left_out: dict[str, str], files: Iterable[str]) -> dict[str, str]:
    """Sorted, a folder of which nothing goes in, for one reason, standing for what is in it."""
    used = {""}
    for path in files:
        while (path := posixpath.dirname(path)) not in used:
            used.add(path)
    tops: dict[str, list[str]] = {}
    for path in left_out:
        top = path
        while (parent := posixpath.dirname(top)) not in used:
            top = parent
        tops.setdefault(top, []).append(path)
    found: dict[str, str] = {}
    for top, paths in tops.items():
        reasons = {left_out[path] for path in paths}
        alike = len(reasons) == 1 and len(paths) > 1
        found |= {top: reasons.pop()} if alike else {path: left_out[path] for path in paths}
    return dict(sorted(found.items()))


def reason(path: str, given: Ignored, ignored: Dockerignore, needed: Needed, warnings: list[str]) -> str:
    """Why a file stays out; "" where it goes in."""
    if pattern := given.of(path):
        return f"{pattern.text!r} is excluded"
    if given.kept(path):
        return ""
    if pattern := ignored.of(path):
        if not (at := needed.said(path)):
            return f".dockerignore: {pattern.text}"
        warnings.append(f".dockerignore leaves out {pattern.text!r}, which the app needs {at}: it goes in.")
        return ""
    matched = NAME.match(posixpath.basename(path))
    if matched and matched.lastgroup and path not in needed.files:
        return WHY[int(matched.lastgroup[1:])]
    return ""


def fronts(tree: Tree, needed: Needed) -> dict[str, str]:
    """The sources of a front end whose output is there, or that nothing of the app serves."""
    found = {}
    for path in tree.files:
        folder, _, name = path.rpartition("/")
        if name != "package.json" or OURS.intersection(path.split("/")):
            continue
        inside = [each for each in tree.files if not folder or each.startswith(f"{folder}/")]
        output = next((each for each in BUILT if posixpath.join(folder, each, "index.html") in tree.files), "")
        if not output and (not folder or any(each.endswith(".py") for each in inside) or not is_project(tree, path)):
            continue
        why = (
            f"its output is in {posixpath.join(folder, output)!r}"
            if output
            else "not built, and the app serves none of it"
        )
        for each in sorted({each[len(folder) + bool(folder) :].partition("/")[0] for each in inside}):
            place = posixpath.join(folder, each)
            below = [path for path in inside if path == place or path.startswith(f"{place}/")]
            kept = any(path.endswith(".py") or needed.said(path) for path in below)
            if not kept and (each in FRONT or not output):
                found[place] = f"sources of a front end: {why}"
    return found


def is_project(tree: Tree, path: str) -> bool:
    """Whether a package.json is one of a front end, and not of a library that lies there."""
    try:
        facts = json.loads(tree.read(path))
    except ValueError:
        return False
    if not isinstance(facts, dict):
        return False
    named = {*(facts.get("scripts") or {}), *(facts.get("dependencies") or {}), *(facts.get("devDependencies") or {})}
    return bool(named & TOOLS)


def pointers(tree: Tree, files: dict[str, int]) -> Iterator[str]:
    """Files that Git LFS holds elsewhere: what is here is a pointer of some 130 bytes."""
    small = (
        path for path, size in files.items() if 100 < size < 300 and not path.endswith((".py", ".html", ".css", ".js"))
    )
    for path in small:
        try:
            if (tree.folder / path).read_bytes().startswith(POINTER):
                yield f"{path!r} is a pointer of Git LFS, not the file itself: run 'git lfs pull'."
        except OSError:
            continue  # gone, or not to be read: the one who packs it says so


def used_secrets(secret: dict[str, str], needed: Needed) -> Iterator[str]:
    for path in secret:
        if path in needed.files:
            said = f"{needed.where[path][1:-1]} opens {path!r}, which stays out as it looks like a secret"
            yield f"{said}: mount it when it runs, or exclude '!{path}' to have it in."
