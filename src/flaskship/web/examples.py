"""Values that a model takes, for forms and documentation; each of them is answered, where its author's code agrees."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping
from typing import Any

from flaskship.results import data_url
from flaskship.schema import Field, FieldType, Limits, Scalar, Signature

PLAIN: dict[FieldType, Any] = {
    FieldType.NUMBER: 0.0,
    FieldType.INTEGER: 0,
    FieldType.BOOLEAN: False,
    FieldType.TEXT: "text",
    FieldType.DATE: "2026-01-31",
    FieldType.DATETIME: "2026-01-31T12:30:00",
    FieldType.TIME: "12:30:00",
    FieldType.FILE: "data:text/plain,A%20file%20of%20text.",
    FieldType.TABLE: [{"a": 1, "b": 2.5}, {"a": 3, "b": 4.5}],
    FieldType.ARRAY: [[0.0, 0.5], [0.5, 1.0]],
}
FILES = {
    FieldType.IMAGE: "picture.png",
    FieldType.TABLE: "table.csv",
    FieldType.ARRAY: "array.npy",
    FieldType.FILE: "file.txt",
}  # what travels as files, and what a sample of it is called
FORMATS = {"date": "2026-01-31", "date-time": "2026-01-31T12:30:00Z", "time": "12:30:00", "email": "ada@example.org"}
FORMATS |= {"uuid": "00000000-0000-4000-8000-000000000000", "uri": "https://example.org/", "duration": "PT1H"}
FORMATS |= {"decimal": "1.50"}


def row(signature: Signature) -> dict[str, Any]:
    """`{"age": 26, "new_user": 1, …}`; what a function can do without is there where its author says what it may be."""
    said = [each for each in signature.inputs if each.required or each.example is not None or each.default is not None]
    return {field.name: example(field) for field in said}


def example(field: Field) -> Any:
    """The field's example, else its default, its first choice, the middle of its range, or a plain value."""
    known = (field.example, field.default, *field.choices[:1], _middle(field))
    value: Any = next((each for each in known if each is not None), None)
    if value is None:
        return _plain(field)
    if field.type is FieldType.INTEGER and isinstance(value, float) and not field.choices:
        value = int(value)
    return value if field.boxed else _shaped(value, field)


def _plain(field: Field) -> Any:
    match field.type:
        case FieldType.IMAGE:
            return data_url(picture(2, 2), "image/png")
        case FieldType.OBJECT:
            return of_schema(field.schema)
        case FieldType.TEXT:
            return _text(field.limits)
        case FieldType.NUMBER | FieldType.INTEGER:
            value = number(field.limits, whole=field.type is FieldType.INTEGER)
            return value if field.boxed else _shaped(value, field)
        case FieldType.ARRAY if field.shape:
            return _shaped(0.0, field)
        case FieldType.ARRAY if field.dtype.startswith(("int", "uint", "bool")):
            return [[0, 1], [1, 0]]
    return _shaped(PLAIN[field.type], field) if not field.boxed else PLAIN[field.type]


def _shaped(value: Any, field: Field) -> Any:
    for size in reversed(field.usual or field.shape):
        value = [value] * (size if size >= 0 else 1)
    return value


def _text(limits: Limits) -> str:
    least, most = limits.min_length or 0, limits.max_length
    return ("text" * (least // 4 + 1))[: most if most is not None else max(4, least)]


def number(limits: Limits, *, whole: bool) -> float | int:
    """One that is within the limits: 0 where it may be, else one near an end."""
    step = limits.multiple_of or (1 if whole else 0.5)
    ends = [each for each in (limits.ge, limits.gt, limits.le, limits.lt) if each is not None]
    near = [(math.floor(end / step) + away) * step for end in ends for away in (0, 1, -1)]
    tried = [0, *near, *ends, sum(ends) / max(1, len(ends))]
    value = next((each for each in tried if _within(each, limits) and (not whole or each == int(each))), 0)
    return int(value) if whole else float(value)


def _within(value: float, limits: Limits) -> bool:
    return (
        (limits.ge is None or value >= limits.ge)
        and (limits.gt is None or value > limits.gt)
        and (limits.le is None or value <= limits.le)
        and (limits.lt is None or value < limits.lt)
        and (limits.multiple_of is None or math.isclose(value / limits.multiple_of, round(value / limits.multiple_of)))
    )


def _middle(field: Field) -> Scalar:
    if field.low is None or field.high is None or field.type not in (FieldType.NUMBER, FieldType.INTEGER):
        return None
    middle = (field.low + field.high) / 2
    return float(round(middle)) if field.low <= round(middle) <= field.high else middle


def of_schema(schema: Mapping[str, Any]) -> Any:
    """A value that a JSON Schema allows, of those that msgspec and pydantic write; it has no references."""
    for key in ("examples", "enum", "anyOf", "oneOf"):
        if schema.get(key):
            first = schema[key][0]
            return of_schema(first) if key.endswith("Of") else first
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    kind = schema.get("type", "object" if "properties" in schema else "")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            needed = schema.get("required", [])
            return {name: of_schema(each) for name, each in schema.get("properties", {}).items() if name in needed}
        case "array":
            given = [of_schema(each) for each in schema.get("prefixItems", ())]
            items = schema.get("items") or {}
            wanted = schema.get("minItems", 0 if given else 1)
            return [*given, *[of_schema(items)] * (wanted - len(given))]
        case "string":
            limits = Limits(min_length=schema.get("minLength"), max_length=schema.get("maxLength"))
            return FORMATS.get(schema.get("format", ""), _text(limits))
        case "integer" | "number" as named:
            return number(_limits(schema), whole=named == "integer")
        case "boolean":
            return False
        case "null":
            return None
    return "text"


def _limits(schema: Mapping[str, Any]) -> Limits:
    return Limits(
        ge=schema.get("minimum"),
        gt=schema.get("exclusiveMinimum"),
        le=schema.get("maximum"),
        lt=schema.get("exclusiveMaximum"),
        multiple_of=schema.get("multipleOf"),
    )


def picture(width: int, height: int) -> bytes:
    """A PNG: a square, a triangle and a circle on a light ground. https://www.w3.org/TR/png-3/"""
    side, rows = min(width, height), []
    for y in range(height):
        row = bytearray(b"\x00")  # of filter type 0
        for x in range(width):
            row += _shape(x / side, y / side)
        rows.append(bytes(row))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _shape(x: float, y: float) -> bytes:
    """The colour of a place, in shares of the picture's shorter side."""
    if abs(x - 0.34) < 0.2 and abs(y - 0.34) < 0.2:
        return b"\x1f\x4e\x79"
    if (x - 1.22) ** 2 + (y - 0.6) ** 2 < 0.24**2:
        return b"\xd9\x5f\x02"
    return b"\x1b\x9e\x77" if 0.5 < y < 0.92 and abs(x - 0.74) < 0.58 * (y - 0.5) else b"\xee\xf2\xf5"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
