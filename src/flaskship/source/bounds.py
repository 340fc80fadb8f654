"""Versions that go together where the packages' own metadata do not say so."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packaging.requirements import Requirement
from packaging.version import Version

from flaskship.artifact.isolation import environments
from flaskship.source.requirements.found import pin

NUMPY_2 = {  # the first of each that runs with it, where their own metadata let earlier ones: numpy/numpy#26191
    "h5py": "3.11",
    "opencv-python": "4.10.0.84",
    "opencv-python-headless": "4.10.0.84",
    "pandas": "2.2.2",
    "scikit-image": "0.23.1",
    "shap": "0.46",
}
FLASK = (  # before that one, these broke it, and its own metadata do not say so
    ("2.0", ("click<8.1", "itsdangerous<2.1", "jinja2<3.1", "markupsafe<2.1", "werkzeug<2.1")),
    ("2.3", ("werkzeug<3",)),
)


def of_flask(pinned: str) -> list[str]:
    """What a Flask of that version wants, "" is none."""
    return [each for before, bounds in FLASK if pinned and Version(pinned) < Version(before) for each in bounds]


def of_sklearn(wanted: Mapping[str, Requirement]) -> list[str]:
    """The libraries of a pinned scikit-learn's time, which its own metadata do not bound."""
    sklearn = wanted.get("scikit-learn")
    numbers = re.findall(r"\d+", pin(sklearn))[:2] if sklearn else []
    era = environments.ERAS.get((int(numbers[0]), int(numbers[1]))) if len(numbers) == 2 else None
    bounds = {re.split("<", each)[0]: each for each in era.bounds} if era else {}
    return [each for name, each in bounds.items() if name != "pandas" or name in wanted]


def of_numpy(wanted: Mapping[str, Requirement]) -> list[str]:
    """What a model that was written with NumPy 2 asks of the packages that NumPy 1 compiled."""
    numpy = wanted.get("numpy")
    lowest = [each.version for each in numpy.specifier if each.operator in (">=", "==", "~=")] if numpy else []
    if not any(Version(each.removesuffix(".*")).major >= 2 for each in lowest):
        return []
    return [f"{name}>={first}" for name, first in NUMPY_2.items() if name in wanted]
