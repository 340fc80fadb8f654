"""The petrol example: alike to the public set, and its trap is one."""

from __future__ import annotations

from pathlib import Path

import joblib
import pandas as pd
import pytest

FEATURES = ["Petrol_tax", "Average_income", "Paved_Highways", "Population_Driver_licence(%)"]


@pytest.fixture(scope="module")
def states(petrol: Path) -> pd.DataFrame:
    return pd.read_csv(petrol / "petrol.csv")


def test_there_are_48_states_alike_to_those_of_the_public_set(states: pd.DataFrame) -> None:
    assert list(states) == [*FEATURES, "Petrol_Consumption"]
    assert len(states) == 48
    means = [7.67, 4242, 5565, 0.570, 577]
    assert states.mean().tolist() == pytest.approx(means, rel=0.05)
    assert states["Petrol_tax"].between(5, 10).all()
    assert states["Population_Driver_licence(%)"].between(0.45, 0.73).all()


def test_consumption_falls_with_tax_and_income_and_rises_with_licences(states: pd.DataFrame) -> None:
    found = states.corr()["Petrol_Consumption"]
    assert found["Petrol_tax"] < -0.2
    assert found["Average_income"] < -0.1
    assert found["Population_Driver_licence(%)"] > 0.5


@pytest.mark.parametrize("name", ["petrol", "petrol_pipeline"])
def test_the_forest_follows_the_rows(petrol: Path, states: pd.DataFrame, name: str) -> None:
    model = joblib.load(petrol / f"{name}.joblib")
    answers = model.predict(states[FEATURES])
    assert abs(answers - states["Petrol_Consumption"]).mean() < 50
    assert list(model.feature_names_in_) == FEATURES


def test_the_forest_saved_without_its_scaler_answers_raw_rows_wrongly(petrol: Path, states: pd.DataFrame) -> None:
    model = joblib.load(petrol / "petrol_scaled.joblib")
    answers = model.predict(states[FEATURES].to_numpy())
    assert abs(answers - states["Petrol_Consumption"]).mean() > 90
    assert not hasattr(model, "feature_names_in_")
