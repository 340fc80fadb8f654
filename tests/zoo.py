"""Small fitted models of every kind, each saved as people save them, with rows and its own library's answers.

    for name in zoo.NAMES:
        case = zoo.case(name, folder)       # trains and saves it once a session
        artifact.open(case.path).predict(typed(model.signature, case.columns))   ==   case.values, case.probabilities

`columns` are the rows as a door decodes them: text in object arrays with None for nothing, numbers with NaN.
"""

from __future__ import annotations

import functools
import gzip
import pickle
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from flaskship.schema import Array, Columns, Signature

ROWS = 120
BUILDERS: dict[str, Callable[[], Built]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A fitted model before it is saved."""

    model: Any  # what is saved
    rows: Any  # what its library is asked with: a DataFrame, an array or a list of texts
    save: Callable[[Any, Path], None]
    file: str
    asked: Any = None  # what is asked, where that is not the saved object
    answers: tuple[Any, Any] | None = None  # labels and probabilities, where the library is asked in another way
    names: tuple[str, ...] = ()  # of the fields, where the rows have none and the file has
    float32: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A saved model, rows for it, and what its own library answers."""

    name: str
    path: Path
    columns: Columns  # one entry a column of the training data, also of those that the model ignores
    values: tuple[Array, ...]
    probabilities: Array | None
    score: Array | None
    float32: bool

    @property
    def tolerance(self) -> float:
        """Relative."""
        return 1e-5 if self.float32 else 1e-6


def typed(signature: Signature, columns: Columns) -> Columns:
    """`columns` as the fields want them."""
    return {field.name: columns[field.name].astype(field.array_dtype) for field in signature.inputs}


def case(name: str, folder: Path) -> Case:
    """The model called `name`, trained at most once a process, saved in `folder`."""
    built = _built(name)
    path = folder / name / built.file
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            built.save(built.model, path)
    values, probabilities, score = _answers(name)
    return Case(
        name=name,
        path=path,
        columns=_columns(built.rows, built.names),
        values=values,
        probabilities=probabilities,
        score=score,
        float32=built.float32,
    )


@functools.cache
def _built(name: str) -> Built:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return BUILDERS[name]()


@functools.cache
def _answers(name: str) -> tuple[tuple[Array, ...], Array | None, Array | None]:
    built = _built(name)
    if built.answers is not None:
        labels, probabilities = built.answers
        return _split(labels), probabilities, None
    asked, rows = built.model if built.asked is None else built.asked, built.rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = _split(asked.predict(rows) if hasattr(asked, "predict") else asked.transform(rows))
        plain = len(values) == 1 and hasattr(asked, "classes_") and hasattr(asked, "predict_proba")
        probabilities = np.asarray(asked.predict_proba(rows)) if plain else None
        outlier = hasattr(asked, "offset_") and hasattr(asked, "decision_function")
        score = np.asarray(asked.decision_function(rows)) if outlier else None
    return values, probabilities, score


def _split(found: Any) -> tuple[Array, ...]:
    matrix = np.asarray(found.toarray() if hasattr(found, "toarray") else found)
    return tuple(matrix.reshape(len(matrix), -1).T)


def _columns(rows: Any, names: tuple[str, ...]) -> Columns:
    if isinstance(rows, pd.DataFrame):
        return {str(name): _column(rows[name].to_numpy(dtype=object)) for name in rows}
    if isinstance(rows, list) and isinstance(rows[0], str):
        return {(names or ("text",))[0]: np.array(rows, dtype=object)}
    if isinstance(rows, list):
        return {name: _column(np.array([row[name] for row in rows], dtype=object)) for name in rows[0]}
    called = names or tuple(f"x{index}" for index in range(rows.shape[1]))
    return {name: _column(rows[:, index].astype(object)) for index, name in enumerate(called)}


def _column(values: Array) -> Array:
    plain = [None if pd.isna(value) else value for value in values.tolist()]
    if any(isinstance(value, str) for value in plain):
        return np.array(plain, dtype=object)
    if None in plain:
        return np.array([np.nan if value is None else float(value) for value in plain])
    return np.array(plain)


def model(name: str) -> Callable[[Callable[[], Built]], Callable[[], Built]]:
    """Adds a builder to the zoo."""

    def add(build: Callable[[], Built]) -> Callable[[], Built]:
        BUILDERS[name] = build
        return build

    return add


# How files are written


def by_joblib(value: Any, path: Path) -> None:
    joblib.dump(value, path)


def by_joblib_packed(how: Any) -> Callable[[Any, Path], None]:
    return lambda value, path: joblib.dump(value, path, compress=how) and None


def by_pickle(protocol: int) -> Callable[[Any, Path], None]:
    return lambda value, path: path.write_bytes(pickle.dumps(value, protocol)) and None


def by_gzip(value: Any, path: Path) -> None:
    path.write_bytes(gzip.compress(pickle.dumps(value), mtime=0))


def by_zlib(value: Any, path: Path) -> None:
    path.write_bytes(zlib.compress(pickle.dumps(value)))


def by_dill(value: Any, path: Path) -> None:
    import dill

    path.write_bytes(dill.dumps(value))


def by_skops(value: Any, path: Path) -> None:
    import skops.io

    skops.io.dump(value, path)


def by_its_own(value: Any, path: Path) -> None:
    value.save_model(str(path))


def by_onnx(value: Any, path: Path) -> None:
    path.write_bytes(value)


# What they are trained on


@functools.cache
def sales() -> tuple[pd.DataFrame, Array]:
    random = np.random.default_rng(1)
    pages = random.integers(1, 30, ROWS)
    rows = pd.DataFrame(
        {"age": random.integers(17, 80, ROWS), "new_user": random.integers(0, 2, ROWS), "total_pages_visited": pages}
    )
    return rows, (pages + random.normal(0, 3, ROWS) > 12).astype(np.int64)


@functools.cache
def numbers() -> Array:
    return np.random.default_rng(2).normal(size=(ROWS, 4))


@functools.cache
def flowers() -> Array:
    """Three labels by the first two numbers."""
    return np.array(["setosa", "versicolor", "virginica"])[np.digitize(numbers()[:, :2].sum(axis=1), [-0.7, 0.7])]


@functools.cache
def amounts() -> Array:
    found: Array = numbers() @ np.array([3.0, -2.0, 0.5, 1.0]) + 10
    return found


@functools.cache
def gaps() -> Array:
    found = numbers().copy()
    found[::7, 0] = np.nan
    found[3::11, 2] = np.nan
    return found


@functools.cache
def people() -> tuple[pd.DataFrame, Array]:
    """Numbers and texts with gaps, a column that no model needs, and a label."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "income": np.where(random.random(ROWS) < 0.1, np.nan, random.normal(4000, 900, ROWS)),
            "city": random.choice(["Berlin", "Oslo", "São Paulo", None], ROWS),
            "plan": random.choice(["basic", "pro"], ROWS),
            "age": random.integers(18, 90, ROWS),
            "note": random.choice(["late again", "pays early", "new here", "pays late"], ROWS),
            "member": random.choice([True, False], ROWS),
        }
    )
    good = frame["income"].fillna(4000) + 900 * (frame["plan"] == "pro") + random.normal(0, 300, ROWS) > 4300
    return frame, np.where(good, "good", "bad")


def strangers() -> pd.DataFrame:
    """`people` with cities that no model has seen."""
    frame = people()[0].copy()
    frame.loc[::9, "city"] = "Atlantis"
    return frame


REVIEWS = [
    text + end
    for text in ("a good film", "bad acting", "what a fine film", "boring and bad", "good fun", "dull")
    for end in ("", " really", " indeed", "!", " 10/10")
] * 4
MOODS = np.array([int("good" in text or "fine" in text) for text in REVIEWS])


# The models


@model("logistic_frame")
def _() -> Built:
    from sklearn.linear_model import LogisticRegression

    rows, target = sales()
    return Built(
        model=LogisticRegression(max_iter=500).fit(rows, target), rows=rows, save=by_joblib, file="sales.joblib"
    )


@model("logistic_array")
def _() -> Built:
    from sklearn.linear_model import LogisticRegression

    return Built(
        model=LogisticRegression().fit(numbers(), flowers()), rows=numbers(), save=by_pickle(0), file="flowers.pkl"
    )


@model("scaled_pipeline")
def _() -> Built:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, target = sales()
    made = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, target)
    return Built(model=made, rows=rows, save=by_pickle(2), file="model")


@model("forest_labels")
def _() -> Built:
    from sklearn.ensemble import RandomForestClassifier

    made = RandomForestClassifier(12, n_jobs=-1, random_state=0).fit(numbers(), flowers())
    return Built(model=made, rows=numbers(), save=by_joblib_packed(("zlib", 3)), file="forest.pkl")


@model("forest_gaps")
def _() -> Built:
    from sklearn.ensemble import RandomForestRegressor

    rows = pd.DataFrame(gaps(), columns=["a", "b", "c", "d"])
    made = RandomForestRegressor(10, random_state=0).fit(rows, amounts())
    return Built(model=made, rows=rows, save=by_joblib_packed(("gzip", 3)), file="forest.bin")


@model("extra_trees")
def _() -> Built:
    from sklearn.ensemble import ExtraTreesClassifier

    made = ExtraTreesClassifier(10, random_state=0).fit(numbers(), flowers())
    return Built(model=made, rows=numbers(), save=by_zlib, file="trees.model")


@model("gradient_boosting")
def _() -> Built:
    from sklearn.ensemble import GradientBoostingClassifier

    made = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(numbers(), flowers())
    return Built(model=made, rows=numbers(), save=by_pickle(5), file="boosted")


@model("histogram_categories")
def _() -> Built:
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame, target = people()
    columns = ["city", "income", "plan", "age"]
    rows = frame[columns].astype({"city": "category", "plan": "category"})
    made = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5, categorical_features="from_dtype")
    return Built(model=made.fit(rows, target), rows=rows, save=by_joblib, file="histogram.joblib")


@model("histogram_gaps")
def _() -> Built:
    from sklearn.ensemble import HistGradientBoostingRegressor

    made = HistGradientBoostingRegressor(max_iter=6, min_samples_leaf=5).fit(gaps(), amounts())
    return Built(model=made, rows=gaps(), save=by_gzip, file="histogram.pkl.gz")


@model("two_labels")
def _() -> Built:
    from sklearn.ensemble import RandomForestClassifier

    targets = np.stack([flowers(), np.where(amounts() > 10, "high", "low")], axis=1)
    made = RandomForestClassifier(6, random_state=0).fit(numbers(), targets)
    return Built(model=made, rows=numbers(), save=by_joblib, file="two.joblib")


@model("two_numbers")
def _() -> Built:
    from sklearn.tree import DecisionTreeRegressor

    made = DecisionTreeRegressor(random_state=0).fit(numbers(), np.stack([amounts(), amounts() ** 2], axis=1))
    return Built(model=made, rows=numbers(), save=by_joblib, file="two.joblib")


@model("ridge_two_numbers")
def _() -> Built:
    from sklearn.linear_model import Ridge

    made = Ridge().fit(numbers(), np.stack([amounts(), -amounts()], axis=1))
    return Built(model=made, rows=numbers(), save=by_joblib, file="ridge.sav")


@model("neighbours_bool")
def _() -> Built:
    from sklearn.neighbors import KNeighborsClassifier

    made = KNeighborsClassifier(3).fit(numbers(), amounts() > 10)
    return Built(model=made, rows=numbers(), save=by_dill, file="neighbours.dill")


@model("linear_svc")
def _() -> Built:
    from sklearn.svm import LinearSVC

    return Built(model=LinearSVC().fit(numbers(), flowers()), rows=numbers(), save=by_pickle(4), file="svc.p")


@model("kernel_svr")
def _() -> Built:
    from sklearn.svm import SVR

    return Built(model=SVR().fit(numbers(), amounts()), rows=numbers(), save=by_joblib, file="svr.joblib")


@model("calibrated")
def _() -> Built:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import LinearSVC

    made = CalibratedClassifierCV(LinearSVC(), cv=2).fit(*sales())
    return Built(model=made, rows=sales()[0], save=by_joblib, file="calibrated.joblib")


@model("naive_bayes_float_labels")
def _() -> Built:
    from sklearn.naive_bayes import GaussianNB

    made = GaussianNB().fit(numbers(), (amounts() > 10).astype(np.float64))
    return Built(model=made, rows=numbers(), save=by_joblib, file="bayes.joblib")


@model("perceptron_float32")
def _() -> Built:
    from sklearn.neural_network import MLPClassifier

    rows = numbers().astype(np.float32)
    made = MLPClassifier((6,), max_iter=40, random_state=0).fit(rows, flowers())
    return Built(model=made, rows=rows, save=by_joblib, file="mlp.joblib", float32=True)


@model("columns_of_texts")
def _() -> Built:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    frame, target = people()
    numeric = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    prepared = ColumnTransformer(
        [("numbers", numeric, ["income", "age"]), ("texts", texts, ["city"]), ("plan", OrdinalEncoder(), ["plan"])]
    )
    made = Pipeline([("prepare", prepared), ("forest", RandomForestClassifier(8, random_state=0))])
    return Built(model=made.fit(frame, target), rows=strangers(), save=by_joblib, file="people.joblib")


@model("columns_by_place")
def _() -> Built:
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame, target = people()
    rows = frame[["plan", "age", "member"]].to_numpy(dtype=object)
    prepared = ColumnTransformer([("texts", OneHotEncoder(), [0, 2]), ("numbers", StandardScaler(), [1])])
    made = make_pipeline(prepared, LogisticRegression()).fit(rows, target)
    return Built(model=made, rows=rows, save=by_joblib, file="place.joblib")


@model("columns_with_text")
def _() -> Built:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    frame, target = people()
    prepared = ColumnTransformer([("note", TfidfVectorizer(), "note")], remainder="passthrough")
    rows = frame[["age", "note"]]
    made = make_pipeline(prepared, LogisticRegression(max_iter=2000)).fit(rows, target)
    return Built(model=made, rows=rows, save=by_joblib, file="notes.joblib")


@model("target_encoder")
def _() -> Built:
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import TargetEncoder

    rows = people()[0][["city", "plan"]]
    made = make_pipeline(TargetEncoder(cv=2, random_state=0), LinearRegression()).fit(rows, amounts())
    return Built(model=made, rows=strangers()[["city", "plan"]], save=by_joblib, file="target.joblib")


@model("text")
def _() -> Built:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    made = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), MultinomialNB()).fit(REVIEWS, MOODS)
    return Built(model=made, rows=[*REVIEWS, "unheard of", ""], save=by_joblib, file="mood.joblib")


@model("text_union")
def _() -> Built:
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline, make_union

    both = make_union(CountVectorizer(), HashingVectorizer(n_features=16, analyzer="char"))
    made = make_pipeline(both, SGDClassifier(random_state=0)).fit(REVIEWS, MOODS)
    return Built(model=made, rows=REVIEWS, save=by_joblib, file="union.joblib")


@model("text_tuple")
def _() -> Built:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    made = make_pipeline(CountVectorizer(), LogisticRegression()).fit(REVIEWS, MOODS)
    return Built(model=(made[0], made[1]), asked=made, rows=REVIEWS, save=by_pickle(3), file="both.pkl")


@model("dict_of_steps")
def _() -> Built:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names = ("length", "width", "height", "weight")
    made = make_pipeline(StandardScaler(), Ridge()).fit(numbers(), amounts())
    kept = {"scaler": made[0], "model": made[1], "columns": list(names), "r2": 0.99}
    return Built(model=kept, asked=made, rows=numbers(), names=names, save=by_joblib, file="kept.joblib")


@model("dict_with_labels")
def _() -> Built:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import LabelEncoder, MinMaxScaler

    labels = LabelEncoder().fit(flowers())
    made = make_pipeline(MinMaxScaler(), LogisticRegression()).fit(numbers(), labels.transform(flowers()))
    kept = {"scaler": made[0], "classifier": made[1], "label_encoder": labels}
    answers = (labels.inverse_transform(made.predict(numbers())), made.predict_proba(numbers()))
    return Built(model=kept, answers=answers, rows=numbers(), save=by_joblib, file="kept.joblib")


@model("dicts")
def _() -> Built:
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    frame, target = people()
    rows = frame[["plan", "age"]].to_dict("records")
    made = make_pipeline(DictVectorizer(), LogisticRegression()).fit(rows, target)
    return Built(model=made, rows=rows, save=by_joblib, file="dicts.joblib")


@model("clusters")
def _() -> Built:
    from sklearn.cluster import KMeans
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made = make_pipeline(StandardScaler(), KMeans(3, n_init=1, random_state=0)).fit(numbers())
    return Built(model=made, rows=numbers(), save=by_joblib, file="clusters.joblib")


@model("mixture")
def _() -> Built:
    from sklearn.mixture import GaussianMixture

    made = GaussianMixture(2, random_state=0).fit(numbers())
    return Built(model=made, rows=numbers(), save=by_joblib, file="mixture.joblib")


@model("isolation_forest")
def _() -> Built:
    from sklearn.ensemble import IsolationForest

    rows, _ = sales()
    return Built(
        model=IsolationForest(n_estimators=8, random_state=0).fit(rows), rows=rows, save=by_joblib, file="odd.joblib"
    )


@model("one_class_svm")
def _() -> Built:
    from sklearn.svm import OneClassSVM

    return Built(model=OneClassSVM().fit(numbers()), rows=numbers(), save=by_joblib, file="odd.joblib")


@model("components")
def _() -> Built:
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made = make_pipeline(StandardScaler(), PCA(2)).fit(sales()[0])
    return Built(model=made, rows=sales()[0], save=by_joblib, file="pca.joblib")


@model("one_hot")
def _() -> Built:
    from sklearn.preprocessing import OneHotEncoder

    rows = people()[0][["plan", "city"]]
    return Built(model=OneHotEncoder().fit(rows), rows=rows, save=by_joblib, file="hot.joblib")


@model("search")
def _() -> Built:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import RobustScaler

    steps = Pipeline([("scale", RobustScaler()), ("model", LogisticRegression())])
    made = GridSearchCV(steps, {"model__C": [0.1, 1]}, cv=2).fit(*sales())
    return Built(model=made, rows=sales()[0], save=by_joblib, file="search.joblib")


@model("transformed_target")
def _() -> Built:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import LinearRegression

    made = TransformedTargetRegressor(LinearRegression(), func=np.log1p, inverse_func=np.expm1)
    return Built(
        model=made.fit(numbers(), np.abs(amounts())), rows=numbers(), save=by_joblib, file="transformed.joblib"
    )


@model("function_step")
def _() -> Built:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    made = make_pipeline(FunctionTransformer(np.log1p), RandomForestRegressor(5, random_state=0))
    return Built(model=made.fit(sales()[0], amounts()), rows=sales()[0], save=by_joblib, file="function.joblib")


@model("voting")
def _() -> Built:
    from sklearn.ensemble import VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    parts = [("line", LogisticRegression(max_iter=500)), ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))]
    made = VotingClassifier(parts, voting="soft").fit(*sales())
    return Built(model=made, rows=sales()[0], save=by_joblib, file="voting.joblib")


@model("stacking")
def _() -> Built:
    from sklearn.ensemble import StackingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.tree import DecisionTreeRegressor

    parts = [("line", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]
    made = StackingRegressor(parts, Ridge(), cv=2).fit(numbers(), amounts())
    return Built(model=made, rows=numbers(), save=by_joblib, file="stacking.joblib")


@model("bagging")
def _() -> Built:
    from sklearn.ensemble import BaggingClassifier
    from sklearn.tree import DecisionTreeClassifier

    made = BaggingClassifier(DecisionTreeClassifier(), 5, max_features=2, random_state=0).fit(*sales())
    return Built(model=made, rows=sales()[0], save=by_joblib, file="bagging.joblib")


@model("adaptive_boosting")
def _() -> Built:
    from sklearn.ensemble import AdaBoostClassifier

    made = AdaBoostClassifier(n_estimators=5, random_state=0).fit(numbers(), flowers())
    return Built(model=made, rows=numbers(), save=by_joblib, file="ada.joblib")


@model("many_labels")
def _() -> Built:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    targets = np.stack([amounts() > 10, amounts() > 12, numbers()[:, 0] > 0], axis=1).astype(np.int64)
    made = OneVsRestClassifier(LogisticRegression()).fit(numbers(), targets)
    return Built(model=made, rows=numbers(), save=by_joblib, file="labels.joblib")


@model("chain")
def _() -> Built:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multioutput import ClassifierChain

    targets = np.stack([amounts() > 10, numbers()[:, 0] > 0], axis=1).astype(np.int64)
    made = ClassifierChain(LogisticRegression()).fit(numbers(), targets)
    return Built(model=made, rows=numbers(), save=by_joblib, file="chain.joblib")


@model("several_classifiers")
def _() -> Built:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multioutput import MultiOutputClassifier

    targets = np.stack([flowers(), np.where(amounts() > 10, "high", "low")], axis=1)
    made = MultiOutputClassifier(LogisticRegression()).fit(numbers(), targets)
    return Built(model=made, rows=numbers(), save=by_joblib, file="several.joblib")


@model("isotonic")
def _() -> Built:
    from sklearn.isotonic import IsotonicRegression

    made = IsotonicRegression(out_of_bounds="clip").fit(numbers()[:, 0], amounts())
    return Built(model=made, rows=numbers()[:, :1], save=by_joblib, file="isotonic.joblib")


@model("bins")
def _() -> Built:
    from sklearn.linear_model import PoissonRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer

    binned = KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf")
    made = make_pipeline(binned, PoissonRegressor()).fit(sales()[0], np.abs(amounts()))
    return Built(model=made, rows=sales()[0], save=by_joblib, file="bins.joblib")


@model("skops_pipeline")
def _() -> Built:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made = make_pipeline(StandardScaler(), LogisticRegression()).fit(*sales())
    return Built(model=made, rows=sales()[0], save=by_skops, file="sales.skops")


@model("skops_forest")
def _() -> Built:
    from sklearn.ensemble import RandomForestClassifier

    made = RandomForestClassifier(6, random_state=0).fit(numbers(), flowers())
    return Built(model=made, rows=numbers(), save=by_skops, file="forest.zip")


# XGBoost


@model("xgboost_wrapper")
def _() -> Built:
    import xgboost

    made = xgboost.XGBClassifier(n_estimators=5, max_depth=3).fit(*sales())
    return Built(model=made, rows=sales()[0], save=by_joblib, file="xgb.joblib", float32=True)


@model("xgboost_pipeline")
def _() -> Built:
    import xgboost
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made = make_pipeline(StandardScaler(), xgboost.XGBRegressor(n_estimators=5, max_depth=3)).fit(gaps(), amounts())
    return Built(model=made, rows=gaps(), save=by_pickle(4), file="xgb.pkl", float32=True)


@model("xgboost_categories")
def _() -> Built:
    import xgboost

    frame, target = people()
    rows = frame[["city", "income", "age", "member"]].replace({"city": {"São Paulo": "Lima"}})  # see test_booster
    rows = rows.astype({"city": "category"})
    made = xgboost.XGBClassifier(n_estimators=5, max_depth=3, enable_categorical=True)
    return Built(model=made.fit(rows, target == "good"), rows=rows, save=by_joblib, file="xgb.joblib", float32=True)


@model("xgboost_json")
def _() -> Built:
    import xgboost

    made = xgboost.XGBClassifier(n_estimators=5, max_depth=3).fit(*sales())
    return Built(model=made, rows=sales()[0], save=by_its_own, file="xgb.json", float32=True)


@model("xgboost_ubj")
def _() -> Built:
    import xgboost

    target = np.digitize(amounts(), [8, 12])
    data = xgboost.DMatrix(gaps(), target, feature_names=["a", "b", "c", "d"])
    made = xgboost.train({"objective": "multi:softprob", "num_class": 3, "max_depth": 3}, data, 4)
    shares = made.predict(data)
    return Built(
        model=made,
        answers=(np.argmax(shares, axis=1), shares),
        rows=gaps(),
        names=("a", "b", "c", "d"),
        save=by_its_own,
        file="xgb.ubj",
        float32=True,
    )


@model("xgboost_raw")
def _() -> Built:
    import xgboost

    data = xgboost.DMatrix(gaps(), amounts())
    made = xgboost.train({"objective": "reg:squarederror", "max_depth": 3}, data, 4)
    return Built(
        model=made, answers=(made.predict(data), None), rows=gaps(), save=by_joblib, file="xgb.joblib", float32=True
    )


# LightGBM


@model("lightgbm_wrapper")
def _() -> Built:
    import lightgbm

    made = lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=5, verbose=-1).fit(*sales())
    return Built(model=made, rows=sales()[0], save=by_joblib, file="lgbm.joblib")


@model("lightgbm_categories")
def _() -> Built:
    import lightgbm

    frame, target = people()
    rows = frame[["income", "city", "age"]].astype({"city": "category"})
    made = lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=5, verbose=-1).fit(rows, target)
    return Built(model=made, rows=rows, save=by_joblib, file="lgbm.joblib")


@model("lightgbm_text")
def _() -> Built:
    import lightgbm

    data = lightgbm.Dataset(gaps(), np.digitize(amounts(), [8, 12]))
    settings = {"objective": "multiclass", "num_class": 3, "verbose": -1, "min_data_in_leaf": 5}
    made = lightgbm.train(settings, data, 4)
    shares = made.predict(gaps())
    answers = (np.argmax(shares, axis=1), shares)
    return Built(model=made, answers=answers, rows=gaps(), save=by_its_own, file="lgbm.txt")


@model("lightgbm_raw")
def _() -> Built:
    import lightgbm

    rows = people()[0][["income", "city", "age"]].astype({"city": "category"})
    made = lightgbm.train({"verbose": -1, "min_data_in_leaf": 5}, lightgbm.Dataset(rows, amounts()), 4)
    return Built(model=made, answers=(made.predict(rows), None), rows=rows, save=by_pickle(4), file="lgbm.pkl")


# CatBoost


@model("catboost_file")
def _() -> Built:
    import catboost

    frame, target = people()
    rows = frame[["income", "city", "plan", "age"]].assign(city=frame["city"].fillna("none").astype(object))
    made = catboost.CatBoostClassifier(
        iterations=5, depth=3, verbose=0, cat_features=["city", "plan"], allow_writing_files=False, thread_count=1
    )
    return Built(model=made.fit(rows, target), rows=rows, save=by_its_own, file="cat.cbm")


@model("catboost_pipeline")
def _() -> Built:
    import catboost
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    last = catboost.CatBoostRegressor(iterations=5, depth=3, verbose=0, allow_writing_files=False, thread_count=1)
    made = make_pipeline(StandardScaler(), last).fit(gaps(), amounts())
    return Built(model=made, rows=gaps(), save=by_joblib, file="cat.joblib")


@model("catboost_three_labels")
def _() -> Built:
    import catboost

    made = catboost.CatBoostClassifier(iterations=5, depth=3, verbose=0, allow_writing_files=False, thread_count=1)
    return Built(model=made.fit(numbers(), flowers()), rows=numbers(), save=by_pickle(4), file="cat.pkl")


# ONNX of others


def _foreign(made: Any, rows: Array, kind: Any, file: str, **options: Any) -> Built:
    """What skl2onnx makes of `made`, with ONNX Runtime's own answers."""
    import onnxruntime
    import skl2onnx

    content = skl2onnx.to_onnx(made, initial_types=[("X", kind([None, rows.shape[1]]))], **options).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    dtype = np.int64 if "int64" in session.get_inputs()[0].type else np.float32
    got = session.run(None, {"X": rows.astype(dtype)})
    shares = got[1] if len(got) > 1 else None
    if isinstance(shares, list):
        shares = np.array([list(row.values()) for row in shares])
    return Built(model=content, answers=(got[0], shares), rows=rows, save=by_onnx, file=file, float32=True)


@model("onnx_zipmap")
def _() -> Built:
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.linear_model import LogisticRegression

    made = LogisticRegression().fit(numbers(), flowers())
    return _foreign(made, numbers(), FloatTensorType, "zipmap.onnx")


@model("onnx_arrays")
def _() -> Built:
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.ensemble import RandomForestClassifier

    made = RandomForestClassifier(5, random_state=0).fit(numbers(), np.digitize(amounts(), [8, 12]))
    return _foreign(made, numbers(), FloatTensorType, "arrays.onnx", options={id(made): {"zipmap": False}})


@model("onnx_whole_numbers")
def _() -> Built:
    from skl2onnx.common.data_types import Int64TensorType
    from sklearn.linear_model import LogisticRegression

    rows = sales()[0].to_numpy()
    made = LogisticRegression(max_iter=500).fit(rows, sales()[1])
    return _foreign(made, rows, Int64TensorType, "whole.onnx")


@model("onnx_regressor")
def _() -> Built:
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.linear_model import LinearRegression

    made = LinearRegression().fit(numbers(), amounts())
    return _foreign(made, numbers(), FloatTensorType, "line.bin")


NAMES = tuple(BUILDERS)
