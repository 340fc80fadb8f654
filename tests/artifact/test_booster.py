"""XGBoost, LightGBM and CatBoost by their own files."""

from __future__ import annotations

from pathlib import Path

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost

from flaskship import artifact
from flaskship.artifact import booster
from flaskship.artifact.sklearn import loader as wrappers
from flaskship.artifact.sniff import Format, Sniffed
from flaskship.errors import NotRecognised, VersionMismatch
from flaskship.schema import FieldType, Task

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(80, 3))
SIGN = (ROWS[:, 0] > 0).astype(int)
THIRDS = np.digitize(ROWS[:, 0], [-0.5, 0.5])
AMOUNT = np.abs(ROWS @ [1.0, 2.0, 3.0])
COLUMNS = {f"x{place}": ROWS[:, place] for place in range(3)}
CITIES = pd.DataFrame({"city": pd.Categorical(["Oslo", "Rome", "Lima", "Oslo"] * 20), "x": ROWS[:, 0]})
SNIFFED = Sniffed(path=Path("model.joblib"), format=Format.JOBLIB)


def trained(objective, target, **settings):
    return xgboost.train({"objective": objective, **settings}, xgboost.DMatrix(ROWS, target), 3)


@pytest.mark.parametrize("ending", ["json", "ubj", "model"])
def test_xgboosts_files_answer_two_labels_with_probabilities(tmp_path, ending):
    made = trained("binary:logistic", SIGN)
    path = tmp_path / f"m.{'ubj' if ending == 'model' else ending}"
    made.save_model(path)
    path = path.rename(tmp_path / f"m.{ending}")
    model = artifact.open(path)
    shares = made.predict(xgboost.DMatrix(ROWS))
    answer = model.predict(COLUMNS)
    assert model.signature.classes == (0, 1)
    assert answer.probabilities[:, 1].tolist() == shares.tolist()
    assert answer.values[0].tolist() == (shares > 0.5).astype(int).tolist()
    assert model.facts.float32
    assert model.facts.kind == "Booster(binary:logistic)"


def test_the_most_likely_of_several_is_the_label():
    made = trained("multi:softprob", THIRDS, num_class=3)
    answer = booster.wrap(made, SNIFFED).predict(COLUMNS)
    assert answer.probabilities.tolist() == made.predict(xgboost.DMatrix(ROWS)).tolist()
    assert answer.values[0].tolist() == np.argmax(answer.probabilities, axis=1).tolist()


@pytest.mark.parametrize(
    ("objective", "target", "settings"), [("multi:softmax", THIRDS, {"num_class": 3}), ("binary:hinge", SIGN, {})]
)
def test_labels_without_probabilities(objective, target, settings):
    made = trained(objective, target, **settings)
    model = booster.wrap(made, SNIFFED)
    assert not model.signature.probabilities
    assert model.predict(COLUMNS).values[0].tolist() == made.predict(xgboost.DMatrix(ROWS)).astype(int).tolist()


@pytest.mark.parametrize(
    ("objective", "settings"),
    [
        ("reg:squarederror", {}),
        ("count:poisson", {}),
        ("binary:logitraw", {}),
        ("rank:pairwise", {}),
        ("reg:squarederror", {"booster": "gblinear"}),
        ("reg:squarederror", {"booster": "dart"}),
    ],
)
@pytest.mark.filterwarnings("ignore:.*booster=.* is deprecated:UserWarning")  # by XGBoost 3.3 and later
def test_every_other_objective_answers_a_number(objective, settings):
    made = trained(objective, SIGN, **settings)
    model = booster.wrap(made, SNIFFED)
    assert model.signature.task is Task.REGRESSION
    np.testing.assert_allclose(model.predict(COLUMNS).values[0], made.predict(xgboost.DMatrix(ROWS)), rtol=1e-6)


def test_several_targets_are_several_outputs():
    made = trained("reg:squarederror", np.stack([AMOUNT, -AMOUNT], axis=1))
    model = booster.wrap(made, SNIFFED)
    assert [each.name for each in model.signature.outputs] == ["y0", "y1"]
    assert np.stack(model.predict(COLUMNS).values, axis=1).tolist() == made.predict(xgboost.DMatrix(ROWS)).tolist()


