"""Every model of the zoo answers through Flaskship what it answers in its own library."""

from __future__ import annotations

import numpy as np
import pytest
import zoo

from flaskship import artifact
from flaskship.schema import Answer, Task

ONE_BY_ONE = (0, 7, 9)  # among them rows with gaps and unseen categories


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("zoo")


@pytest.fixture(scope="session")
def opened(folder):
    """Cases with their models, opened once."""
    found = {}

    def get(name):
        if name not in found:
            case = zoo.case(name, folder)
            found[name] = case, artifact.open(case.path)
        return found[name]

    return get


def same(answer: Answer, case: zoo.Case, rows: slice = slice(None)) -> None:
    """Asserts that `answer` is the library's own for these rows: labels equal, numbers within the tolerance."""
    assert len(answer.values) == len(case.values)
    for got, expected in zip(answer.values, case.values, strict=True):
        close(got, expected[rows], case.tolerance)
    for got, expected in ((answer.probabilities, case.probabilities), (answer.score, case.score)):
        if expected is not None:
            assert got is not None
            close(got, expected[rows], case.tolerance)


def close(got: zoo.Array, expected: zoo.Array, tolerance: float) -> None:
    if got.dtype.kind == "f" and expected.dtype.kind == "f":
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * 1e-3)
    else:
        assert got.tolist() == expected.tolist()
        if expected.dtype.kind != "f":  # as a chain of classifiers answers whole labels
            assert {type(each) for each in got.tolist()} == {type(each) for each in expected.tolist()}


def test_the_zoo_is_large():
    assert len(zoo.NAMES) >= 30


@pytest.mark.parametrize("name", zoo.NAMES)
def test_a_batch_is_answered_as_by_the_library(name, opened):
    case, model = opened(name)
    same(model.predict(zoo.typed(model.signature, case.columns)), case)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_one_row_is_answered_as_in_a_batch(name, opened):
    case, model = opened(name)
    columns = zoo.typed(model.signature, case.columns)
    for row in ONE_BY_ONE:
        part = slice(row, row + 1)
        same(model.predict({field: values[part] for field, values in columns.items()}), case, part)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_the_signature_says_what_the_answers_are(name, opened):
    case, model = opened(name)
    signature = model.signature
    answer = model.predict(zoo.typed(signature, case.columns))
    assert len(answer.values) == len(signature.outputs)
    assert (answer.probabilities is not None) == signature.probabilities
    assert (answer.score is not None) == signature.score
    if signature.classes and signature.task is Task.CLASSIFICATION:
        assert set(answer.values[0].tolist()) <= set(signature.classes)
    if signature.probabilities:
        assert answer.probabilities.shape == (answer.rows, len(signature.classes))
        assert answer.probabilities.dtype == np.float64
    for field in signature.inputs:
        values = case.columns[field.name]
        gaps = np.array([value is None or value != value for value in values.tolist()])
        assert field.nullable or not gaps.any()
        if field.closed:
            assert set(values[~gaps].tolist()) <= set(field.choices)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_facts_name_the_framework_and_pin_what_loads_it(name, opened):
    _, model = opened(name)
    assert model.facts.framework in ("scikit-learn", "xgboost", "lightgbm", "catboost", "onnx")
    assert all("==" in pin for pin in model.facts.requirements)
    assert model.facts.kind
