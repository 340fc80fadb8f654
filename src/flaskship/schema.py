"""What a model takes and what it answers, in terms that every generator (codec, OpenAPI, form, OIP) reads.

Signature(task=Task.CLASSIFICATION,
          inputs=(Field(name="age", type=FieldType.INTEGER, low=17, high=123), ...),
          outputs=(Output(name="prediction", type=FieldType.INTEGER),),
          classes=(0, 1))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Columns: TypeAlias = dict[str, Array]  # one entry a field, in the signature's order, each of shape (rows, *field.shape)
Scalar: TypeAlias = bool | int | float | str | None


class LeftOut:
    """Stands in a column where a caller left out a field that has a default."""

    def __repr__(self) -> str:
        return "LEFT_OUT"


LEFT_OUT = LeftOut()
UNASKED = ""  # the only column of a function without arguments: None for each time that it is asked


class FieldType(StrEnum):
    """What one value is. In columns: float64, int64, bool_, and object holding `str` or None.

    A nullable integer or boolean travels as float64 with NaN for null, as pandas has it.
    """

    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"
    DATE = "date"  # the further ones are a function's only, each an object in an object column
    DATETIME = "datetime"
    TIME = "time"
    IMAGE = "image"  # PIL.Image.Image
    ARRAY = "array"  # numpy.ndarray
    FILE = "file"  # pathlib.Path of an upload
    TABLE = "table"  # pandas.DataFrame
    OBJECT = "object"  # a list, a dictionary, a dataclass, …: what `Field.schema` says


TABULAR = (FieldType.NUMBER, FieldType.INTEGER, FieldType.BOOLEAN, FieldType.TEXT)


class Task(StrEnum):
    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    MULTIOUTPUT = "multioutput"  # several outputs by name, labels or numbers
    CLUSTERING = "clustering"
    OUTLIER = "outlier"
    TRANSFORM = "transform"  # several outputs by name, numbers
    FUNCTION = "function"  # whatever a function returns


class AnswerType(StrEnum):
    """What a function's answer is to whoever shows it."""

    VALUE = "value"  # {"prediction": value}
    LABELS = "labels"  # as a classifier's
    BOXES = "boxes"
    SEGMENTATION = "segmentation"
    STREAM = "stream"  # an iterator: server-sent events, or text in chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a value must be within, as msgspec's `Meta` has it: hard, refused before the function sees it."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    multiple_of: float | None = None
    pattern: str | None = None
    min_length: int | None = None  # of text in characters, of a list in values
    max_length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input.

    `low` and `high` are soft: a value outside is answered with a warning that names `seen`, where the range comes from.
    `choices` are hard when `closed` (the model would raise), else soft. `default` is what a form starts with
    and `example` what documentation shows; no value is ever filled in for a caller.
    """

    name: str
    type: FieldType = FieldType.NUMBER
    shape: tuple[int, ...] = ()  # of one row's value; () is a scalar, -1 a variable dimension
    usual: tuple[int, ...] = ()  # where dimensions vary: a shape that the model takes
    dtype: str = ""  # what the model wants, e.g. "float32"; "" where the type's own dtype is right
    nullable: bool = False
    choices: tuple[Scalar, ...] = ()
    closed: bool = False
    low: float | None = None
    high: float | None = None
    seen: str = ""  # "in training", "in the sample", "by the model's split thresholds"
    splits: tuple[float, float] | None = None  # a tree model's lowest and highest split
    default: Any = None  # plain JSON
    example: Any = None  # likewise
    help: str = ""
    required: bool = True  # False where a function has a default of its own: what is left out is `LEFT_OUT` in columns
    limits: Limits = Limits()
    schema: dict[str, Any] = field(default_factory=dict)  # JSON Schema of an OBJECT
    boxed: bool = False  # its column holds Python objects, as a function takes them

    @property
    def array_dtype(self) -> np.dtype[Any]:
        """The dtype of this field's column."""
        if self.type is FieldType.TEXT or self.boxed:
            return np.dtype(object)
        if self.type is FieldType.NUMBER or self.nullable:
            return np.dtype(np.float64)
        return np.dtype(np.int64 if self.type is FieldType.INTEGER else np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output. A sole one is named `prediction`; several carry the names that the model knows, else `y0`, `y1`, …"""

    name: str
    type: FieldType = FieldType.NUMBER
    shape: tuple[int, ...] = ()
    schema: dict[str, Any] = field(default_factory=dict)  # JSON Schema of what a function returns
    nullable: bool = False  # whether a function may return None too


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Inputs, outputs and task.

    `classes` are a classifier's labels in the order of the columns of `Answer.probabilities`, with their own types.
    """

    task: Task
    inputs: tuple[Field, ...]
    outputs: tuple[Output, ...] = (Output(name="prediction"),)
    classes: tuple[Scalar, ...] = ()
    probabilities: bool = False
    score: bool = False
    answers: AnswerType = AnswerType.VALUE
    help: str = ""  # a function's docstring

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.inputs)

    @property
    def named(self) -> bool:
        """True where an answer is an object by output name rather than one value."""
        return self.task in (Task.MULTIOUTPUT, Task.TRANSFORM) or len(self.outputs) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model answers for `rows` rows."""

    values: tuple[Array, ...]  # one an output, each (rows, *output.shape): int64, float64, bool_ or object (str)
    probabilities: Array | None = None  # (rows, classes) float64
    score: Array | None = None  # (rows,) float64

    @property
    def rows(self) -> int:
        return len(self.values[0])

    def __getitem__(self, part: slice) -> Answer:
        return Answer(
            values=tuple(value[part] for value in self.values),
            probabilities=None if self.probabilities is None else self.probabilities[part],
            score=None if self.score is None else self.score[part],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a model besides its signature; shown by `inspect` and on the page."""

    framework: str  # "scikit-learn", "xgboost", "onnx", …
    kind: str  # "RandomForestClassifier", "Pipeline(StandardScaler, LogisticRegression)"
    version: str = ""  # of the framework, as installed here
    made_with: dict[str, str] = field(default_factory=dict)  # distribution -> version that wrote the file
    requirements: tuple[str, ...] = ()  # pins that load and serve the original: "scikit-learn==1.5.2"
    globals: tuple[str, ...] = ()  # that its pickle names
    float32: bool = False  # the model itself computes in float32
    scaled: bool = False  # differences count relative to an output's largest value, as of a net of many layers
    warnings: tuple[str, ...] = ()
