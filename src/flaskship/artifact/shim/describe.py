"""What a fitted estimator of any scikit-learn since 0.20 takes and answers, found by looking at it and asking it.

Answers are plain values for JSON, in the words of `flaskship.schema`.
"""

# ruff: noqa: B905  # Python 3.8 has no strict zip

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

ROWS = 1
MOST_TRIALS = 50  # columns that are tried one by one without a value
MOST_CHOICES = 1000
MOST_COLUMNS = 301  # fewer are tried for a model which does not say how many it takes
COUNTS = ("n_features_in_", "n_features_", "n_input_features_")  # attributes that count the columns of the fit
SHAPES = (  # attributes whose last axis is the columns
    *("mean_", "scale_", "data_min_", "max_abs_", "center_", "theta_", "coef_", "components_", "cluster_centers_"),
    *("_fit_X", "feature_log_prob_", "means_", "statistics_", "var_"),
)
TEXT = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")
ENCODERS = ("OneHotEncoder", "OrdinalEncoder")


class NoModel(Exception):
    """The file holds no single fitted model."""


class Model:
    """An estimator, or transformers and an estimator behind them, and how rows are handed over."""

    def __init__(self, value: Any) -> None:
        self.steps = chain(value)
        self.last = self.steps[-1]
        first, refusal = self.steps[0], "it has no columns"
        for self.layout, self.columns in inputs(first):
            self.fields = [column for column in self.columns if column["used"]] or self.columns
            for number in (1.0, 0.0):
                self._row = {field["name"]: example(field, number) for field in self.fields}
                try:
                    self.outputs: dict[str, Any] = self._outputs()
                except Exception as error:  # noqa: BLE001  # an estimator may be anybody's code, and raise what it likes
                    refusal = f"{type(error).__name__}: {error}"
                    continue
                if len(self.columns) == MOST_COLUMNS:
                    raise NoModel(f"{type(first).__name__} does not say how many columns it takes")
                self._find_gaps()
                return
        raise NoModel(f"{type(first).__name__} answers no row: {refusal}")

    def matrix(self, columns: dict[str, Any]) -> Any:
        """The rows of `columns` as the first step wants them."""
        if self.layout == "texts":
            return list(columns[self.fields[0]["name"]])
        nothing = np.full(rows_of(columns), np.nan)
        every = {each["name"]: _told(columns.get(each["name"], nothing)) for each in self.columns}
        if self.layout == "frame":
            import pandas  # where the model was fitted on its tables

            return pandas.DataFrame(every)
        text = any(column.dtype == object for column in every.values())
        return np.column_stack([column.astype(object if text else np.float64) for column in every.values()])

    def answer(self, columns: dict[str, Any]) -> tuple[list[Any], Any, Any]:
        """(an array of each output, probabilities or None, score or None)."""
        matrix = self.matrix(columns)
        for step in self.steps[:-1]:
            matrix = step.transform(matrix)
        rows = rows_of(columns)
        last, told = self.last, self.outputs
        if told["task"] == "transform":
            return list(dense(last.transform(matrix), rows).T), None, None
        found = dense(last.predict(matrix), rows)
        shares = np.asarray(last.predict_proba(matrix), dtype=np.float64) if told["probabilities"] else None
        score = np.asarray(last.decision_function(matrix), dtype=np.float64) if told["score"] else None
        return list(found.T), shares, score

    def _outputs(self) -> dict[str, Any]:
        reached = self.matrix(self._row)
        for step in self.steps[:-1]:
            reached = step.transform(reached)
        if not hasattr(self.last, "predict"):
            if not hasattr(self.last, "transform"):
                raise NoModel(f"{type(self.last).__name__} has neither 'predict' nor 'transform' for new rows")
            width = dense(self.last.transform(reached), ROWS).shape[1]
            return _told_outputs("transform", [(name, "number") for name in names_out(self.steps, width)])
        found = dense(self.last.predict(reached), ROWS)
        task = task_of(self.last, found)
        if task == "multioutput":
            own = getattr(self.last, "classes_", None)
            kinds = [kind_of(each) for each in own] if isinstance(own, list) else ["number"] * found.shape[1]
            return _told_outputs(task, [(f"y{place}", kind) for place, kind in enumerate(kinds)])
        if task != "classification":
            told = _told_outputs(task, [("prediction", "number" if task == "regression" else "integer")])
            told["score"] = task == "outlier" and hasattr(self.last, "decision_function")
            return told
        classes = np.asarray(getattr(self.last, "classes_", found.ravel()))
        told = _told_outputs(task, [("prediction", kind_of(classes))])
        told["classes"] = [plain(value) for value in classes.tolist()]
        shares = np.asarray(self.last.predict_proba(reached)) if hasattr(self.last, "predict_proba") else None
        told["probabilities"] = shares is not None and shares.shape == (ROWS, len(classes))
        return told

    def _find_gaps(self) -> None:
        """Marks the fields without which it still answers."""
        names = [field["name"] for field in self.fields if field["nullable"]]
        gaps = {field["name"]: gap(field) for field in self.fields}
        if names and not self._answers({name: gaps[name] for name in names}):
            names = [name for name in names[:MOST_TRIALS] if self._answers({name: gaps[name]})]
        for field in self.fields:
            field["nullable"] = field["name"] in names

    def _answers(self, gaps: dict[str, Any]) -> bool:
        try:
            self.answer({**self._row, **gaps})
        except Exception:  # noqa: BLE001  # whatever an estimator raises at a gap: it takes none there
            return False
        return True