def test_a_wrappers_file_stops_where_the_wrapper_stopped(tmp_path):
    made = xgboost.XGBRegressor(n_estimators=60, learning_rate=1.0, early_stopping_rounds=2, max_depth=2)
    made.fit(ROWS[:40], AMOUNT[:40], eval_set=[(ROWS[40:], AMOUNT[40:])], verbose=False)
    made.save_model(tmp_path / "m.json")
    assert made.best_iteration + 1 < made.get_booster().num_boosted_rounds()
    answer = artifact.open(tmp_path / "m.json").predict(COLUMNS)
    assert answer.values[0].tolist() == made.predict(ROWS).tolist()


def test_names_and_types_of_a_frame_are_kept(tmp_path):
    rows = pd.DataFrame({"age": np.arange(80), "x": ROWS[:, 0], "new": SIGN > 0})
    xgboost.XGBClassifier(n_estimators=2).fit(rows, SIGN).save_model(tmp_path / "m.json")
    found = artifact.open(tmp_path / "m.json").signature.inputs
    assert [(field.name, field.type) for field in found] == [
        ("age", FieldType.INTEGER),
        ("x", FieldType.NUMBER),
        ("new", FieldType.BOOLEAN),
    ]
    assert all(field.nullable for field in found)


def test_xgboosts_categories_are_choices(tmp_path):
    made = xgboost.XGBClassifier(n_estimators=3, enable_categorical=True).fit(CITIES, SIGN)
    made.save_model(tmp_path / "m.ubj")
    model = artifact.open(tmp_path / "m.ubj")
    city = model.signature.inputs[0]
    assert (city.type, city.choices, city.closed) == (FieldType.TEXT, ("Lima", "Oslo", "Rome"), True)
    given = {"city": CITIES["city"].to_numpy(dtype=object), "x": ROWS[:, 0]}
    assert model.predict(given).probabilities.tolist() == made.predict_proba(CITIES).tolist()


def test_categories_that_xgboost_stores_cut_are_refused():
    rows = CITIES.assign(city=CITIES["city"].cat.rename_categories({"Rome": "Örebro"}))
    made = xgboost.XGBClassifier(n_estimators=3, enable_categorical=True).fit(rows, SIGN)
    for read, value in ((booster.wrap, made.get_booster()), (wrappers.wrap, made)):
        with pytest.raises(NotRecognised, match="not plain ASCII"):
            read(value, SNIFFED)


@pytest.mark.parametrize("objective", ["binary", "multiclass", "multiclassova", "regression", "poisson"])
def test_lightgbms_text_answers_as_its_booster(tmp_path, objective):
    target = {"binary": SIGN, "regression": AMOUNT, "poisson": AMOUNT}.get(objective, THIRDS)
    more = {"num_class": 3} if objective.startswith("multi") else {}
    settings = {"objective": objective, "verbose": -1, "min_data_in_leaf": 5, **more}
    made = lightgbm.train(settings, lightgbm.Dataset(ROWS, target), 3)
    made.save_model(tmp_path / "m.txt")
    model = artifact.open(tmp_path / "m.txt")
    expected = made.predict(ROWS)
    answer = model.predict(COLUMNS)
    if objective in ("regression", "poisson"):
        assert answer.values[0].tolist() == expected.tolist()
    else:
        assert answer.probabilities[:, 1].tolist() == (expected if objective == "binary" else expected[:, 1]).tolist()
    assert model.signature.names == ("x0", "x1", "x2")


def test_lightgbm_tells_the_range_of_training_and_the_categories(tmp_path):
    made = lightgbm.train({"verbose": -1, "min_data_in_leaf": 5}, lightgbm.Dataset(CITIES, AMOUNT), 3)
    made.save_model(tmp_path / "m.txt")
    model = artifact.open(tmp_path / "m.txt")
    city, x = model.signature.inputs
    assert city.choices == ("Lima", "Oslo", "Rome")
    assert not city.closed
    assert (x.low, x.high, x.seen) == pytest.approx((ROWS[:, 0].min(), ROWS[:, 0].max(), "in training"))
    given = {"city": np.array(["Rome", "Paris", None], dtype=object), "x": np.array([0.1, 0.2, np.nan])}
    frame = pd.DataFrame({"city": pd.Categorical(["Rome", None, None], ["Lima", "Oslo", "Rome"]), "x": given["x"]})
    assert model.predict(given).values[0].tolist() == made.predict(frame).tolist()


