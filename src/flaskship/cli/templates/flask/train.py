"""Trains a model on the irises that come with scikit-learn, and writes model.joblib."""

from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


def main(folder: Path = Path()) -> None:
    iris = load_iris()
    model = LogisticRegression(max_iter=1000).fit(iris.data[:, 2:], iris.target_names[iris.target])
    joblib.dump(model, folder / "model.joblib")


if __name__ == "__main__":
    main()
