"""The modules of a folder that may be its app, best first, each with a sentence on why."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from flaskship.source import signs
from flaskship.source.apps import App, Apps
from flaskship.source.code import Module
from flaskship.source.signs import Signs
from flaskship.source.tree import Tree
from flaskship.source.values import Values

MOST = 400  # modules that are parsed; those nearest to the top
NAMING = re.compile(  # a framework, what starts one, or what is taken for one
    r"^[ \t]*(?:from|import)[ \t]+(?:[\w., ]*,[ \t]*)?(flask|fastapi|starlette|quart|litestar|starlite|bottle|falcon"
    r"|django|connexion|sanic|dash|jupyter_dash|apiflask|flask_\w+|eve|blacksheep|responder|pyramid|web|socketio"
    r"|uvicorn|waitress|hypercorn|granian|streamlit|gradio|panel|tkinter|tornado|aiohttp|http|robyn|chainlit|telegram)\b"
    r"|\bstart_response\b",
    re.MULTILINE,
)
IMPORTING = re.compile(r"^[ \t]*(?:from|import)[ \t]+(.+)$", re.MULTILINE)
# What a file is called -> points.
NAMES = {
    "wsgi": 40,
    "asgi": 35,
    "app": 10,
    "application": 9,
    "main": 9,
    "server": 9,
    "flask_app": 9,
    "api": 8,
    "run": 8,
}
NAMES |= {
    "webapp": 8,
    "serve": 8,
    "web": 7,
    "start": 6,
    "deploy": 6,
    "backend": 6,
    "index": 5,
    "__init__": 4,
    "manage": -20,
}
LAUNCHERS = {
    "wsgi",
    "asgi",
    "run",
    "main",
    "server",
    "serve",
    "start",
    "manage",
    "app",
    "application",
    "runserver",
    "index",
}
ASIDE = {  # folders in which an app is seldom the app
    "tests", "test", "testing", "examples", "example", "samples", "demo", "demos", "docs", "doc", "notebooks", "old",
    "backup", "backups", "archive", "archived", "deprecated", "legacy", "tmp", "temp", "unused", "trash", "copy",
    "third_party", "vendor", "playground", "experiments", "practice", "tutorial", "tutorials",
}  # fmt: skip
TEST = re.compile(r"^(test_.*|.*_tests?|tests?|conftest|setup)$")
BACKUP = re.compile(
    r"(?i)([_\-. ](old|bak|backup|copy|orig|prev|previous|deprecated|unused|checkpoint|temp|tmp|test|demo)\d*$"
    r"|\(\d+\)$|^(old|backup|copy|temp|test|demo)[_\-. ]|^copy of )"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    path: str
    app: App
    score: float
    why: str

    @property
    def target(self) -> str:
        """What to type to have it."""
        text = f"{self.path}:{self.app.object}" if self.app.object else self.path
        return f"'{text}'" if re.search(r"[^\w./:-]", text) else text


class Candidates:
    """Those of a folder."""

    def __init__(self, apps: Apps) -> None:
        self.apps, self.code = apps, apps.code
        self._signs: dict[str, Signs] = {}

    @cached_property
    def likely(self) -> list[str]:
        """The modules worth parsing: those that import a framework, and those that import such a one."""
        texts = {path: self.code.tree.read(path) for path in self.code.paths}
        naming = [path for path, text in texts.items() if NAMING.search(text)]
        stems = {stem(path) for path in naming}
        importing = [
            path
            for path, text in texts.items()
            if any(stems.intersection(re.findall(r"\w+", line)) for line in IMPORTING.findall(text))
        ]
        found = dict.fromkeys([*naming, *importing])
        return sorted(found, key=lambda path: (path.count("/"), path))[:MOST]

    @cached_property
    def readme(self) -> str:
        names = (path for path in self.code.tree.files if path.lower() in ("readme.md", "readme.rst", "readme.txt"))
        return next(map(self.code.tree.read, names), "")

    def ranked(self) -> list[Candidate]:
        """Best first."""
        found = [
            candidate
            for path in self.likely
            if (apps := self.apps.of(path)) and (candidate := self.judged(path, self.main(path, apps)))
        ]
        return sorted(found, key=lambda each: (-each.score, each.path.count("/"), each.path))

    def main(self, path: str, found: Sequence[App]) -> App:
        """Of several objects in one module: the one that is run, then that with most routes, then that called `app`."""
        module = self.code.module(path)
        text = ast.unparse(module.tree) if module and len(found) > 1 else ""

        def rank(app: App) -> tuple[int, ...]:
            name = re.escape(app.object.partition("(")[0].partition(".")[0] or "?")
            run = re.search(rf"\b{name}\.run\(|\b(run|serve|run_simple)\((.*, )?{name}\b", text)
            routes = len(re.findall(rf"@{name}\.\w+\(", text))
            plain = app.framework not in ("wsgi", "asgi", "dash")
            own = app.made == path and not app.object.endswith(")")
            return plain, run is not None, routes, own, app.object in ("app", "application")

        return max(found, key=rank)

    def signs(self, module: Module) -> Signs:
        if module.path not in self._signs:
            text, bound = self.code.tree.read(module.path), self.apps.names(module.path)
            self._signs[module.path] = signs.of(module, Values(self.code, module), text, bound)
        return self._signs[module.path]

    def judged(self, path: str, app: App) -> Candidate | None:
        """None where the module only has the app from another one, and does nothing with it."""
        module = self.code.module(path)
        if not module:
            return None
        own, name = self.signs(module), posixpath.basename(path).removesuffix(".py")
        if app.made != path:
            circular = any(each.path == path for each in self.code.reach(app.made)[1:])
            if circular or not (own.starts or name in LAUNCHERS):
                return None
        reached = [self.signs(each) for each in self.code.reach(path)]
        loads, routes = sum(each.loads for each in reached), sum(each.routes for each in reached)
        named = re.search(rf"\bpython3?\s+(\S*/)?{re.escape(posixpath.basename(path))}\b", self.readme)
        points = {
            "has an object of its own": 30 * bool(app.object) or 24,
            "has to be called": -4 * app.object.endswith(")"),
            "loads a model, or what it imports does": 20 if own.loads else 16 * bool(loads),
            "predicts": 4 * any(each.predicts for each in reached),
            "has routes": 2 * min(routes, 6),
            "starts a server": 10 * own.starts + 3 * own.guarded,
            "its name": NAMES.get(name.lower(), 0),
            "the README says to run it": 8 * bool(named),
            "lies deep": -4 * path.count("/"),
            "is put aside": -aside(path) - 20 * own.exported,
            "is a board": -15 * (app.framework == "dash"),
            "only calls another server": -10 * (own.calls_others and not loads),
            "has it from elsewhere": -2 * (app.made != path and name not in ("wsgi", "asgi")),
        }
        return Candidate(path=path, app=app, score=sum(points.values()), why=sentence(app, path, own, loads, routes))

    def decoys(self, near: str) -> list[str]:
        """What else in the entry's folder looks like an app and is none: a sentence each."""
        found = []
        for path in self.likely:
            beside = posixpath.dirname(path) == posixpath.dirname(near) and path != near
            module = self.code.module(path) if beside else None
            if module and (flavour := self.signs(module).flavour):
                found.append(f"Not {path!r}, a {flavour} script.")
        return found

    def instead(self) -> str:
        """What a folder without an app has, in a sentence."""
        tree, paths = self.code.tree, self.code.paths
        where = f"No WSGI or ASGI app in {str(tree.folder)!r}"
        if not paths:
            notebooks = [path for path in tree.files if path.endswith(".ipynb")]
            if notebooks:
                return (
                    f"{where}: it has notebooks ({listed(notebooks)}) and no Python file. Export what serves: module.py"
                )
            return f"{where}: no Python file in it.{' It is a Node.js project.' * ('package.json' in tree.files)}"
        found: dict[str, list[str]] = {}
        for path in self.likely:
            module = self.code.module(path)
            if module and (flavour := self.signs(module).flavour):
                found.setdefault(flavour, []).append(path)
        if found:
            what = "; ".join(f"{name}: {listed(paths)}" for name, paths in found.items())
            return (
                f"{where}, but {what}. Its server is its own: only WSGI and ASGI apps (Flask, FastAPI, …) are served."
            )
        if self.code.broken:
            first, why = min(self.code.broken.items())
            return f"{where}: {first!r} {why}."
        return f"{where}: none of its {len(paths)} Python files makes one ({listed(paths)})."


