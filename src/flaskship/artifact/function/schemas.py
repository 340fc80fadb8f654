"""JSON Schemas that stand alone: each `$ref` replaced by what it names."""

from __future__ import annotations

from typing import Any

PREFIX = "#/$defs/"


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` without `$defs`. Where a type holds itself the inner one is any object."""
    definitions = schema.get("$defs", {})
    whole: dict[str, Any] = _resolved({key: value for key, value in schema.items() if key != "$defs"}, definitions, ())
    return whole


def _resolved(part: Any, definitions: dict[str, Any], above: tuple[str, ...]) -> Any:
    if isinstance(part, list):
        return [_resolved(each, definitions, above) for each in part]
    if not isinstance(part, dict):
        return part
    reference = part.get("$ref")
    if not isinstance(reference, str) or not reference.startswith(PREFIX):
        return {key: _resolved(value, definitions, above) for key, value in part.items()}
    name = reference.removeprefix(PREFIX)
    beside = {key: value for key, value in part.items() if key != "$ref"}
    if name in above:
        return {"title": name, **beside}
    return _resolved(definitions.get(name, {}), definitions, (*above, name)) | beside
