"""Every estimator of scikit-learn that fits a small set answers through Flaskship as it does itself, or is refused."""

from __future__ import annotations

import inspect
import pickle
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators

from flaskship.artifact import pickles
from flaskship.artifact.sklearn import loader
from flaskship.artifact.sniff import Format, Sniffed
from flaskship.errors import FlaskshipError

RANDOM = np.random.default_rng(0)
NUMBERS = np.abs(RANDOM.normal(size=(60, 4))) + 0.1
YES = (NUMBERS[:, 0] > 0.7).astype(int)
AMOUNT = NUMBERS @ [1.0, 2.0, 3.0, 4.0] + 1
TEXTS = np.array(["a good one", "bad thing", "nice stuff here"] * 20, dtype=object)
GAPS = np.where(RANDOM.random(NUMBERS.shape) < 0.1, np.nan, NUMBERS)
DATA = (
    (NUMBERS, YES),
    (NUMBERS, AMOUNT),
    (NUMBERS, np.stack([YES, NUMBERS[:, 1] > 0.7], axis=1).astype(int)),
    (NUMBERS, np.stack([AMOUNT, AMOUNT**2], axis=1)),
    (NUMBERS[:, 0], AMOUNT),
    (NUMBERS, None),
    (GAPS, None),
    (TEXTS, None),
    (NUMBERS @ NUMBERS.T, None),
)
LINE = LogisticRegression()
SEARCH = {"estimator": LINE, "cv": 2}
SETTINGS = {
    "ClassifierChain": {"estimator": LINE},
    "ColumnTransformer": {"transformers": [("all", "passthrough", [0, 1])]},
    "FeatureUnion": {"transformer_list": [("words", CountVectorizer())]},
    "FixedThresholdClassifier": {"estimator": LINE},
    "FrozenEstimator": {"estimator": LogisticRegression().fit(NUMBERS, YES)},
    "GaussianRandomProjection": {"n_components": 2},
    "GridSearchCV": {**SEARCH, "param_grid": {"C": [1, 2]}},
    "HalvingGridSearchCV": {**SEARCH, "param_grid": {"C": [1, 2]}},
    "HalvingRandomSearchCV": {**SEARCH, "param_distributions": {"C": [1, 2]}},
    "HashingVectorizer": {"n_features": 16},
    "LocalOutlierFactor": {"novelty": True},
    "MultiOutputClassifier": {"estimator": LINE},
    "MultiOutputRegressor": {"estimator": Ridge()},
    "OneVsOneClassifier": {"estimator": LINE},
    "OneVsRestClassifier": {"estimator": LINE},
    "OrthogonalMatchingPursuitCV": {"cv": 2},
    "OutputCodeClassifier": {"estimator": LINE},
    "Pipeline": {"steps": [("line", LINE)]},
    "RandomizedSearchCV": {**SEARCH, "param_distributions": {"C": [1, 2]}, "n_iter": 2},
    "RegressorChain": {"estimator": Ridge()},
    "RFE": {"estimator": LINE},
    "RFECV": {"estimator": LINE},
    "SelectFromModel": {"estimator": LINE},
    "SelfTrainingClassifier": {"estimator": LINE},
    "SequentialFeatureSelector": {"estimator": LINE},
    "SparseCoder": {"dictionary": RANDOM.normal(size=(3, 4))},
    "SparseRandomProjection": {"n_components": 2},
    "StackingClassifier": {"estimators": [("line", LINE), ("tree", DecisionTreeClassifier(max_depth=2))]},
    "StackingRegressor": {"estimators": [("line", Ridge())]},
    "TSNE": {"max_iter": 250},
    "TunedThresholdClassifierCV": {"estimator": LINE},
    "VotingClassifier": {"estimators": [("line", LINE), ("tree", DecisionTreeClassifier(max_depth=2))]},
    "VotingRegressor": {"estimators": [("line", Ridge())]},
}
SMALL = {"n_estimators": 5, "max_iter": 60, "n_init": 1, "cv": 2, "random_state": 0, "max_iter_predict": 20}
UNSEEN_ROWS = {  # answer only for the rows of their fit
    *("AgglomerativeClustering", "ClassicalMDS", "DBSCAN", "HDBSCAN", "MDS", "OPTICS", "SpectralBiclustering"),
    *("SpectralClustering", "SpectralCoclustering", "SpectralEmbedding", "TSNE"),
}
NO_ANSWER = {  # describe data, and answer nothing by row
    *("EmpiricalCovariance", "GraphicalLasso", "GraphicalLassoCV", "KernelDensity", "LedoitWolf", "MinCovDet", "OAS"),
    *("NearestNeighbors", "ShrunkCovariance"),
}
NO_COLUMNS = {"FeatureHasher", "LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer", "PatchExtractor"}
REFUSED = UNSEEN_ROWS | NO_ANSWER | NO_COLUMNS
UNFIT = {"DictVectorizer"}  # takes none of these sets; it is in the zoo
FOUND: Counter[str] = Counter()


def fitted(name, kind):
    """The estimator with each set of data that it fits; of one that is refused the first is enough."""
    for rows, target in [(TEXTS, None)] if name == "HashingVectorizer" else DATA:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                small = {key: value for key, value in SMALL.items() if key in inspect.signature(kind).parameters}
                model = kind(**SETTINGS.get(name, small))
                model.fit(rows) if target is None else model.fit(rows, target)
        except (ValueError, TypeError, AttributeError, IndexError, FloatingPointError):
            continue
        yield model, rows
        if name in REFUSED:
            return


def asked(model, rows):
    best = getattr(model, "best_estimator_", model)
    found = best.predict(rows) if hasattr(best, "predict") else best.transform(rows)
    return np.asarray(found.toarray() if hasattr(found, "toarray") else found).reshape(len(rows), -1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("name", "kind"), all_estimators(), ids=[name for name, _ in all_estimators()])
def test_an_estimator_is_served_as_it_is_or_refused(name, kind, tmp_path):
    reasons = []
    for model, rows in fitted(name, kind):
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
        assert pickles.scan(tmp_path / "model.pkl").unsafe == ()
        try:
            served = loader.wrap(model, Sniffed(path=Path("model.joblib"), format=Format.JOBLIB))
        except FlaskshipError as error:
            reasons.append(str(error))
            continue
        table = rows.reshape(len(rows), -1)
        columns = {
            field.name: table[:, place].astype(field.array_dtype) for place, field in enumerate(served.signature.inputs)
        }
        got = np.stack(served.predict(columns).values, axis=1)
        np.testing.assert_allclose(got, asked(model, rows), rtol=1e-6, atol=1e-9)
        assert name not in REFUSED
        FOUND["served"] += 1
        return
    if not reasons:
        FOUND["fits none of the sets"] += 1
        assert name in UNFIT
        return
    FOUND["refused"] += 1
    assert name in REFUSED, reasons[0]
    assert reasons[0].endswith(".")
    assert name in reasons[0] or "data" in reasons[0]


def test_the_tally(capsys):
    with capsys.disabled():
        print(f"\nscikit-learn's estimators: {', '.join(f'{count} {what}' for what, count in FOUND.items())}")  # noqa: T201
    assert not FOUND or FOUND["refused"] <= len(REFUSED)
