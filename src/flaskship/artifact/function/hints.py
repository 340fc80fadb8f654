"""What one type hint says of a value: the field that it becomes, and how what a caller sends becomes what it names.

    read(int)                                             a whole number
    read(Annotated[float, Meta(ge=0, le=120)] | None)     a number from 0 to 120, or null
    read(Literal["red", "green"]), read(Colour)           one of these
    read(NDArray[np.float32])                             an array of float32
    read(list[Point])                                     an OBJECT, with its JSON Schema

A hint's own library (Pillow, pandas, pydantic) is known by the hint: whoever names it has it loaded.
"""

from __future__ import annotations

import datetime
import pathlib
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np

from flaskship.artifact.function.schemas import inlined
from flaskship.errors import BadInput, Problem
from flaskship.schema import FieldType, Limits, Scalar

POSSIBLE = (
    "int, float, str, bool, Literal, Enum, date, datetime, time, X | None, list, tuple, dict, set, a dataclass, "
    "TypedDict, NamedTuple or msgspec.Struct of these, Annotated[…, Meta(…)], PIL.Image.Image, numpy.ndarray, "
    "pathlib.Path, bytes, pandas.DataFrame, Any"
)
SCALARS: dict[Any, FieldType] = {
    int: FieldType.INTEGER,
    float: FieldType.NUMBER,
    str: FieldType.TEXT,
    bool: FieldType.BOOLEAN,
    datetime.date: FieldType.DATE,
    datetime.datetime: FieldType.DATETIME,
    datetime.time: FieldType.TIME,
    pathlib.Path: FieldType.FILE,
}
LIBRARIES = {
    ("PIL", "Image"): FieldType.IMAGE,
    ("numpy", "ndarray"): FieldType.ARRAY,
    ("pandas", "DataFrame"): FieldType.TABLE,
}
NONE = type(None)
UNIONS = (typing.Union, types.UnionType)

Convert: TypeAlias = Callable[[Any], Any]


class Unsuitable(ValueError):
    """Why a hint cannot be a field; the rest of a sentence that begins with the argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a hint says. `choices` are as callers send them; `convert` makes of one what the function takes."""

    hint: Any  # as it was written
    type: FieldType
    nullable: bool = False
    choices: tuple[Scalar, ...] = ()
    limits: Limits = Limits()
    dtype: str = ""
    schema: dict[str, Any]  # JSON Schema, without null
    help: str = ""
    examples: tuple[Any, ...] = ()
    convert: Convert | None = None  # never given None
    present: Convert | None = None  # the way back, for answers and defaults

    @property
    def codec(self) -> Any:
        """The type to which msgspec converts what JSON holds, before `convert` sees it."""
        return self.hint if self.convert is None else Any


def read(hint: Any, *, answer: bool = False) -> Reading:
    """Raises `Unsuitable`. What is inside an `answer` may be more: a list of arrays, say."""
    origin = typing.get_origin(hint)
    if isinstance(hint, typing.NewType):
        return replace(read(hint.__supertype__, answer=answer), hint=hint)
    if "TypeAliasType" in (type(hint).__name__, type(origin).__name__):  # Python 3.12's `type Age = int`
        return replace(read(_named(hint, origin), answer=answer), hint=hint)
    if origin is Annotated:
        return _annotated(hint, answer)
    if origin in UNIONS and NONE in typing.get_args(hint):
        others = tuple(each for each in typing.get_args(hint) if each is not NONE)
        return replace(read(typing.Union[others], answer=answer), hint=hint, nullable=True)  # noqa: UP007  # of a tuple
    if origin in UNIONS and set(typing.get_args(hint)) == {int, float}:
        return replace(read(float), hint=hint)
    if origin in UNIONS and answer:
        schemas = [read(each, answer=True).schema for each in typing.get_args(hint)]
        return Reading(hint=hint, type=FieldType.OBJECT, schema={"anyOf": schemas})
    if origin is typing.Literal:
        return _literal(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint)
    if isinstance(hint, type) and hint in SCALARS:
        return _scalar(hint)
    return _library(hint) or _object(hint, answer)


def _named(hint: Any, origin: Any) -> Any:
    """What an alias stands for: of `Pair[int]`, where `type Pair[T] = tuple[T, T]`, it is `tuple[int, int]`."""
    if origin is None:
        return hint.__value__
    given = dict(zip(origin.__type_params__, typing.get_args(hint), strict=True))
    value = origin.__value__
    return value[tuple(given[each] for each in value.__parameters__)] if value.__parameters__ else value


def _scalar(hint: Any) -> Reading:
    kind = SCALARS[hint]
    if kind is FieldType.FILE:
        return Reading(hint=hint, type=kind, schema=FILE)
    return Reading(hint=hint, type=kind, schema=msgspec.json.schema(hint))


def _annotated(hint: Any, answer: bool) -> Reading:
    """What is within, and what `Meta` adds; a text among the rest is help."""
    inner, *rest = typing.get_args(hint)
    found = replace(read(inner, answer=answer), hint=hint)
    for each in rest:
        if isinstance(each, str):
            found = replace(found, help=each)
        if not isinstance(each, msgspec.Meta):
            continue
        limits = {name: getattr(each, name) for name in Limits.__dataclass_fields__ if getattr(each, name) is not None}
        found = replace(
            found,
            limits=replace(found.limits, **limits),
            help=each.description or found.help or each.title or "",
            examples=tuple(each.examples or found.examples),
        )
        if limits and found.choices:
            raise Unsuitable("has limits and choices. Leave one of them out")
        if limits or each.tz is not None:
            found = replace(found, schema=_schema(hint, answer))
    return found


