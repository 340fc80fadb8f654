from __future__ import annotations

import re

import pytest

pytest.importorskip("sklearn")

from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from flaskship.artifact.sklearn import drawing


def test_a_drawing_shows_each_step_and_runs_nothing():
    page = drawing.of(make_pipeline(StandardScaler(), LogisticRegression())).decode()
    assert "StandardScaler" in page
    assert "LogisticRegression" in page
    assert not re.search(r"<script|\son\w+\s*=|\shref\s*=|<link|<img", page, re.IGNORECASE)


def test_equal_models_are_drawn_equally_whatever_was_drawn_before():
    first = drawing.of(make_pipeline(FunctionTransformer(lambda rows: rows), LogisticRegression()))
    drawing.of(StandardScaler())
    assert drawing.of(make_pipeline(FunctionTransformer(lambda rows: rows), LogisticRegression())) == first


def test_equal_models_are_drawn_equally_where_a_long_name_is_cut():
    def a_function_with_a_name_too_long_to_be_shown(rows):
        return rows

    first = a_function_with_a_name_too_long_to_be_shown
    second = type(first)(first.__code__, {}, first.__name__)
    second.__qualname__ = first.__qualname__
    assert drawing.of(FunctionTransformer(first)) == drawing.of(FunctionTransformer(second))


def test_an_estimator_that_cannot_be_drawn_has_no_drawing():
    class Forgetful(BaseEstimator):
        def __init__(self, depth=1):
            pass

    assert drawing.of(Forgetful()) == b""


def test_what_a_parameter_says_is_escaped():
    page = drawing.of(LogisticRegression(class_weight="<img src=x onerror='alert(1)'>")).decode()
    assert "<img" not in page
