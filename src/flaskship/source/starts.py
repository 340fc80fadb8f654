"""Where a folder says what starts it: a Procfile, a Dockerfile, a compose file, a hosting's own file, `.flaskenv`."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flaskship.source import commands, dockerfile
from flaskship.source.commands import Start
from flaskship.source.dockerfile import Dockerfile
from flaskship.source.tree import Tree

DEPTH = 3  # folders down that such files are looked for
COMPOSE = re.compile(r"^(docker-)?compose[\w.-]*\.ya?ml$")
DOCKER = re.compile(r"(?i)^(dockerfile([.-]\w+)*|\w+\.dockerfile|containerfile)$")
HOSTS = {
    *("render.yaml", "render.yml", "railway.json", "railway.toml", "nixpacks.toml", "app.yaml", "app.yml", "fly.toml"),
    *("apprunner.yaml", ".platform.app.yaml", "zappa_settings.json", "serverless.yml", "koyeb.yaml", "heroku.yml"),
    *("vercel.json", "startup.txt", "startup.sh", "start.sh", "run.sh", "entrypoint.sh", "uwsgi.ini"),
    *("captain-definition",),
}
KEYS = r"startCommand|start_command|run_command|command|entry[pP]oint|start|cmd|run|web|app_function|module|wsgi-file"
KEY = re.compile(rf"^(?P<indent>[ \t]*)(?:- +)?[\"']?(?:{KEYS})[\"']?[ \t]*[:=][ \t]*(?P<value>.*)$", re.MULTILINE)
FLASK_APP = re.compile(r"FLASK_APP[\"']?\s*[:=]\s*[\"']?([^\s\"'#]+)")
WHERE = re.compile(
    r"^[ \t-]*[\"']?(?:context|build|rootDir|working_dir|root)[\"']?[ \t]*[:=][ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE
)
PROCESS = re.compile(r"^\s*([\w-]+)\s*:\s*(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """That a file says what to start; `bases` are the folders that it may be started in, likeliest first."""

    where: str
    start: Start
    bases: tuple[str, ...]
    text: str = ""
    ports: tuple[int, ...] = ()
    prepared: tuple[str, ...] = ()  # what it runs before, and what it makes may be needed


def found(tree: Tree) -> Iterator[Said]:
    """Likeliest first: by kind of file, then from the top down."""
    near = [path for path in tree.files if path.count("/") < DEPTH]
    near.sort(key=lambda path: (path.count("/"), path))
    kinds: tuple[tuple[Callable[[str], bool], Callable[[Tree, str], Iterator[Said]]], ...] = (
        (lambda name: name.lower() in ("procfile", "procfile.txt"), procfile),
        (lambda name: bool(DOCKER.match(name)), docker),
        (lambda name: bool(COMPOSE.match(name)), keyed),
        (lambda name: name in HOSTS, keyed),
        (lambda name: name in (".flaskenv", ".env"), environment),
    )
    for fits, reader in kinds:
        for path in near:
            if fits(posixpath.basename(path)):
                yield from reader(tree, path)


def scripts(tree: Tree, *bases: str) -> Callable[[str], str]:
    """What opens a shell script that a command names."""

    def text(path: str) -> str:
        for base in bases:
            place = posixpath.normpath(posixpath.join(base, path.lstrip("/")))
            for each in (place, posixpath.join(base, posixpath.basename(path))):
                if (inside := posixpath.normpath(each)) in tree.files:
                    return tree.read(inside)
        return ""

    return text


def procfile(tree: Tree, path: str) -> Iterator[Said]:
    base = posixpath.dirname(path) or "."
    processes = dict(PROCESS.findall(tree.read(path)))
    for name in ("web", "api", "app", "server", "backend"):
        start = commands.line(processes.get(name, ""), {}, scripts(tree, base, "."))
        if start:
            yield Said(where=path, start=start, bases=(base, "."), text=processes[name], prepared=start.before)


def docker(tree: Tree, path: str) -> Iterator[Said]:
    file = dockerfile.read(tree.folder, path)
    if not file or not file.command:
        return
    own = posixpath.dirname(path) or "."
    contexts = dict.fromkeys((own, ".", posixpath.dirname(own) or "."))
    text = tuple(posixpath.join(each, inside) for each in contexts for inside in file.source("."))
    reader = scripts(tree, *text, *contexts)
    if file.command[:2] == ("/bin/sh", "-c"):
        start = commands.line(file.command[2], file.env, reader)
    else:
        start = commands.read(list(file.command), file.env, reader)
    if start:
        words = file.command[2:] if file.command[0] == "/bin/sh" else file.command
        bases = [posixpath.normpath(posixpath.join(each, at)) for each in contexts for at in sources(file, start)]
        yield Said(
            where=path, start=start, bases=(*bases, *contexts), text=" ".join(words), ports=file.ports,
            prepared=(*file.prepared, *start.before),
        )  # fmt: skip


def sources(file: Dockerfile, start: Start) -> list[str]:
    """The folders of the context that the command may run in, and those of the file that it names."""
    found = file.source(start.cwd)
    if start.file:
        above = posixpath.dirname(start.file)
        for each in file.source(posixpath.join(start.cwd, start.file)):
            inside = posixpath.dirname(each) or "."
            found.append(inside.removesuffix(f"/{above}") if above else inside)
    return found


def keyed(tree: Tree, path: str) -> Iterator[Said]:
    """Of a file of keys and values (YAML, TOML, JSON, INI) or a shell script: each command in it."""
    text = tree.read(path)
    own = posixpath.dirname(path) or "."
    wheres = [posixpath.normpath(posixpath.join(own, each)) for each in WHERE.findall(text)]
    bases = tuple(dict.fromkeys((*(each for each in wheres if each in tree.folders), own, ".")))
    named = FLASK_APP.search(text)
    env = {"FLASK_APP": named[1]} if named else {}
    values = list(held(text) if path.endswith(".json") else commanded(text))
    if path.endswith((".sh", ".txt")):
        values.append(text)
    for value in values:
        start = special(path, value) or commands.line(value, env, scripts(tree, *bases))
        if start:
            yield Said(where=path, start=start, bases=bases, text=" ".join(value.split())[:120])


def special(path: str, value: str) -> Start | None:
    """Values that name an object instead of a command."""
    name = posixpath.basename(path)
    if name == "zappa_settings.json" and re.fullmatch(r"[\w.]+", value):
        module, _, attribute = value.rpartition(".")
        return Start(module=module, object=attribute)
    if name == "uwsgi.ini" and re.fullmatch(r"[\w.]+(:\w+)?|[\w./]+\.py", value):
        return commands.app(value)
    return None


def held(text: str) -> Iterator[str]:
    """The values of those keys in a JSON file, however deep."""
    try:
        waiting = [json.loads(text)]
    except ValueError:
        return
    for each in waiting:
        waiting += each.values() if isinstance(each, dict) else each if isinstance(each, list) else []
        if isinstance(each, dict):
            yield from (value for key, value in each.items() if re.fullmatch(KEYS, key) and isinstance(value, str))


def commanded(text: str) -> Iterator[str]:
    """The values of the keys that hold commands: on the line, as a list, as a block below."""
    for match in KEY.finditer(text):
        value = match["value"].strip().rstrip(",")
        below = text[match.end() :].splitlines()[1:] if value in ("", "|", ">", "|-", ">-", "[") else []
        if below:
            indent = len(match["indent"])
            taken = []
            for each in below:
                if (
                    each.strip()
                    and len(each) - len(each.lstrip()) <= indent
                    and not each.lstrip().startswith(("-", "]"))
                ):
                    break
                taken.append(each.strip())
            listed = all(each.startswith("- ") for each in taken if each)
            value = (
                " ".join(each.removeprefix("- ").strip(",[]") for each in taken)
                if listed or value != "|"
                else "\n".join(taken)
            )
        elif value.startswith("["):
            value = " ".join(f'"{word}"' if " " in word else word for word in words(value))
        elif len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1].replace('\\"', '"')
        if value:
            yield value


def words(text: str) -> list[str]:
    try:
        found = json.loads(text.replace("'", '"'))
    except ValueError:
        return text.strip("[]").replace(",", " ").split()
    return [str(each) for each in found]


def environment(tree: Tree, path: str) -> Iterator[Said]:
    named = FLASK_APP.search(tree.read(path))
    if named:
        base = posixpath.dirname(path) or "."
        yield Said(where=path, start=commands.app(named[1]), bases=(base, "."), text=f"FLASK_APP={named[1]}")
