"""Values that a model takes, for forms and documentation; each of them is answered."""

from __future__ import annotations

from typing import Any

from flaskship.schema import Field, FieldType, Scalar, Signature

PLAIN: dict[FieldType, Scalar] = {
    FieldType.NUMBER: 0.0,
    FieldType.INTEGER: 0,
    FieldType.BOOLEAN: False,
    FieldType.TEXT: "text",
}


def row(signature: Signature) -> dict[str, Any]:
    """`{"age": 26, "new_user": 1, …}`"""
    return {field.name: example(field) for field in signature.inputs}


def example(field: Field) -> Any:
    """The field's example, else its default, its first choice, the middle of its range, or a plain value."""
    known = (field.example, field.default, *field.choices[:1], _middle(field), PLAIN[field.type])
    value: Any = next(each for each in known if each is not None)
    if field.type is FieldType.INTEGER and isinstance(value, float) and not field.choices:
        value = int(value)
    for size in reversed(field.shape):
        value = [value] * (size if size >= 0 else 1)
    return value


def _middle(field: Field) -> Scalar:
    if field.low is None or field.high is None or field.type not in (FieldType.NUMBER, FieldType.INTEGER):
        return None
    middle = (field.low + field.high) / 2
    return float(round(middle)) if field.low <= round(middle) <= field.high else middle
