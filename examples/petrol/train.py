"""How much petrol does a state burn? 48 rows, a random forest, and the mistake that is made with it.

    python examples/petrol/train.py [FOLDER]

FOLDER (this one where not given) gets

    petrol.csv            48 rows: four features and Petrol_Consumption (millions of gallons)
    petrol_unlabelled.csv 10 rows without the answer
    petrol.joblib         a forest, trained on the features as they are
    petrol_scaled.joblib  the trap: trained on scaled features, saved without its scaler
    petrol_pipeline.joblib  the same forest, saved with its scaler as one Pipeline

The rows come from a fixed seed, and are alike to the public petrol-consumption data set.
"""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 13
STATES = 48
TARGET = "Petrol_Consumption"
TAXES = [5.0, 6.0, 7.0, 7.5, 8.0, 8.5, 9.0, 10.0]  # cents a gallon
TAX_SHARES = [0.02, 0.04, 0.40, 0.09, 0.21, 0.06, 0.16, 0.02]


def generate(seed: int = SEED) -> pd.DataFrame:
    """One row a state; the coefficients are those of the least-squares fit of the public set."""
    rng = np.random.default_rng(seed)
    tax = rng.choice(TAXES, STATES, p=TAX_SHARES)
    income = np.clip(rng.normal(4240, 570, STATES), 3060, 5350).round()
    roads = np.clip(5570 - 1900 * (tax - 7.67) + rng.normal(0, 2980, STATES), 430, 17800).round()  # miles
    licences = np.clip(0.57 - 0.017 * (tax - 7.67) + rng.normal(0, 0.053, STATES), 0.45, 0.73).round(3)
    mean = 377.3 - 34.79 * tax - 0.0666 * income - 0.00243 * roads + 1336 * licences
    return pd.DataFrame(
        {
            "Petrol_tax": tax,
            "Average_income": income.astype(np.int64),
            "Paved_Highways": roads.astype(np.int64),
            "Population_Driver_licence(%)": licences,
            TARGET: (mean + rng.normal(0, 63, STATES)).round().astype(np.int64),
        }
    )


def report(name: str, truth: pd.Series, answers: np.ndarray) -> None:
    mae, rmse = mean_absolute_error(truth, answers), root_mean_squared_error(truth, answers)
    print(f"{name:<28} MAE {mae:6.1f}   RMSE {rmse:6.1f}   R2 {r2_score(truth, answers):5.2f}")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    states = generate()
    states.to_csv(folder / "petrol.csv", index=False)
    states.drop(columns=TARGET).sample(10, random_state=SEED).to_csv(folder / "petrol_unlabelled.csv", index=False)
    print(states.describe().round(3).to_string(), end="\n\n")

    x_train, x_test, y_train, y_test = train_test_split(
        states.drop(columns=TARGET), states[TARGET], test_size=0.2, random_state=SEED
    )
    scaler = StandardScaler().fit(x_train)
    forest = RandomForestRegressor(n_estimators=100, random_state=SEED).fit(x_train, y_train)
    scaled = RandomForestRegressor(n_estimators=100, random_state=SEED).fit(scaler.transform(x_train), y_train)
    pipeline = make_pipeline(StandardScaler(), RandomForestRegressor(n_estimators=100, random_state=SEED))
    pipeline.fit(x_train, y_train)

    print(f"Trained on {len(x_train)} rows, tested on {len(x_test)}:")
    report("forest", y_test, forest.predict(x_test))
    report("pipeline with scaler", y_test, pipeline.predict(x_test))
    report("scaled forest, scaled rows", y_test, scaled.predict(scaler.transform(x_test)))
    report("scaled forest, raw rows", y_test, scaled.predict(x_test.to_numpy()))
    print("\nThe last line is what callers get from petrol_scaled.joblib: no error, only wrong answers.")

    joblib.dump(forest, folder / "petrol.joblib")
    joblib.dump(scaled, folder / "petrol_scaled.joblib")
    joblib.dump(pipeline, folder / "petrol_pipeline.joblib")
    print(f"Written to {str(folder)!r}: petrol.csv, petrol_unlabelled.csv and three models.")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
