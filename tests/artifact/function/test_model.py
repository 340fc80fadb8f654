"""Calling a function as a model: values in and out, batches, refusals, coroutines, streams."""

from __future__ import annotations

import asyncio
import datetime
import os
import threading

import numpy as np
import pytest
from PIL import Image

from flaskship.artifact.function import coroutines
from flaskship.errors import BadInput, PredictionFailed
from flaskship.results import Labels
from flaskship.schema import AnswerType, Task


def test_a_function_is_a_model_of_its_hints(load) -> None:
    model = load('def predict(age: int, name: str = "x") -> float:\n    """Knows."""\n    return 1.5')["predict"]
    assert model.signature.task is Task.FUNCTION
    assert model.signature.names == ("age", "name")
    assert model.signature.help == "Knows."
    assert (model.facts.framework, model.facts.kind, model.path, model.batch) == ("python", "predict", "/predict", 0)
    assert not model.streams
    assert model.thresholds == {}


def test_each_row_is_a_call_with_defaults_where_something_is_left_out(load, ask) -> None:
    model = load("def predict(a: int, /, b: int = 2, *, c: int = 3) -> list[int]: return [a, b, c]")["predict"]
    assert ask(model, {"a": 1}, {"a": 1, "b": 5}, {"a": 0, "c": 7}) == [[1, 2, 3], [1, 5, 3], [0, 2, 7]]


def test_no_two_calls_share_a_default_list(load, ask) -> None:
    model = load("def predict(x: int, seen: list[int] = []) -> list[int]: seen.append(x); return seen")["predict"]
    assert ask(model, {"x": 1}, {"x": 2}) == [[1], [2]]


def test_choices_arrive_as_members_and_are_answered_by_value(load, ask) -> None:
    model = load(
        """
        class Colour(enum.Enum):
            RED = "red"
            BLUE = "blue"
        class Corner(enum.Enum):
            TOP = (0, 0)
            END = (1, 1)

        def predict(colour: Colour = Colour.BLUE, corner: Corner | None = None) -> Colour | None:
            assert isinstance(colour, Colour) and corner in (None, *Corner)
            return None if corner is Corner.END else colour
        """
    )["predict"]
    assert ask(model, {"colour": "red"}, {}, {"corner": "END"}, {"corner": None}) == ["red", "blue", None, "blue"]


def test_bytes_are_the_contents_of_an_upload(load, ask, tmp_path) -> None:
    (tmp_path / "upload").write_bytes(b"abc")
    model = load("def predict(file: bytes) -> int: return len(file)")["predict"]
    assert ask(model, {"file": tmp_path / "upload"}) == [3]


def test_pictures_and_arrays_pass_as_they_are(load, ask) -> None:
    model = load("def predict(image: Image.Image, by: NDArray[np.float32]) -> Image.Image: return image")["predict"]
    image = Image.new("L", (2, 3))
    assert ask(model, {"image": image, "by": np.ones(3, np.float32)}) == [image]


@pytest.mark.parametrize(
    ("hint", "returned", "answered"),
    [
        ("float", "np.float32(0.5)", 0.5),
        ("float", "np.array(0.5)", 0.5),
        ("float", "1", 1),
        ("int", "np.int64(3)", 3),
        ("bool", "np.bool_(True)", True),
        ("list[float]", "np.array([0.5, 1.0])", [0.5, 1.0]),
        ("list[int]", "(1, 2)", (1, 2)),
        ("dict[str, None]", "{'a': None}", {"a": None}),
        ("np.ndarray | str", "'a'", "a"),
        ("str | int | None", "None", None),
        ("Literal['a', 'b']", "'a'", "a"),
    ],
)
def test_what_numpy_computes_is_answered_as_plain_values(load, ask, hint, returned, answered) -> None:
    found = ask(load(f"def predict(x: int) -> {hint}: return {returned}")["predict"], {"x": 1})[0]
    assert (found, type(found)) == (answered, type(answered))


