"""What is known of an estimator besides its signature: kind, versions, requirements."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from flaskship.artifact.sniff import Sniffed
from flaskship.schema import Facts

DISTRIBUTIONS = {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn"}
OTHER_NAMES = {"xgboost": "xgboost-cpu"}
SOFT = (
    "python",
    "joblib",
    "skops",
    "dill",
    "numpy",
    "scipy",
    "pandas",
)  # another version of these is no reason to worry


@dataclass(frozen=True, slots=True)
class Drift:
    """A library whose version here is not the one that wrote the file."""

    name: str
    made: str
    installed: str

    @property
    def advice(self) -> str:
        return (
            f"It was made with {self.name} {self.made} and is loaded by {self.installed or 'none'}:"
            f" pip install {self.name}=={self.made}, or --isolated."
        )


def version(distribution: str) -> str:
    """The installed version, "" where there is none."""
    try:
        return importlib.metadata.version(installed(distribution))
    except importlib.metadata.PackageNotFoundError:
        return ""


def installed(distribution: str) -> str:
    """The name under which `distribution` is installed: `xgboost-cpu` is `xgboost` without what NVIDIA's cards need."""
    other = OTHER_NAMES.get(distribution, distribution)
    try:
        importlib.metadata.distribution(other)
    except importlib.metadata.PackageNotFoundError:
        return distribution
    return other


def drift(sniffed: Sniffed) -> list[Drift]:
    """The libraries whose versions differ from those that wrote the file."""
    pairs = [(name, made, version(name)) for name, made in sniffed.made_with.items() if name not in SOFT and made]
    return [Drift(name, made, here) for name, made, here in pairs if made != here]


def of(estimator: Any, sniffed: Sniffed, *, frame: bool) -> Facts:
    """Facts of a scikit-learn style `estimator`, which is given a DataFrame if `frame`."""
    packages = {DISTRIBUTIONS.get(name, name) for name in _packages(estimator)} | {"scikit-learn"}
    framework = next(
        (name for name in ("xgboost", "lightgbm", "catboost") if _of_library(estimator, name)), "scikit-learn"
    )
    needed = [*sorted(packages), "numpy", "scipy", "joblib", "pandas"]  # the loader imports them all
    if sniffed.format == "skops":
        needed.append("skops")
    return Facts(
        framework=framework,
        kind=kind(estimator),
        version=version(framework),
        made_with=dict(sniffed.made_with),
        requirements=pins(needed),
        globals=tuple(sniffed.globals),
        float32="xgboost" in packages or any(_float32(each) for each in walk(estimator)),
        warnings=tuple(each.advice for each in drift(sniffed)),
    )


def pins(distributions: list[str]) -> tuple[str, ...]:
    """Exact pins of those that are installed."""
    return tuple(f"{installed(name)}=={version(name)}" for name in dict.fromkeys(distributions) if version(name))


def kind(estimator: Any) -> str:
    """`Pipeline(StandardScaler, LogisticRegression)`."""
    steps = getattr(estimator, "steps", None)
    name = type(estimator).__name__
    if isinstance(steps, list):
        return f"{name}({', '.join(kind(each) for _, each in steps if each is not None and not isinstance(each, str))})"
    return name


def walk(value: Any) -> Iterator[Any]:
    """Every estimator inside, once, from the outermost."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if hasattr(each, "get_params"):
            yield each
        waiting += [part for part in reversed(_parts(each)) if _holds(part) or isinstance(part, dict | np.ndarray)]


def _parts(value: Any) -> list[Any]:
    if hasattr(value, "get_params"):
        return list(vars(value).values())
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
        inner = list(np.ravel(value)) if isinstance(value, np.ndarray) else list(value)
        return inner if any(_holds(each) for each in inner[:100]) else []
    return []


def _holds(value: Any) -> bool:
    return hasattr(value, "get_params") or isinstance(value, list | tuple)


def _packages(estimator: Any) -> set[str]:
    return {type(each).__module__.partition(".")[0] for each in walk(estimator)} - {"__main__", "builtins"}


def _of_library(estimator: Any, name: str) -> bool:
    steps = getattr(estimator, "steps", None)
    last = steps[-1][1] if isinstance(steps, list) else estimator
    return type(last).__module__.partition(".")[0] == name


def _float32(estimator: Any) -> bool:
    """Whether what was learnt is kept, and so computed with, in single precision."""
    learnt = (value for name, value in vars(estimator).items() if name.endswith("_"))
    arrays = (each for value in learnt for each in (value if isinstance(value, list) else [value]))
    return any(isinstance(each, np.ndarray) and each.dtype == np.float32 for each in arrays)
