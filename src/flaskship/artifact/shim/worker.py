"""Loads a model and answers for it, in an environment of its own: `python -I -B worker.py`.

Messages on stdin and stdout are a JSON header and arrays: 4 bytes of the header's length (little-endian), the header,
and behind it each array's bytes as the header's "arrays" list says: [dtype, shape]. Nothing is pickled between the two.
Other output goes to stderr. Ends when stdin does.
"""

# ruff: noqa: B905  # Python 3.8 has no strict zip

from __future__ import annotations

import importlib
import json
import os
import struct
import sys
import warnings
from typing import IO, Any

import numpy as np


def write(stream: IO[bytes], header: dict[str, Any], arrays: list[Any]) -> None:
    """Sends a message; text columns go in the header, as lists."""
    plain = [np.ascontiguousarray(array) for array in arrays if array.dtype != object]
    texts = [array.tolist() if array.dtype == object else None for array in arrays]
    told = [None if array.dtype == object else [array.dtype.str, list(array.shape)] for array in arrays]
    data = json.dumps({**header, "arrays": told, "texts": texts}).encode()
    stream.write(struct.pack("<I", len(data)) + data)
    for array in plain:
        stream.write(array.tobytes())
    stream.flush()


def read(stream: IO[bytes]) -> tuple[dict[str, Any], list[Any]]:
    """A message. Raises `EOFError` where the other side is gone."""
    header = json.loads(_exact(stream, struct.unpack("<I", _exact(stream, 4))[0]))
    arrays = []
    for told, texts in zip(header.pop("arrays"), header.pop("texts")):
        if told is None:
            array = np.empty(len(texts), dtype=object)
            array[:] = texts
        else:
            dtype, shape = np.dtype(told[0]), tuple(told[1])
            size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
            array = np.frombuffer(_exact(stream, size), dtype).reshape(shape)
        arrays.append(array)
    return header, arrays


def _exact(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the other side is gone")
    return data


def main() -> None:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  # no pathlib needed for that
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up between the messages
    warnings.filterwarnings("ignore", message="X does not have valid feature names")  # they are in its order
    model = None
    while True:
        try:
            header, arrays = read(stdin)
        except EOFError:
            return
        try:
            if header["do"] == "load":
                model = _load(header)
                write(stdout, _described(model), [])
            else:
                write(stdout, *_predicted(model, header, arrays))
        except Exception as error:  # noqa: BLE001  # told to the other side, which raises it as its own
            write(stdout, {"error": f"{type(error).__name__}: {error}"}, [])


def _load(header: dict[str, Any]) -> Any:
    describe, streams, unpickle = (importlib.import_module(name) for name in ("describe", "streams", "unpickle"))
    allowed = None if header["allowed"] is None else {tuple(pair) for pair in header["allowed"]}
    arrays = {int(at): length for at, length in header["places"].items()}
    stream, _ = streams.opened(header["path"], header["limit"])
    with stream:
        if list(streams.identity(stream.fileno())) != header["identity"]:
            raise ValueError("the file was changed after it was looked at")
        found = [unpickle.load(stream, allowed, arrays, header["joblib"]) for _ in range(header["pickles"])]
    return describe.Model(found[0] if len(found) == 1 else tuple(found))


def _described(model: Any) -> dict[str, Any]:
    kind = importlib.import_module("describe").kind
    modules = ("numpy", "scipy", "sklearn", "joblib", "pandas", "xgboost", "lightgbm", "catboost", "imblearn")
    versions = {name: sys.modules[name].__version__ for name in modules if name in sys.modules}
    return {
        "fields": model.fields,
        "kind": ", ".join(kind(step) for step in model.steps),
        "versions": versions,
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        **model.outputs,
    }


def _predicted(model: Any, header: dict[str, Any], arrays: list[Any]) -> Any:
    values, shares, score = model.answer(dict(zip(header["names"], arrays)))
    plain = [_plain(value, output["type"]) for value, output in zip(values, model.outputs["outputs"])]
    extra = [each for each in (shares, score) if each is not None]
    return {"shares": shares is not None, "score": score is not None}, plain + extra


def _plain(values: Any, kind: str) -> Any:
    dtypes = {"number": np.float64, "integer": np.int64, "boolean": np.bool_}
    if kind in dtypes:
        return np.asarray(values).astype(dtypes[kind])
    found = np.empty(len(values), dtype=object)
    found[:] = [None if value is None else str(value) for value in values.tolist()]
    return found


if __name__ == "__main__":
    main()