@pytest.mark.parametrize(
    ("hint", "returned", "said"),
    [
        ("float", "'high'", r"predict\(\) returned a value of str, but its hint says float"),
        ("int", "1.5", "a value of float, but its hint says int"),
        ("int", "True", "a value of bool, but its hint says int"),
        ("str", "None", "returned None, but its hint says str"),
        ("Labels", "{'cat': 1.0}", "a value of dict, but its hint says Labels"),
        ("Literal['a']", "'b'", "a value of str, but its hint says"),
        ("dict[str, int]", "[1]", r"a value of list, but its hint says dict\[str, int\]"),
        ("Iterator[str]", "'text'", "a value of str, but its hint says an iterator"),
    ],
)
def test_an_answer_that_is_not_what_the_hint_says_is_told(load, ask, hint, returned, said) -> None:
    model = load(f"def predict(x: int) -> {hint}: return {returned}")["predict"]
    with pytest.raises(PredictionFailed, match=said):
        ask(model, {"x": 1})


def test_what_a_function_raises_is_told_with_its_name_and_chained(load, ask) -> None:
    model = load("class Model:\n    def predict(self, x: int) -> float: return 1 / x", "Model")["predict"]
    with pytest.raises(
        PredictionFailed, match=r"Model.predict\(\) raised ZeroDivisionError: division by zero"
    ) as caught:
        ask(model, {"x": 0})
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_function_that_ends_the_process_only_fails(load, ask) -> None:
    with pytest.raises(PredictionFailed, match="raised SystemExit: 3"):
        ask(load("def predict(x: int) -> int: raise SystemExit(3)")["predict"], {"x": 0})
    with pytest.raises(PredictionFailed, match="asked to end the process"):
        ask(load("async def predict(x: int) -> int: raise SystemExit(3)", file="b.py")["predict"], {"x": 0})
    assert coroutines.run(asyncio.sleep(0, "alive")) == "alive"


def test_a_row_that_is_refused_holds_its_refusal(load, ask) -> None:
    model = load("def predict(x: int) -> int:\n    if x < 0: raise BadInput('Too low.')\n    return x")["predict"]
    first, second = ask(model, {"x": 1}, {"x": -1})
    assert first == 1
    assert isinstance(second, BadInput)
    assert second.detail == "Too low."


BATCHED = """
calls = []

@endpoint(batch=3)
def predict(text: list[str], times: list[int | None]) -> list[str]:
    calls.append(len(text))
    if "boom" in text: raise ValueError("boom of " + ", ".join(text))
    if "no" in text: raise BadInput("No " + ", ".join(text))
    if "short" in text: return text[:-1]
    if "odd" in text: return "odd"
    if "wrong" in text: return [3 if each == "wrong" else each for each in text]
    return [BadInput("Bad.") if each == "bad" else each * (n or 1) for each, n in zip(text, times)]

@endpoint
def sizes(x: int) -> list[int]: return calls
"""


def rows(*texts):
    return [{"text": each, "times": 1} for each in texts]


def test_a_batched_function_takes_lists_of_up_to_its_batch(load, ask) -> None:
    models = load(BATCHED)
    assert ask(models["predict"], *rows("a", "b", "c", "d")) == ["a", "b", "c", "d"]
    assert ask(models["predict"], {"text": "e", "times": 2}, {"text": "f", "times": None}) == ["ee", "f"]
    assert ask(models["sizes"], {"x": 1}) == [[3, 1, 2]]


def test_a_plain_list_answers_a_batch(load, ask) -> None:
    found = load("@endpoint(batch=2)\ndef predict(x: list[int]) -> list: return [2 * each for each in x]")
    assert ask(found["predict"], {"x": 1}, {"x": 2}) == [2, 4]


def test_one_row_of_a_batch_may_be_refused_alone(load, ask) -> None:
    found = ask(load(BATCHED)["predict"], *rows("a", "bad", "c"))
    assert (found[0], found[2]) == ("a", "c")
    assert isinstance(found[1], BadInput)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("boom", r"predict\(\) raised ValueError"),
        ("no", r"predict\(\) refused 2 rows at once. Let it return a BadInput in the place"),
        ("short", r"predict\(\) returned 1 answers for 2 rows"),
        ("odd", r"predict\(\) returned a value of str for 2 rows. With `batch=` it is a list"),
        ("wrong", r"predict\(\) returned a value of int, but its hint says str"),
    ],
)
def test_a_batch_fails_as_a_whole(load, ask, word, said) -> None:
    with pytest.raises(PredictionFailed, match=said):
        ask(load(BATCHED)["predict"], *rows("secret", word))


