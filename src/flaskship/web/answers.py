"""An answer as people read it: what is large, what are bars, where a number lies among those of training."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from flaskship.predict.answers import label
from flaskship.schema import Task
from flaskship.web.drawing import Drawing
from flaskship.web.form import text
from flaskship.web.subject import Subject

LINE, CELL = 60, 200  # characters of a text that is shown large, and of one in a cell
ROWS, COLUMNS = 100, 30  # of a table
LONGEST = 50_000  # characters of JSON
PICTURE = re.compile(r"data:image/[a-z+.-]+;base64,", re.ASCII)
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


class Table(NamedTuple):
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int  # rows that are not shown


class Shown(NamedTuple):
    caption: str
    large: str = ""
    note: str = ""
    bars: tuple[Bar, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    place: Place | None = None
    warnings: tuple[str, ...] = ()
    text: str = ""  # of several lines
    marks: tuple[tuple[str, str], ...] = ()  # a text in pieces, each with what it is, "" where it is nothing
    table: Table | None = None
    pictures: tuple[str, ...] = ()  # data URLs
    drawing: Drawing | None = None
    json: str = ""


def shown(
    answer: Mapping[str, Any] | None, subject: Subject, drawing: Drawing | None = None, given: Iterable[object] = ()
) -> Shown | None:
    """`{"prediction": 0, "probabilities": {…}}` as a page shows it; `given` is what was entered."""
    if answer is None:
        return None
    task = subject.signature.task
    if task is Task.FUNCTION:
        found = of_function(answer, drawing)
        return found._replace(marks=marked(answer.get("prediction"), given)) if found.table else found
    prediction, warnings = answer["prediction"], tuple(answer.get("warnings", ()))
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


def of_function(answer: Mapping[str, Any], drawing: Drawing | None) -> Shown:
    """Whatever a function answered: a value, labels, a table, a picture, what is in a picture; and as JSON."""
    warnings = tuple(answer.get("warnings", ()))
    whole = json.dumps(
        shortened({name: each for name, each in answer.items() if name != "warnings"}), indent=2, ensure_ascii=False
    )
    common: dict[str, Any] = {"warnings": warnings, "json": whole[:LONGEST], "drawing": drawing}
    if "class_names" in answer and "prediction" not in answer:
        return Shown(caption=counted(len(answer["boxes"]), "object"), table=objects(answer), **common)
    value = answer.get("prediction")
    if "probabilities" in answer:
        return Shown(caption="Most probable", large=number(value), bars=bars(answer, value), **common)
    return Shown(**{"caption": "Answer", **of_value(value), **common})


def of_value(value: Any) -> dict[str, Any]:
    """The members of `Shown` that suit a value of JSON."""
    if isinstance(value, str):
        if PICTURE.match(value):
            return {"caption": "Picture", "pictures": (value,)}
        return {"large": value} if 0 < len(value) <= LINE and "\n" not in value else {"text": value or "An empty text."}
    if isinstance(value, list) and value:
        if all(isinstance(each, str) and PICTURE.match(each) for each in value):
            return {"caption": counted(len(value), "picture"), "pictures": tuple(value)}
        return {"caption": counted(len(value), "row" if isinstance(value[0], dict) else "value"), "table": table(value)}
    if isinstance(value, dict) and value:
        pictures = tuple(each for each in value.values() if isinstance(each, str) and PICTURE.match(each))
        rows = tuple((name, brief(each)) for name, each in value.items() if each not in pictures)
        return {"caption": counted(len(value), "value"), "rows": rows, "pictures": pictures}
    return {"large": number(value)}


def marked(found: Any, given: Iterable[object]) -> tuple[tuple[str, str], ...]:
    """What was found in a text, by `start` and `end`, in its place there; nothing where no text that was given has it.

    marked([{"entity": "PLACE", "text": "Ulm", "start": 3, "end": 6}], ["To Ulm."])
    -> ("To ", ""), ("Ulm", "PLACE"), (".", "")
    """
    if not isinstance(found, list) or not all(isinstance(each, dict) and _is_span(each) for each in found):
        return ()
    texts = (each for each in given if isinstance(each, str))
    whole = next(
        (text for text in texts if all(text[each["start"] : each["end"]] == each["text"] for each in found)), ""
    )
    pieces, at = list[tuple[str, str]](), 0
    for each in sorted(found, key=lambda each: each["start"]) if whole else ():
        if each["start"] >= at:
            kind = next((value for name, value in each.items() if name != "text" and isinstance(value, str)), "found")
            pieces += [(whole[at : each["start"]], ""), (each["text"], kind)]
            at = each["end"]
    return (*pieces, (whole[at:], "")) if pieces else ()


def _is_span(value: Mapping[str, Any]) -> bool:
    return all(isinstance(value.get(name), kind) for name, kind in (("start", int), ("end", int), ("text", str)))


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def table(rows: list[Any]) -> Table:
    """A list as a table: of objects by their members' names, of lists by number, of values in one column."""
    first = rows[:ROWS]
    if all(isinstance(each, dict) for each in first):
        names = list(dict.fromkeys(name for each in first for name in each))[:COLUMNS]
        cells = [tuple(brief(each.get(name)) for name in names) for each in first]
        return Table(tuple(names), tuple(cells), len(rows) - len(first))
    if all(isinstance(each, list) for each in first):
        width = min(max(map(len, first)), COLUMNS)
        cells = [tuple(brief(value) for value in [*each, *[""] * width][:width]) for each in first]
        return Table(tuple(map(str, range(width))), tuple(cells), len(rows) - len(first))
    return Table(("value",), tuple((brief(each),) for each in first), len(rows) - len(first))


def objects(answer: Mapping[str, Any]) -> Table:
    """What was found in a picture, one a row."""
    rows = zip(answer["class_names"], answer["scores"], answer["boxes"], strict=True)
    cells = [(name, number(score), *map(number, box)) for name, score, box in islice(rows, ROWS)]
    return Table(("class", "score", "x0", "y0", "x1", "y1"), tuple(cells), max(0, len(answer["boxes"]) - ROWS))


def brief(value: Any) -> str:
    """A value in a cell."""
    shown = number(value)
    return shown if len(shown) <= CELL else f"{shown[:CELL]}…"


def shortened(value: Any) -> Any:
    """JSON with its long texts, such as pictures, cut."""
    if isinstance(value, dict):
        return {name: shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shortened(each) for each in value]
    if isinstance(value, str) and len(value) > CELL and PICTURE.match(value):
        return f"{value[:40]}… ({len(value):,} characters)"
    return value


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
