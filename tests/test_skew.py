"""Values that a tree model was not trained on."""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd

from flaskship import artifact, skew


def test_the_scaled_forest_saved_without_its_scaler_is_told_at_inspect_and_of_raw_values(petrol):
    model = artifact.open(petrol / "petrol_scaled.joblib")
    assert skew.WARNING in model.facts.warnings
    raw = raw_rows(petrol, model)
    told = skew.sentences(model.thresholds, raw)
    assert len(told) >= 2
    assert "scaled columns" in told[0]


def test_the_same_forest_in_a_pipeline_is_not_told(petrol):
    model = artifact.open(petrol / "petrol_pipeline.joblib")
    assert skew.WARNING not in model.facts.warnings
    assert skew.sentences(model.thresholds, raw_rows(petrol, model)) == []


def test_a_pipeline_is_never_said_to_lack_its_scaler(petrol):
    model = artifact.open(petrol / "petrol_pipeline.joblib")
    told = skew.sentences(model.thresholds, {name: np.array([1e6]) for name in model.signature.names})
    assert len(told) == len(model.signature.names)
    assert not any("scale" in each for each in told)


def test_a_pipelines_splits_are_in_raw_units(petrol):
    model = artifact.open(petrol / "petrol_pipeline.joblib")
    table = pd.read_csv(petrol / "petrol.csv")
    for name, splits in model.thresholds.items():
        assert table[name].min() <= splits.min() <= splits.max() <= table[name].max()


def test_the_forest_of_raw_columns_is_not_told(petrol):
    model = artifact.open(petrol / "petrol.joblib")
    assert model.facts.warnings == ()
    assert skew.sentences(model.thresholds, raw_rows(petrol, model)) == []


def raw_rows(petrol, model):
    table = pd.read_csv(petrol / "petrol.csv")
    return {
        name: table.iloc[:, place].to_numpy().astype(np.float64) for place, name in enumerate(model.signature.names)
    }


def test_one_value_far_outside_is_told_with_its_field_and_the_splits():
    (told,) = skew.sentences({"income": np.array([-1.5, 0.0, 2.0])}, {"income": np.array([3571.0])})
    assert "'income' is 3571, far from the -1.5 to 2" in told


def test_a_few_odd_rows_in_a_batch_are_not_skew():
    values = np.array([0.1] * 9 + [3571.0])
    assert skew.sentences({"income": np.array([-1.5, 0.0, 2.0])}, {"income": values}) == []


def test_values_a_span_beyond_the_splits_are_not_skew():
    assert skew.sentences({"age": np.array([20.0, 60.0])}, {"age": np.array([130.0])}) == []


def test_a_sole_split_has_a_span_of_its_own():
    splits = {"new_user": np.array([0.5])}
    assert skew.sentences(splits, {"new_user": np.array([0, 1])}) == []
    assert skew.sentences(splits, {"new_user": np.array([4000])})


def test_gaps_and_texts_and_unknown_fields_are_no_skew():
    splits = {"a": np.array([0.0, 1.0]), "b": np.array([0.0]), "c": np.array([0.0])}
    assert skew.sentences(splits, {"a": np.array([np.nan]), "b": np.array(["x"], dtype=object)}) == []


def test_splits_of_whole_ranges_do_not_look_standardised():
    ages, pages = np.linspace(18, 80, 40), np.linspace(1.5, 28.5, 40)
    assert not skew.standardised({"age": ages, "pages": pages})
    assert skew.standardised({"age": (ages - 49) / 18, "pages": (pages - 15) / 8})
    assert not skew.standardised({})


def test_shares_and_flags_do_not_look_standardised():
    assert not skew.standardised({"share": np.linspace(0, 1, 50), "flag": np.full(30, 0.5)})


def test_a_saved_model_keeps_its_splits(tmp_path):
    from sklearn.tree import DecisionTreeRegressor

    joblib.dump(DecisionTreeRegressor().fit([[1.0], [3.0], [7.0]], [1, 2, 3]), tmp_path / "tree.joblib")
    model = artifact.open(tmp_path / "tree.joblib")
    assert model.thresholds["x0"].tolist() == [2.0, 5.0]
