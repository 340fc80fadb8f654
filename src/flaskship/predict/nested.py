"""What is wrong inside a value of JSON and would be passed over by whoever takes it: msgspec, pandas, the function.

check([{"price": 1, "prise": 2}], type_info(list[Item]), "items")     Inside: No 'prise' in 'items[0]'. …
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from flaskship.predict.arguments import Inside
from flaskship.predict.objects import place
from flaskship.predict.rules import described, nearest


def bare(kind: Any) -> Any:
    """A type without what only describes it, and without `| None`."""
    if isinstance(kind, msgspec.inspect.Metadata):
        return bare(kind.type)
    if isinstance(kind, msgspec.inspect.UnionType):
        others = [each for each in kind.types if not isinstance(each, msgspec.inspect.NoneType)]
        return bare(others[0]) if len(others) == 1 else kind
    return kind


def check(value: Any, kind: Any, path: str, start: int = 0) -> None:
    """Raises `Inside` for a member that is repeated or that no dataclass has, and for a number that is not finite.

    `kind` is msgspec's type of `value`, None where any may be. `start` is the length of the field's name in `path`.
    """
    start, kind = start or len(path), bare(kind)
    if isinstance(value, list):
        _list(value, kind, path, start)
    elif isinstance(value, dict):
        fields = getattr(kind, "fields", None)
        known = None if fields is None else {each.encode_name: each.type for each in fields}
        if known is not None and getattr(kind, "tag_field", None):
            known[kind.tag_field] = None
        _members(value, known, path, start)
        for name, each in value.items():
            inner = known[name] if known is not None else getattr(kind, "value_type", None)
            check(each, inner, place(path, name), start)
    elif isinstance(value, float) and not math.isfinite(value):
        raise Inside(f"{path!r} is {described(value)}. Send null where a value is not known.", path[start:])


def _list(value: list[Any], kind: Any, path: str, start: int) -> None:
    kinds = set(map(type, value))
    if kinds <= PLAIN and (float not in kinds or all(map(math.isfinite, filter(None, value)))):
        return
    inner, several = getattr(kind, "item_type", None), getattr(kind, "item_types", ())
    for index, each in enumerate(value):
        check(each, several[index] if index < len(several) else inner, f"{path}[{index}]", start)


PLAIN = {int, float, bool, type(None)}  # a list of these is looked through at once


def _members(value: dict[str, Any], known: Mapping[str, Any] | None, path: str, start: int) -> None:
    for name in getattr(value, "repeated", ()):
        at = place(path, name)
        raise Inside(f"{at!r} is given more than once. Give it once.", at[start:])
    if known is None:
        return
    for name in value:
        if name not in known:
            free = [other for other in known if other not in value] or list(known)
            hint = nearest(name, free) or f" It has {', '.join(list(known)[:12])}."
            raise Inside(f"No {name[:200]!r} in {path!r}.{hint}", place(path, name)[start:])
