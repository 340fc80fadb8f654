"""Type hints as fields: what each becomes, and what is said of those that cannot be one."""

from __future__ import annotations

import pytest

from flaskship.errors import TargetError
from flaskship.schema import AnswerType, FieldType, Limits

TYPES = """
Age = NewType("Age", int)

class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"

class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2

class Corner(enum.Enum):
    TOP = (0, 0)
    END = (1, 1)

@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0

@dataclasses.dataclass
class Tree:
    name: str
    below: list[Tree] = dataclasses.field(default_factory=list)

class Pair(NamedTuple):
    a: int
    b: str

class Options(TypedDict):
    deep: bool

class Item(msgspec.Struct):
    price: float

class Network:
    pass
"""


def field_of(load, hint, before=TYPES, default=""):
    return load(f"{before}\ndef predict(x: {hint}{default}) -> int: return 1")["predict"].signature.inputs[0]


@pytest.mark.parametrize(
    ("hint", "kind", "nullable"),
    [
        ("int", FieldType.INTEGER, False),
        ("float", FieldType.NUMBER, False),
        ("int | float", FieldType.NUMBER, False),
        ("str", FieldType.TEXT, False),
        ("bool", FieldType.BOOLEAN, False),
        ("Age", FieldType.INTEGER, False),
        ("Optional[float]", FieldType.NUMBER, True),
        ("str | None", FieldType.TEXT, True),
        ("datetime.date", FieldType.DATE, False),
        ("datetime.datetime | None", FieldType.DATETIME, True),
        ("datetime.time", FieldType.TIME, False),
        ("Image.Image", FieldType.IMAGE, False),
        ("Image.Image | None", FieldType.IMAGE, True),
        ("np.ndarray", FieldType.ARRAY, False),
        ("pathlib.Path", FieldType.FILE, False),
        ("bytes", FieldType.FILE, False),
        ("pd.DataFrame", FieldType.TABLE, False),
        ("list[float]", FieldType.OBJECT, False),
        ("list", FieldType.OBJECT, False),
        ("tuple[int, str]", FieldType.OBJECT, False),
        ("dict[str, int] | None", FieldType.OBJECT, True),
        ("set[str]", FieldType.OBJECT, False),
        ("str | list[str]", FieldType.OBJECT, False),
        ("Any", FieldType.OBJECT, False),
        ("Point", FieldType.OBJECT, False),
        ("list[Pair]", FieldType.OBJECT, False),
        ("Options", FieldType.OBJECT, False),
        ("Item", FieldType.OBJECT, False),
    ],
)
def test_a_hint_becomes_a_field_of_its_type(load, hint, kind, nullable) -> None:
    field = field_of(load, hint)
    assert (field.type, field.nullable, field.boxed) == (kind, nullable, True)
    assert bool(field.schema) == (kind is FieldType.OBJECT and hint != "Any")


@pytest.mark.parametrize(
    ("hint", "kind", "choices"),
    [
        ("Literal['a', 'b']", FieldType.TEXT, ("a", "b")),
        ("Literal[1, 2]", FieldType.INTEGER, (1, 2)),
        ("Optional[Literal['a', None]]", FieldType.TEXT, ("a",)),
        ("Colour", FieldType.TEXT, ("red", "blue")),
        ("Level | None", FieldType.INTEGER, (1, 2)),
        ("Corner", FieldType.TEXT, ("TOP", "END")),
    ],
)
def test_literals_and_enums_are_closed_choices(load, hint, kind, choices) -> None:
    field = field_of(load, hint)
    assert (field.type, field.choices, field.closed) == (kind, choices, True)
    assert field.nullable == ("None" in hint)


def test_a_literal_of_several_types_is_an_object_of_these(load) -> None:
    assert field_of(load, "Literal['a', 1]").schema == {"enum": [1, "a"]}


def test_an_array_says_its_dtype(load) -> None:
    assert field_of(load, "NDArray[np.float32]").dtype == "float32"
    assert field_of(load, "NDArray[np.uint8] | None").dtype == "uint8"
    assert field_of(load, "NDArray[Any]").dtype == ""


