"""JSON Schemas of what a model takes and answers, as its OpenAPI document has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from flaskship.predict.answers import label
from flaskship.predict.rules import bounds
from flaskship.schema import AnswerType, Field, FieldType, Limits, Output, Signature, Task
from flaskship.web.form import seen

Schema: TypeAlias = dict[str, Any]

TYPES: dict[FieldType, Schema] = {
    FieldType.NUMBER: {"type": "number"},
    FieldType.INTEGER: {"type": "integer"},
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.TEXT: {"type": "string"},
    FieldType.DATE: {"type": "string", "format": "date"},
    FieldType.DATETIME: {"type": "string", "format": "date-time"},
    FieldType.TIME: {"type": "string", "format": "time"},
    FieldType.IMAGE: {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
    FieldType.FILE: {"type": "string", "contentEncoding": "base64"},
    FieldType.ARRAY: {"type": "array", "items": {"type": ["number", "array"]}},
    FieldType.TABLE: {
        "type": ["array", "object"],
        "items": {"type": "object"},
        "additionalProperties": {"type": "array"},
    },
    FieldType.OBJECT: {},
}
HELP = {
    FieldType.IMAGE: "A picture, as a data URL or base64.",
    FieldType.FILE: "A file, as a data URL or base64.",
    FieldType.ARRAY: "Nested arrays of numbers.",
    FieldType.TABLE: "A table: an array of objects, or an object of columns.",
}
SENT = (FieldType.IMAGE, FieldType.FILE, FieldType.TABLE)  # that nobody writes into a query
PARTS = (*SENT, FieldType.ARRAY)  # that a form has as a file
WORDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
WORDS |= {"multiple_of": "multipleOf", "pattern": "pattern", "min_length": "minLength", "max_length": "maxLength"}
WARNINGS = {"type": "array", "items": {"type": "string"}}
PLAIN = ("string", "number", "integer", "boolean")
VALUES = frozenset({"default", "example", "examples", "enum", "const"})  # whose contents are no schemas
BESIDE = ("description", "default", "examples")  # what a field says of a type that others name too
NAME = re.compile(r"[A-Za-z0-9._-]+")


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def field(each: Field) -> Schema:
    """What one value of a field may be. A range seen in training is told, not enforced."""
    made: Schema = {**TYPES[each.type], **(each.schema if each.type is FieldType.OBJECT else {})}
    lowest, highest = bounds(each)
    if lowest is not None and highest is not None:  # of the model's own dtype
        made |= {
            "format": {"float32": "float"}.get(each.dtype, each.dtype or "int64"),
            "minimum": lowest,
            "maximum": highest,
        }
    if each.type is not FieldType.OBJECT:
        made |= limits(each.limits)
    if each.closed and each.choices and not each.shape:
        made["enum"] = list(each.choices)
    if each.type is not FieldType.ARRAY:
        for size in reversed(each.shape):
            made = {"type": "array", "items": made} | ({"minItems": size, "maxItems": size} if size >= 0 else {})
    about = " ".join(filter(None, (each.help, seen(each).capitalize(), HELP.get(each.type))))
    if about:
        made["description"] = about
    if each.default is not None and not each.required:
        made["default"] = each.default
    return nullable(made) if each.nullable else made


def limits(held: Limits) -> Schema:
    """What is refused otherwise."""
    told = {word: getattr(held, name) for name, word in WORDS.items()}
    return {word: value for word, value in told.items() if value is not None}


def text(each: Field) -> Schema:
    """A field of a query or of a form. Nothing between two signs is null, or what the function has for it."""
    made = field(replace(each, nullable=False))
    if each.shape or (each.type not in SENT and made.get("type") not in PLAIN and not listed(each)):
        made = {"type": "string", "contentMediaType": "application/json", "contentSchema": made}
    elif each.type is FieldType.TABLE:
        made = {"type": "string", "description": "A table: CSV, or JSON."}
    return {"anyOf": [made, {"const": ""}]} if each.nullable or not each.required else made


def listed(each: Field) -> bool:
    """Whether a query and a form have its values one by one: tag=a&tag=b."""
    items = each.schema.get("items")
    return each.schema.get("type") == "array" and isinstance(items, dict) and items.get("type") in PLAIN


def part(each: Field) -> Schema:
    """A field of a multipart form."""
    if each.type not in PARTS:
        return text(each)
    kind = "image/png" if each.type is FieldType.IMAGE else "application/octet-stream"
    about = each.help or {FieldType.TABLE: "CSV, JSON Lines, Parquet or Excel.", FieldType.ARRAY: "A .npy file."}.get(
        each.type, ""
    )
    return {"type": "string", "contentMediaType": kind} | ({"description": about} if about else {})


def row(fields: Mapping[str, Schema], required: list[str]) -> Schema:
    return {"type": "object", "required": required, "properties": dict(fields), "additionalProperties": False}


def nullable(made: Schema) -> Schema:
    kinds = made.get("type")
    if kinds is None:
        return {"anyOf": [made, {"type": "null"}]} if made else {}
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "null" in kinds:
        return made
    wider = {**made, "type": [*kinds, "null"]}
    if "enum" in made and None not in made["enum"]:
        wider["enum"] = [*made["enum"], None]
    return wider


def answer(signature: Signature) -> Schema:
    """R of DESIGN: prediction, and probabilities or a score where the model has them."""
    if signature.answers not in (AnswerType.VALUE, AnswerType.STREAM):
        made = signature.outputs[0].schema
        made = {**made, "properties": {**made.get("properties", {}), "warnings": WARNINGS}}
        nothing = {"type": "object", "required": ["prediction"], "properties": {"prediction": {"type": "null"}}}
        return {"anyOf": [made, nothing]} if signature.outputs[0].nullable else made
    properties: Schema = {"prediction": prediction(signature), "warnings": WARNINGS}
    if signature.answers is AnswerType.STREAM:
        properties["prediction"] = {"type": "array", "items": properties["prediction"]}
    required = ["prediction"]
    if signature.probabilities:
        labels = {label(each): {"type": ["number", "null"]} for each in signature.classes}
        properties["probabilities"] = {"type": "object", "properties": labels, "required": list(labels)}
        required.append("probabilities")
    if signature.score:
        properties["score"] = {"type": ["number", "null"]}
        required.append("score")
    return {"type": "object", "required": required, "properties": properties}


def prediction(signature: Signature) -> Schema:
    """What stands under `prediction`; of a stream, one of its items."""
    if not signature.named:
        return output(signature.outputs[0], signature)
    properties = {each.name: output(each, signature) for each in signature.outputs}
    return {"type": "object", "properties": properties, "required": list(properties)}


def output(each: Output, signature: Signature) -> Schema:
    if signature.task is Task.FUNCTION:
        made = each.schema or TYPES[each.type]
        return nullable(made) if each.nullable or each.type is FieldType.NUMBER else made
    made = TYPES[each.type]
    if each.type is FieldType.NUMBER:
        made = nullable(made)
    if signature.classes and not signature.named and not each.shape:
        return {"enum": list(signature.classes), "type": made["type"]}
    for _ in each.shape:
        made = {"type": "array", "items": made}
    return made


def named(schemas: Schema) -> Schema:
    """`schemas`, in which a dataclass of the author's is a component of its own, by its name.

    What a field says of it (its default, that it may be null) stands beside the reference.
    """
    found: Schema = {name: {} for name in schemas}  # taken
    originals: dict[str, Schema] = {}

    def walk(part: Any) -> Any:
        if isinstance(part, list):
            return [walk(each) for each in part]
        if not isinstance(part, dict):
            return part
        title = part.get("title")
        if not isinstance(title, str) or not NAME.fullmatch(title):
            return {key: value if key in VALUES else walk(value) for key, value in part.items()}
        if set(part) == {"title"} and title in originals:  # a type within itself
            return ref(title)
        if "properties" not in part:
            return {key: value if key in VALUES else walk(value) for key, value in part.items()}
        bare = {key: value for key, value in part.items() if key not in BESIDE} | {"type": "object"}
        names = (title, *(f"{title}_{number}" for number in range(2, len(found) + 2)))
        name = next(each for each in names if originals.get(each) == bare or each not in found)
        if name not in found:
            found[name], originals[name] = {}, bare
            found[name] = {key: value if key in VALUES else walk(value) for key, value in bare.items()}
        where = {"anyOf": [ref(name), {"type": "null"}]} if "null" in part.get("type", ()) else ref(name)
        return where | {key: part[key] for key in BESIDE if key in part}

    made = {name: walk(schema) for name, schema in schemas.items()}
    return found | made