def test_a_batch_of_one_may_be_refused(load, ask) -> None:
    found = ask(load(BATCHED)["predict"], *rows("no"))[0]
    assert isinstance(found, BadInput)
    assert found.detail == "No no"


def test_a_batch_of_arrays_may_be_answered_with_an_array(load, ask) -> None:
    model = load(
        """
        @endpoint(batch=8)
        async def predict(x: list[float]) -> list[Labels]:
            return [Labels({"low": 1 - each, "high": each}) for each in x]

        @endpoint(batch=8)
        def double(x: list[float]) -> list[float]:
            return np.array(x) * 2
        """
    )
    assert ask(model["predict"], {"x": 0.75}) == [Labels({"low": 0.25, "high": 0.75})]
    assert ask(model["double"], {"x": 1.0}, {"x": 2.0}) == [2.0, 4.0]


def test_the_sole_value_of_a_batched_default_stands_for_each_caller_who_leaves_it_out(load, ask) -> None:
    model = load(
        """
        from collections.abc import Sequence

        @endpoint(batch=8)
        def predict(x: list[int], y: Sequence[Annotated[int, Meta(le=9)]] = (3,)) -> list[int | BadInput]:
            return [a * b if a else BadInput("not 0") for a, b in zip(x, y, strict=True)]
        """
    )["predict"]
    assert [(each.name, each.required, each.default) for each in model.signature.inputs] == [
        ("x", True, None),
        ("y", False, 3),
    ]
    *answers, refused = ask(model, {"x": 1}, {"x": 2, "y": 5}, {"x": 0})
    assert answers == [3, 10]
    assert refused.detail == "not 0"


def test_what_cannot_be_batched_is_said_at_start(load) -> None:
    from flaskship.errors import TargetError

    for source, said in [
        ("def predict(x: int) -> list[int]: ...", r"argument 'x' is int, but with `batch=` every argument arrives as"),
        ("def predict(x: list[int] = 1) -> list[int]: ...", "has the default 1, but arrives as a list"),
        ("def predict(x: list[int] = []) -> list[int]: ...", r"has the default \[\], but arrives as a list"),
        ("def predict() -> list[int]: ...", r"takes no argument: there is nothing to batch. Leave `batch=` out"),
        ("def predict(x: list[int]) -> int: ...", "the answer is int, but with `batch=` it is a list as long"),
        ("def predict(x: list[int]) -> Iterator[int]: ...", "with `batch=` it is a list as long"),
        ("def predict(x: list[int]) -> list[Iterator[int]]: ...", "what is batched cannot be streamed"),
    ]:
        with pytest.raises(TargetError, match=said):
            load(f"@endpoint(batch=4)\n{source}")


def test_an_asynchronous_function_answers_all_rows_of_a_request_at_the_same_time(load, ask) -> None:
    model = load(
        """
        import asyncio
        waiting, both = 0, asyncio.Event()

        async def predict(x: int) -> int:
            global waiting
            waiting += 1
            if waiting == 2: both.set()
            await asyncio.wait_for(both.wait(), 60)
            if x < 0: raise BadInput("Too low.")
            return x * 2
        """
    )["predict"]
    first, second = ask(model, {"x": 3}, {"x": -1})
    assert first == 6
    assert isinstance(second, BadInput)


