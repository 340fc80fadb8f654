"""What is compiled answers as the original does, on every row tried; what does not is refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import zoo
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from flaskship import artifact, compiler
from flaskship.artifact.model import refined
from flaskship.artifact.sklearn import loader
from flaskship.artifact.sniff import Format, Sniffed
from flaskship.compiler import Compiled, Refusal
from flaskship.compiler.graph import Graph
from flaskship.compiler.trees import CACHED, in_double
from flaskship.schema import Answer, Columns, Facts, Field, FieldType, Output, Signature, Task

REFUSED = {  # of the zoo: part of the reason
    "text_union": "HashingVectorizer",
    "many_labels": "several outputs",
    "chain": "ClassifierChain",
    "isotonic": "IsotonicRegression",
    "function_step": "numbers differ",  # the function's last bit decides at a split
    "catboost_file": "CatBoost keeps",
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("zoo")


@pytest.fixture(scope="session")
def blobs():
    features, classes = make_classification(400, 5, n_informative=5, n_redundant=0, n_classes=3, random_state=0)
    return features, classes


def opened(estimator: Any) -> artifact.Model:
    return loader.wrap(estimator, Sniffed(path=Path("model.joblib"), format=Format.JOBLIB))


def compiled(estimator: Any) -> tuple[Compiled, artifact.Model, artifact.Model]:
    """The result, the original and the compiled model."""
    model = opened(estimator)
    result = compiler.compile(model, compiler.probes(model, None))
    assert isinstance(result, Compiled), result
    return result, model, result.load(model.signature, model.facts)


def refused(estimator: Any) -> Refusal:
    model = opened(estimator)
    result = compiler.compile(model, compiler.probes(model, None))
    assert isinstance(result, Refusal)
    return result


def columns(model: artifact.Model, matrix: Any) -> Columns:
    return {name: np.asarray(matrix)[:, place] for place, name in enumerate(model.signature.names)}


@pytest.mark.parametrize("name", [name for name in zoo.NAMES if not name.startswith("onnx_")])
def test_the_zoo_compiles_or_says_why_not(name, folder):
    case = zoo.case(name, folder)
    model = artifact.open(case.path)
    sample = zoo.typed(model.signature, case.columns)
    result = compiler.compile(model, compiler.probes(model, sample))
    if isinstance(result, Refusal):
        assert REFUSED.get(name, "the original is faster") in result.reason
        return
    assert name not in REFUSED
    assert result.parity.label_changes == 0
    answer = result.load(model.signature, model.facts).predict(sample)
    for got, expected in zip(answer.values, case.values, strict=True):
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(got, expected, rtol=case.tolerance, atol=1e-12)
        else:
            assert got.tolist() == expected.tolist()


def test_a_library_that_cannot_write_its_own_model_leaves_the_original():
    catboost = pytest.importorskip("catboost")
    texts = np.array([["good film"], ["bad film"], ["so so"], ["very good"]] * 20, dtype=object)
    model = catboost.CatBoostClassifier(iterations=2, verbose=0, text_features=[0], allow_writing_files=False)
    assert "CatBoostError" in refused(model.fit(texts, [1, 0, 0, 1] * 20)).reason


@pytest.mark.parametrize("depth", [None, 3])
def test_a_forest_is_equal_to_the_last_bit(blobs, depth):
    features, classes = blobs
    result, model, made = compiled(RandomForestClassifier(20, max_depth=depth, random_state=0).fit(features, classes))
    assert result.parity.largest_difference == 0
    rows = columns(model, features)
    assert (made.predict(rows).probabilities == model.predict(rows).probabilities).all()


def test_ties_go_to_the_same_class():
    features = np.array([[0.0], [0.0], [1.0], [1.0]] * 10)
    classes = np.array(["b", "a", "a", "c"] * 10)
    _, model, made = compiled(DecisionTreeClassifier(random_state=0).fit(features, classes))
    rows = columns(model, [[0.0], [1.0]])
    assert made.predict(rows).values[0].tolist() == model.predict(rows).values[0].tolist() == ["a", "a"]


@pytest.mark.parametrize("kind", [partial(SGDClassifier, random_state=0), GaussianNB])
def test_labels_keep_their_own_types(blobs, kind):
    features, classes = blobs
    for labels in (classes * 10, classes > 0, np.array(["x", "y", "z"])[classes], classes * 1.0):
        _, model, made = compiled(kind().fit(features, labels))
        rows = columns(model, features[:50])
        want, have = model.predict(rows).values[0], made.predict(rows).values[0]
        assert have.tolist() == want.tolist()
        assert have.dtype == want.dtype


def test_missing_values_go_where_the_original_sends_them(blobs):
    features, classes = blobs
    holes = np.where(np.random.default_rng(0).random(features.shape) < 0.2, np.nan, features)
    for kind in (
        RandomForestClassifier(10, random_state=0),
        HistGradientBoostingClassifier(max_iter=10, random_state=0),
    ):
        result, model, made = compiled(kind.fit(holes, classes))
        assert all(each.nullable for each in model.signature.inputs)
        rows = columns(model, holes)
        np.testing.assert_allclose(made.predict(rows).probabilities, model.predict(rows).probabilities, rtol=1e-12)
        assert result.parity.label_changes == 0


def test_a_leaf_alone_is_a_tree(blobs):
    features, _ = blobs
    _, model, made = compiled(DecisionTreeRegressor().fit(features, np.full(len(features), 7.5)))
    assert made.predict(columns(model, features[:3])).values[0].tolist() == [7.5, 7.5, 7.5]


def test_several_outputs_are_answered_by_name(blobs):
    features, _ = blobs
    _, model, made = compiled(Ridge().fit(features, features[:, :2] * 3))
    answer = made.predict(columns(model, features[:4]))
    np.testing.assert_allclose(np.stack(answer.values, axis=1), model.native.predict(features[:4]), rtol=1e-12)


def test_categories_that_were_never_seen_are_treated_alike():
    table = pd.DataFrame({"city": ["Rome", "Oslo", None, "Rome"] * 20, "age": np.arange(80.0)})
    encoders = ColumnTransformer(
        [
            ("one", OneHotEncoder(handle_unknown="ignore"), ["city"]),
            ("two", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city"]),
        ],
        remainder="passthrough",
    )
    fitted = make_pipeline(encoders, RandomForestClassifier(10, random_state=0)).fit(table, ["a", "b", "b", "a"] * 20)
    _, model, made = compiled(fitted)
    rows = {"city": np.array(["Rome", None, "Atlantis", ""], object), "age": np.array([3.0, 4.0, 5.0, 6.0])}
    assert made.predict(rows).probabilities.tolist() == model.predict(rows).probabilities.tolist()


def test_infrequent_categories_share_their_column():
    table = pd.DataFrame({"city": ["a"] * 30 + ["b"] * 30 + ["c", "d"]})
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10, drop="first")
    fitted = make_pipeline(encoder, LogisticRegression()).fit(table, [0] * 30 + [1] * 32)
    result, _, _ = compiled(fitted)
    assert result.parity.label_changes == 0


def test_a_model_under_other_names_is_compiled_by_place(blobs):
    features, classes = blobs
    own = opened(LogisticRegression().fit(features, classes))
    fields = tuple(replace(each, name=f"f{place}") for place, each in enumerate(own.signature.inputs))
    model = refined(own, replace(own.signature, inputs=fields))
    result = compiler.compile(model, compiler.probes(model, None))
    assert isinstance(result, Compiled)
    made = result.load(model.signature, model.facts)
    rows = columns(model, features)
    assert made.predict(rows).values[0].tolist() == model.predict(rows).values[0].tolist()


def test_equal_models_give_equal_bytes(blobs):
    features, classes = blobs
    first, second = (
        compiled(GradientBoostingClassifier(n_estimators=5, random_state=0).fit(features, classes))[0] for _ in range(2)
    )
    assert first.content == second.content


def test_a_large_forest_becomes_several_nodes_that_add_up():
    random = np.random.default_rng(0)
    features = random.normal(size=(9_000, 3))
    model = RandomForestRegressor(12, random_state=0).fit(features, random.normal(size=9_000))
    assert sum(tree.tree_.node_count for tree in model.estimators_) > CACHED
    result, _, _ = compiled(model)
    assert result.content.count(b"TreeEnsemble") > 1


@dataclass(frozen=True, kw_only=True)
class Tampered:
    """Answers by one estimator and shows another as its own."""

    signature: Signature
    facts: Facts
    native: Any
    other: Any
    thresholds: dict[str, Any] = field(default_factory=dict)

    def predict(self, rows: Columns) -> Answer:
        return self.other.predict(rows)


def tampered(true: Any, shown: Any) -> Refusal:
    model = opened(true)
    fake = Tampered(signature=model.signature, facts=model.facts, native=shown, other=model)
    result = compiler.compile(fake, compiler.probes(fake, None))
    assert isinstance(result, Refusal)
    return result


def test_another_label_on_a_single_row_is_refused(blobs):
    features, classes = blobs
    true = LogisticRegression().fit(features, classes)
    shown = LogisticRegression().fit(features, classes)
    shown.coef_ = shown.coef_ * np.array([1.2, 1, 1, 1, 1])
    found = tampered(true, shown)
    assert "rows change their label" in found.reason
    assert found.parity is not None
    assert found.parity.label_changes > 0


def test_another_number_beyond_the_tolerance_is_refused(blobs):
    features, _ = blobs
    true, shown = (Ridge().fit(features, features[:, 0]) for _ in range(2))
    shown.coef_ = shown.coef_ * (1 + 1e-4)
    assert "numbers differ by" in tampered(true, shown).reason


def test_an_estimator_without_a_graph_is_named(blobs):
    features, _ = blobs
    own = FunctionTransformer(np.sinc)
    assert "'sinc'" in refused(make_pipeline(own, Ridge()).fit(features, features[:, 0])).reason


def test_a_value_whose_square_overflows_is_as_far_away_as_for_the_original(blobs):
    features, _ = blobs
    _, model, made = compiled(SVR().fit(features, features[:, 0]))
    rows = columns(model, [[1.7e308] * 5, [-1e200, 0, 0, 0, 0]])
    assert made.predict(rows).values[0].tolist() == model.predict(rows).values[0].tolist()


def test_a_logarithm_is_the_originals_from_the_smallest_to_the_largest_number(blobs):
    features, _ = blobs
    ridge = make_pipeline(FunctionTransformer(np.log1p), Ridge())
    _, model, made = compiled(ridge.fit(np.abs(features), features[:, 0]))
    rows = columns(model, np.repeat([[0.0], [5e-324], [1e-17], [1e-8], [0.5], [1e16], [1.7e308]], 5, axis=1))
    np.testing.assert_allclose(made.predict(rows).values[0], model.predict(rows).values[0], rtol=1e-13)


def test_a_bag_of_models_that_see_some_columns_each_answers_as_before(blobs):
    features, classes = blobs
    bag = BaggingClassifier(LogisticRegression(), n_estimators=5, max_features=3, random_state=0)
    _, model, made = compiled(bag.fit(features, classes))
    rows = columns(model, features)
    assert made.predict(rows).values[0].tolist() == bag.predict(features).tolist()
    np.testing.assert_allclose(made.predict(rows).probabilities, bag.predict_proba(features), rtol=1e-9)


def test_one_that_is_slower_is_refused():
    tree = DecisionTreeRegressor(random_state=0).fit(np.arange(6.0).reshape(-1, 1), np.arange(6.0))
    model = opened(tree)

    class Remembering:
        """Answers a row that it was asked before at once."""

        known: ClassVar[dict[float, Answer]] = {}

        def predict(self, rows: Columns) -> Answer:
            if len(rows["x0"]) > 1:
                return model.predict(rows)
            return self.known.get(rows["x0"][0]) or self.known.setdefault(rows["x0"][0], model.predict(rows))

    fast = Tampered(signature=model.signature, facts=model.facts, native=tree, other=Remembering())
    found = compiler.compile(fast, compiler.probes(fast, None))
    assert isinstance(found, Refusal)
    assert found.reason.startswith("the original is faster")
    assert found.parity is not None
    assert found.parity.exact


def test_a_model_without_an_estimator_is_refused():
    signature = Signature(task=Task.REGRESSION, inputs=(Field(name="a"),), outputs=(Output(name="prediction"),))
    model = Tampered(signature=signature, facts=Facts(framework="onnx", kind="graph"), native=None, other=None)
    assert isinstance(compiler.compile(model, {"a": np.zeros(1)}), Refusal)


def test_an_outlier_keeps_its_score(blobs):
    features, _ = blobs
    _, model, made = compiled(IsolationForest(n_estimators=20, random_state=0).fit(features))
    rows = columns(model, features)
    np.testing.assert_allclose(made.predict(rows).score, model.predict(rows).score, rtol=1e-9, atol=1e-12)
    assert made.predict(rows).values[0].tolist() == model.predict(rows).values[0].tolist()


@pytest.mark.parametrize("below", [False, True])
def test_a_threshold_in_double_decides_as_in_single(below):
    random = np.random.default_rng(0)
    thresholds = np.concatenate([random.normal(size=500), random.normal(size=500) * 1e-30, [0.0, 1.0, -1.0, 0.5]])
    single = thresholds.astype(np.float32)
    limits = in_double(thresholds, below=below)
    middles = (single.astype(float) + np.nextafter(single, np.float32(np.inf)).astype(float)) / 2
    for at in (thresholds, limits, middles, single.astype(float)):
        for x in (at, np.nextafter(at, -np.inf), np.nextafter(at, np.inf)):
            rounded = x.astype(np.float32)
            expected = rounded < thresholds if below else rounded <= thresholds
            assert ((x <= limits) == expected).all()


def test_probes_are_the_same_each_time_and_straddle_every_split(blobs):
    features, classes = blobs
    model = opened(DecisionTreeClassifier(max_depth=3, random_state=0).fit(features, classes))
    first, second = (compiler.probes(model, None) for _ in range(2))
    for name, splits in model.thresholds.items():
        np.testing.assert_array_equal(first[name], second[name])
        for split in np.unique(splits):
            assert {split, np.nextafter(split, -np.inf), np.nextafter(split, np.inf)} <= set(first[name].tolist())


def test_probes_begin_with_the_sample_and_hold_gaps_and_choices():
    fields = (
        Field(name="a", nullable=True, low=0.0, high=1.0),
        Field(name="b", type=FieldType.TEXT, choices=("x", "y")),
        Field(name="c", type=FieldType.INTEGER, low=3, high=9),
    )
    signature = Signature(task=Task.REGRESSION, inputs=fields)
    model = Tampered(signature=signature, facts=Facts(framework="none", kind="none"), native=None, other=None)
    sample = {"a": np.array([0.25]), "b": np.array(["y"], object), "c": np.array([4])}
    rows = compiler.probes(model, sample)
    assert (rows["a"][0], rows["b"][0], rows["c"][0]) == (0.25, "y", 4)
    assert np.isnan(rows["a"]).any()
    assert {"x", "y", "never seen before"} <= set(rows["b"])
    assert rows["c"].dtype == np.int64


def test_a_graph_joins_columns_of_one_tensor():
    graph = Graph()
    value = graph.value("t", 4)
    assert graph.matrix(value) == "t"
    graph.matrix(value[[2, 0]])
    assert [node.op_type for node in graph.nodes] == ["Gather"]
