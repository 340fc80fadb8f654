"""What a command line starts: `gunicorn site.wsgi:app --chdir api`, `python app.py`, `FLASK_APP=x flask run`."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace

from flaskship.source import Interface

VARIABLE = re.compile(r"^([A-Za-z_]\w*)=(.*)$", re.DOTALL)
MODULE = re.compile(r"^[\w.]+(:.+)?$", re.DOTALL)
PYTHON = re.compile(r"^(python|py|pypy)[\d.]*(\.exe)?$")
RUNNERS = {"poetry": "run", "pipenv": "run", "uv": "run", "pdm": "run", "hatch": "run", "conda": "run", "rye": "run"}
BEFORE = {
    "exec",
    "time",
    "nohup",
    "sudo",
    "dumb-init",
    "tini",
    "--",
    "newrelic-admin",
    "run-program",
    "ddtrace-run",
    "env",
}
BEFORE |= {"opentelemetry-instrument", "micromamba", "nice", "command"}
SHELLS = {"sh", "bash", "zsh", "dash", "ash"}
SCRIPTS = {"streamlit": "Streamlit", "gradio": "Gradio", "jupyter": "Jupyter", "voila": "Voilà", "chainlit": "Chainlit"}
# Options of each server that take no value; every other one does.
PLAIN = {
    *("--reload", "--preload", "--daemon", "-D", "--capture-output", "--spew", "--check-config", "--no-sendfile", "-R"),
    *("--enable-stdio-inheritance", "--reuse-port", "--proxy-protocol", "--log-syslog", "--factory", "--proxy-headers"),
    *("--no-access-log", "--use-colors", "--no-use-colors", "--no-proxy-headers", "--call", "--debug", "--no-debug"),
    *("--no-server-header", "--no-date-header", "--expose-tracebacks", "--no-expose-tracebacks", "--access-log"),
    *("--master", "--die-on-term", "--vacuum", "--enable-threads", "--need-app", "--lazy-apps", "--without-threads"),
    *("--with-threads", "--no-reload", "--no-debugger", "--no-ws", "--ws", "--version", "-M", "--dev"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is started: a module or a file, and where. Paths are as the command has them, from `cwd`."""

    module: str = ""  # "site.wsgi"
    file: str = ""  # "app.py"
    object: str = ""  # "app", "create_app()"
    cwd: str = "."
    paths: tuple[str, ...] = ()  # further places to look for the module in
    interface: Interface | None = None
    port: int = 0
    script: str = ""  # "Streamlit": it starts no app, but one of these
    before: tuple[str, ...] = ()  # what the line runs before it: "python download_model.py"


def read(words: list[str], env: dict[str, str], open_script: Callable[[str], str] = lambda path: "") -> Start | None:
    """What the last server among the commands of a line starts; None where there is none.

    `open_script` gives the text of a shell script that is named, "" where it is not there.
    """
    found, env, cwd, before = None, dict(env), ".", list[str]()
    for command in split(words):
        command = without_env(command, env)
        if command[:1] == ["cd"] and len(command) > 1:
            cwd = posixpath.normpath(posixpath.join(cwd, command[1]))
        elif command[:1] == ["export"]:
            without_env(command[1:], env)
        elif start := one(command, env, open_script):
            if found and found.file and not found.file.endswith("manage.py"):
                before.append(f"python {found.file}")
            found = replace(start, cwd=posixpath.normpath(posixpath.join(cwd, start.cwd)))
        elif prepares(command):
            before.append(" ".join(command))
    return replace(found, before=(*before, *found.before)) if found else None


def prepares(command: list[str]) -> bool:
    """Whether it may make what the app needs: a Python program, but for pip's and Django's."""
    python = any(PYTHON.match(posixpath.basename(word)) for word in command[:1])
    return python and not {"pip", "-c", "manage.py", "venv"} & set(command)


def line(text: str, env: dict[str, str], open_script: Callable[[str], str] = lambda path: "") -> Start | None:
    """Of a shell's line, or of several."""
    try:
        lexer = shlex.shlex(text.replace("\\\n", " ").replace("\n", " ; "), posix=True, punctuation_chars=";&|")
        lexer.whitespace_split, lexer.commenters = True, ""
        return read(list(lexer), env, open_script)
    except ValueError:  # a quote that is not closed
        return read(text.split(), env, open_script)


def script(text: str, env: dict[str, str]) -> Start | None:
    """Of a shell script, line by line: the last that starts something."""
    lines = [each for each in text.replace("\\\n", " ").splitlines() if not each.lstrip().startswith("#")]
    return line("\n".join(lines), env)


