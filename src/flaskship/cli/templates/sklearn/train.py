"""Makes 500 flats with their rents, trains a model on them, and writes flats.csv and model.joblib."""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

PRICES = {"centre": 17.5, "north": 11.0, "south": 13.0}  # euros a square metre


def flats(count: int = 500) -> pd.DataFrame:
    random = np.random.default_rng(0)
    area = random.uniform(25, 140, count).round(1)
    district = random.choice(list(PRICES), count)
    rent = area * [PRICES[each] for each in district] + random.normal(0, 40, count)
    return pd.DataFrame(
        {"area": area, "rooms": (area // 22 + 1).astype(int), "district": district, "rent": rent.round()}
    )


def main(folder: Path = Path()) -> None:
    rows = flats()
    train, test = train_test_split(rows, random_state=0)
    columns = make_column_transformer((OneHotEncoder(), ["district"]), remainder="passthrough")
    model = make_pipeline(columns, LinearRegression()).fit(train.drop(columns="rent"), train["rent"])
    print(f"R² on {len(test)} flats that it has not seen: {model.score(test.drop(columns='rent'), test['rent']):.3f}")
    rows.to_csv(folder / "flats.csv", index=False)
    joblib.dump(model, folder / "model.joblib")


if __name__ == "__main__":
    main()
