"""Whatever the bytes are, a walk through them ends in an answer or in one of our errors."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from flaskship.artifact import pickles
from flaskship.errors import FlaskshipError


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_our_errors(tmp_path_factory, data):
    _only_our_errors(tmp_path_factory.getbasetemp() / "random.pkl", b"\x80\x04" + data)


VALID = pickle.dumps([LogisticRegression(), np.arange(3.0), {"a": (1, "b", None)}, {1, 2}], 4)


@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=6), st.booleans())
def test_a_mutated_pickle_raises_nothing_but_our_errors(tmp_path_factory, changes, insert):
    data = bytearray(VALID)
    for at, value in changes:
        data[at : at + (not insert)] = bytes([value])
    _only_our_errors(tmp_path_factory.getbasetemp() / "mutated.pkl", bytes(data))


def _only_our_errors(path: Path, data: bytes) -> None:
    """Also of loading, for what the scan lets through: nothing that it has not seen is ever asked for."""
    path.write_bytes(data)
    try:
        scan = pickles.scan(path)
        pickles.refuse_unsafe(scan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pickles.load(path, scan)
    except FlaskshipError as error:
        assert "did not see" not in error.detail
    except ModuleNotFoundError:
        pass