def stem(path: str) -> str:
    """What an import of the module names last: its file, or its folder for a package's."""
    parts = path.removesuffix(".py").split("/")
    return parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]


def aside(path: str) -> int:
    *folders, file = path.lower().removesuffix(".py").split("/")
    return 40 * bool(ASIDE.intersection(folders)) + 40 * bool(TEST.match(file)) + 40 * bool(BACKUP.search(file))


def sentence(app: App, path: str, own: Signs, loads: int, routes: int) -> str:
    if app.made == path:
        said = [f"makes a {app.framework} app" + (f" ({app.object!r}, line {app.line})" if app.object else "")]
    else:
        said = [f"takes the {app.framework} app that {app.made!r} makes"]
    said += ["loads a model"] if own.loads else ["loads a model through what it imports"] if loads else []
    said += [f"has {routes} route{'s' * (routes > 1)}"] if routes else []
    said += ["starts it"] if own.starts else []
    return ", ".join(said[:-1]) + (" and " if said[1:] else "") + said[-1]


def listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(map(repr, paths[:3])) + more


def asks_for(tree: Tree, name: str, major: int) -> bool:
    """Whether the requirements ask for at least that major version of a distribution."""
    found = re.search(rf"(?im)^{re.escape(name)}(\[[^\]]*\])?\s*[=>~]=\s*(\d+)", tree.read("requirements.txt"))
    return bool(found and int(found[2]) >= major)
