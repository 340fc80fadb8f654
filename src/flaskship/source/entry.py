"""What starts somebody's app: which file, which object in it, where.

What is given decides; then what a file of the folder says (a Procfile, a Dockerfile, …); then what the modules hold.
Nothing of the folder is run or imported.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from flaskship.errors import NotRecognised, UsageError
from flaskship.source import Entry, Interface, candidates, ports, roots, signs, starts
from flaskship.source.apps import App, Apps
from flaskship.source.candidates import Candidate, Candidates
from flaskship.source.code import Code
from flaskship.source.commands import Start
from flaskship.source.starts import Said
from flaskship.source.tree import Tree, walk

MARGIN = 4  # of scores: nearer than this, two apps are equally good
NEAR = 60  # modules that are parsed only to name those that do not parse
SHOWN = 6  # of the apps that there are


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen, before it is known where it runs."""

    file: str
    app: App | None  # None where reading does not find it, and somebody says that it is there
    object: str
    cwd: str = ""  # "" where nothing says it
    interface: Interface | None = None
    port: int = 0  # that a command tells the server
    exposed: int = 0  # of a Dockerfile
    reasons: tuple[str, ...] = ()


def find(folder: Path, given: str = "") -> Entry:
    """Raises `UsageError` where `given` is not there or several are equally good, `NotRecognised` where none is."""
    tree = walk(folder)
    code = Code(tree)
    apps = Apps(code)
    choice = of_given(apps, given) if given else said(apps) or best(apps)
    return entry(apps, choice)


def entry(apps: Apps, choice: Choice) -> Entry:
    root, why = roots.find(apps.code, choice.file, choice.cwd)
    framework, interface = kind(apps, choice)
    port, told = ports.find(apps, choice.file, choice.port, choice.exposed)
    for path in sorted(apps.code.paths, key=lambda each: (each.count("/"), each))[:NEAR]:
        apps.code.module(path)
    broken = [f"{path!r} {what}: it is passed over." for path, what in sorted(apps.code.broken.items())]
    return Entry(
        root=root, file=choice.file, object=choice.object, interface=choice.interface or interface,
        framework=framework, reasons=(*choice.reasons, *why, *told, *broken), port=port,
    )  # fmt: skip


def kind(apps: Apps, choice: Choice) -> tuple[str, Interface]:
    """Framework and interface; where the object is not found, by what is imported."""
    if choice.app:
        modern = choice.app.framework == "connexion" and candidates.asks_for(apps.code.tree, "connexion", 3)
        return choice.app.framework, Interface.ASGI if modern else choice.app.interface
    roots = {each.module.partition(".")[0] for module in apps.code.reach(choice.file) for each in module.imports}
    for name in ("flask", "fastapi", "starlette", "quart", "litestar", "sanic", "django", "bottle", "falcon"):
        if name in roots:
            asgi = name in ("fastapi", "starlette", "quart", "litestar", "sanic")
            return name, Interface.ASGI if asgi else Interface.WSGI
    return "", choice.interface or Interface.WSGI


def of_given(apps: Apps, given: str) -> Choice:
    """`app.py`, `app.py:app`, `pkg.module:create_app()`, `:app`."""
    place, _, attribute = given.rpartition(":") if ":" in given else (given, "", "")
    if ":" in attribute or ("(" in place and ":" in place):  # create_app("a:b")
        place, _, attribute = given.partition(":")
    if not place:
        choice = best(apps, attribute)
        return replace(choice, reasons=(f"{choice.file!r} has the {attribute!r} that was asked for.",))
    file, cwd = located(apps.code, place)
    if not file:
        near = get_close_matches(place, (*apps.code.paths, *map(dotted, apps.code.paths)), n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"No {place!r} in {str(apps.code.tree.folder)!r}.{hint}")
    if apps.code.module(file) is None:
        raise UsageError(f"{file!r} cannot be served: it {apps.code.broken.get(file, 'cannot be read')}.")
    app, name = held(apps, file, attribute)
    if attribute and not app and not binds(apps.code, file, attribute):
        bound = [each.object for each in apps.of(file) if each.object]
        hint = f" It has {', '.join(map(repr, bound))}." if bound else ""
        raise UsageError(f"{file!r} has no {attribute!r}.{hint}")
    choice = Choice(file=file, app=app, object=name, cwd=cwd, reasons=(f"{file!r} was asked for.",))
    if not attribute and not kind(apps, choice)[0]:
        refuse(apps, file)
    return choice


def refuse(apps: Apps, file: str) -> None:
    """Raises `UsageError` where a file that was asked for can give no app, as far as reading tells."""
    module = apps.code.module(file)
    if module and not signs.runs_another(apps.code, module):
        flavour = Candidates(apps).signs(module).flavour
        what = (
            f"is a {flavour} script: its server is its own"
            if flavour
            else "has no function to serve, and makes no WSGI or ASGI app"
        )
        raise UsageError(f"{file!r} {what}. Name the file that makes the app: --app FILE:OBJECT")


