"""The sales example's data is alike to the public set: the figures here are that set's."""

from __future__ import annotations

import runpy
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def visits(sales: Path) -> pd.DataFrame:
    return pd.read_csv(sales / "online_sales.csv")


def test_there_are_316_200_visits_and_10_200_buyers(visits: pd.DataFrame) -> None:
    assert list(visits) == ["age", "new_user", "total_pages_visited", "converted"]
    assert len(visits) == 316_200
    assert visits["converted"].sum() == 10_200
    assert set(visits.dtypes) == {np.dtype(np.int64)}


@pytest.mark.parametrize(
    ("column", "lowest", "highest", "mean", "deviation"),
    [
        ("age", 17, 123, 30.6, 8.3),
        ("new_user", 0, 1, 0.685, 0.464),
        ("total_pages_visited", 1, 29, 4.9, 3.34),
    ],
)
def test_each_column_is_distributed_as_in_the_public_set(
    visits: pd.DataFrame, column: str, lowest: int, highest: int, mean: float, deviation: float
) -> None:
    values = visits[column]
    assert (values.min(), values.max()) == (lowest, highest)
    assert values.mean() == pytest.approx(mean, abs=0.05 if highest > 1 else 0.002)
    assert values.std() == pytest.approx(deviation, abs=0.05)


def test_buyers_are_younger_mostly_returning_and_see_many_pages(visits: pd.DataFrame) -> None:
    buyers, others = visits[visits["converted"] == 1], visits[visits["converted"] == 0]
    assert buyers["age"].mean() == pytest.approx(26.5, abs=0.1)
    assert buyers["new_user"].mean() == pytest.approx(0.30, abs=0.01)
    assert buyers["total_pages_visited"].mean() == pytest.approx(14.6, abs=0.1)
    assert others["age"].mean() == pytest.approx(30.7, abs=0.1)
    assert others["total_pages_visited"].mean() == pytest.approx(4.55, abs=0.05)
    assert others[["age", "new_user", "total_pages_visited"]].corr().abs().where(lambda at: at < 1).max().max() < 0.02


def test_the_unlabelled_file_has_50_rows_of_features(sales: Path) -> None:
    rows = pd.read_csv(sales / "online_sales_unlabelled.csv")
    assert rows.shape == (50, 3)
    assert "converted" not in rows


def test_the_model_finds_two_buyers_of_three(visits: pd.DataFrame, sales: Path) -> None:
    model = joblib.load(sales / "sales.joblib")
    answers = model.predict(visits[list(model.feature_names_in_)])
    found = answers[visits["converted"] == 1].mean()
    assert 0.6 < found < 0.75
    assert (answers == visits["converted"]).mean() > 0.98
    assert model.coef_[0] == pytest.approx([-0.07, -1.7, 0.74], rel=0.1)


def test_equal_seeds_give_equal_rows(visits: pd.DataFrame) -> None:
    generate = runpy.run_path(str(Path(__file__).parents[2] / "examples/sales/train.py"))["generate"]
    pd.testing.assert_frame_equal(generate(), visits)
    assert not generate(seed=1).equals(visits)