def test_an_alias_with_parameters_is_what_it_stands_for(load) -> None:
    """As Python 3.12 writes it: `type Pair[T, U] = tuple[U, list[T]]`; NumPy's NDArray is one there."""
    signature = load(
        "from typing_extensions import TypeAliasType, TypeVar\n"
        'T, U = TypeVar("T"), TypeVar("U")\n'
        'Pair = TypeAliasType("Pair", tuple[U, list[T]], type_params=(T, U))\n'
        "def predict(pair: Pair[int, str]) -> int: return 1"
    )["predict"].signature
    first, rest = signature.inputs[0].schema["prefixItems"]
    assert (first, rest["items"]) == ({"type": "string"}, {"type": "integer"})


def test_meta_gives_limits_help_and_example(load) -> None:
    field = field_of(load, "Annotated[float, Meta(ge=0, le=120, description='In years.', examples=[45])]")
    assert field.limits == Limits(ge=0, le=120)
    assert (field.help, field.example) == ("In years.", 45)
    within = field_of(load, "Annotated[str, Meta(min_length=2)] | None")
    assert (within.limits.min_length, within.nullable) == (2, True)
    assert field_of(load, "Annotated[list[int], Meta(max_length=3)]").schema["maxItems"] == 3
    assert field_of(load, "Annotated[int, 'In years.']").help == "In years."


def test_a_schema_stands_alone(load) -> None:
    schema = field_of(load, "list[Point]").schema
    assert schema["items"]["properties"] == {"x": {"type": "number"}, "y": {"type": "number", "default": 0.0}}
    tree = field_of(load, "Tree").schema
    assert "$ref" not in str(tree)
    assert tree["properties"]["below"]["items"] == {"title": "Tree"}


@pytest.mark.parametrize(
    ("hint", "default", "shown"),
    [
        ("int", "3", 3),
        ("float", "1", 1),
        ("Colour", "Colour.RED", "red"),
        ("Corner", "Corner.END", "END"),
        ("Literal['a', 'b']", "'b'", "b"),
        ("datetime.date", "datetime.date(2026, 1, 31)", "2026-01-31"),
        ("list[str]", "['a']", ["a"]),
        ("Point", "Point(1.0)", {"x": 1.0, "y": 0.0}),
        ("np.ndarray", "np.zeros(2)", [0.0, 0.0]),
    ],
)
def test_a_default_is_shown_as_json(load, hint, default, shown) -> None:
    field = field_of(load, hint, default=f" = {default}")
    assert (field.default, field.required) == (shown, False)


def test_a_default_of_none_allows_null(load) -> None:
    field = field_of(load, "int", default=" = None")
    assert (field.nullable, field.required, field.default) == (True, False, None)


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("Network", "is Network, which cannot be a field. Possible are int, float"),
        ("list[Network]", "holds Network, which cannot be part of a field"),
        ("list[Image.Image]", "holds Image, which cannot be part of a field: let it be an argument of its own"),
        ("Image.Image | str", "which cannot be a field: Type unions containing a custom type may not contain"),
        ("typing.Callable[[], int]", "cannot be a field"),
        ("object", "is object, which cannot be a field"),
        ("typing", "is the module typing. Name the class in it"),
        ("NDArray[np.object_]", "is an array of object_. Name a type such as np.float32"),
        ("NDArray[np.floating]", "is an array of floating. Name a type such as np.float32"),
        ("Annotated[str, Meta(ge=0)]", "Can only set `ge` on a numeric type"),
        ("Annotated[Literal[1, 2], Meta(ge=0)]", "has limits and choices"),
        ("complex", "is complex, which cannot be a field"),
    ],
)
def test_a_hint_that_cannot_be_a_field_is_refused_with_what_is_possible(load, hint, said) -> None:
    with pytest.raises(TargetError) as caught:
        field_of(load, hint)
    assert "predict() in 'module.py', line " in caught.value.detail
    assert "argument 'x' " in caught.value.detail
    assert said in caught.value.detail
    assert "pandas.DataFrame, Any." in caught.value.detail


