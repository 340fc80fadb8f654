"""Arguments that callers send as files, or as text that holds one: pictures, arrays, tables, files themselves.

In JSON a picture or a file is a data URL or base64; an array is nested numbers, a table rows or columns.
"""

from __future__ import annotations

import importlib
import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from flaskship.errors import MissingExtra
from flaskship.predict.arguments import Argument, of_text_as_json
from flaskship.predict.nested import check
from flaskship.predict.rules import described, fits
from flaskship.predict.uploads import Upload, of_text
from flaskship.schema import Array, Field

DEEPEST = 64  # dimensions of NumPy's arrays


class Sent(Argument):
    """What travels as bytes."""

    def parsed(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise self.wrong(value)
        return self.spelled(value)

    def spelled(self, text: str) -> Any:
        return self.sent(of_text(text, self.name, self.noun))

    def of_value(self, value: Any) -> Any:
        """A cell of a typed table: also bytes, alone or as Hugging Face's data sets have them."""
        if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
            value = value["bytes"]
        if isinstance(value, bytes):
            return self._checked(self.sent(Upload(name=self.name, body=value)))
        return self.of_text("") if value is None or value == "" or value != value else self.of_json(value)


class Picture(Sent):
    """A `PIL.Image.Image`."""

    def __init__(self, field: Field) -> None:
        super().__init__(field)
        self._images = library("flaskship.predict.images", "pillow")
        self._images.formats()  # a tenth of a second, which is not the first caller's to wait

    def sent(self, upload: Upload) -> Any:
        return self._images.read(upload.body, self.name)

    def count(self) -> Callable[[Any], None]:
        pixels = self._images.Pixels()
        return lambda picture: pixels.add(picture, self.name)


class File(Sent):
    """An `Upload`, which the codec makes a path (`Files`) when all of the request is right."""

    def sent(self, upload: Upload) -> Any:
        return upload


class Matrix(Argument):
    """A NumPy array of numbers, of any shape unless the field has one."""

    def parsed(self, value: Any) -> Any:
        if not isinstance(value, list | bool | int | float):
            raise self.wrong(value)
        if isinstance(value, list) and holds_text(value):
            raise ValueError(f"{self.name!r} takes {self.noun}, and holds text.")
        try:
            found = np.array(value)
        except (ValueError, OverflowError):  # lists of several lengths
            raise ValueError(f"{self.name!r} has rows of several lengths: it takes {self.noun}.") from None
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            raise ValueError(f"{self.name!r} holds a number that is not finite: it takes {self.noun}.")
        return self.typed(found)

    def spelled(self, text: str) -> Any:
        return self.parsed(of_text_as_json(self, text))

    def sent(self, upload: Upload) -> Any:
        return self.typed(of_npy(upload.body, self.name))

    def of_value(self, value: Any) -> Any:
        if isinstance(value, bytes):
            return self.sent(Upload(name=self.name, body=value))
        if value is None or isinstance(value, str):
            return self.of_text(value or "")
        return self.typed(value) if isinstance(value, np.ndarray) else self.of_json(value)

    def typed(self, found: Array) -> Array:
        """As the function wants it. Raises `ValueError` where that would change a value."""
        if found.dtype.kind not in "biuf":
            raise ValueError(f"{self.name!r} takes {self.noun}, and holds {_odd(found)}.")
        wanted = np.dtype(self.field.dtype or found.dtype)
        with np.errstate(all="ignore"):
            made = found.astype(wanted)
            lost = bool((~np.isfinite(made) & np.isfinite(found)).any())
        if lost or (wanted.kind in "biu" and not np.array_equal(made, found)):
            raise ValueError(f"{self.name!r} holds numbers that {wanted.name} does not hold.")
        shape = self.field.shape
        if shape and not fits(found.shape, shape):
            raise ValueError(f"{self.name!r} has shape {list(found.shape)}, and {list(shape)} is due.")
        return made


class Frame(Argument):
    """A `pandas.DataFrame`."""

    def __init__(self, field: Field) -> None:
        super().__init__(field)
        self._frames = library("flaskship.predict.frames", "pandas")

    def parsed(self, value: Any) -> Any:
        try:
            check(value, None, self.name)
        except RecursionError as error:
            raise ValueError(f"{self.name!r} is nested too deeply.") from error
        return self._frames.of_json(value, self.name)

    def spelled(self, text: str) -> Any:
        """JSON, else the text of a file."""
        if text[:1] in "[{":
            return self.parsed(of_text_as_json(self, text))
        return self.sent(Upload(name=self.name, body=text.encode()))

    def sent(self, upload: Upload) -> Any:
        return self._frames.of_upload(upload)


def library(module: str, distribution: str) -> Any:
    """A module of ours that needs `distribution`. Raises `MissingExtra`."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"The function needs {distribution}, which is not installed here: pip install {distribution}"
        ) from error


def holds_text(value: list[Any], depth: int = 0) -> bool:
    """Whether lists in lists, as deep as an array may be, hold a text: NumPy would make all their numbers as long."""
    kinds = set(map(type, value))
    if str in kinds or list not in kinds or depth == DEEPEST:
        return str in kinds
    return any(holds_text(each, depth + 1) for each in value if each.__class__ is list)


def of_npy(body: bytes | memoryview, name: str) -> Array:
    """The array in a file of numpy.save. Raises `ValueError`; no pickle in it is ever read."""
    stream = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except Exception as error:  # of NumPy's, and of Python's own tokenizer, by which NumPy reads the header
        raise ValueError(f"{name!r} takes a file that numpy.save wrote (.npy), and this is none.") from error
    if dtype.kind not in "biuf":
        raise ValueError(f"{name!r} takes an array of numbers, and the file holds {dtype}.")
    if any(isinstance(size, bool) or size < 0 for size in shape):
        raise ValueError(f"{name!r} has shape {list(shape)}, which no array has.")
    content = stream.getbuffer()[stream.tell() :]
    if len(content) != math.prod(shape) * dtype.itemsize:
        due = math.prod(shape) * dtype.itemsize
        raise ValueError(f"{name!r} is cut off: shape {list(shape)} of {dtype} takes {due} bytes, not {len(content)}.")
    flat = np.frombuffer(content, dtype).astype(dtype.newbyteorder("="))
    return flat.reshape(shape, order="F" if fortran else "C")


def _odd(found: Array) -> str:
    """What stands among numbers."""
    if found.dtype.kind == "O":
        return next((described(each) for each in found.flat if not isinstance(each, int | float)), "too large a number")
    return "text" if found.dtype.kind in "US" else f"values of {found.dtype}"
