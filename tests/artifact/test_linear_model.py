"""Linear models by their coefficients alone: one row and many answer alike, and as scikit-learn does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC

from flaskship import compiler
from flaskship.artifact import linear_model
from flaskship.artifact.sklearn import loader
from flaskship.artifact.sniff import Format, Sniffed
from flaskship.compiler import Compiled, Form
from flaskship.errors import BundleError

RANDOM = np.random.default_rng(7)
ROWS = pd.DataFrame(RANDOM.normal([30, 500, -2], [8, 200, 0.1], (300, 3)), columns=["age", "spent", "tilt"])
TWO = np.where(ROWS["age"] + ROWS["spent"] / 20 + RANDOM.normal(0, 9, 300) > 55, "yes", "no")
THREE = np.digitize(ROWS["age"] + RANDOM.normal(0, 3, 300), [26, 33])
AMOUNT = 3 * ROWS["age"] - ROWS["spent"] + RANDOM.normal(0, 1, 300)
LINEAR = {
    "logistic": (LogisticRegression(max_iter=2000), TWO),
    "three classes": (make_pipeline(StandardScaler(), LogisticRegression()), THREE),
    "robust": (make_pipeline(RobustScaler(), MaxAbsScaler(), LogisticRegression()), TWO),
    "min max": (make_pipeline(MinMaxScaler(), "passthrough", Ridge()), AMOUNT),
    "line": (LinearRegression(), AMOUNT),
    "no probabilities": (make_pipeline(StandardScaler(), LinearSVC(random_state=0)), THREE),
    "perceptron": (make_pipeline(StandardScaler(), Perceptron(random_state=0)), TWO),
    "search": (GridSearchCV(make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0)), {}), TWO),
}


def opened(estimator, path):
    return loader.wrap(estimator, Sniffed(path=path, format=Format.PICKLE))


def columns(rows=ROWS):
    return {name: rows[name].to_numpy() for name in rows}


@pytest.mark.parametrize("name", LINEAR)
def test_coefficients_answer_as_scikit_learn_one_row_and_many(name, tmp_path):
    estimator, target = LINEAR[name]
    model = opened(estimator.fit(ROWS, target), tmp_path / "m.pkl")
    result = compiler.compile(model, compiler.probes(model, columns()))
    assert isinstance(result, Compiled)
    assert result.form is Form.COEFFICIENTS
    made = result.load(model.signature, model.facts)
    many = made.predict(columns())
    if target is AMOUNT:
        np.testing.assert_allclose(many.values[0], estimator.predict(ROWS), rtol=1e-9)
    else:
        assert many.values[0].tolist() == estimator.predict(ROWS).tolist()
    if model.signature.probabilities:
        np.testing.assert_allclose(many.probabilities, estimator.predict_proba(ROWS), rtol=1e-9)
    for row in range(5):
        one = made.predict(columns(ROWS.iloc[row : row + 1]))
        assert type(one.values[0].tolist()[0]) is type(many.values[0].tolist()[0])
        if target is AMOUNT:
            np.testing.assert_allclose(one.values[0], many.values[0][row], rtol=1e-12)
        else:
            assert one.values[0].tolist() == [many.values[0][row]]
        if many.probabilities is not None:
            np.testing.assert_allclose(one.probabilities[0], many.probabilities[row], rtol=1e-12)


@pytest.mark.parametrize("score", [-1e6, -750.0, -699.0, 699.0, 1e6])
def test_a_score_of_any_size_is_a_probability(score, tmp_path):
    model = opened(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path / "m.pkl")
    content = b'{"weights":[[1.0]],"bias":[0.0],"link":"sigmoid"}'
    made = linear_model.from_bytes(content, model.signature, model.facts)
    one = made.predict({"x0": np.array([score])}).probabilities[0]
    many = made.predict({"x0": np.array([score, score])}).probabilities[0]
    np.testing.assert_allclose(one, many, rtol=1e-12)
    assert one.sum() == 1.0


def test_what_is_not_linear_in_its_fields_is_no_set_of_coefficients(tmp_path):
    estimator = make_pipeline(PolynomialFeatures(2), Ridge()).fit(ROWS, AMOUNT)
    model = opened(estimator, tmp_path / "m.pkl")
    result = compiler.compile(model, compiler.probes(model, columns()))
    assert isinstance(result, Compiled)
    assert result.form is Form.GRAPH


@pytest.mark.parametrize(
    "content", [b"{}", b"[", b'{"weights":[[1.0,2.0]],"bias":[0.0],"link":"sigmoid"}', b'{"weights":[[1.0]],"bias":[]}']
)
def test_damaged_coefficients_are_a_sentence(content, tmp_path):
    model = opened(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path / "m.pkl")
    with pytest.raises(BundleError, match="coefficients of the compiled model"):
        linear_model.from_bytes(content, model.signature, model.facts)