def test_coroutines_share_one_loop_whatever_thread_asks() -> None:
    async def loop() -> int:
        return id(asyncio.get_running_loop())

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(coroutines.run(loop()))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_a_loop_of_its_own() -> None:
    coroutines.run(asyncio.sleep(0))
    child = os.fork()
    if not child:
        os._exit(coroutines.run(asyncio.sleep(0, 7)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


STREAMS = """
closed = []

@endpoint
def words(text: str) -> Iterator[str]:
    if not text: raise BadInput("No text.")
    try:
        for each in text.split():
            if each == "boom": raise ValueError("of the inside")
            yield 3 if each == "three" else each
    finally:
        closed.append("words")

@endpoint
async def later(text: str) -> AsyncIterator[str]:
    if not text: raise BadInput("No text.")
    try:
        for each in text.split():
            if each == "boom": raise ValueError("of the inside")
            yield 3 if each == "three" else each
    finally:
        closed.append("later")

@endpoint
def ended(x: int) -> list[str]: return closed
"""


@pytest.mark.parametrize("name", ["words", "later"])
def test_a_generator_is_an_iterator_that_can_be_closed(load, ask, name) -> None:
    models = load(STREAMS)
    model = models[name]
    assert model.streams
    assert model.signature.answers is AnswerType.STREAM
    assert list(ask(model, {"text": "a b c"})[0]) == ["a", "b", "c"]
    assert ask(models["ended"], {"x": 1}) == [[name]]
    stream = ask(model, {"text": "a b c"})[0]
    assert next(stream) == "a"
    stream.close()
    assert list(stream) == []
    assert ask(models["ended"], {"x": 1}) == [[name, name]]


@pytest.mark.parametrize("name", ["words", "later"])
def test_a_stream_refuses_before_its_first_item_and_fails_amid(load, ask, name) -> None:
    model = load(STREAMS)[name]
    refused = ask(model, {"text": ""})[0]
    assert isinstance(refused, BadInput)
    stream = ask(model, {"text": "a boom"})[0]
    assert next(stream) == "a"
    with pytest.raises(PredictionFailed, match=rf"{name}\(\) raised ValueError: of the inside"):
        next(stream)
    stream = ask(model, {"text": "a three"})[0]
    assert next(stream) == "a"
    with pytest.raises(PredictionFailed, match=rf"{name}\(\) returned a value of int, but its hint says str"):
        next(stream)


def test_an_empty_stream_ends_at_once(load, ask) -> None:
    model = load("def predict(x: int) -> Iterator[int]: yield from range(x)")["predict"]
    empty, full = ask(model, {"x": 0}, {"x": 2})
    assert (list(empty), list(full)) == ([], [0, 1])


def test_a_file_that_is_answered_is_a_data_url(load, ask, tmp_path) -> None:
    (tmp_path / "out.txt").write_text("hello")
    model = load("def predict(x: int) -> pathlib.Path | None: return pathlib.Path('out.txt').absolute() if x else None")
    assert ask(model["predict"], {"x": 0}) == [None]
    with pytest.raises(PredictionFailed, match=r"predict\(\) raised FileNotFoundError"):  # it is called elsewhere
        ask(model["predict"], {"x": 1})
    model = load(
        f"def predict(x: int) -> pathlib.Path: return pathlib.Path({str(tmp_path)!r}) / 'out.txt'", file="b.py"
    )
    assert ask(model["predict"], {"x": 1}) == ["data:text/plain;base64,aGVsbG8="]


def test_labels_in_a_stream_are_plain_objects(load, ask) -> None:
    model = load("def predict(x: int) -> Iterator[Labels]: yield Labels({'a': 0.5})")["predict"]
    assert list(ask(model, {"x": 0})[0]) == [{"prediction": "a", "probabilities": {"a": 0.5}}]


def test_an_array_is_answered_as_it_is_where_the_hint_allows_it(load, ask) -> None:
    for hint in ("np.ndarray | str", "np.ndarray", "Any"):
        found = ask(load(f"def predict(x: int) -> {hint}: return np.ones(2)")["predict"], {"x": 0})[0]
        assert isinstance(found, np.ndarray)


def test_an_answer_may_hold_what_no_reader_could_tell_apart(load, ask) -> None:
    hint = "dict[str, datetime.date | str | None]"
    models = load(f"import datetime\n@endpoint\ndef day(x: int) -> {hint}: return {{'day': datetime.date(2026, 1, x)}}")
    assert ask(models["day"], {"x": 2}) == [{"day": datetime.date(2026, 1, 2)}]
    assert models["day"].signature.outputs[0].schema == {}
