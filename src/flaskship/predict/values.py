"""What functions answer, as JSON: any value of Python's, NumPy's, pandas', and the results of `flaskship.results`.

3.5                        {"prediction": 3.5}
a PIL image                {"prediction": "data:image/png;base64,…"}
Labels({"cat": 0.9, …})    {"prediction": "cat", "probabilities": {"cat": 0.9, …}}
Boxes(…)                   {"boxes": […], "class_ids": […], …}
an iterator                {"prediction": […]}, gathered
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import date, time
from typing import Any

import msgspec
import numpy as np

from flaskship.errors import BadInput, PredictionFailed
from flaskship.predict.answers import Encoder, label, plain
from flaskship.results import Boxes, Labels, Segmentation, data_url
from flaskship.schema import Answer, AnswerType, Signature

MASKS = ("", "rle", "png")


class Results(Encoder):
    """Encodes what a function answers: one object of Python's a row. Raises `PredictionFailed` for what JSON lacks."""

    def __init__(self, signature: Signature) -> None:
        super().__init__(signature)
        self._labelled = signature.answers is AnswerType.LABELS
        self._json = msgspec.json.Encoder(enc_hook=encodable)

    def encode(self, answer: Answer, *, single: bool, warnings: Sequence[str] = (), masks: str = "") -> bytes:
        """As any encoder; `masks` ("rle", "png") adds those of a `Segmentation`. Raises `BadInput` for other words."""
        if masks not in MASKS:
            raise BadInput(f"'masks' is {masks[:60]!r}. It may be 'rle' or 'png'.")
        found = [record(value, masks) for value in answer.values[0]]
        whole: dict[str, Any] = found[0] if single else {"predictions": found}
        return self.encode_item(whole | {"warnings": list(warnings)} if warnings else whole)

    def encode_values(self, answer: Answer) -> bytes:
        return self.encode_item(self.values(answer))

    def encode_item(self, value: Any) -> bytes:
        """Any value as JSON, such as one item of a stream."""
        try:
            return self._json.encode(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise PredictionFailed(f"The function answered what JSON cannot have: {error}") from error

    def results(self, answer: Answer) -> list[Any]:
        found: list[Any] = msgspec.json.decode(self.encode_item([record(value) for value in answer.values[0]]))
        return found

    def values(self, answer: Answer) -> list[Any]:
        """What is predicted for each row: a label of `Labels`, all of `Boxes`."""
        found = [record(value) for value in answer.values[0]]
        return [each.get("prediction", each) for each in found]

    def flat(self, answer: Answer) -> Answer:
        """Columns for a table: plain values of JSON, and for labels their probabilities beside them."""
        results = self.results(answer)
        columns = [_column([each.get("prediction", each) for each in results])]
        if self._labelled:
            columns.append(_column([each.get("probabilities") for each in results]))
        return Answer(values=tuple(columns))


def _column(values: list[Any]) -> Any:
    column = np.empty(len(values), object)
    for row, value in enumerate(values):
        column[row] = value
    return column


def record(value: Any, masks: str = "") -> dict[str, Any]:
    """`R` of one result; None is a row that was not asked."""
    if isinstance(value, Segmentation):
        return value.record(masks)
    if isinstance(value, Labels | Boxes):
        return value.record()
    return {"prediction": value}


def picture(answer: Answer, format: str = "PNG") -> bytes | None:
    """The file of a sole answer that is a picture, for a client that accepts one; else None."""
    images = sys.modules.get("PIL.Image")
    value = answer.values[0][0]
    if images is None or answer.rows != 1 or not isinstance(value, images.Image):
        return None
    found: bytes = importlib.import_module("flaskship.predict.images").content(value, format)
    return found


def encodable(value: Any) -> Any:
    """What msgspec does not know by itself, as what it knows. Raises `TypeError` naming the type.

    A library's values are told by that library where it is loaded: without it nobody made one.
    """
    if isinstance(value, np.generic | np.ndarray):
        return _of_numpy(value)
    if value is None or isinstance(value, bool):  # as a key
        return label(value)
    for kind in (str, int, float):
        if isinstance(value, kind):  # of a subclass
            return kind(value)
    if isinstance(value, date | time):
        return None if value != value else value.isoformat()
    if isinstance(value, Labels | Boxes | Segmentation):
        return value.record()
    images, pandas = sys.modules.get("PIL.Image"), sys.modules.get("pandas")
    if images is not None and isinstance(value, images.Image):
        return data_url(importlib.import_module("flaskship.predict.images").content(value), "image/png")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return importlib.import_module("flaskship.predict.frames").records(value)
    if pandas is not None and (value is pandas.NA or isinstance(value, pandas.Series | pandas.Index)):
        return None if value is pandas.NA else value.tolist()
    return _structure(value)


def _structure(value: Any) -> Any:
    if hasattr(value, "model_dump"):  # pydantic
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | frozenset):  # msgspec knows both, but as keys
        raise TypeError(f"a dictionary with the key {value!r}.")
    if isinstance(value, Iterator | Set | range) or (isinstance(value, Sequence) and not isinstance(value, type)):
        return list(value)
    if hasattr(value, "__array__"):  # a tensor
        return _of_numpy(np.asarray(value))
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__}.".removeprefix("builtins."))


def _of_numpy(value: Any) -> Any:
    """Plain values; not a number and not a time are null."""
    if value.dtype.kind in "Mm":
        texts = np.datetime_as_string(value) if value.dtype.kind == "M" else value.astype(str)
        return _nulled(texts.tolist())
    return plain(value) if isinstance(value, np.ndarray) else value.item()


def _nulled(texts: Any) -> Any:
    if isinstance(texts, list):
        return [_nulled(each) for each in texts]
    return None if texts == "NaT" else texts