@pytest.mark.parametrize(
    ("kind", "target", "settings"),
    [
        (catboost.CatBoostClassifier, THIRDS, {}),
        (catboost.CatBoostClassifier, np.array(["no", "yes"])[SIGN], {}),
        (catboost.CatBoostClassifier, SIGN > 0, {}),
        (
            catboost.CatBoostClassifier,
            np.stack([SIGN, THIRDS > 0], axis=1).astype(int),
            {"loss_function": "MultiLogloss"},
        ),
        (catboost.CatBoostRegressor, AMOUNT, {}),
        (catboost.CatBoostRegressor, AMOUNT, {"loss_function": "Poisson"}),
        (catboost.CatBoostRegressor, np.stack([AMOUNT, -AMOUNT], axis=1), {"loss_function": "MultiRMSE"}),
    ],
)
def test_catboosts_files_answer_as_its_wrappers(tmp_path, kind, target, settings):
    made = kind(iterations=3, depth=2, verbose=0, allow_writing_files=False, thread_count=1, **settings)
    made.fit(ROWS, target).save_model(str(tmp_path / "m.cbm"))
    model = artifact.open(tmp_path / "m.cbm")
    answer = model.predict(COLUMNS)
    assert np.stack(answer.values, axis=1).tolist() == made.predict(ROWS).reshape(80, -1).tolist()
    if model.signature.probabilities:
        assert answer.probabilities.tolist() == made.predict_proba(ROWS).tolist()
    assert model.facts.framework == "catboost"


def test_catboosts_categories_are_texts_and_take_no_gaps(tmp_path):
    rows = CITIES.astype({"city": str})
    made = catboost.CatBoostRegressor(iterations=3, verbose=0, cat_features=["city"], allow_writing_files=False)
    made.fit(rows, AMOUNT).save_model(str(tmp_path / "m.cbm"))
    city, x = artifact.open(tmp_path / "m.cbm").signature.inputs
    assert (city.name, city.type, city.nullable) == ("city", FieldType.TEXT, False)
    assert x.nullable


def test_splits_of_boosters_are_told():
    for made in (
        trained("reg:squarederror", AMOUNT),
        lightgbm.train({"verbose": -1, "min_data_in_leaf": 5}, lightgbm.Dataset(ROWS, AMOUNT), 3),
    ):
        splits = booster.wrap(made, SNIFFED).thresholds
        assert set(splits) <= set(COLUMNS)
        assert all(COLUMNS[name].min() <= values.min() <= COLUMNS[name].max() for name, values in splits.items())


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b'{"learner": {}}', Format.XGBOOST), (b"tree\nversion=v4\n", Format.LIGHTGBM), (b"CBM1", Format.CATBOOST)],
)
def test_a_damaged_file_says_what_its_library_said(tmp_path, content, kind):
    path = tmp_path / "m"
    path.write_bytes(content)
    with pytest.raises(NotRecognised, match="'m' cannot be used"):
        booster.load(Sniffed(path=path, format=kind))
    with pytest.raises(VersionMismatch, match=r"pip install xgboost==0\.9"):
        booster.load(Sniffed(path=path, format=kind, made_with={"xgboost": "0.9"}))


@pytest.mark.parametrize("kept", [0.02, 0.1, 0.3, 0.6, 0.98])
def test_a_truncated_lightgbm_text_is_refused(tmp_path, kept):
    path = tmp_path / "model.txt"
    wrapper = lightgbm.LGBMRegressor(n_estimators=5, min_child_samples=2, verbose=-1).fit(ROWS, AMOUNT)
    wrapper.booster_.save_model(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(NotRecognised):
        artifact.open(path)
