"""What scikit-learn style estimators say of themselves, in either way that they have had of saying it."""

from __future__ import annotations

from typing import Any

import sklearn.utils


def told(estimator: Any, group: str, name: str, old: str) -> Any:
    """A tag of a scikit-learn style estimator: `group.name` of those since 1.6, `old` of those before; else None."""
    if hasattr(sklearn.utils, "get_tags"):
        tags = estimator.__sklearn_tags__() if hasattr(estimator, "__sklearn_tags__") else None
        return getattr(getattr(tags, group, None) if group else tags, name, None)
    return estimator._get_tags().get(old) if hasattr(estimator, "_get_tags") else None


def estimator_type(estimator: Any) -> str | None:
    """ "classifier", "regressor", "outlier_detector", …"""
    return told(estimator, "", "estimator_type", "") or getattr(estimator, "_estimator_type", None)


def allows_gaps(estimator: Any) -> bool:
    """Whether it takes NaN."""
    if type(estimator).__module__.partition(".")[0] in ("xgboost", "lightgbm", "catboost"):
        return True
    return bool(told(estimator, "input_tags", "allow_nan", "allow_nan"))


def requires_fit(estimator: Any) -> bool:
    return told(estimator, "", "requires_fit", "requires_fit") is not False
