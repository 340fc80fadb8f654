"""A module written and loaded: `load("def predict(x: int) -> int: return x")`."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flaskship.artifact import function
from flaskship.schema import LEFT_OUT

BEFORE = """
from __future__ import annotations
import dataclasses, datetime, enum, pathlib, typing
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypedDict
import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from flaskship import BadInput, Boxes, Labels, Meta, Segmentation, endpoint
"""
LINES = BEFORE.count("\n")  # before the first of a test's own


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., dict[str, function.FunctionModel]]:
    def written(source: str, attribute: str = "", file: str = "module.py") -> dict[str, function.FunctionModel]:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BEFORE + textwrap.dedent(source), encoding="utf-8")
        return function.load(tmp_path, file, attribute)

    return written


@pytest.fixture
def ask() -> Callable[..., list[Any]]:
    """What a model answers to rows of arguments by name; those that a row lacks are left out."""

    def asked(model: function.FunctionModel, *rows: dict[str, Any]) -> list[Any]:
        columns = {name: np.empty(len(rows), object) for name in model.signature.names}
        for name, column in columns.items():
            for index, row in enumerate(rows):
                column[index] = row.get(name, LEFT_OUT)
        return list(model.predict(columns).values[0])

    return asked
