"""What somebody's Dockerfile says of their app: environment, working directory, command, ports, system packages.

Read as the last stage has it. https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

INSTRUCTION = re.compile(r"^\s*([A-Za-z]+)\s+(.*)$", re.DOTALL)
ESCAPE = re.compile(r"^#\s*escape\s*=\s*(\S)", re.IGNORECASE)
HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
VARIABLE = re.compile(r"\\\$|\$(?:(\w+)|\{(\w+)(?:(:[-+]|[-+])([^}]*))?\})")
APT = re.compile(r"\bapt(?:-get)?\s+((?:-\S+\s+)*)install\b([^&;|\n]*)")
PREPARED = re.compile(r"\bpython[\d.]* (?:-m (?!pip\b|venv\b|ensurepip\b|compileall\b)\S+|\S+\.py)(?: [^&;|]*[^&;| ])?")
OWN = {  # what an image of ours sets itself, or what names another machine's places
    *("PATH", "HOME", "VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "PORT", "HOST", "FLASK_APP"),
    *("FLASK_ENV", "FLASK_DEBUG", "FLASK_RUN_PORT", "FLASK_RUN_HOST", "DEBIAN_FRONTEND", "PYTHONUNBUFFERED"),
    *("PYTHONDONTWRITEBYTECODE", "WORKERS", "WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"),
}
TOOLS = ("PIP_", "POETRY_", "UV_", "CONDA_", "APT_")  # of the building


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """`COPY source destination`, of the build's context; the destination is absolute."""

    source: str
    destination: str  # with a "/" at its end where it is said to be a folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    path: str = "Dockerfile"
    base: str = ""  # "python:3.8-slim"
    env: dict[str, str] = field(default_factory=dict)  # all that it sets
    workdir: str = "/"
    command: tuple[str, ...] = ()  # ENTRYPOINT and CMD; a shell's line is one that starts with "/bin/sh", "-c"
    ports: tuple[int, ...] = ()
    copies: tuple[Copy, ...] = ()
    packages: tuple[str, ...] = ()  # that `apt-get install` names, sorted
    prepared: tuple[str, ...] = ()  # Python programs that it runs: "python -m nltk.downloader punkt"

    @property
    def python(self) -> str:
        """The version that the base names: "3.8"; "" where it names none."""
        found = re.search(r"(?:^|/)python:(\d+\.\d+)", self.base) or re.search(r"python-?(\d+\.\d+)", self.base)
        return found[1] if found else ""

    @property
    def variables(self) -> dict[str, str]:
        """The environment without what a server sets itself, and what means nothing in another image."""
        return {name: value for name, value in self.env.items() if name not in OWN and not name.startswith(TOOLS)}

    def source(self, path: str) -> list[str]:
        """Where in the context a path of the image may come from, likeliest first: `/app/api` -> "api"."""
        wanted = posixpath.normpath(posixpath.join(self.workdir, path))
        found = []
        for copy in reversed(self.copies):
            place = posixpath.normpath(copy.destination)
            if wanted == place or place == "/":
                found += [copy.source if wanted == place else posixpath.join(copy.source, wanted[1:])]
            if wanted.startswith(f"{place}/"):
                inside = wanted[len(place) + 1 :]
                found.append(posixpath.join(copy.source, inside))
                if inside == posixpath.basename(copy.source):
                    found.append(copy.source)
            if place.startswith(f"{wanted}/") and f"/{posixpath.normpath(copy.source)}".endswith(place[len(wanted) :]):
                above = f"/{posixpath.normpath(copy.source)}"[: -len(place[len(wanted) :])]
                found.append(above.strip("/") or ".")
        return [posixpath.normpath(each) for each in found]


@dataclass(kw_only=True)
class Stage:
    """What a stage has said so far."""

    base: str = ""
    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    packages: set[str] = field(default_factory=set)
    prepared: list[str] = field(default_factory=list)

    def after(self) -> Stage:
        """What a stage that starts from this one begins with."""
        return Stage(
            base=self.base, env=dict(self.env), workdir=self.workdir, entrypoint=list(self.entrypoint),
            command=list(self.command), ports=list(self.ports), copies=list(self.copies), packages=set(self.packages),
            prepared=list(self.prepared),
        )  # fmt: skip

    def filled(self, text: str) -> str:
        return substituted(text, self.args | self.env)

    def take(self, name: str, rest: str) -> None:
        match name:
            case "ENV":
                self.env.update(self.variables(rest))
            case "ARG":
                for word in words(rest):
                    key, given, value = word.partition("=")
                    if given or key not in self.args:
                        self.args[key] = self.filled(value)
            case "WORKDIR":
                self.workdir = posixpath.normpath(posixpath.join(self.workdir, unquoted(self.filled(rest))))
            case "CMD":
                self.command = command(rest)
            case "ENTRYPOINT":
                self.entrypoint = command(rest)
            case "EXPOSE":
                found = [self.filled(word).partition("/")[0].partition("-")[0] for word in rest.split()]
                self.ports += [int(each) for each in found if each.isdigit()]
            case "COPY" | "ADD":
                self.copy(rest)
            case "RUN":
                self.packages |= installed(self.filled(rest))
                self.prepared += PREPARED.findall(" ".join(listed(rest) or rest.split()))

    def variables(self, rest: str) -> dict[str, str]:
        """Both of `ENV A=1 B="two words"` and the old `ENV A the rest of the line`."""
        found = words(rest)
        if found and "=" not in found[0]:
            key, _, value = rest.strip().partition(" ")
            return {key: unquoted(self.filled(value.strip()))}
        pairs = (word.partition("=") for word in found)
        return {key: self.filled(value) for key, _, value in pairs if key}

    def copy(self, rest: str) -> None:
        given = [word for word in (listed(rest) or words(rest)) if not word.startswith("--")]
        if "--from" in rest or len(given) < 2:
            return
        *sources, to = (self.filled(word) for word in given)
        folder = to.endswith(("/", "/.")) or to == "." or len(sources) > 1
        place = posixpath.normpath(posixpath.join(self.workdir, to)) + ("/" if folder else "")
        self.copies += [Copy(source=source.lstrip("/") or ".", destination=place) for source in sources]


