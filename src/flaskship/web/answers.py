"""An answer as people read it: what is large, what are bars, where a number lies among those of training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from flaskship.predict.answers import label
from flaskship.schema import Task
from flaskship.web.form import text
from flaskship.web.subject import Subject

IN_ORDER = 6  # classes up to which bars keep their places
OUTLIER, INLIER = "Outlier", "Inlier"


class Bar(NamedTuple):
    label: str
    share: float  # 0 to 1
    chosen: bool

    @property
    def percent(self) -> str:
        return f"{100 * self.share:.1f} %" if 0.0005 <= self.share <= 0.9995 or self.share in (0, 1) else self._near()

    def _near(self) -> str:
        return "< 0.1 %" if self.share < 0.5 else "> 99.9 %"


class Place(NamedTuple):
    """Where a number lies in the range of the sample's own; positions are 0 to 100."""

    at: float
    quarter: float
    three_quarters: float
    low: str
    high: str
    sentence: str


class Shown(NamedTuple):
    caption: str
    large: str = ""
    note: str = ""
    bars: tuple[Bar, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    place: Place | None = None
    warnings: tuple[str, ...] = ()


def shown(answer: Mapping[str, Any] | None, subject: Subject) -> Shown | None:
    """`{"prediction": 0, "probabilities": {…}}` as a page shows it."""
    if answer is None:
        return None
    prediction, warnings = answer["prediction"], tuple(answer.get("warnings", ()))
    task = subject.signature.task
    if isinstance(prediction, dict):
        rows = tuple((name, number(value)) for name, value in prediction.items())
        return Shown(caption=f"{len(rows)} values" if len(rows) > 1 else "Value", rows=rows, warnings=warnings)
    if task is Task.OUTLIER:
        score = f"Score {number(answer['score'])}; below 0 is an outlier." if answer.get("score") is not None else ""
        large = OUTLIER if prediction == -1 else INLIER
        return Shown(caption=f"Prediction {number(prediction)}", large=large, note=score, warnings=warnings)
    if task is Task.CLASSIFICATION:
        return Shown(
            caption="Predicted class", large=number(prediction), bars=bars(answer, prediction), warnings=warnings
        )
    target: Any = subject.card.get("target")
    caption = "Cluster" if task is Task.CLUSTERING else f"Predicted {target['name']}" if target else "Prediction"
    return Shown(caption=caption, large=number(prediction), place=place(prediction, target), warnings=warnings)


def bars(answer: Mapping[str, Any], prediction: Any) -> tuple[Bar, ...]:
    """The classes' probabilities: in the model's order where they are few, else the likeliest first."""
    chances: Mapping[str, float | None] = answer.get("probabilities") or {}
    chosen = label(prediction)
    made = [Bar(label=name, share=share or 0.0, chosen=name == chosen) for name, share in chances.items()]
    return tuple(made if len(made) <= IN_ORDER else sorted(made, key=lambda each: -each.share))


def place(value: object, target: Mapping[str, Any] | None) -> Place | None:
    if target is None or not isinstance(value, int | float) or not target["low"] < target["high"]:
        return None
    low: float = min(target["low"], value)
    high: float = max(target["high"], value)

    def at(number: float) -> float:
        return round(100 * (number - low) / (high - low), 2)

    spoken = f"{target['name']} in the sample is {number(target['low'])} to {number(target['high'])}"
    middle = f"half of it {number(target['quarter'])} to {number(target['three_quarters'])}"
    if not target["low"] <= value <= target["high"]:
        sentence = f"Outside: {spoken}."
    elif target["quarter"] <= value <= target["three_quarters"]:
        sentence = f"In the middle half: {spoken}, {middle}."
    else:
        side = "Low" if value < target["quarter"] else "High"
        sentence = f"{side}: {spoken}, {middle}."
    return Place(
        at=at(value),
        quarter=at(target["quarter"]),
        three_quarters=at(target["three_quarters"]),
        low=number(low),
        high=number(high),
        sentence=sentence,
    )


def number(value: object) -> str:
    """A value for reading: `0.0012346`, `637.2`, `1,234,568`."""
    if value is None:
        return "no value"
    if isinstance(value, float) and math.isfinite(value):
        if value and not 1e-4 <= abs(value) < 1e15:
            return f"{value:.4g}"
        digits = max(0, 5 - math.floor(math.log10(abs(value)))) if value else 0
        shown = f"{value:,.{min(digits, 10)}f}"
        return shown.rstrip("0").rstrip(".") if "." in shown else shown
    return value if isinstance(value, str) else text(value)  # type: ignore[arg-type]  # plain JSON
