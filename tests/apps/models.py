"""Copies of the sample apps, each with the model that its author would have trained: small, seeded, made on the spot.

`copied("wine", folder)` is a folder as somebody would have cloned it. What stands in tests/apps/NAME is that without
its binary files, written as data scientists write, not as we would.
"""

from __future__ import annotations

import atexit
import functools
import pickle
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import uv
from numpy.random import Generator
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.tree import DecisionTreeClassifier

APPS = Path(__file__).parent
OLD = ("scikit-learn==1.2.2", "numpy<2", "scipy<1.12", "flask")  # its trees cannot be read by 1.3 and later
OLD_FOREST = """
import pickle
import numpy as np
from sklearn.ensemble import RandomForestClassifier
rows = np.random.default_rng(0).uniform(0, 15, (60, 3)).round(1)
forest = RandomForestClassifier(5, max_depth=3, random_state=0).fit(rows, 3 + (rows[:, 2] > 8) + (rows[:, 0] > 5))
pickle.dump(forest, open("wine_model.pkl", "wb"))
"""


def copied(name: str, place: Path) -> Path:
    """The app at `place`/NAME, its model included."""
    folder = Path(shutil.copytree(APPS / name, place / Path(name).name))
    if name in MODELS:
        MODELS[name](folder, np.random.default_rng(0))
    return folder


@functools.cache
def environment(*requirements: str) -> Path:
    """The Python of an environment with these, made by uv; it lasts as long as this process."""
    place = tempfile.mkdtemp(prefix="author.")
    atexit.register(shutil.rmtree, place)
    python, own = Path(place, "bin", "python"), f"{sys.version_info[0]}.{sys.version_info[1]}"
    for command in (
        ["venv", "--python", "3.11" if requirements == OLD else own, "--clear", place],
        ["pip", "install", "--python", python, *requirements],
    ):
        subprocess.run([uv.find_uv_bin(), "--quiet", *command], check=True)
    return python


def insurance(folder: Path, random: Generator) -> None:
    rows = random.uniform((18, 16, 0), (64, 50, 5), (80, 3)).round(1)
    joblib.dump(LinearRegression().fit(rows, rows @ [250, 330, 480] - 9000), folder / "model.joblib")


def banknote(folder: Path, random: Generator) -> None:
    rows = random.normal(0, 4, (80, 3))
    forest = RandomForestClassifier(5, random_state=0).fit(rows, (rows[:, 0] < 0).astype(int))
    (folder / "classifier.pkl").write_bytes(pickle.dumps(forest))


def churn(folder: Path, random: Generator) -> None:
    rows = pd.DataFrame(
        {
            "tenure": random.integers(1, 60, 80),
            "monthly": random.uniform(20, 110, 80),
            "calls": random.integers(0, 8, 80),
        }
    )
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows["calls"] * 10 > rows["tenure"])
    (folder / "backend" / "model").mkdir(exist_ok=True)  # git keeps no empty folder
    (folder / "backend" / "model" / "churn.pkl").write_bytes(pickle.dumps(model))


def pictures(folder: Path, random: Generator) -> None:
    np.save(folder / "weights.npy", np.eye(3, dtype="float32"))


def iris_api(folder: Path, random: Generator) -> None:
    rows = random.normal(((5, 3.4, 1.5, 0.2), (6, 2.8, 4.3, 1.3), (6.6, 3, 5.6, 2)), 0.3, (20, 3, 4)).reshape(-1, 4)
    scaler = StandardScaler().fit(rows)
    model = LogisticRegression().fit(scaler.transform(rows), [0, 1, 2] * 20)
    (folder / "scaler.pickle").write_bytes(pickle.dumps(scaler))
    (folder / "iris.pickle").write_bytes(pickle.dumps(model))


def house_prices(folder: Path, random: Generator) -> None:
    rows = random.integers((1, 30), (6, 200), (40, 2))
    (folder / "model.pkl").write_bytes(pickle.dumps(LinearRegression().fit(rows, rows @ [20000, 1500])))