def split(words: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for word in words:
        if set(word) <= set(";&|") and word:
            found.append([])
        else:
            found[-1].append(word)
    return [each for each in found if each]


def without_env(words: list[str], env: dict[str, str]) -> list[str]:
    """The command behind `NAME=value` and what runs another command; the values are put into `env`."""
    words = list(words)
    while words:
        base = posixpath.basename(words[0])
        if matched := VARIABLE.match(words[0]):
            env[matched[1]] = matched[2]
            words = words[1:]
        elif base in BEFORE:
            words = words[1:]
        elif base in RUNNERS and RUNNERS[base] in words[1:3]:
            words = words[words.index(RUNNERS[base]) + 1 :]
            while words and words[0].startswith("-"):
                words = words[2:] if words[0] in ("-n", "-p", "--name", "--with", "--python", "--extra") else words[1:]
        else:
            break
    return words


def one(words: list[str], env: dict[str, str], open_script: Callable[[str], str]) -> Start | None:
    if not words:
        return None
    program, rest = posixpath.basename(words[0]), words[1:]
    if PYTHON.match(program):
        return python(rest, env, open_script)
    if program in SHELLS:
        given = [word for word in rest if not word.startswith("-")]
        if any(word.startswith("-") and word.endswith("c") for word in rest) and given:
            return line(given[0], env, open_script)
        return script(open_script(given[0]), env) if given else None
    if program.endswith((".sh", ".bash")) and (text := open_script(words[0])):
        return script(text, env)
    if program in SCRIPTS:
        return Start(script=SCRIPTS[program])
    reader = SERVERS.get(program)
    return reader(rest, env) if reader else None


def python(rest: list[str], env: dict[str, str], open_script: Callable[[str], str]) -> Start | None:
    while rest and rest[0].startswith("-") and rest[0] != "-m":
        rest = rest[2:] if rest[0] in ("-W", "-X", "-c") else rest[1:]
    if rest[:1] == ["-m"] and len(rest) > 1:
        if rest[1] in SERVERS or rest[1] in SCRIPTS:
            return one(rest[1:], env, open_script)
        return Start(module=rest[1])
    return Start(file=rest[0], port=number(option(rest, "--port", "-p"))) if rest and rest[0].endswith(".py") else None


def option(words: list[str], *names: str) -> str:
    """The value of an option, as `--name value` or `--name=value`; "" where it is not given."""
    for index, word in enumerate(words):
        name, given, value = word.partition("=")
        if name in names:
            return value if given else words[index + 1] if index + 1 < len(words) else ""
        if len(word) > 2 and word[:2] in names and not word.startswith("--"):
            return word[2:]
    return ""


def positional(words: list[str]) -> list[str]:
    found, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-") and len(word) > 1:
            skip = "=" not in word and word not in PLAIN and (word.startswith("--") or len(word) == 2)
        else:
            found.append(word)
    return found


def number(text: str) -> int:
    last = text.rpartition(":")[2]
    return int(last) if last.isdigit() else 0


def served(default: str, interface: Interface | None) -> Callable[[list[str], dict[str, str]], Start | None]:
    """A reader of a server's command that ends in MODULE:OBJECT; `default` is the object where none is said."""

    def reader(words: list[str], env: dict[str, str]) -> Start | None:
        words = [*shlex.split(env.get("GUNICORN_CMD_ARGS", "")), *words] if default == "application" else words
        named = [word for word in positional(words) if MODULE.match(word)]
        if not named:
            return None
        module, _, attribute = next((word for word in named if ":" in word), named[0]).partition(":")
        attribute = attribute or default
        if ("--factory" in words or "--call" in words) and not attribute.endswith(")"):
            attribute += "()"
        kind = Interface.ASGI if "uvicorn" in option(words, "-k", "--worker-class").lower() else interface
        where = option(words, "--chdir", "--working-directory")
        paths = [each for name in ("--pythonpath", "--app-dir") for each in option(words, name).split(",") if each]
        file = module.endswith(".py")
        return Start(
            module="" if file else module, file=module if file else "", object=attribute, cwd=where or ".",
            paths=tuple(paths), interface=kind, port=number(option(words, "-b", "--bind", "--port", "-p", "--listen")),
        )  # fmt: skip

    return reader


def flask(words: list[str], env: dict[str, str]) -> Start | None:
    """`flask --app X run`; the name without an object is left to be found by value, as Flask does."""
    named = option(words, "--app", "-A") or env.get("FLASK_APP", "")
    if "run" not in words and named == "":
        return None
    port = number(option(words, "-p", "--port") or env.get("FLASK_RUN_PORT", ""))
    return replace(app(named), port=port)


def app(named: str) -> Start:
    """What `FLASK_APP` names: `site.wsgi`, `api/app.py:app`, `site:create_app('x')`; nothing means `app` or `wsgi`."""
    place, _, attribute = (named or "app").partition(":")
    if place.endswith(".py") or "/" in place:
        return Start(file=place if place.endswith(".py") else f"{place}.py", object=attribute)
    return Start(module=place, object=attribute)


def fastapi(words: list[str], env: dict[str, str]) -> Start | None:
    named = [word for word in positional(words) if word.endswith(".py")]
    found = named[0] if named else "main.py"
    return Start(
        file=found, object=option(words, "--app"), interface=Interface.ASGI, port=number(option(words, "--port"))
    )


def uwsgi(words: list[str], env: dict[str, str]) -> Start | None:
    module, _, attribute = option(words, "--module", "-w", "--wsgi").partition(":")
    file = option(words, "--wsgi-file", "--file")
    attribute = option(words, "--callable") or attribute or "application"
    if not module and not file:
        return None
    return Start(
        module=module, file=file, object=attribute, cwd=option(words, "--chdir") or ".", interface=Interface.WSGI
    )


SERVERS: dict[str, Callable[[list[str], dict[str, str]], Start | None]] = {
    "gunicorn": served("application", Interface.WSGI),
    "waitress-serve": served("app", Interface.WSGI),
    "waitress": served("app", Interface.WSGI),
    "uvicorn": served("app", Interface.ASGI),
    "hypercorn": served("app", None),
    "granian": served("app", None),
    "daphne": served("application", Interface.ASGI),
    "uwsgi": uwsgi,
    "flask": flask,
    "fastapi": fastapi,
}
