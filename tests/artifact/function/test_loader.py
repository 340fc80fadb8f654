"""Which functions of a module are served, and how it is loaded: in place, once, with errors that say where."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flaskship.artifact import function
from flaskship.errors import MissingExtra, TargetError

SHAPES = """
class Shapes:
    "Finds shapes."
    made = 0

    def __init__(self) -> None:
        Shapes.made += 1

    @endpoint("/segmentapi")
    def segment(self, x: int) -> int:
        return Shapes.made

    @endpoint(name="counter", batch=2)
    def count(self, x: list[int]) -> list[int]:
        return [id(self) for _ in x]

@endpoint
def ready(x: int) -> bool: return True
"""


def test_all_that_is_marked_is_served_in_its_order(load, ask) -> None:
    models = load(SHAPES)
    assert [(name, each.name, each.path, each.batch) for name, each in models.items()] == [
        ("segment", "segment", "/segmentapi", 0),
        ("counter", "counter", "/counter", 2),
        ("ready", "ready", "/ready", 0),
    ]
    assert models["segment"].facts.kind == "Shapes.segment"
    assert (models["segment"].signature.help, models["ready"].signature.help) == ("Finds shapes.", "")


def test_a_class_is_instantiated_once_and_its_methods_share_the_instance(load, ask, tmp_path) -> None:
    models = load(SHAPES)
    again = function.load(tmp_path, "module.py", "Shapes")
    assert list(again) == ["segment", "counter"]
    assert ask(again["segment"], {"x": 1}) == [1]
    assert ask(again["counter"], {"x": 1}) == ask(models["counter"], {"x": 1})


@pytest.mark.parametrize(
    ("source", "attribute", "names"),
    [
        ("def predict(x: int) -> int: ...\ndef other(x: int) -> int: ...", "", ["predict"]),
        ("def _inner(x: int) -> int: ...\ndef untyped(x): ...\ndef score(x: int) -> int: ...", "", ["score"]),
        ("class Model:\n    def predict(self, x: int) -> int: ...", "", ["predict"]),
        ("class Model:\n    def __call__(self, x: int) -> int: ...", "Model", ["predict"]),
        ("class Model:\n    def score(self, x: int) -> int: ...\nmodel = Model()", "model.score", ["score"]),
        ("class Model:\n    def __call__(self, x: int) -> int: ...\nmodel = Model()", "model", ["predict"]),
        ("def a(x: int) -> int: ...\ndef b(x: int) -> int: ...", "b", ["b"]),
        (SHAPES, "Shapes.segment", ["segment"]),
        (SHAPES, "ready", ["ready"]),
        ("import functools\ndef f(x: int, y: int) -> int: ...\ng = functools.partial(f, y=1)", "g", ["g"]),
        ("import functools\n@functools.lru_cache\ndef f(x: int) -> int: ...", "f", ["f"]),
        ("class A:\n    @staticmethod\n    @endpoint\n    def f(x: int) -> int: ...", "", ["f"]),
    ],
)
def test_what_is_served_without_marks_or_by_name(load, source, attribute, names) -> None:
    assert list(load(source, attribute)) == names


@pytest.mark.parametrize(
    ("source", "attribute", "said"),
    [
        ("", "", "'module.py' has no function. Mark what is to be served with @endpoint"),
        ("def f(x): ...", "", "'module.py' has one function, 'f'. Give 'f' arguments with type hints, as in"),
        (
            "def f(x: int) -> int: ...\ndef g(x: int) -> int: ...",
            "",
            "'module.py' has the functions 'f', 'g'. Mark what is to be served with @endpoint, or name it, as in",
        ),
        (SHAPES, "Shape", "'module.py' has no 'Shape'. Did you mean 'Shapes'?"),
        (SHAPES, "Shapes.find", "The class 'Shapes' in 'module.py' has no method 'find'"),
        (SHAPES, "ready.x", "'ready' in 'module.py' is a function: it has no 'x'"),
        ("class A: ...\na = A()", "a", "'a' in 'module.py' is neither a function nor a class with a method"),
        ("from numpy import sqrt", "sqrt", "argument '*args' takes whatever comes"),
        ("from math import sqrt", "sqrt", "sqrt(): argument 'x' has no type hint"),
        ("class A:\n    x = 1", "A", "'A' in 'module.py' is neither a function nor a class with a method that answers"),
        (
            "@endpoint\ndef f(x: int) -> int: ...\n@endpoint(name='f')\ndef g(x: int) -> int: ...",
            "",
            "two endpoints named",
        ),
        (
            "@endpoint('/g')\ndef f(x: int) -> int: ...\n@endpoint\ndef g(x: int) -> int: ...",
            "",
            "two endpoints at '/g'",
        ),
        (
            "@endpoint\ndef metrics(x: int) -> int: ...",
            "",
            "'metrics' in 'module.py' would be at /metrics, which every",
        ),
        ("@endpoint('/v2/x')\ndef f(x: int) -> int: ...", "", "'f' in 'module.py' would be at /v2"),
        (
            "class A:\n    def __init__(self, path): ...\n    def predict(self, x: int) -> int: ...",
            "A",
            "The class 'A' in 'module.py' is made without arguments, but asks for 'path'. Give each a default",
        ),
    ],
)
def test_what_cannot_be_served_is_said(load, source, attribute, said) -> None:
    with pytest.raises(TargetError) as caught:
        load(source, attribute)
    assert said in caught.value.detail


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ("def predict(x: int -> int: ...", TargetError, "'module.py' cannot be parsed: "),
        (
            "1 / 0\ndef predict(x: int) -> int: ...",
            TargetError,
            "raised ZeroDivisionError: division by zero. See 'module",
        ),
        (
            "raise SystemExit\ndef predict(x: int) -> int: ...",
            TargetError,
            "'module.py' ends the program when it is load",
        ),
        (
            "import nowhere\ndef predict(x: int) -> int: ...",
            MissingExtra,
            "'module.py' needs the module 'nowhere', which",
        ),
        ("@endpoint('x')\ndef predict(x: int) -> int: ...", TargetError, "'x' cannot be an endpoint's path"),
        (
            "class Model:\n    def __init__(self): open('none.bin')\n    def predict(self, x: int) -> int: ...",
            TargetError,
            "Model() raised FileNotFoundError: [Errno 2] No such file or directory: 'none.bin'. See 'module.py'",
        ),
    ],
)
def test_what_a_module_raises_is_said_with_its_line(load, source, error, said) -> None:
    with pytest.raises(error) as caught:
        load(source, "predict" if "def predict" in source.partition("\n")[0] else "")
    assert said in caught.value.detail
    assert "See 'module.py', line 1" in caught.value.detail


def test_a_module_is_loaded_where_it_lies_and_what_it_prints_is_talk(load, ask, tmp_path, capsys, monkeypatch) -> None:
    (tmp_path / "weights.txt").write_text("7")
    (tmp_path / "beside.py").write_text("from pathlib import Path\nSEVEN = int(Path('weights.txt').read_text())")
    here = Path.cwd()
    model = load("print('loading')\nfrom beside import SEVEN\ndef predict(x: int) -> int: return SEVEN")["predict"]
    assert ask(model, {"x": 1}) == [7]
    assert Path.cwd() == here
    assert capsys.readouterr() == ("", "loading\n")
    assert sys.path[0] == str(tmp_path)


def test_a_module_in_a_package_has_its_packages_name(tmp_path, ask) -> None:
    package = tmp_path / "shop_of_this_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "sizes.py").write_text("SIZE = 4")
    (package / "score.py").write_text(
        "from .sizes import SIZE\ndef predict(x: int) -> str: return f'{__name__} {SIZE}'"
    )
    model = function.load(tmp_path, "shop_of_this_test/score.py")["predict"]
    assert ask(model, {"x": 1}) == ["shop_of_this_test.score 4"]


def test_modules_of_one_name_in_two_folders_do_not_meet(tmp_path, ask) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.py").write_text(f"NAME = {name!r}")
        (tmp_path / name / "app.py").write_text("from weights import NAME\ndef predict(x: int) -> str: return NAME")
    models = [function.load(tmp_path / name, "app.py")["predict"] for name in ("one", "two")]
    assert [ask(each, {"x": 1})[0] for each in models] == ["one", "two"]


def test_a_file_named_like_a_module_of_pythons_hides_it_from_nobody(tmp_path, ask) -> None:
    import statistics

    (tmp_path / "statistics.py").write_text("def predict(x: int) -> int: return 5")
    assert ask(function.load(tmp_path, "statistics.py")["predict"], {"x": 1}) == [5]
    assert sys.modules["statistics"] is statistics


def test_a_file_that_changed_is_loaded_anew(load, ask) -> None:
    assert ask(load("def predict(x: int) -> int: return 1")["predict"], {"x": 1}) == [1]
    assert ask(load("def predict(x: int) -> int: return 22")["predict"], {"x": 1}) == [22]


def test_a_package_without_an_init_file_is_one(tmp_path, ask) -> None:
    folder = tmp_path / "plain_of_this_test"
    folder.mkdir()
    (folder / "sizes.py").write_text("SIZE = 4")
    source = "from plain_of_this_test.sizes import SIZE\ndef predict(x: int) -> str: return f'{__name__} {SIZE}'"
    (folder / "score.py").write_text(source)
    model = function.load(tmp_path, "plain_of_this_test/score.py")["predict"]
    assert ask(model, {"x": 1}) == ["plain_of_this_test.score 4"]


def test_a_class_with_coroutines_is_made_on_the_loop_on_which_these_run(load, ask) -> None:
    model = load(
        """
        import asyncio

        class Model:
            def __init__(self) -> None:
                self.loop = asyncio.get_running_loop()

            async def predict(self, x: int) -> bool:
                return self.loop is asyncio.get_running_loop()
        """
    )["predict"]
    assert ask(model, {"x": 1}) == [True]


def test_static_and_class_methods_are_endpoints_as_any(load, ask) -> None:
    models = load(
        """
class Kinds:
    "Of kinds."

    @staticmethod
    @endpoint
    def twice(x: int) -> int: return 2 * x

    @endpoint
    @classmethod
    def named(cls, x: int) -> str: return cls.__name__ * x
"""
    )
    assert [ask(models[name], {"x": 2}) for name in ("twice", "named")] == [[4], ["KindsKinds"]]
    assert [each.signature.help for each in models.values()] == ["", "Of kinds."]
