"""What an estimator may not hold, though all its classes are known: what has its host read the files that callers name.

XGBoost and LightGBM's Booster take a text for the name of a file, and text vectorisers do when they are told to.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, cached_property
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from flaskship.artifact.pickles.allowed import packages
from flaskship.errors import NotRecognised

LITERALS = (str, bytes, int, float, np.generic, type, ModuleType)


def refuse(estimator: Any, file: str) -> None:
    """Raises `NotRecognised` for an estimator in `file` that would do other than its classes do."""
    seen: set[int] = set()
    waiting = [estimator]
    while waiting:
        value = waiting.pop()
        if value is None or isinstance(value, LITERALS) or id(value) in seen:
            continue
        seen.add(id(value))
        if reason := _wrong(value):
            raise NotRecognised(f"{file!r} holds {reason}")
        waiting.extend(_parts(value))


def _wrong(value: Any) -> str:
    """What is wrong with `value` and what to do, "" for nothing."""
    if isinstance(value, CountVectorizer | HashingVectorizer) and value.input != "content":
        return (
            "a text vectoriser that takes names of files: whoever asks could have any file of the server read."
            " Fit it with input='content', and send texts."
        )
    kind: type = type(value)
    if kind.__name__ == "Booster" and kind.__module__ == "lightgbm.basic":
        return (
            "a LightGBM Booster as part of another model: whoever asks could have files of the server read."
            " Save it by itself, or fit an LGBMClassifier or LGBMRegressor in its place."
        )
    if hasattr(value, "get_params") and kind.__module__.partition(".")[0] in packages():
        hidden = _methods(kind) & vars(value).keys()
        if hidden:
            return f"a {kind.__name__} whose {min(hidden)!r} is not its class's. Save a model of library classes only."
    return ""


@cache
def _methods(kind: type) -> frozenset[str]:
    """What is looked up on instances first: methods, and what is made to be one."""
    found = [item for each in kind.__mro__ for item in vars(each).items() if not isinstance(item[1], cached_property)]
    return frozenset(name for name, each in found if hasattr(each, "__get__") and not hasattr(each, "__set__"))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype == object else ()
    if isinstance(value, list | tuple | set | frozenset):
        return value
    held = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    own = "_Booster" if type(value).__module__ == "lightgbm.sklearn" else None  # which checks what it hands on
    return [each for name, each in held.items() if name != own]