def _literal(hint: Any) -> Reading:
    values = tuple(each for each in typing.get_args(hint) if each is not None)
    nullable = None in typing.get_args(hint)
    kinds = {type(each) for each in values}
    if len(kinds) == 1 and (kind := kinds.pop()) in (str, int, bool):
        schema = {"enum": list(values)}
        return Reading(hint=hint, type=SCALARS[kind], nullable=nullable, choices=values, schema=schema)
    return replace(_object(hint, False), nullable=nullable)


def _enum(hint: type[Enum]) -> Reading:
    """By the members' values where these are all text or all numbers, else by their names."""
    members = list(hint)
    if not members:
        raise Unsuitable(f"is {named(hint)}, an Enum without members. Give it some")
    kinds = {type(each.value) if type(each.value) in (str, int, float) else _plainer(each.value) for each in members}
    by_value = kinds in ({str}, {int}, {float}, {int, float})
    keys: list[Any] = [each.value if by_value else each.name for each in members]
    table = dict(zip(keys, members, strict=True))
    kind = FieldType.TEXT if not by_value or kinds == {str} else FieldType.INTEGER
    return Reading(
        hint=hint,
        type=FieldType.NUMBER if by_value and float in kinds else kind,
        choices=tuple(keys),
        schema={"enum": keys},
        convert=table.__getitem__,
        present=lambda member: member.value if by_value else member.name,
    )


def _plainer(value: Any) -> Any:
    return next((kind for kind in (str, int, float) if isinstance(value, kind) and not isinstance(value, bool)), None)


def _library(hint: Any) -> Reading | None:
    """Pictures, arrays, tables, bytes, pydantic's models."""
    origin = typing.get_origin(hint) or hint
    if isinstance(hint, types.ModuleType):
        raise Unsuitable(f"is the module {hint.__name__}. Name the class in it, such as Image.Image")
    if hint is bytes:
        return Reading(hint=hint, type=FieldType.FILE, schema=FILE, convert=_contents)
    if not isinstance(origin, type):
        return None
    kind = LIBRARIES.get((origin.__module__.partition(".")[0], origin.__name__))
    if kind is FieldType.ARRAY:
        return Reading(hint=hint, type=kind, dtype=_dtype(hint), schema={"type": "array"})
    if kind is FieldType.IMAGE:
        return Reading(hint=hint, type=kind, schema=PICTURE)
    if kind is FieldType.TABLE:
        return Reading(hint=hint, type=kind, schema=TABLE)
    if hasattr(origin, "model_validate") and hasattr(origin, "model_json_schema"):
        schema = inlined(origin.model_json_schema())
        return Reading(hint=hint, type=FieldType.OBJECT, schema=schema, convert=_validator(origin), present=_dumped)
    return None


FILE = {"type": "string", "contentEncoding": "base64"}
PICTURE = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}
TABLE = {"type": "array", "items": {"type": "object"}}


def _contents(path: Any) -> bytes:
    return path if isinstance(path, bytes) else pathlib.Path(path).read_bytes()


def _dtype(hint: Any) -> str:
    """`float32` of `NDArray[np.float32]`, "" where it is not said."""
    arguments = typing.get_args(hint)
    said = typing.get_args(arguments[1]) if len(arguments) > 1 else ()
    if not said or said[0] is Any:
        return ""
    if said[0] is np.object_ or not _concrete(said[0]):
        raise Unsuitable(f"is an array of {named(said[0])}. Name a type such as np.float32, or none")
    return str(np.dtype(said[0]).name)


def _concrete(scalar: Any) -> bool:
    return isinstance(scalar, type) and issubclass(scalar, np.generic) and not scalar.__subclasses__()


def _validator(model: Any) -> Convert:
    def validated(value: Any) -> Any:
        try:
            return model.model_validate(value)
        except ValueError as error:  # pydantic's own is one, and lists what is wrong
            found: list[dict[str, Any]] = getattr(error, "errors", list)()
            problems = [Problem("$" + "".join(map(_step, each["loc"])), each["msg"]) for each in found]
            raise BadInput(problems[0].message if problems else str(error), problems) from error

    return validated


def _step(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"


def _dumped(value: Any) -> Any:
    return value.model_dump(mode="json")


def _object(hint: Any, answer: bool) -> Reading:
    """Whatever msgspec reads: lists, dictionaries, dataclasses, unions, …"""
    return Reading(hint=hint, type=FieldType.OBJECT, schema=_schema(hint, answer))


APART = "Type unions may not"  # what msgspec says of types that it writes, but cannot tell apart


def _schema(hint: Any, answer: bool) -> dict[str, Any]:
    """Its JSON Schema. Raises `Unsuitable` for what msgspec does not read."""

    def custom(kind: Any) -> dict[str, Any]:
        library = None if kind in (object, type) else _library(kind)
        if library is not None and (answer or kind is hint):
            return library.schema
        if kind in (hint, typing.get_origin(hint)):
            raise Unsuitable(f"is {named(hint)}, which cannot be a field")
        raise Unsuitable(f"holds {named(kind)}, which cannot be part of a field: let it be an argument of its own")

    try:
        schema = inlined(msgspec.json.schema(hint, schema_hook=custom))
        if not answer:
            msgspec.json.Decoder(hint)
    except (TypeError, NameError, AttributeError, RecursionError) as error:
        if answer and str(error).startswith(APART):
            return {}
        raise Unsuitable(f"is {named(hint)}, which cannot be a field: {str(error).partition(' - type')[0]}") from error
    return schema


def named(hint: Any) -> str:
    """A hint as one would write it: `Network`, `list[Network]`."""
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint.__qualname__
    return re.sub(r"\b(?:typing|collections\.abc)\.", "", str(hint))
