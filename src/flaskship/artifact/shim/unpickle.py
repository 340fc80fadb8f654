"""Unpickling that names no more than was seen and allowed, for plain pickles and for joblib's.

A joblib file is a pickle with the bytes of its arrays in between: a `NumpyArrayWrapper` says shape, dtype and order,
and behind the BUILD that completes it stand a byte of padding length, the padding, and the array (its numpy_pickle.py).
"""

from __future__ import annotations

import _compat_pickle
import importlib
import io
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

WRAPPER = "NumpyArrayWrapper"
WRAPPERS = ("joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle")  # the modules that define it
CHUNK = 1 << 24


class Refused(Exception):
    """The pickle does what the scan of it had not seen."""


class Wrapper:
    """Stands in for joblib's `NumpyArrayWrapper`."""

    shape: tuple[int, ...]
    order: str
    dtype: Any
    numpy_array_alignment_bytes: int | None = None


def mapped(module: str, name: str, protocol: int) -> tuple[str, str]:
    """The global that is meant: names of Python 2 in a pickle of protocol 2 and below become those of Python 3."""
    if protocol < 3:
        if (module, name) in _compat_pickle.NAME_MAPPING:
            return _compat_pickle.NAME_MAPPING[(module, name)]
        return _compat_pickle.IMPORT_MAPPING.get(module, module), name
    return module, name


def load(stream: Any, allowed: Any, arrays: Any = None, joblib: bool = True) -> Any:
    """The object of the pickle at the stream's position.

    `allowed` holds the (module, name) pairs that it may name, None for any. `arrays` holds, for each array in a joblib
    file, its position and length in bytes (-1 for a nested pickle), None for any. Raises `Refused`, and whatever
    unpickling raises.
    """
    if joblib:
        return _Joblib(stream, allowed, arrays).load()
    return _Plain(stream, allowed).load()


def _found(allowed: Any, module: str, name: str, find: Callable[[str, str], Any]) -> Any:
    # No library of Python 3 has a module of Python 2's name, so that either form may be the one in `allowed`.
    if allowed is not None and (module, name) not in allowed and mapped(module, name, 2) not in allowed:
        raise Refused(f"{module}.{name}")
    if name == WRAPPER and module in WRAPPERS:
        return Wrapper
    if (module, name) == ("numpy", "memmap"):
        return np.ndarray  # what joblib notes of an array that was memory-mapped; made anew it could overwrite a file
    if module == "_loss":
        module = "sklearn._loss._loss"  # scikit-learn 1.4 to 1.7 pickle its classes under a name that is none
    if name == "_ufunc_reconstruct" and allowed is not None:
        return lambda module, name: _ufunc(allowed, module, name)
    return find(module, name)


def _ufunc(allowed: Any, module: str, name: str) -> Any:
    """What `numpy.core._ufunc_reconstruct` would import, if it may be named."""
    if (module, name) not in allowed:
        raise Refused(f"{module}.{name}")
    found = getattr(importlib.import_module(module), name)
    if not isinstance(found, np.ufunc):  # numpy.memmap by this name would be the one that overwrites files
        raise Refused(f"{module}.{name}")
    return found


class _Plain(pickle.Unpickler):
    def __init__(self, stream: Any, allowed: Any) -> None:
        super().__init__(stream)
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        return _found(self._allowed, module, name, super().find_class)


class _Joblib(pickle._Unpickler):  # the one in Python, whose BUILD can be changed
    dispatch: ClassVar[Any] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]

    def __init__(self, stream: Any, allowed: Any, arrays: Any) -> None:
        super().__init__(stream)
        self._stream, self._allowed, self._arrays = stream, allowed, arrays

    def find_class(self, module: str, name: str) -> Any:
        return _found(self._allowed, module, name, super().find_class)

    def load_build(self) -> None:
        super().load_build()  # type: ignore[misc]  # typeshed does not know it
        if isinstance(self.stack[-1], Wrapper):
            self.stack[-1] = self._array(self.stack[-1])

    dispatch[pickle.BUILD[0]] = load_build

    def _array(self, wrapper: Wrapper) -> Any:
        at = self._stream.tell()
        if wrapper.dtype.hasobject:
            self._agrees(at, -1)
            return load(self._stream, self._allowed, joblib=False)
        count = 1
        for length in wrapper.shape:
            count *= int(length)
        self._agrees(at, count * wrapper.dtype.itemsize)
        if wrapper.numpy_array_alignment_bytes is not None:
            self._read(self._read(1)[0])
        array = np.empty(count, wrapper.dtype)
        if array.nbytes:
            _fill(self._stream, array.view(np.uint8).data)
        fortran = wrapper.order == "F"
        array = array.reshape(wrapper.shape[::-1]).transpose() if fortran else array.reshape(wrapper.shape)
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))

    def _agrees(self, at: int, length: int) -> None:
        if self._arrays is not None and self._arrays.get(at) != length:
            raise Refused(f"an array of {length} bytes at {at}")

    def _read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        if len(data) < size:
            raise EOFError("the file ends within an array")
        return data


def _fill(stream: io.BufferedReader, view: memoryview) -> None:
    at = 0
    while at < len(view):
        got = stream.readinto(view[at : at + CHUNK])
        if not got:
            raise EOFError("the file ends within an array")
        at += got
