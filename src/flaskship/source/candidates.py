"""The modules of a folder that may be its app, best first, each with a sentence on why."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from flaskship.source import signs
from flaskship.source.apps import App, Apps
from flaskship.source.code import Code, Module
from flaskship.source.signs import Signs
from flaskship.source.tree import Tree
from flaskship.source.values import Values

MOST = 400  # modules that are parsed; those nearest to the top
WORDS = re.compile(
    r"\b(flask|fastapi|starlette|quart|litestar|starlite|bottle|falcon|django|connexion|sanic|dash|apiflask|eve|blacksheep"
    r"|responder|pyramid|web|jupyter_dash|flask_\w+|streamlit|gradio|panel|uvicorn|waitress|hypercorn|granian)\b|start_response"
)
IMPORTING = re.compile(r"^[ \t]*(?:from|import)[ \t]+(.+)$", re.MULTILINE)
NAMES = {"app": 10, "application": 9, "main": 9, "server": 9, "api": 8, "run": 8, "wsgi": 40, "asgi": 35, "index": 5}
NAMES |= {
    "__init__": 4,
    "flask_app": 9,
    "webapp": 8,
    "web": 7,
    "serve": 8,
    "start": 6,
    "deploy": 6,
    "backend": 6,
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
    *("tests", "test", "testing", "examples", "example", "samples", "demo", "demos", "docs", "doc", "notebooks"),
    *(
        "old",
        "backup",
        "backups",
        "archive",
        "archived",
        "deprecated",
        "legacy",
        "tmp",
        "temp",
        "unused",
        "trash",
        "copy",
    ),
    *("third_party", "vendor", "playground", "experiments", "practice", "tutorial", "tutorials"),
}
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


def target(each: Candidate) -> str:
    """What to type to have it."""
    text = f"{each.path}:{each.app.object}" if each.app.object else each.path
    return f"'{text}'" if re.search(r"[^\w./:-]", text) else text


def likely(code: Code) -> list[str]:
    """The modules worth parsing: those that name a framework, and those that import such a one."""
    texts = {path: code.tree.read(path) for path in code.paths}
    naming = [path for path, text in texts.items() if WORDS.search(text)]
    stems = {part for path in naming for part in stem(path)}
    importing = [
        path
        for path, text in texts.items()
        if any(stems & set(re.findall(r"\w+", line)) for line in IMPORTING.findall(text))
    ]
    found = list(dict.fromkeys([*naming, *importing]))
    return sorted(found, key=lambda path: (path.count("/"), path))[:MOST]


def decoys(code: Code, near: str) -> list[str]:
    """What else in the entry's folder looks like an app and is none: a sentence each."""
    folder = posixpath.dirname(near)
    found = []
    for path in likely(code):
        module = code.module(path) if posixpath.dirname(path) == folder and path != near else None
        flavour = signs_of(code, module).flavour if module else ""
        if flavour:
            found.append(f"Not {path!r}, a {flavour} script.")
    return found


def stem(path: str) -> tuple[str, ...]:
    """What an import of the module names last: its file, or its folder for a package's."""
    parts = path.removesuffix(".py").split("/")
    return tuple(parts[-2:-1]) if parts[-1] == "__init__" else tuple(parts[-1:])


def ranked(apps: Apps) -> list[Candidate]:
    code = apps.code
    readme = next((code.tree.read(path) for path in code.tree.files if path.lower() in ("readme.md", "readme.rst")), "")
    found = []
    for path in likely(code):
        if apps_there := apps.of(path):
            app = main(apps, path, apps_there)
            if candidate := judged(apps, path, app, readme):
                found.append(candidate)
    return sorted(found, key=lambda each: (-each.score, each.path.count("/"), each.path))


def main(apps: Apps, path: str, found: Sequence[App]) -> App:
    """Of several objects in one module: the one that is run, then that with most routes, then that called `app`."""
    module = apps.code.module(path)
    text = ast.unparse(module.tree) if module and len(found) > 1 else ""

    def rank(app: App) -> tuple[bool, bool, int, bool, bool]:
        name = re.escape(app.object.partition("(")[0].partition(".")[0] or "?")
        run = bool(re.search(rf"\b{name}\.run\(|\b(run|serve|run_simple)\((.*, )?{name}\b", text))
        routes = len(re.findall(rf"@{name}\.\w+\(", text))
        plain = app.framework not in ("wsgi", "asgi", "dash")
        return (
            plain,
            run,
            routes,
            app.made == path and not app.object.endswith(")"),
            app.object in ("app", "application"),
        )

    return max(found, key=rank)


