"""A function's arguments as fields, and its defaults: what `inspect` and its type hints tell, checked at start.

Everything that cannot be is a `TargetError` that names the function with its file and line, and the argument.
"""

from __future__ import annotations

import copy
import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from flaskship.artifact.function.docstring import Docstring
from flaskship.artifact.function.hints import POSSIBLE, Reading, Unsuitable, named, read
from flaskship.errors import BadInput, Problem, TargetError
from flaskship.schema import Field, FieldType

LISTS = (list, Sequence)
COPIED = (list, dict, set, bytearray)
HIDDEN = " Import it outside of `if TYPE_CHECKING:`."
NO_DEFAULT = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Callee:
    """A function to be served, and how messages name it: `segment() in 'shapes.py', line 12`."""

    function: Callable[..., Any]  # a method is bound
    name: str
    batch: int
    defaults: Mapping[str, Any] = field(default_factory=dict)  # of arguments that have none in the function's own words

    def __str__(self) -> str:
        code = getattr(plain(self.function), "__code__", None)
        if code is None:
            return self.called
        return f"{self.called} in {Path(code.co_filename).name!r}, line {code.co_firstlineno}"

    @property
    def kind(self) -> str:
        """`Shapes.segment`"""
        return str(getattr(plain(self.function), "__qualname__", self.name))

    @property
    def called(self) -> str:
        return f"{self.kind}()"

    def wrong(self, argument: str, what: str, *, possible: bool = False) -> TargetError:
        more = f" Possible are {POSSIBLE}." if possible else ""
        return TargetError(f"{self}: argument {argument!r} {what}.{more}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument: its field, and how to make what the function takes of what the codec made."""

    name: str
    field: Field
    reading: Reading
    positional: bool  # takes no name
    default: Any  # NO_DEFAULT where there is none

    def value(self, sent: Any) -> Any:
        """Of what came in a column, never `LEFT_OUT`. Raises `BadInput` where only its own library can tell."""
        if sent is None or self.reading.convert is None:
            return sent
        try:
            return self.reading.convert(sent)
        except BadInput as error:
            problems = [Problem(f"$.{self.name}{each.at.removeprefix('$')}", each.message) for each in error.problems]
            raise BadInput(f"{self.name!r} is wrong: {error.detail}", problems) from error

    def filled(self) -> Any:
        """The default, for one call: no two calls share a list."""
        return copy.deepcopy(self.default) if isinstance(self.default, COPIED) else self.default


def plain(function: Any) -> Any:
    """The function inside of decorators, `functools.partial` and a bound method."""
    while True:
        inner = inspect.unwrap(function)
        if isinstance(inner, functools.partial):
            inner = inner.func
        inner = getattr(inner, "__func__", inner)
        if inner is function:
            return function
        function = inner


def arguments(callee: Callee, hints: Mapping[str, Any], said: Docstring) -> tuple[Argument, ...]:
    """The arguments in their order. Raises `TargetError`."""
    found = tuple(_argument(callee, each, hints, said) for each in parameters(callee.function))
    if not found and callee.batch:
        raise TargetError(f"{callee} takes no argument: there is nothing to batch. Leave `batch=` out.")
    return found


def parameters(function: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    """What it can be called with; nothing where it is not written in Python and does not say."""
    try:
        return tuple(inspect.signature(function).parameters.values())
    except (ValueError, TypeError, NameError):  # the last by a hint that Python 3.14 evaluates only now
        return ()


def hints_of(callee: Callee) -> dict[str, Any]:
    """The type hints by argument, those written as text evaluated, with "return". Raises `TargetError`."""
    function = plain(callee.function)
    known = getattr(function, "__globals__", {})
    return {name: _evaluated(callee, known, name, hint) for name, hint in _written(callee, function).items()}


def _written(callee: Callee, function: Any) -> dict[str, Any]:
    try:
        return dict(getattr(function, "__annotations__", {}))
    except NameError as error:  # of any of them, on Python 3.14
        raise TargetError(f"{callee}: a hint cannot be evaluated: {error}.{HIDDEN}") from error


def _evaluated(callee: Callee, known: dict[str, Any], name: str, hint: Any) -> Any:
    alone = type("Alone", (), {"__annotations__": {name: hint}})
    try:
        return typing.get_type_hints(alone, known, {}, include_extras=True)[name]
    except Exception as error:  # a hint written as text is run, and may raise anything: told with its name
        where = "the answer" if name == "return" else f"argument {name!r}"
        hidden = HIDDEN if isinstance(error, NameError) else ""
        raise TargetError(f"{callee}: the hint {hint!r} of {where} cannot be evaluated: {error}.{hidden}") from error


def _argument(callee: Callee, parameter: inspect.Parameter, hints: Mapping[str, Any], said: Docstring) -> Argument:
    name, default = parameter.name, parameter.default
    if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else "**"
        raise callee.wrong(stars + name, "takes whatever comes, which is no field. Name each argument instead")
    if name not in hints:
        raise callee.wrong(name, f"has no type hint. Write what it takes, as in `{name}: float`", possible=True)
    try:
        found = _one_of(hints[name]) if callee.batch else read(hints[name])
    except Unsuitable as error:
        raise callee.wrong(name, str(error), possible=True) from error
    if callee.batch and default is not NO_DEFAULT:
        default = _sole(callee, name, default)
    default = callee.defaults.get(name, default)
    nullable = found.nullable or default is None
    made = Field(
        name=name,
        type=found.type,
        dtype=found.dtype,
        nullable=nullable,
        choices=found.choices,
        closed=bool(found.choices),
        default=_shown(callee, name, "default", default, found) if default is not NO_DEFAULT else None,
        example=_example(callee, name, found),
        help=found.help or said.arguments.get(name, ""),
        required=default is NO_DEFAULT,
        limits=found.limits,
        schema=found.schema if found.type is FieldType.OBJECT else {},
        boxed=True,
    )
    positional = parameter.kind is inspect.Parameter.POSITIONAL_ONLY
    return Argument(name=name, field=made, reading=found, positional=positional, default=default)


def _one_of(hint: Any) -> Reading:
    """What one value of a batched argument is."""
    if typing.get_origin(hint) not in LISTS:
        raise Unsuitable(
            f"is {named(hint)}, but with `batch=` every argument arrives as a list: write list[{named(hint)}]"
        )
    return read(typing.get_args(hint)[0])


def _sole(callee: Callee, name: str, default: Any) -> Any:
    """What a caller who leaves a batched argument out stands for."""
    if not isinstance(default, list | tuple) or len(default) != 1:
        raise callee.wrong(
            name,
            f"has the default {default!r}, but arrives as a list with a value of each caller. "
            f"Write `{name}: Sequence[…] = (…,)`, a sequence with the one value of a caller who leaves it out",
        )
    return default[0]


def _example(callee: Callee, name: str, found: Reading) -> Any:
    if not found.examples:
        return None
    return _shown(callee, name, "example", found.examples[0], found)


def _shown(callee: Callee, name: str, what: str, value: Any, found: Reading) -> Any:
    """A default or an example as plain JSON, None where JSON cannot have it. Raises `TargetError` if it is none."""
    if value is None:
        return None
    plainly = found.present(value) if found.present is not None and not _is_plain(value) else value
    if found.choices:
        if plainly not in found.choices:
            raise callee.wrong(name, f"has the {what} {value!r}, which is none of its choices")
        return plainly
    if found.type in (FieldType.IMAGE, FieldType.ARRAY, FieldType.FILE, FieldType.TABLE):
        return plainly.tolist() if isinstance(plainly, np.ndarray) else None
    try:
        built = msgspec.to_builtins(plainly)
        if found.present is None:
            msgspec.convert(built, found.hint)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise callee.wrong(name, f"has the {what} {value!r}, which its hint does not allow: {error}") from error
    return built


def _is_plain(value: Any) -> bool:
    return type(value) in (str, int, float, bool, dict)