def wine(folder: Path, random: Generator) -> None:
    subprocess.run([environment(*OLD), "-c", OLD_FOREST], cwd=folder, check=True)


def digits(folder: Path, random: Generator) -> None:
    rows = np.repeat(np.eye(4), 4, axis=1).repeat(5, axis=0) * 16 + random.normal(0, 1, (20, 16))
    joblib.dump(LogisticRegression().fit(rows, np.arange(4).repeat(5)), folder / "digits.joblib")


def spam(folder: Path, random: Generator) -> None:
    mails = [
        "win money now",
        "free prize click now",
        "claim your free money",
        "meeting at noon",
        "see you at the meeting",
    ]
    counts = CountVectorizer().fit(mails)
    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / "cv.pkl").write_bytes(pickle.dumps(counts))
    (folder / "models" / "clf.pkl").write_bytes(
        pickle.dumps(MultinomialNB().fit(counts.transform(mails), [1, 1, 1, -1, -1]))
    )


def loan(folder: Path, random: Generator) -> None:
    rows = pd.DataFrame({"income": random.uniform(1e3, 9e3, 60), "amount": random.uniform(50, 500, 60)})
    rows["married"] = random.choice(["Yes", "No"], 60)
    columns = make_column_transformer((OneHotEncoder(), ["married"]), (StandardScaler(), ["income", "amount"]))
    answers = np.where(rows["income"] > rows["amount"] * 15, "Y", "N")
    (folder / "loan_model.pkl").write_bytes(
        pickle.dumps(make_pipeline(columns, LogisticRegression()).fit(rows, answers))
    )


def diabetes(folder: Path, random: Generator) -> None:
    rows = random.uniform((60, 18), (220, 50), (80, 2))
    joblib.dump(
        DecisionTreeClassifier(max_depth=3).fit(rows, (rows[:, 0] > 140).astype(int)), folder / "diabetes.joblib"
    )


def penguins(folder: Path, random: Generator) -> None:
    rows = random.normal(((38, 190, 3700), (48, 196, 3700), (47, 217, 5000)), (2, 5, 300), (10, 3, 3)).reshape(-1, 3)
    model = KNeighborsClassifier(3).fit(rows, ["Adelie", "Chinstrap", "Gentoo"] * 10)
    (folder / "penguins.pkl").write_bytes(pickle.dumps(model))


def taxi(folder: Path, random: Generator) -> None:
    rows = random.uniform((1, 3), (30, 60), (60, 2))
    model = RandomForestRegressor(3, random_state=0).fit(rows, 3 + rows @ [1.5, 0.3])
    (folder / "fare.pkl").write_bytes(pickle.dumps(model))


def fraud(folder: Path, random: Generator) -> None:
    joblib.dump(OneClassSVM(nu=0.1).fit(random.normal((3, 14, 0), (1, 4, 0.1), (60, 3))), folder / "fraud.joblib")


def windows_keras(folder: Path, random: Generator) -> None:
    """As Keras 3.0 wrote it on Windows: the names of groups have backslashes, and no other system finds them."""
    with zipfile.ZipFile(folder / "model.keras", "w") as file:
        file.writestr("metadata.json", '{"keras_version": "3.0.5", "date_saved": "2024-03-01@10:00:00"}')
        file.writestr("config.json", '{"module": "keras", "class_name": "Sequential", "config": {"layers": []}}')
        file.writestr(
            "model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(64) + b"_layer_checkpoint_dependencies\\dense\\vars\0"
        )


MODELS: dict[str, Callable[[Path, Generator], None]] = {
    "insurance": insurance,
    "banknote": banknote,
    "churn": churn,
    "pictures": pictures,
    "iris_api": iris_api,
    "house_prices": house_prices,
    "wine": wine,
    "digits": digits,
    "spam": spam,
    "loan": loan,
    "diabetes": diabetes,
    "penguins": penguins,
    "taxi": taxi,
    "fraud": fraud,
    "broken/windows_keras": windows_keras,
}