@pytest.mark.parametrize(
    ("hint", "default", "said"),
    [
        ("int", "'a'", "has the default 'a', which its hint does not allow: Expected `int`, got `str`"),
        ("Literal['a']", "'b'", "has the default 'b', which is none of its choices"),
        ("Annotated[int, Meta(ge=0)]", "-1", "has the default -1, which its hint does not allow"),
    ],
)
def test_a_default_must_be_what_the_hint_says(load, hint, default, said) -> None:
    with pytest.raises(TargetError) as caught:
        field_of(load, hint, default=f" = {default}")
    assert said in caught.value.detail


def test_an_example_must_be_what_the_hint_says(load) -> None:
    with pytest.raises(TargetError, match="has the example 'old', which its hint does not allow"):
        field_of(load, "Annotated[int, Meta(examples=['old'])]")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("x", "argument 'x' has no type hint. Write what it takes, as in `x: float`. Possible are int"),
        ("*xs: int", r"argument '\*xs' takes whatever comes"),
        ("x: int, **more: int", r"argument '\*\*more' takes whatever comes"),
        ("x: Nowhere", "the hint 'Nowhere' of argument 'x' cannot be evaluated: name 'Nowhere' is not defined"),
    ],
)
def test_arguments_that_cannot_be_fields_are_named(load, arguments, said) -> None:
    with pytest.raises(TargetError, match=said):
        load(f"def predict({arguments}) -> int: return 1")


@pytest.mark.parametrize(
    ("hint", "answers", "kind"),
    [
        ("float", AnswerType.VALUE, FieldType.NUMBER),
        ("None", AnswerType.VALUE, FieldType.OBJECT),
        ("list[NDArray[np.float32]]", AnswerType.VALUE, FieldType.OBJECT),
        ("dict[str, Image.Image]", AnswerType.VALUE, FieldType.OBJECT),
        ("Image.Image", AnswerType.VALUE, FieldType.IMAGE),
        ("pd.DataFrame", AnswerType.VALUE, FieldType.TABLE),
        ("Labels", AnswerType.LABELS, FieldType.OBJECT),
        ("Annotated[Boxes, 'in pixels'] | None", AnswerType.BOXES, FieldType.OBJECT),
        ("Segmentation", AnswerType.SEGMENTATION, FieldType.OBJECT),
        ("Iterator[str]", AnswerType.STREAM, FieldType.TEXT),
        ("typing.Generator[int, None, None]", AnswerType.STREAM, FieldType.INTEGER),
        ("AsyncIterator[Labels]", AnswerType.STREAM, FieldType.OBJECT),
    ],
)
def test_the_return_hint_says_how_it_is_answered(load, hint, answers, kind) -> None:
    signature = load(f"def predict(x: int) -> {hint}: ...")["predict"].signature
    assert (signature.answers, signature.outputs[0].type) == (answers, kind)
    assert signature.outputs[0].schema


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("", "predict() in 'module.py', line {line} does not say what it answers. Write it, as in `-> float`."),
        (" -> Network", "the answer is Network, which cannot be a field"),
        (" -> list[Labels]", "Labels, Boxes and a Segmentation are answered alone, not within another"),
        (" -> dict[str, Boxes | None]", "Labels, Boxes and a Segmentation are answered alone"),
        (" -> Nowhere", "the hint 'Nowhere' of the answer cannot be evaluated"),
    ],
)
def test_an_answer_must_be_said(load, hint, said) -> None:
    with pytest.raises(TargetError) as caught:
        load(f"{TYPES}\ndef predict(x: int){hint}: return 1")
    line = 12 + TYPES.count("\n") + 1
    assert said.format(line=line) in caught.value.detail


def test_a_model_of_pydantic_is_an_object_that_pydantic_reads(load, ask) -> None:
    pytest.importorskip("pydantic", reason="needs: pydantic")
    model = load(
        """
        from pydantic import BaseModel, Field

        class Visit(BaseModel):
            pages: int = Field(ge=0)

        def predict(visit: Visit) -> int:
            return visit.pages
        """
    )["predict"]
    assert model.signature.inputs[0].schema["properties"]["pages"]["minimum"] == 0
    good, bad = ask(model, {"visit": {"pages": 3}}, {"visit": {"pages": -1}})
    assert good == 3
    assert (bad.status, bad.problems[0].at) == (422, "$.visit.pages")
