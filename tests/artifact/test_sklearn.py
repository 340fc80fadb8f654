"""Models with scikit-learn's API: what is read out of them, and what is refused."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from types import ModuleType

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import DBSCAN, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import CategoricalNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelEncoder,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.svm import LinearSVC

from flaskship.artifact.sklearn import inputs, loader
from flaskship.artifact.sniff import Format, Sniffed
from flaskship.errors import NotRecognised, PredictionFailed, UnsafePickle, VersionMismatch
from flaskship.schema import FieldType, Task

ROWS = pd.DataFrame({"age": [20.0, 30, 40, 50, 60, 70], "pages": [1.0, 9, 2, 8, 3, 7]})
BOUGHT = [0, 1, 0, 1, 0, 1]


def wrapped(value, **made_with):
    made = {name.replace("_", "-"): version for name, version in made_with.items()}
    return loader.wrap(value, Sniffed(path=Path("model.joblib"), format=Format.JOBLIB, made_with=made))


def fields(model):
    return {field.name: field for field in model.signature.inputs}


def text(*values):
    return np.array(values, dtype=object)


# Fields


def test_fields_have_the_names_of_the_fit():
    assert wrapped(LogisticRegression().fit(ROWS, BOUGHT)).signature.names == ("age", "pages")


def test_fields_without_names_are_numbered():
    assert wrapped(LogisticRegression().fit(ROWS.to_numpy(), BOUGHT)).signature.names == ("x0", "x1")


def test_a_sole_text_is_called_text():
    model = wrapped(make_pipeline(CountVectorizer(), LogisticRegression()).fit(["good film", "bad film"], [0, 1]))
    assert fields(model)["text"].type is FieldType.TEXT
    assert model.predict({"text": text("good", "unheard of", "")}).rows == 3


def test_an_encoders_categories_are_the_choices_closed_where_it_would_raise():
    rows = pd.DataFrame({"a": ["x", "y", "x"], "b": ["p", "q", "r"], "n": [1, 2, 2]})
    parts = [("strict", OneHotEncoder(), ["a", "n"]), ("soft", OneHotEncoder(handle_unknown="ignore"), ["b"])]
    model = wrapped(make_pipeline(ColumnTransformer(parts), LinearRegression()).fit(rows, [1, 2, 3]))
    a, b, n = (fields(model)[name] for name in "abn")
    assert (a.type, a.choices, a.closed, a.nullable) == (FieldType.TEXT, ("x", "y"), True, False)
    assert (b.choices, b.closed) == (("p", "q", "r"), False)
    assert (n.type, n.choices) == (FieldType.INTEGER, (1, 2))


def test_flags_in_an_encoder_are_booleans():
    rows = pd.DataFrame({"flag": [True, False, True]})
    model = wrapped(make_pipeline(OneHotEncoder(), LinearRegression()).fit(rows, [1, 2, 1]))
    assert fields(model)["flag"].type is FieldType.BOOLEAN


def test_an_imputer_makes_its_columns_nullable_and_no_other():
    parts = [("filled", SimpleImputer(), ["age"]), ("plain", StandardScaler(), ["pages"])]
    model = wrapped(make_pipeline(ColumnTransformer(parts), LinearRegression()).fit(ROWS, BOUGHT))
    assert fields(model)["age"].nullable
    assert not fields(model)["pages"].nullable
    assert fields(model)["age"].default == 45


def test_what_takes_gaps_by_itself_is_nullable():
    assert fields(wrapped(HistGradientBoostingRegressor().fit(ROWS, BOUGHT)))["age"].nullable
    assert not fields(wrapped(LinearRegression().fit(ROWS, BOUGHT)))["age"].nullable


def test_a_gap_in_a_text_reaches_the_model_as_it_did_in_training():
    rows = pd.DataFrame({"a": np.array(["x", None, "y", "x"], dtype=object)})
    for missing in (None, np.nan):
        given = rows.where(rows.notna(), missing).astype(object)
        encoder = OneHotEncoder(sparse_output=False).fit(given.to_numpy())
        model = wrapped(encoder)
        got = np.stack(model.predict({"x0": text("x", None, "y")}).values, axis=1)
        assert got.tolist() == encoder.transform(given.to_numpy()[:3]).tolist()


def test_a_scaler_tells_the_range_of_training_or_the_usual_value():
    ranged = fields(wrapped(make_pipeline(MinMaxScaler(), LinearRegression()).fit(ROWS, BOUGHT)))["age"]
    assert (ranged.low, ranged.high, ranged.seen) == (20, 70, "in training")
    assert fields(wrapped(make_pipeline(StandardScaler(), LinearRegression()).fit(ROWS, BOUGHT)))["age"].default == 45


def test_a_range_after_another_scaler_is_in_raw_units():
    steps = make_pipeline(StandardScaler(), MinMaxScaler(), LinearRegression()).fit(ROWS, BOUGHT)
    age = fields(wrapped(steps))["age"]
    assert (age.low, age.high) == pytest.approx((20, 70))


def test_trees_tell_where_they_split_and_a_range_around():
    rows = pd.DataFrame({"age": np.arange(20.0, 80)})
    model = wrapped(RandomForestRegressor(5, random_state=0).fit(rows, np.arange(60.0)))
    age = fields(model)["age"]
    assert age.seen == "by the model's split thresholds"
    assert age.low < 20 < 79 < age.high
    assert model.thresholds["age"].min() > 20


def test_splits_behind_a_logarithm_are_in_raw_units():
    rows = pd.DataFrame({"income": np.geomspace(10, 10_000, 50)})
    model = wrapped(make_pipeline(FunctionTransformer(np.log1p), RandomForestRegressor(5)).fit(rows, np.arange(50)))
    assert 10 < model.thresholds["income"].min() < model.thresholds["income"].max() < 10_000


def test_splits_behind_a_mixture_of_columns_are_not_told():
    from sklearn.decomposition import PCA

    assert wrapped(make_pipeline(PCA(), RandomForestRegressor(5)).fit(ROWS, BOUGHT)).thresholds == {}


def test_columns_that_are_dropped_are_no_fields():
    rows = ROWS.assign(id=range(6))
    model = wrapped(
        make_pipeline(ColumnTransformer([("a", StandardScaler(), ["age"])]), LinearRegression()).fit(rows, BOUGHT)
    )
    assert model.signature.names == ("age",)
    assert model.predict({"age": np.array([30.0])}).rows == 1


def test_categories_of_bayes_are_whole_numbers():
    model = wrapped(CategoricalNB().fit([[0, 1], [1, 2], [1, 0]], [0, 1, 1]))
    assert [field.choices for field in model.signature.inputs] == [(0, 1), (0, 1, 2)]


# Answers


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["no", "yes"], FieldType.TEXT),
        ([3, 7], FieldType.INTEGER),
        ([False, True], FieldType.BOOLEAN),
        ([1.0, 2.0], FieldType.NUMBER),
    ],
)
def test_labels_keep_their_type(labels, kind):
    model = wrapped(LogisticRegression().fit(ROWS, np.array(labels * 3)))
    answer = model.predict({name: ROWS[name].to_numpy() for name in ROWS})
    assert model.signature.outputs[0].type is kind
    assert model.signature.classes == tuple(labels)
    assert {type(each) for each in answer.values[0].tolist()} == {type(labels[0])}


def test_a_classifier_without_probabilities_has_none():
    model = wrapped(LinearSVC().fit(ROWS, BOUGHT))
    assert not model.signature.probabilities
    assert model.signature.classes == (0, 1)
    assert model.predict({"age": np.array([30.0]), "pages": np.array([9.0])}).probabilities is None


def test_a_search_is_its_best_estimator():
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1]}, cv=2)
    model = wrapped(search.fit(ROWS, BOUGHT))
    assert model.facts.kind == "Pipeline(StandardScaler, LogisticRegression)"


def test_a_clustering_model_answers_the_cluster():
    model = wrapped(KMeans(2, n_init=1, random_state=0).fit(ROWS))
    assert model.signature.task is Task.CLUSTERING
    assert model.signature.outputs[0].type is FieldType.INTEGER


# How it is served


def test_an_array_is_given_where_names_make_no_difference():
    assert wrapped(LogisticRegression().fit(ROWS, BOUGHT)).feed.layout is inputs.Layout.ARRAY
    chosen = ColumnTransformer([("a", StandardScaler(), ["age"])])
    assert wrapped(make_pipeline(chosen, LinearRegression()).fit(ROWS, BOUGHT)).feed.layout is inputs.Layout.FRAME


def test_the_users_own_object_is_left_as_it_was():
    made = RandomForestClassifier(3, n_jobs=2).fit(ROWS, BOUGHT)
    model = wrapped(made)
    assert made.n_jobs == 2
    assert made.feature_names_in_.tolist() == ["age", "pages"]
    assert model.native is made
    assert model.voice.last.n_jobs == 1


def test_threads_get_their_own_answers():
    made = RandomForestClassifier(5, random_state=0).fit(ROWS, BOUGHT)
    model = wrapped(made)
    found = {}

    def ask(row):
        found[row] = model.predict({name: ROWS[name].to_numpy()[row : row + 1] for name in ROWS}).values[0][0]

    threads = [threading.Thread(target=ask, args=(row,)) for row in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[row] for row in range(6)] == made.predict(ROWS).tolist()


# Facts


def test_facts_pin_what_is_needed():
    about = wrapped(LogisticRegression().fit(ROWS, BOUGHT)).facts
    names = [pin.partition("==")[0] for pin in about.requirements]
    assert names == ["scikit-learn", "numpy", "scipy", "joblib", "pandas"]
    assert about.framework == "scikit-learn"
    assert not about.float32


def test_what_was_fitted_in_single_precision_says_so():
    assert wrapped(LogisticRegression().fit(ROWS.to_numpy(dtype=np.float32), BOUGHT)).facts.float32


def test_another_version_is_told_with_what_to_install():
    (told,) = wrapped(LogisticRegression().fit(ROWS, BOUGHT), scikit_learn="1.2.2", numpy="1.20.0").facts.warnings
    assert "made with scikit-learn 1.2.2" in told
    assert "pip install scikit-learn==1.2.2, or --isolated" in told


def test_a_model_that_loads_but_cannot_predict_names_the_version_that_made_it():
    made = LogisticRegression().fit(ROWS, BOUGHT)
    del made.intercept_
    with pytest.raises(VersionMismatch, match=r"intercept_.*pip install scikit-learn==1\.0\.2"):
        wrapped(made, scikit_learn="1.0.2")


def test_a_model_that_cannot_predict_for_another_reason_says_which():
    made = LogisticRegression().fit(ROWS, BOUGHT)
    del made.intercept_
    with pytest.raises(PredictionFailed, match=r"'LogisticRegression' in 'model\.joblib' .*intercept_"):
        wrapped(made)


class Odd(Exception):
    """As CatBoost's and LightGBM's: of no kind that Python knows."""


class Picky(ClassifierMixin, BaseEstimator):
    """Raises at a gap, and at a row above 100."""

    def fit(self, X, y):
        self.classes_, self.n_features_in_ = np.unique(y), np.shape(X)[1]
        return self

    def predict(self, X):
        if not (np.asarray(X) <= 100).all():
            raise Odd("over 100")
        return np.zeros(len(X), dtype=np.int64)


def test_whatever_an_estimator_raises_is_a_failed_prediction():
    model = wrapped(Picky().fit(ROWS.to_numpy(), BOUGHT))
    assert not any(field.nullable for field in model.signature.inputs)
    row = {name: np.array([1.0]) for name in model.signature.names}
    assert model.predict(row).values[0].tolist() == [0]
    with pytest.raises(PredictionFailed, match="The model raised Odd: over 100"):
        model.predict(row | {"x0": np.array([101.0])})


# What is no single model


def test_a_vectoriser_and_a_model_are_chained_in_either_order():
    words = CountVectorizer().fit(["a film", "no film"])
    last = LogisticRegression().fit(words.transform(["a film", "no film"]), ["good", "bad"])
    for pair in ((words, last), [last, words]):
        model = wrapped(pair)
        assert model.facts.kind == "Pipeline(CountVectorizer, LogisticRegression)"
        assert model.signature.names == ("text",)


def test_a_dict_of_steps_is_chained_and_its_columns_name_the_fields():
    scaler = StandardScaler().fit(ROWS.to_numpy())
    last = LogisticRegression().fit(scaler.transform(ROWS.to_numpy()), BOUGHT)
    model = wrapped({"model": last, "scaler": scaler, "features": ["age", "pages"], "accuracy": 0.9})
    assert model.signature.names == ("age", "pages")
    expected = last.predict_proba(scaler.transform(ROWS.to_numpy()))
    got = model.predict({name: ROWS[name].to_numpy() for name in ROWS}).probabilities
    assert np.allclose(got, expected, rtol=1e-12)


def test_columns_that_do_not_fit_are_not_used():
    last = LogisticRegression().fit(ROWS.to_numpy(), BOUGHT)
    assert wrapped({"model": last, "columns": ["a", "b", "c"]}).signature.names == ("x0", "x1")
    assert wrapped({"model": last, "classes": ["no", "yes"]}).signature.names == ("x0", "x1")


def test_a_label_encoder_gives_the_labels_back():
    labels = LabelEncoder().fit(["ham", "spam"])
    model = wrapped({"model": LogisticRegression().fit(ROWS, BOUGHT), "label_encoder": labels})
    answer = model.predict({name: ROWS[name].to_numpy() for name in ROWS})
    assert model.signature.classes == ("ham", "spam")
    assert set(answer.values[0].tolist()) == {"ham", "spam"}


def line():
    return LinearRegression().fit(ROWS.to_numpy(), BOUGHT)


def narrow():
    return StandardScaler().fit(ROWS[["age"]].to_numpy())


REFUSED = {
    "column names": (["age", "pages"], r"a list of 2 texts \('age', 'pages', …\), and no estimator"),
    "state dict": ({"layer.weight": np.ones(3), "layer.bias": np.ones(1)}, "2 arrays .*state dict"),
    "dict without one": ({"accuracy": 0.9, "note": "best"}, r"a dict of 'accuracy' \(float\).*, and no estimator"),
    "empty dict": ({}, "a dict of nothing, and no estimator"),
    "array": (np.ones((3, 2)), r"data \(ndarray of 3 x 2\), not a model"),
    "frame": (ROWS, r"data \(DataFrame of 6 x 2\)"),
    "text": ("hello", "the value 'hello'"),
    "function": (np.mean, "the function 'mean'"),
    "class": (LinearRegression, "the class 'LinearRegression'"),
    "unfitted": (LinearRegression(), "'LinearRegression' in 'model.joblib' is not fitted"),
    "unfitted pipeline": (make_pipeline(StandardScaler(), LinearRegression()), "'Pipeline' .* is not fitted"),
    "unfitted step": ((StandardScaler(), LinearRegression().fit(ROWS, BOUGHT)), "'StandardScaler' .* is not fitted"),
    "search without refit": (
        GridSearchCV(LinearRegression(), {"fit_intercept": [True]}, refit=False, cv=2).fit(ROWS, BOUGHT),
        "'GridSearchCV' .*refit=True",
    ),
    "two models": ({"a": line(), "b": line()}, "LinearRegression 'a', LinearRegression 'b': it is not plain which"),
    "unlike widths": ({"scaler": narrow(), "model": line()}, "'scaler' gives 1 columns and 'model' takes 2"),
    "target's scaler": (
        {"scaler_y": narrow(), "model": LinearRegression().fit(ROWS[["age"]].to_numpy(), BOUGHT)},
        "'scaler_y', which seems to scale the target",
    ),
    "encoder of something else": (
        {"model": LogisticRegression().fit(ROWS, ["a", "b"] * 3), "encoder": LabelEncoder().fit(["x", "y"])},
        "does not fit the model's labels",
    ),
    "fit only": (DBSCAN().fit(ROWS), "DBSCAN has neither 'predict' nor 'transform' for new rows, only 'fit_predict'"),
    "labels": (LabelEncoder().fit(["a"]), "LabelEncoder"),
}


@pytest.mark.parametrize(("value", "told"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_single_fitted_model_is_refused_with_what_was_found(value, told):
    with pytest.raises(NotRecognised, match=told) as caught:
        wrapped(value)
    assert str(caught.value).endswith(".")
    assert "model.joblib" in str(caught.value) or "DBSCAN" in str(caught.value)


class Own(ClassifierMixin, BaseEstimator):
    """As users write them: no tags, names needed."""

    def fit(self, rows, target):
        self.classes_ = np.unique(target)
        self.feature_names_in_ = np.array(rows.columns)
        return self

    def predict(self, rows):
        return np.where(rows["age"] > 40, 1, 0)


def test_an_estimator_of_ones_own_gets_a_dataframe():
    model = wrapped(Own().fit(ROWS, BOUGHT))
    assert model.predict({"age": np.array([30.0, 50.0]), "pages": np.array([1.0, 2.0])}).values[0].tolist() == [0, 1]


def test_a_skops_file_that_would_overwrite_a_file_is_refused(tmp_path):
    import skops.io

    victim = tmp_path / "victim"
    victim.write_text("precious")
    writer = functools.partial(np.memmap, str(victim), mode="w+", shape=(9,))
    skops.io.dump(FunctionTransformer(writer), tmp_path / "writer.skops")
    with pytest.raises(UnsafePickle, match=r"numpy\.memmap"):
        loader.load(Sniffed(path=tmp_path / "writer.skops", format=Format.SKOPS))
    assert victim.read_text() == "precious"


def test_a_skops_file_with_a_type_of_ones_own_is_refused(tmp_path):
    import skops.io

    skops.io.dump(Own().fit(ROWS, BOUGHT), tmp_path / "own.skops")
    with pytest.raises(UnsafePickle, match="Own, which no plain model file does"):
        loader.load(Sniffed(path=tmp_path / "own.skops", format=Format.SKOPS))


def test_ordinal_codes_for_the_unknown_take_gaps(tmp_path):
    rows = pd.DataFrame({"a": ["x", "y", "x", "y"]})
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    made = make_pipeline(ColumnTransformer([("a", encoder, ["a"])]), LinearRegression()).fit(rows, [1, 2, 1, 2])
    joblib.dump(made, tmp_path / "m.joblib")
    model = wrapped(joblib.load(tmp_path / "m.joblib"))
    assert fields(model)["a"].nullable
    assert model.predict({"a": text("z", None)}).values[0].tolist() == pytest.approx([0.0, 0.0])


def test_a_calibrated_model_is_given_an_array_too():
    from sklearn.calibration import CalibratedClassifierCV

    model = wrapped(CalibratedClassifierCV(LinearSVC(), cv=2).fit(ROWS, BOUGHT))
    assert model.feed.layout is inputs.Layout.ARRAY


@pytest.mark.parametrize("way", ["filename", "file"])
@pytest.mark.parametrize("kind", [TfidfVectorizer, CountVectorizer])
def test_a_vectoriser_that_opens_the_files_that_callers_name_is_refused(kind, way, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("a file of that name, so that a made-up row is answered")
    fitted = make_pipeline(kind().fit(["good", "bad", "good day"]), LogisticRegression())
    fitted.fit(["good", "bad"], [1, 0])
    fitted.steps[0][1].input = way
    with pytest.raises(NotRecognised, match="names of files"):
        wrapped(fitted)


def test_a_model_that_holds_a_module_is_not_searched_through_it():
    class Trap:
        @property
        def __dict__(self):
            raise RuntimeError("the whole interpreter is being searched")

    held = ModuleType("held")
    held.trap = Trap()
    model = LinearRegression().fit(ROWS, BOUGHT)
    model.library_ = held
    assert wrapped(model).predict({"age": np.array([20.0]), "pages": np.array([1.0])}).rows == 1


def test_a_text_from_inside_the_model_is_no_file_name(tmp_path):
    """XGBoost reads the file that a text names."""
    xgboost = pytest.importorskip("xgboost")
    (tmp_path / "secret").write_text("1 0:3 1:4\n")
    booster = xgboost.XGBRegressor(n_estimators=1).fit(ROWS.to_numpy(), BOUGHT)
    unsafe = make_pipeline(FunctionTransformer(np.max), booster)
    rows = text(f"{tmp_path / 'secret'}?format=libsvm", "").reshape(1, -1)
    with pytest.raises(TypeError, match="in place of rows"):
        inputs.served(unsafe, named=True).predict(rows)


def test_a_booster_that_reads_files_is_no_part_of_a_model():
    lightgbm = pytest.importorskip("lightgbm")
    fitted = lightgbm.LGBMRegressor(n_estimators=1, verbose=-1).fit(ROWS, BOUGHT)
    assert wrapped(fitted).signature.names == ("age", "pages")
    held = make_pipeline(StandardScaler(), LinearRegression()).fit(ROWS, BOUGHT)
    held.steps[-1][1].inner_ = {"last": [fitted.booster_]}
    with pytest.raises(NotRecognised, match="a LightGBM Booster as part of another model"):
        wrapped(held)


@pytest.mark.parametrize("name", ["transform", "predict", "_transform", "_check_test_data"])
def test_an_attribute_in_front_of_a_method_is_refused(name):
    model = make_pipeline(KMeans(2, n_init=1), LinearRegression()).fit(ROWS, BOUGHT)
    vars(model.steps[0][1])[name] = np.max
    with pytest.raises(NotRecognised, match=f"a KMeans whose '{name}' is not its class's"):
        wrapped(model)


def test_what_is_held_many_times_or_in_itself_is_opened_once():
    model = LinearRegression().fit(ROWS, BOUGHT)
    nested = (LinearRegression(n_jobs=2), "x")
    for _ in range(60):
        nested = (nested, nested)
    circle = [model]
    circle.append(circle)
    model.nested_, model.circle_ = nested, circle
    assert wrapped(model).predict({"age": np.array([20.0]), "pages": np.array([1.0])}).rows == 1
    found = inputs.served(nested, named=True)
    while isinstance(found, tuple):
        found = found[0]
    assert found.n_jobs == 1
