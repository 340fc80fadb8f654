"""Writes what is generated of docs/: settings.md, errors.md and cli.md, from the code that they describe.

`page(name)` is the text of one of them; tests/test_docs.py holds the files to it.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from flaskship import errors
from flaskship.cli import group
from flaskship.cli.options import shown
from flaskship.errors import FlaskshipError
from flaskship.settings import Settings, variable

DOCS = Path(__file__).parent.parent / "docs"
WIDTH = 100
NOTE = "<!-- Written by scripts/reference.py (make docs) from the code: edit that. -->"


def settings() -> str:
    lines = [
        NOTE,
        "# Settings",
        "",
        "Every setting is a flag of the command line, an environment variable, and a key of `[tool.flaskship]` in",
        "`pyproject.toml` or of `flaskship.toml` in the folder in which Flaskship starts. The flag wins over the",
        "environment, the environment over the file. A size is written `64MB` or `64MiB`, a duration `500ms`, `30s`",
        "or `2m`. `FLASKSHIP_API_KEY_FILE=/run/secrets/key` reads the key from that file, and so for every setting.",
        "",
        "| key | flag | environment | default | |",
        "|---|---|---|---|---|",
    ]
    hints = typing.get_type_hints(Settings)
    for row in dataclasses.fields(Settings):
        flag = f"--{row.name.replace('_', '-')}"
        short = f", `-{row.metadata['short']}`" if row.metadata["short"] else ""
        flags = f"`--no-{flag[2:]}`" if row.default is True else f"`{flag}`{short}"
        names = ", ".join(f"`{each}`" for each in (variable(row.name), row.metadata["also"]) if each)
        choices = typing.get_args(hints[row.name]) if typing.get_origin(hints[row.name]) is typing.Literal else ()
        text = row.metadata["help"] + (f" One of {', '.join(f'`{each}`' for each in choices)}." if choices else "")
        lines.append(f"| `{row.name}` | {flags} | {names} | {_shown(row.default)} | {text} |")
    lines += ["", "Bundles and environments are kept in `FLASKSHIP_CACHE`, else in the user's cache directory."]
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else shown(value)
    return text and f"`{text}`"


def every_error(base: type[FlaskshipError] = FlaskshipError) -> Iterator[type[FlaskshipError]]:
    """`base` and all below it, as they stand in errors.py."""
    yield base
    for each in base.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from every_error(each)


def error_classes() -> str:
    lines = [
        NOTE,
        "# Errors",
        "",
        "The command line ends with the exit code; an HTTP client is answered with the status and the title, in a body",
        "of `application/problem+json` (see [http.md](http.md)). Python code catches the class, which is in",
        "`flaskship.errors`.",
        "",
        "| class | is a | exit code | status | title | |",
        "|---|---|---|---|---|---|",
    ]
    drawn = inspect.getdoc(errors) or ""
    for each in every_error():
        parent = f"`{each.__bases__[0].__name__}`" if each is not FlaskshipError else ""
        line = re.search(rf"\b{each.__name__} (.*)", drawn)  # the tree's line, which ends in what it means
        meaning = re.sub(r"^[\s\d]*(exit[\s\d]*)?", "", line[1]) if line else ""
        meaning = meaning or "all that Flaskship raises on purpose"
        lines.append(f"| `{each.__name__}` | {parent} | {each.exit_code} | {each.status} | {each.title} | {meaning} |")
    return "\n".join(lines) + "\n"


def command_line() -> str:
    top = click.Context(group, info_name="flaskship", terminal_width=WIDTH, **group.context_settings)
    lines = [NOTE, "# Command line", "", "```", *_help(group, top), "```", ""]
    for name in group.list_commands(top):
        command = group.get_command(top, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=top)
        lines += [f"## flaskship {name}", "", "```", *_help(command, context), "```", ""]
    return "\n".join(lines)


def _help(command: click.Command, context: click.Context) -> list[str]:
    return [line.rstrip() for line in command.get_help(context).splitlines()]


PAGES: dict[str, Callable[[], str]] = {"settings.md": settings, "errors.md": error_classes, "cli.md": command_line}


def page(name: str) -> str:
    return PAGES[name]()


if __name__ == "__main__":
    for each in sys.argv[1:] or PAGES:
        (DOCS / each).write_text(page(each), encoding="utf-8")