def judged(apps: Apps, path: str, app: App, readme: str) -> Candidate | None:
    """None where the module only has the app from another one, and does nothing with it."""
    code = apps.code
    module = code.module(path)
    if not module:
        return None
    own = signs_of(code, module)
    name = posixpath.basename(path).removesuffix(".py")
    if app.made != path:
        circular = any(each.path == path for each in code.reach(app.made)[1:])
        if circular or not (own.starts or name in LAUNCHERS):
            return None
    reached = [signs_of(code, each) for each in code.reach(path)]
    loads, routes = sum(each.loads for each in reached), sum(each.routes for each in reached)
    score = 30.0 - 4 * app.object.endswith(")") - 6 * (not app.object) - 15 * (app.framework == "dash")
    score += (20 if own.loads else 16 if loads else 0) + 4 * any(each.predicts for each in reached)
    score += 2 * min(routes, 6) + 10 * own.starts + 3 * own.guarded + NAMES.get(name.lower(), 0)
    score -= 4 * path.count("/") + aside(path) + 20 * own.exported
    score -= 10 * (own.calls_others and not loads) + 2 * (app.made != path and name not in ("wsgi", "asgi"))
    score += 8 * bool(re.search(rf"\bpython3?\s+(\S*/)?{re.escape(posixpath.basename(path))}\b", readme))
    return Candidate(path=path, app=app, score=score, why=sentence(app, path, own, loads, routes))


def signs_of(code: Code, module: Module) -> Signs:
    return signs.of(module, Values(code, module), code.tree.read(module.path))


def aside(path: str) -> int:
    *folders, file = path.lower().removesuffix(".py").split("/")
    return 40 * bool(ASIDE & set(folders)) + 40 * bool(TEST.match(file)) + 40 * bool(BACKUP.search(file))


def sentence(app: App, path: str, own: Signs, loads: int, routes: int) -> str:
    made = (
        f"makes a {app.framework} app" if app.made == path else f"takes the {app.framework} app that {app.made!r} makes"
    )
    said = [made + (f" ({app.object!r}, line {app.line})" if app.made == path and app.object else "")]
    said += ["loads a model"] if own.loads else ["loads a model through what it imports"] if loads else []
    said += [f"has {routes} route{'s' * (routes > 1)}"] if routes else []
    said += ["starts it"] if own.starts else []
    return ", ".join(said[:-1]) + (" and " if said[1:] else "") + said[-1]


def instead(code: Code) -> str:
    """What a folder without an app has, in a sentence."""
    tree = code.tree
    where = f"No WSGI or ASGI app in {str(tree.folder)!r}"
    if not code.paths:
        notebooks = [path for path in tree.files if path.endswith(".ipynb")]
        if notebooks:
            return f"{where}: it has notebooks ({listed(notebooks)}) and no Python file. Export what serves: module.py"
        other = "package.json" in tree.files and " It is a Node.js project."
        return f"{where}: no Python file in it.{other or ''}"
    found: dict[str, list[str]] = {}
    for path in sorted(code.paths, key=lambda each: (each.count("/"), each))[:MOST]:
        module = code.module(path)
        flavour = signs_of(code, module).flavour if module else ""
        if flavour:
            found.setdefault(flavour, []).append(path)
    if found:
        what = "; ".join(f"{name}: {listed(paths)}" for name, paths in found.items())
        return (
            f"{where}, but {what}. Its server is its own: only Flask, FastAPI and other WSGI or ASGI apps are served."
        )
    if code.broken:
        first, why = min(code.broken.items())
        return f"{where}: {first!r} {why}."
    return f"{where}: none of its {len(code.paths)} Python files makes one ({listed(list(code.paths))})."


def listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(map(repr, paths[:3])) + more


def asks_for(tree: Tree, name: str, major: int) -> bool:
    """Whether the requirements ask for at least that major version of a distribution."""
    text = tree.read("requirements.txt")
    found = re.search(rf"(?im)^{re.escape(name)}(\[[^\]]*\])?\s*[=>~]=\s*(\d+)", text)
    return bool(found and int(found[2]) >= major)
