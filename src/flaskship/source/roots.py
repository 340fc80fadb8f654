"""The working directory of an app: where its imports and the paths that it opens are found."""

from __future__ import annotations

import ast
import posixpath

from flaskship.source import named
from flaskship.source.code import Code, Module
from flaskship.source.named import Lookup, Named, Use
from flaskship.source.values import FOLDER


def find(code: Code, file: str, said: str = "") -> tuple[str, list[str]]:
    """Relative to the folder, and sentences on why; `said` is what a command tells, "" where none does.

    A path that is opened and that lies in another folder above the file corrects both.
    """
    modules = code.reach(file)
    usual = said or default(code, file)
    above = ancestors(posixpath.dirname(file))
    opened = [each for each in named.paths(code, modules, usual) if relative(each)]
    scores = {
        root: (held(code, opened, root), imported(code, modules, root)) for root in dict.fromkeys([usual, *above])
    }
    best = max(scores, key=lambda root: (len(scores[root][0]), scores[root][1], root == usual))
    if len(scores[best][0]) == len(scores[usual][0]) and scores[best][1] == scores[usual][1]:
        best = usual
    if best == usual:
        return usual, [f"It runs in {said_of(usual)}."]
    if len(scores[best][0]) > len(scores[usual][0]):
        only = next(each for each in scores[best][0] if each not in scores[usual][0])
        return best, [f"It runs in {said_of(best)}, as {only.said!r} {only.at} is there, not in {said_of(usual)}."]
    return best, [f"It runs in {said_of(best)}, where the modules are that it imports."]


def said_of(root: str) -> str:
    return "the folder itself" if root == "." else repr(root)


def ancestors(folder: str) -> list[str]:
    found = [folder or "."]
    while found[-1] != ".":
        found.append(posixpath.dirname(found[-1]) or ".")
    return found


def default(code: Code, file: str) -> str:
    """The file's folder, or the one above its top package where the file is used as a part of a package."""
    folder = posixpath.dirname(file)
    module = code.module(file)
    if module is None or not folder:
        return "."
    if settings := django(module):
        return next((each for each in ancestors(folder) if code.file(each.strip("."), settings)), folder)
    packaged = f"{folder}/__init__.py" in code.tree.files
    if relative_imports(module) and not packaged:
        return posixpath.dirname(folder) or "."
    if packaged and (module.package or relative_imports(module) or imports_itself(module, folder)):
        while folder and f"{folder}/__init__.py" in code.tree.files:
            folder = posixpath.dirname(folder)
    return folder or "."


def django(module: Module) -> str:
    """The settings that a Django project names, as a path without its suffix: "site/settings"."""
    for call in module.calls:
        names = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if names[:1] == ["DJANGO_SETTINGS_MODULE"] and len(names) > 1:
            return names[1].replace(".", "/")
    return ""


def relative_imports(module: Module) -> bool:
    return any(each.module.startswith(".") for each in module.imports)


def imports_itself(module: Module, folder: str) -> bool:
    """`from site.models import x` in site/app.py."""
    own = folder.split("/")
    return any(each.module.split(".")[0] in own and each.module for each in module.imports)


def relative(each: Named) -> bool:
    """Whether the working directory decides what the path is."""
    told = each.use in (Use.READ, Use.FOLDER, Use.NAMED, Use.ASKED)
    return told and not each.path.startswith((FOLDER, "/")) and ":" not in each.path


def held(code: Code, opened: list[Named], root: str) -> list[Named]:
    lookup = Lookup(code.tree, root)
    return [each for each in opened if (path := each.inside(root)) and lookup.near(path) and path != "."]


def imported(code: Code, modules: tuple[Module, ...], root: str) -> int:
    """How many of the imports are found from there, or from the entry's own folder."""
    own = posixpath.dirname(modules[0].path) if modules else ""
    bases = {"" if root == "." else root, own}
    names = {each.module for module in modules for each in module.imports if not each.module.startswith(".")}
    return sum(any(code.file(base, name.replace(".", "/")) for base in bases) for name in names)
