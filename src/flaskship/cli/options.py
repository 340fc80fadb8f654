"""Flags, made from the one table of settings."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from flaskship.errors import UsageError
from flaskship.settings import Duration, Settings, Size, environment, parse, variable

Command = TypeVar("Command", bound=Callable[..., Any])

MAKING = (
    *("sample", "target_column", "weights", "shape", "name", "model_version", "compile", "trust", "isolated", "app"),
    "exclude",
)
PACKING = ("base", "requirement", "system", "insecure")  # of a target that becomes an image on the way
ROWS = {row.name: row for row in dataclasses.fields(Settings)}
HINTS = typing.get_type_hints(Settings)
NOUNS = {str: "text", int: "number", float: "number", Size: "size", Duration: "duration"}
WORDS = {
    "env": "NAME[=VALUE]",
    "secret": "NAME",
    "exclude": "PATTERN",
    "label": "NAME=VALUE",
    "requirement": "SPEC",
    "shape": "NAME=SIZES[:DTYPE]",
    "system": "PACKAGE",
}


class SettingType(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 only
    """A value that `settings.parse` understands."""

    def __init__(self, name: str) -> None:
        self.setting = name
        hint = HINTS[name]
        choices = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
        self.name = "|".join(choices) or NOUNS.get(hint, "path")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return parse(value, HINTS[self.setting], f"--{self.setting.replace('_', '-')}")
        except UsageError as error:
            self.fail(error.detail, param, ctx)


def settings_options(*names: str) -> Callable[[Command], Command]:
    """Adds a flag for each of the settings named; the command receives those given as `flags`-like keywords."""

    def add(command: Command) -> Command:
        for name in reversed(names):
            command = _option(name)(command)
        return command

    return add


def _option(name: str) -> Callable[[Command], Command]:
    row = ROWS[name]
    flag = f"--{name.replace('_', '-')}"
    default = shown(row.default)
    text = f"{row.metadata['help']}  [env: {variable(name)}{default and f'; default: {default}'}]"
    if HINTS[name] is bool:
        both = f"{flag}/--no-{name.replace('_', '-')}" if row.default else flag
        return click.option(both, name, default=None, is_flag=True, help=text)
    if typing.get_origin(HINTS[name]) is tuple:
        return click.option(flag, name, multiple=True, metavar=WORDS[name], callback=_given, help=text)
    short = [f"-{row.metadata['short']}"] if row.metadata["short"] else []
    kind = SettingType(name)
    metavar = kind.name if "|" in kind.name else None  # the values as they are typed, where there are few
    return click.option(*short, flag, name, default=None, type=kind, metavar=metavar, help=text)


def _given(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> tuple[str, ...] | None:
    """None where the flag was not given at all, so that file and environment count."""
    return words or None


def shown(value: Any) -> str:
    """A default as people write it: `yes`, `64MB`, `30s`; "" where there is none."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Size) and value:
        return f"{value / 10**6:g}MB"
    if isinstance(value, float):
        return f"{value:g}s" if isinstance(value, Duration) else f"{value:g}"
    return "" if value in (None, ()) else str(value)


def load(flags: Mapping[str, Any]) -> Settings:
    """The settings of this call: file in the current directory, environment, then `flags`."""
    return Settings.load(Path.cwd(), environment(), flags)
