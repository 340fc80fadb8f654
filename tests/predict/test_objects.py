from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flaskship.predict.objects import Repeating, parse

TEXTS = st.text(alphabet='ab"\\\u0022ü😀\n', max_size=4)
KEYS = st.sampled_from(["a", "b", 'q"', "\\", "ü"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(KEYS, inner), max_size=3).map(tuple),
    max_leaves=10,
)  # a tuple of pairs is an object, in which a key may come twice


def written(value: Any, ascii: bool) -> str:
    if isinstance(value, tuple):
        members = (f"{json.dumps(key, ensure_ascii=ascii)}: {written(each, ascii)}" for key, each in value)
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(each, ascii) for each in value) + "]"
    return json.dumps(value, ensure_ascii=ascii)


def as_known(value: Any) -> Any:
    if isinstance(value, tuple):
        return {key: as_known(each) for key, each in value}
    return [as_known(each) for each in value] if isinstance(value, list) else value


def repeats(value: Any) -> bool:
    """Whether an object that counts, not one that a later key replaces, has a key twice."""
    if isinstance(value, tuple):
        return len(dict(value)) < len(value) or any(map(repeats, dict(value).values()))
    return isinstance(value, list) and any(map(repeats, value))


def told(value: Any) -> bool:
    if isinstance(value, dict):
        return isinstance(value, Repeating) or any(map(told, value.values()))
    return isinstance(value, list) and any(map(told, value))


@given(VALUES, st.booleans(), st.booleans())
def test_json_is_what_it_says_and_every_repeated_key_is_known(value, ascii, coded):
    text = written(value, ascii)
    text = text.replace('\\"', "\\u0022") if coded and "\\\\" not in text else text
    found = parse(text.encode())
    assert json.dumps(found, sort_keys=True) == json.dumps(as_known(value), sort_keys=True)
    assert told(found) == repeats(value)