def chain(value: Any) -> list[Any]:
    """The transformers and the estimator behind them that `value` is, or plainly holds."""
    value = getattr(value, "best_estimator_", value)
    if hasattr(value, "get_params") and hasattr(value, "fit"):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        held = [getattr(each, "best_estimator_", each) for each in value if hasattr(each, "get_params")]
        models = [each for each in held if hasattr(each, "predict")]
        if held and len(models) <= 1 and (not models or held[-1] is models[0]):
            return held
    raise NoModel(f"it holds a {type(value).__name__} and no single model. Save the fitted estimator or a Pipeline")


def inputs(first: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(layout, columns) of what reaches `first`: the right one, else those to try until it answers a row."""
    names = names_in(first)
    if type(opened(first)).__name__ in TEXT:
        yield "texts", [field_of("text", type="text", nullable=False)]
        return
    guess = count_in(first)
    tries = (MOST_COLUMNS, *range(1, MOST_COLUMNS)) if not (names or hasattr(first, COUNTS[0])) else ()
    for count in (guess, *tries):  # one that takes any number of columns answers the first try
        columns = [field_of(name) for name in names or [f"x{place}" for place in range(count)]]
        if columns:
            learn(first, columns)
            yield ("frame" if names and _has_pandas() else "array"), columns


def field_of(name: str, type: str = "number", nullable: bool = True) -> dict[str, Any]:
    told = {"name": name, "type": type, "nullable": nullable, "choices": [], "closed": False, "default": None}
    return {**told, "used": True}


def opened(step: Any) -> Any:
    """What the input reaches first inside a Pipeline or a meta-estimator."""
    for name in ("steps", "transformer_list"):
        if isinstance(getattr(step, name, None), list):
            return opened(getattr(step, name)[0][1])
    for name in ("estimator_", "base_estimator_", "regressor_", "estimators_"):
        inner = getattr(step, name, None)
        inner = inner[0] if isinstance(inner, list) and inner else inner
        if hasattr(inner, "get_params") and not hasattr(step, "n_features_in_"):
            return opened(inner)
    return step


def names_in(step: Any) -> list[str]:
    """The names of the columns of the fit; before scikit-learn 1.0 a ColumnTransformer alone kept them."""
    for each in (step, opened(step)):
        for attribute in ("feature_names_in_", "_feature_names_in", "_df_columns"):
            names = getattr(each, attribute, None)
            if names is not None:
                return [str(name) for name in names]
    return []


def count_in(step: Any) -> int:
    first = opened(step)
    for name in COUNTS:
        for each in (step, first):
            value = getattr(each, name, None)
            if isinstance(value, (int, np.integer)):
                return int(value)
    if hasattr(first, "shape_fit_"):
        return int(first.shape_fit_[1])
    if hasattr(first, "categories_"):
        return len(first.categories_)
    if hasattr(first, "coefs_"):
        return int(first.coefs_[0].shape[0])
    if hasattr(first, "_n_features"):
        return int(first._n_features)
    for name in SHAPES:
        shape = getattr(getattr(first, name, None), "shape", ())
        if shape:
            return int(shape[-1])
    return 0


def learn(step: Any, fields: list[dict[str, Any]]) -> None:
    """Fills in what encoders and imputers know of the columns that reach them as they came."""
    name = type(step).__name__
    if isinstance(getattr(step, "steps", None), list):
        for _, each in step.steps:
            learn(each, fields)
            if type(each).__name__ != "SimpleImputer":
                return
    elif name == "ColumnTransformer":
        for field in fields:
            field["used"] = False
        for _, each, columns in step.transformers_:
            picked = _picked(columns, fields) if each != "drop" else []
            for field in picked:
                field["used"] = True
            learn(each, picked)
    elif name in ENCODERS and len(step.categories_) == len(fields):
        for field, values in zip(fields, step.categories_):
            _choices(field, values.tolist(), getattr(step, "handle_unknown", "error") == "error")
    elif name == "SimpleImputer" and len(step.statistics_) == len(fields):
        for field, value in zip(fields, step.statistics_.tolist()):
            if isinstance(value, str) or (value is not None and value == value):
                field["default"] = value
                field["type"] = "text" if isinstance(value, str) else field["type"]
    elif name in TEXT:
        for field in fields:
            field["type"] = "text"


def _picked(columns: Any, fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fields that a ColumnTransformer's selection means."""
    if isinstance(columns, (str, int, np.integer)):
        columns = [columns]
    if isinstance(columns, slice):
        names = [field["name"] for field in fields]
        ends = [names.index(end) if isinstance(end, str) else end for end in (columns.start, columns.stop)]
        last = ends[1] + 1 if isinstance(columns.stop, str) else ends[1]
        return fields[ends[0] : last : columns.step]
    listed = list(columns) if not callable(columns) else []
    if listed and all(isinstance(each, (bool, np.bool_)) for each in listed):
        return [field for field, kept in zip(fields, listed) if kept]
    named = {field["name"]: field for field in fields}
    return [named[str(each)] if isinstance(each, str) else fields[int(each)] for each in listed]


def _choices(field: dict[str, Any], values: list[Any], closed: bool) -> None:
    known = [value for value in values if value is not None and value == value]
    field["type"] = kind_of(np.array(known, dtype=object))
    if closed or len(known) <= MOST_CHOICES:
        field["choices"], field["closed"] = [plain(value) for value in known], closed


def kind_of(values: Any) -> str:
    """The field type of labels or categories."""
    listed = np.asarray(values).tolist()
    if listed and all(isinstance(value, bool) for value in listed):
        return "boolean"
    if all(isinstance(value, int) for value in listed):
        return "integer"
    return "number" if all(isinstance(value, (int, float)) for value in listed) else "text"


def plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def task_of(last: Any, found: Any) -> str:
    told = getattr(last, "_estimator_type", None)
    if told is None and hasattr(last, "__sklearn_tags__"):
        told = last.__sklearn_tags__().estimator_type
    if found.shape[1] > 1:
        return "multioutput"
    if told == "classifier":
        return "classification"
    if told == "outlier_detector" or hasattr(last, "offset_"):
        return "outlier"
    return "regression" if told == "regressor" or found.dtype.kind == "f" else "clustering"


def _told_outputs(task: str, outputs: list[tuple[str, str]]) -> dict[str, Any]:
    listed = [{"name": name, "type": kind} for name, kind in outputs]
    return {"task": task, "outputs": listed, "classes": [], "probabilities": False, "score": False}


def names_out(steps: list[Any], width: int) -> list[str]:
    try:
        found = [str(each) for each in steps[-1].get_feature_names_out()] if len(steps) == 1 else []
    except Exception:  # noqa: BLE001  # anybody's code: without names they are y0, y1, …
        found = []
    return found if len(set(found)) == width else [f"y{place}" for place in range(width)]


def example(field: dict[str, Any], number: float) -> Any:
    """A column of one row that `field` could hold."""
    value = field["default"] if field["default"] is not None else (field["choices"] or [None])[0]
    if value is None:
        value = "text" if field["type"] == "text" else number
    return np.array([value], dtype=object if field["type"] == "text" else np.float64)


def gap(field: dict[str, Any]) -> Any:
    return np.array([None], dtype=object) if field["type"] == "text" else np.array([np.nan])


def _told(column: Any) -> Any:
    """Nothing in a text column is NaN, as pandas reads it."""
    if column.dtype != object:
        return column
    return np.array([np.nan if value is None else value for value in column], dtype=object)


def rows_of(columns: dict[str, Any]) -> int:
    return len(next(iter(columns.values())))


def dense(found: Any, rows: int) -> Any:
    return np.asarray(found.toarray() if hasattr(found, "toarray") else found).reshape(rows, -1)


def kind(step: Any) -> str:
    """`Pipeline(StandardScaler, LogisticRegression)`."""
    steps = getattr(step, "steps", None)
    if isinstance(steps, list):
        return f"{type(step).__name__}({', '.join(kind(each) for _, each in steps if hasattr(each, 'fit'))})"
    return type(step).__name__


def _has_pandas() -> bool:
    try:
        import pandas  # noqa: F401  # only asked whether it is there
    except ImportError:
        return False
    return True
