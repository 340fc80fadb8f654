"""A function's golden row: what it was asked and what it answered when its bundle was made, asked again later."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from flaskship.bundle import Recorded
from flaskship.errors import BadInput, CheckFailed, PredictionFailed
from flaskship.predict.codec import Codec, Request
from flaskship.schema import Answer, AnswerType, Columns, Field, FieldType, Signature

TOLERANCE = 1e-6  # relative, of numbers in an answer
NOT_PLAIN = (FieldType.IMAGE, FieldType.FILE, FieldType.TABLE)  # no example of these is written in a signature


def row(signature: Signature) -> dict[str, Any] | None:
    """The function's own examples and defaults as a request's body; None where an argument has neither.

    What it would be asked without any argument is no row: who calls it as it is made may not want it run.
    """
    if signature.answers is AnswerType.STREAM or not signature.inputs:
        return None
    if any(each.type in NOT_PLAIN or (each.required and each.example is None) for each in signature.inputs):
        return None
    return {each.name: value for each in signature.inputs if (value := _value(each)) is not None}


def _value(field: Field) -> Any:
    return field.example if field.example is not None else field.default


def record(codec: Codec, predict: Callable[[Columns], Answer]) -> Recorded | None:
    """What is answered to the examples, where that is plain and twice the same.

    Raises `PredictionFailed` and `BadInput` where the function takes its own examples for wrong.
    """
    asked = row(codec.signature)
    if asked is None:
        return None
    try:
        first, second = (ask(codec, predict, asked) for _ in range(2))
    except TypeError:  # an answer that JSON has no words for
        return None
    return Recorded(row=asked, answer=first) if first == second else None


def request(codec: Codec, asked: dict[str, Any]) -> Request:
    return codec.decode(msgspec.json.encode(asked))


def ask(codec: Codec, predict: Callable[[Columns], Answer], asked: dict[str, Any]) -> Any:
    """The answer as JSON has it."""
    return msgspec.json.decode(codec.encode(predict(request(codec, asked).columns), single=True))


def replay(name: str, golden: Recorded, codec: Codec, predict: Callable[[Columns], Answer]) -> None:
    """Raises `CheckFailed` where the function called `name` no longer answers what it did."""
    try:
        found = ask(codec, predict, golden.row)
    except (BadInput, PredictionFailed) as error:
        raise CheckFailed(f"{name!r} no longer answers {golden.row}: {error.detail}") from error
    compare(name, golden, found)


def compare(name: str, golden: Recorded, found: Any) -> None:
    """Raises `CheckFailed` where `found` is not what the function called `name` answered."""
    if not same(golden.answer, found):
        raise CheckFailed(
            f"{name!r} answers {golden.row} with {found}; when its bundle was made, with {golden.answer}."
        )


def same(want: Any, have: Any) -> bool:
    """Equal, numbers up to the tolerance."""
    if isinstance(want, dict) and isinstance(have, dict):
        return want.keys() == have.keys() and all(same(want[each], have[each]) for each in want)
    if isinstance(want, list) and isinstance(have, list):
        return len(want) == len(have) and all(map(same, want, have))
    if isinstance(want, float) and isinstance(have, int | float) and not isinstance(have, bool):
        return math.isclose(want, have, rel_tol=TOLERANCE, abs_tol=1e-9)
    return type(want) is type(have) and bool(want == have)
