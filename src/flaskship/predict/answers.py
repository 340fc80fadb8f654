"""Answers to plain JSON: what each kind of model answers for a row.

classifier         {"prediction": "setosa", "probabilities": {"setosa": 0.98, …}}
regressor          {"prediction": 637.2}
several outputs    {"prediction": {"y0": 1.5, "y1": 0}}
outlier detection  {"prediction": -1, "score": -0.12}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import starmap
from typing import Any

import msgspec
import numpy as np

from flaskship.schema import Answer, Array, Scalar, Signature

UNQUICK = frozenset('"\\') | frozenset(map(chr, range(32)))  # characters that msgspec takes in no name


def label(value: Scalar) -> str:
    """A class as the key of an object: `0`, `setosa`, `true`."""
    if isinstance(value, bool | np.bool_) or value is None:
        return {True: "true", False: "false", None: "null"}[None if value is None else bool(value)]
    return str(value)


def plain(values: Array) -> list[Any]:
    """Values as plain Python, tensors as nested lists, NaN and infinities as None."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        unknown = ~np.isfinite(values)
        values = values.astype(object)
        values[unknown] = None
    found: list[Any] = values.tolist()
    return found


def _unwrapped(value: Any) -> Any:
    """A NumPy scalar or array inside an object column."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return plain(value)
    raise NotImplementedError(f"Answers of {type(value).__name__} cannot be written as JSON.")


@lru_cache
def shape(names: tuple[str, ...]) -> Callable[..., Any]:
    """What makes an object with these members of values in their order: a struct, which is faster than a dict.

    It is a dict where a name comes twice or has characters that a struct's cannot have.
    """
    if len(set(names)) < len(names) or any(UNQUICK & set(name) for name in names):
        return lambda *values: dict(zip(names, values, strict=True))
    fields = [f"f{index}" for index in range(len(names))]
    return msgspec.defstruct("Object", fields, rename=dict(zip(fields, names, strict=True)), gc=False)


class Encoder:
    """Encodes answers under one signature."""

    def __init__(self, signature: Signature) -> None:
        self._outputs = shape(tuple(output.name for output in signature.outputs)) if signature.named else None
        self._labels = shape(tuple(label(each) for each in signature.classes))
        self._bytes: Callable[[Any], bytes] = msgspec.json.Encoder(enc_hook=_unwrapped).encode
        self._simple = shape(("prediction",))
        self._classified = shape(("prediction", "probabilities"))

    def encode(self, answer: Answer, *, single: bool, warnings: Sequence[str] = (), masks: str = "") -> bytes:
        """`R` for a single row, else `{"predictions": [R, …]}`, with `warnings` where there are any.

        `masks` is for functions that segment.
        """
        if not single:
            found: Any = {"predictions": self._objects(answer)}
        else:
            found = self._one(answer)
            if warnings:
                found = msgspec.to_builtins(found, enc_hook=_unwrapped)
        if warnings:
            found["warnings"] = list(warnings)
        return self._bytes(found)

    def encode_values(self, answer: Answer) -> bytes:
        """`[0,1,…]`: the predictions alone, for a file."""
        return self._bytes(self.values(answer))

    def encode_item(self, value: Any) -> bytes:
        """Any value as JSON."""
        return self._bytes(value)

    def flat(self, answer: Answer) -> Answer:
        """The answer as a table has it: columns of plain values."""
        return answer

    def results(self, answer: Answer) -> list[Any]:
        """`R` of each row, as plain Python."""
        found: list[Any] = msgspec.to_builtins(self._objects(answer), enc_hook=_unwrapped)
        return found

    def values(self, answer: Answer) -> list[Any]:
        """The prediction of each row: a value, or what encodes as an object by the outputs' names."""
        columns = [plain(value) for value in answer.values]
        return columns[0] if self._outputs is None else list(map(self._outputs, *columns))

    def _one(self, answer: Answer) -> Any:
        """`R` of the first row."""
        if self._outputs is None and answer.score is None:  # NaN is left to the encoder, which writes null
            value = answer.values[0].tolist()[0]
            if answer.probabilities is None:
                return self._simple(value)
            return self._classified(value, self._labels(*answer.probabilities.tolist()[0]))
        return self._objects(answer[:1])[0]

    def _objects(self, answer: Answer) -> list[Any]:
        """What encodes as `R`, for each row."""
        members: dict[str, Iterable[Any]] = {"prediction": self.values(answer)}
        if answer.probabilities is not None:
            members["probabilities"] = starmap(self._labels, plain(answer.probabilities))
        if answer.score is not None:
            members["score"] = plain(answer.score)
        return list(map(shape(tuple(members)), *members.values()))
