"""What is wrong inside a value of JSON and would be passed over by whoever takes it: msgspec, pandas, the function.

check([{"price": 1, "prise": 2}], type_info(list[Item]), "items")     Inside: No 'prise' in 'items[0]'. …
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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


def check(value: Any, kind: Any, path: str) -> None:
    """Raises `Inside` for a member that is repeated or that no dataclass has, and for a number that is not finite.

    `kind` is msgspec's type of `value`, None where any may be; `path` is the field's name.
    """
    try:
        _check(value, kind)
    except _Fault as fault:
        inside = "".join(reversed(fault.steps))
        raise Inside(fault.sentence(path + inside), inside + fault.member) from None


class _Fault(Exception):
    """What is wrong, and where: its steps are known on the way out, so that what is right costs no paths."""

    def __init__(self, sentence: Callable[[str], str], member: str = "") -> None:
        self.sentence, self.member = sentence, member  # of the path of what is wrong, or has the member that is
        self.steps: list[str] = []  # the innermost first


def _check(value: Any, kind: Any) -> None:
    kind = bare(kind)
    if isinstance(value, list):
        _list(value, kind)
    elif isinstance(value, dict):
        fields = getattr(kind, "fields", None)
        known = None if fields is None else {each.encode_name: each.type for each in fields}
        if known is not None and getattr(kind, "tag_field", None):
            known[kind.tag_field] = None
        _members(value, known)
        for name, each in value.items():
            try:
                _check(each, known[name] if known is not None else getattr(kind, "value_type", None))
            except _Fault as fault:
                fault.steps.append(place("", name))
                raise
    elif isinstance(value, float) and not math.isfinite(value):
        said = f"is {described(value)}. Send null where a value is not known."
        raise _Fault(lambda path: f"{path!r} {said}")


def _list(value: list[Any], kind: Any) -> None:
    kinds = set(map(type, value))
    if kinds <= PLAIN and (float not in kinds or all(map(math.isfinite, filter(None, value)))):
        return
    inner, several = getattr(kind, "item_type", None), getattr(kind, "item_types", ())
    for index, each in enumerate(value):
        try:
            _check(each, several[index] if index < len(several) else inner)
        except _Fault as fault:
            fault.steps.append(f"[{index}]")
            raise


PLAIN = {int, float, bool, type(None)}  # a list of these is looked through at once


def _members(value: dict[str, Any], known: Mapping[str, Any] | None) -> None:
    if repeated := getattr(value, "repeated", ()):
        member = place("", repeated[0])
        raise _Fault(lambda path: f"{path + member!r} is given more than once. Give it once.", member)
    odd = next((name for name in value if name not in known), None) if known is not None else None
    if known is not None and odd is not None:
        free = [other for other in known if other not in value] or list(known)
        hint = nearest(odd, free) or f" It has {', '.join(list(known)[:12])}."
        raise _Fault(lambda path: f"No {odd[:200]!r} in {path!r}.{hint}", place("", odd))