def read(folder: Path, path: str = "Dockerfile") -> Dockerfile | None:
    """None where the file is not there, under its name or in small letters, or says nothing that is known."""
    place = next((each for each in (folder / path, folder / path.lower()) if each.is_file()), None)
    try:
        text = place.read_text(encoding="utf-8-sig", errors="replace") if place else ""
    except OSError:
        return None
    first, stages = Stage(), dict[str, Stage]()
    now: Stage | None = None
    for name, rest in instructions(text):
        if name == "FROM":
            base, _, given = substituted(
                " ".join(w for w in rest.split() if not w.startswith("--")), first.args
            ).partition(" ")
            now = stages[base.lower()].after() if base.lower() in stages else Stage(base=base)
            now.args = {}
            stages[given.lower().removeprefix("as ").strip() or f"stage {len(stages)}"] = now
        elif now is None:
            first.take(name, rest)
        else:
            if name == "ARG" and "=" not in rest and rest.strip() in first.args:
                now.args[rest.strip()] = first.args[rest.strip()]
            now.take(name, rest)
    if now is None:
        return None
    return Dockerfile(
        path=path, base=now.base, env=now.env, workdir=now.workdir, command=(*now.entrypoint, *now.command),
        ports=tuple(dict.fromkeys(now.ports)), copies=tuple(now.copies), packages=tuple(sorted(now.packages)),
        prepared=tuple(now.prepared),
    )  # fmt: skip


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each with its arguments, continued lines joined; comments and what a heredoc holds left out."""
    escape = found[1] if (found := ESCAPE.match(text)) else "\\"
    lines = iter(text.splitlines())
    for joined in lines:
        if joined.lstrip().startswith("#"):
            continue
        while joined.rstrip().endswith(escape):
            joined = joined.rstrip()[:-1] + " "
            following = next((each for each in lines if each.strip() and not each.lstrip().startswith("#")), None)
            if following is None:
                break
            joined += following.strip()
        if not (matched := INSTRUCTION.match(joined)):
            continue
        name, rest = matched[1].upper(), matched[2].strip()
        for marker in HEREDOC.findall(rest) if name in ("RUN", "COPY", "ADD") else ():
            inside = []
            for each in lines:
                if each.strip() == marker:
                    break
                inside.append(each)
            rest += "\n" + "\n".join(inside) if name == "RUN" else ""
        yield name, rest


def substituted(text: str, values: dict[str, str]) -> str:
    """`$NAME`, `${NAME}`, `${NAME:-else}`, `${NAME:+then}`; a name without value is empty."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "\\$":
            return "$"
        value = values.get(found[1] or found[2], "")
        if found[3] and found[3].endswith("-"):
            return value or substituted(found[4], values)
        if found[3]:
            return substituted(found[4], values) if value else ""
        return value

    return VARIABLE.sub(one, text)


def words(text: str) -> list[str]:
    """Split at blanks, quotes kept together and removed."""
    try:
        return shlex.split(text.replace("\\$", "\\\\$"))
    except ValueError:  # a quote that is not closed
        return text.split()


def unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def listed(text: str) -> list[str]:
    """The exec form's words; [] where the text is not of that form."""
    try:
        found = json.loads(text) if text.lstrip().startswith("[") else []
    except ValueError:
        return []
    return [str(each) for each in found] if isinstance(found, list) else []


def command(text: str) -> list[str]:
    return listed(text) or ["/bin/sh", "-c", text]


def installed(text: str) -> set[str]:
    """The packages that `apt-get install` is given."""
    found = set[str]()
    for _, rest in APT.findall(text):
        names = [
            word.partition("=")[0].partition("/")[0] for word in rest.split() if not word.startswith(("-", "$", "#"))
        ]
        found.update(name for name in names if re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name))
    return found
