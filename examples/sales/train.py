"""Will a visitor of the shop buy? Generates the data, trains a logistic regression on it, and prints what it is worth.

    python examples/sales/train.py [FOLDER]

FOLDER (this one where not given) gets

    online_sales.csv             316,200 rows: age, new_user, total_pages_visited, converted
    online_sales_unlabelled.csv  50 rows without the answer
    sales.joblib                 the model

The rows come from a fixed seed, and are alike to the public online-sales data set: nobody's data is in them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import classification_report, confusion_matrix
from sklearn.model_selection import train_test_split

SEED = 24
VISITORS = 316_200
BUYERS = 10_200  # 3.2 %
FEATURES = ["age", "new_user", "total_pages_visited"]
ODD_AGES = [111, 123]  # the two typing errors that the public set has, both among the buyers

Integers = npt.NDArray[np.int64]


def whole_numbers(rng: np.random.Generator, mean: float, deviation: float, low: int, high: int, count: int) -> Integers:
    """`count` draws of a normal distribution, rounded, each drawn again until it lies from `low` to `high`."""
    found = np.empty(0, dtype=np.int64)
    while len(found) < count:
        drawn = np.rint(rng.normal(mean, deviation, count)).astype(np.int64)
        found = np.concatenate([found, drawn[(drawn >= low) & (drawn <= high)]])
    return found[:count]


def generate(seed: int = SEED) -> pd.DataFrame:
    """316,200 visits in random order; within buyers and within the others the three features are independent."""
    rng = np.random.default_rng(seed)
    others = VISITORS - BUYERS
    buyer_ages = whole_numbers(rng, 21.4, 9.85, 17, 80, BUYERS)
    buyer_ages[: len(ODD_AGES)] = ODD_AGES
    table = pd.DataFrame(
        {
            "age": np.concatenate([whole_numbers(rng, 28.55, 9.95, 17, 80, others), buyer_ages]),
            "new_user": np.concatenate([rng.random(others) < 0.6984, rng.random(BUYERS) < 0.302]).astype(np.int64),
            "total_pages_visited": np.concatenate(
                [whole_numbers(rng, 2.45, 4.05, 1, 20, others), whole_numbers(rng, 14.58, 3.97, 2, 29, BUYERS)]
            ),
            "converted": np.repeat([0, 1], [others, BUYERS]),
        }
    )
    return table.iloc[rng.permutation(VISITORS)].reset_index(drop=True)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    visits = generate()
    visits.to_csv(folder / "online_sales.csv", index=False)
    visits[FEATURES].sample(50, random_state=SEED).to_csv(folder / "online_sales_unlabelled.csv", index=False)

    print(f"The first rows of {len(visits):,}:", visits.head().to_string(), sep="\n", end="\n\n")
    print(visits.describe().round(3).to_string(), end="\n\n")
    print("Converted:", visits["converted"].value_counts(normalize=True).round(4).to_string(header=False), sep="\n")
    print("\nBy outcome, the mean:", visits.groupby("converted")[FEATURES].mean().round(2).to_string(), sep="\n")

    x_train, x_test, y_train, y_test = train_test_split(
        visits[FEATURES], visits["converted"], test_size=0.3, random_state=SEED, stratify=visits["converted"]
    )
    model = LogisticRegression(max_iter=1000).fit(x_train, y_train)
    answers = model.predict(x_test)
    print(f"\nTrained on {len(x_train):,} rows, tested on {len(x_test):,}:")
    print(classification_report(y_test, answers, digits=3))
    print("Confusion matrix (rows: what was, columns: what was said):", confusion_matrix(y_test, answers), sep="\n")
    print("\nCoefficients:")
    for name, value in zip(FEATURES, model.coef_[0], strict=True):
        print(f"  {name:<22}{value:+.4f}")
    print(f"  {'(intercept)':<22}{model.intercept_[0]:+.4f}")

    joblib.dump(model, folder / "sales.joblib")
    print(
        "\nWritten:", *(folder / name for name in ("online_sales.csv", "online_sales_unlabelled.csv", "sales.joblib"))
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