def located(code: Code, place: str) -> tuple[str, str]:
    """The file that a path or a module's name means, and the working directory that this tells; ("", "") without."""
    path = Path(place)
    if path.is_absolute() and path.is_relative_to(code.tree.folder.absolute()):
        place = path.relative_to(code.tree.folder.absolute()).as_posix()
    inside = posixpath.normpath(place.replace("\\", "/"))
    if inside in code.tree.files:
        return inside, ""
    for each in (f"{inside}.py", f"{inside}/__init__.py"):
        if each in code.tree.files and "/" in place:
            return each, ""
    found = code.file("", place.replace(".", "/"))
    return (found, ".") if found else ("", "")


def dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def held(apps: Apps, file: str, attribute: str) -> tuple[App | None, str]:
    """The app of that name in a file, or its best; and the expression that gives it."""
    found = apps.of(file)
    if not attribute:
        app = Candidates(apps).main(file, found) if found else None
        return app, app.object if app else ""
    bare = attribute.partition("(")[0]
    for app in found:
        if app.object in (attribute, f"{attribute}()"):
            return app, app.object
    near = next((app for app in found if app.object.partition("(")[0] == bare), None) or apps.names(file).get(bare)
    return near, attribute


def binds(code: Code, file: str, attribute: str) -> bool:
    """Whether the name is in the module's text at all; what it is may be known only when it runs."""
    return attribute.partition("(")[0].partition(".")[0] in code.tree.read(file, limit=4 << 20)


def said(apps: Apps) -> Choice | None:
    """The first that a file of the folder says and that is there."""
    passed: list[str] = []
    for each in starts.found(apps.code.tree):
        if each.start.script:
            passed.append(f"{each.where!r} starts a {each.start.script} script: passed over.")
            continue
        choice = resolved(apps, each)
        if choice:
            return replace(choice, reasons=(*choice.reasons, *passed))
        named = each.start.module or each.start.file
        passed.append(f"{each.where!r} names {named!r}, which is no app here: passed over.")
    return None


def resolved(apps: Apps, said: Said) -> Choice | None:
    start = said.start
    for base in dict.fromkeys(posixpath.normpath(posixpath.join(each, start.cwd)) for each in said.bases):
        file = placed(apps.code, base, start)
        module = apps.code.module(file) if file else None
        if module is None:
            continue
        app, name = held(apps, file, start.object)
        named = bool(start.object) and start.interface is not None and binds(apps.code, file, start.object)
        named = named or (bool(start.file) and signs.runs_another(apps.code, module))
        if app or named:
            reason = (
                f"{file!r}: {said.where!r} says so ({said.text})."
                if said.text
                else f"{file!r}: {said.where!r} says so."
            )
            needed = [f"{said.where!r} runs {each!r} first: what it makes has to be there." for each in said.prepared]
            return Choice(
                file=file, app=app, object=name, cwd=base, port=start.port, reasons=(reason, *needed),
                exposed=next(iter(said.ports), 0), interface=None if app else start.interface,
            )  # fmt: skip
    return None


def placed(code: Code, base: str, start: Start) -> str:
    """The file that a command means in one folder; "" where it is not there."""
    for place in (base, *(posixpath.normpath(posixpath.join(base, each)) for each in start.paths)):
        inside = "" if place == "." else place
        if start.file:
            name = posixpath.basename(start.file) if start.file.startswith("/") else start.file
            path = posixpath.normpath(posixpath.join(inside, name))
            found = path if path in code.tree.files else ""
        else:
            found = code.file(inside, start.module.replace(".", "/"))
            main = posixpath.join(posixpath.dirname(found), "__main__.py")
            if found.endswith("__init__.py") and not start.object and main in code.tree.files:
                found = main
        if found:
            return found
    return ""


def best(apps: Apps, attribute: str = "") -> Choice:
    """The module that looks most like the app. Raises where there is none, or no single one."""
    search = Candidates(apps)
    ranked = search.ranked()
    if attribute:
        bare = attribute.partition("(")[0]
        ranked = [each for each in ranked if bare in apps.names(each.path)]
    if not ranked:
        if attribute:
            raise UsageError(f"No module in {str(apps.code.tree.folder)!r} has an app called {attribute!r}.")
        raise NotRecognised(search.instead())
    first = ranked[0]
    equal = [each for each in ranked if first.score - each.score < MARGIN and each.app.made != first.app.made]
    if equal:
        raise UsageError(several(apps.code.tree, [first, *equal]))
    others = [each for each in ranked[1:] if each.app.made != first.app.made]
    app, name = held(apps, first.path, attribute) if attribute else (first.app, first.app.object)
    reasons = [f"{first.path!r} {first.why}."]
    reasons += [f"Not {each.path!r}, which {each.why}." for each in others[: SHOWN - 1]]
    reasons += search.decoys(first.path)
    return Choice(file=first.path, app=app, object=name, reasons=tuple(reasons))


def several(tree: Tree, equal: Sequence[Candidate]) -> str:
    lines = [f"  --app {each.target}   ({each.why})" for each in equal[:SHOWN]]
    return "\n".join([f"Several apps in {str(tree.folder)!r} are equally good. Say which:", *lines])
