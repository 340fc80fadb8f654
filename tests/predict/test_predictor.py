from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from containers import DEADLINE, wait_until

from flaskship.errors import BadInput, PredictionFailed, Problem
from flaskship.predict.predictor import Predictor
from flaskship.schema import Answer, AnswerType, Array, Columns, Facts, Field, FieldType, Signature, Task

AGE = Field(name="age", low=17, high=123, seen="in training")
CITY = Field(name="city", type=FieldType.TEXT, choices=("Bonn", "Köln"), seen="in the sample", nullable=True)


def total(columns: Columns) -> Answer:
    return Answer(values=(sum(column for column in columns.values() if column.dtype != object),))


@dataclass
class Model:
    """A model of one function."""

    inputs: tuple[Field, ...]
    predict: Callable[[Columns], Answer] = total
    thresholds: Mapping[str, Array] = field(default_factory=dict)
    facts: Facts = Facts(framework="none", kind="Model")
    native: None = None
    task: Task = Task.REGRESSION
    answers: AnswerType = AnswerType.VALUE

    @property
    def signature(self) -> Signature:
        return Signature(task=self.task, inputs=self.inputs, answers=self.answers)


@pytest.fixture(params=[True, False], ids=["fast", "slow"])
def fast(request: pytest.FixtureRequest) -> bool:
    return request.param


def test_both_ways_answer_alike_and_are_observed(fast):
    calls = []
    predictor = Predictor(Model((AGE,)), fast=fast, observe=lambda *call: calls.append(call))
    assert predictor({"age": np.array([1.0, 2.0])}).values[0].tolist() == [1, 2]
    assert predictor({"age": np.array([3.0])}).values[0].tolist() == [3]
    assert [call[:2] for call in calls] == [(2, 1), (1, 1)]
    assert all(call[2] >= 0 for call in calls)


def test_what_the_model_raises_is_chained_and_not_told(fast):
    def raises(columns: Columns) -> Answer:
        raise KeyError("secret")

    with pytest.raises(PredictionFailed) as caught:
        Predictor(Model((AGE,), raises), fast=fast)({"age": np.array([1.0])})
    assert isinstance(caught.value.__cause__, KeyError)
    assert "secret" not in caught.value.detail


def test_bad_input_of_the_model_stays_bad_input(fast):
    def refuses(columns: Columns) -> Answer:
        raise BadInput("no such word")

    with pytest.raises(BadInput, match="no such word"):
        Predictor(Model((AGE,), refuses), fast=fast)({"age": np.array([1.0])})


def test_a_wrong_number_of_rows_is_a_failure(fast):
    model = Model((AGE,), lambda columns: Answer(values=(np.zeros(3),)))
    with pytest.raises(PredictionFailed, match="answered 3 rows for 2"):
        Predictor(model, fast=fast)({"age": np.array([1.0, 2.0])})


def test_a_slow_model_goes_through_a_batcher_with_these_limits():
    batcher = Predictor(Model((AGE,)), fast=False, max_batch=7, max_queue=3, timeout=2).batcher
    assert (batcher.max_batch, batcher.max_queue, batcher.timeout) == (7, 3, 2)
    assert Predictor(Model((AGE,))).batcher is None


def test_parts_of_a_large_request_are_no_larger_than_a_batch_where_fields_are_tensors():
    image = Field(name="image", shape=(8, 8))
    assert Predictor(Model((image,)), fast=False, max_batch=7).batcher.max_alone == 7
    assert Predictor(Model((AGE,)), fast=False, max_batch=7).batcher.max_alone > 7


@pytest.mark.parametrize("value", [17.0, 123.0, 30.0, np.nan])
def test_nothing_is_said_of_a_value_in_range_or_of_null(value):
    predictor = Predictor(Model((AGE, CITY)))
    assert predictor.warnings({"age": np.array([value]), "city": np.array([None], dtype=object)}) == []
    both = {"age": np.array([value, 20]), "city": np.array(["Bonn", None], dtype=object)}
    assert predictor.warnings(both) == []


def test_one_row_outside_is_told_with_its_value():
    predictor = Predictor(Model((AGE, CITY)))
    assert predictor.warnings({"age": np.array([200.0]), "city": np.array(["Ulm"], dtype=object)}) == [
        "'age' is 200, outside the 17 to 123 seen in training.",
        "'city' is 'Ulm', not among the 2 choices seen in the sample.",
    ]


def test_many_rows_outside_are_counted_and_the_first_are_named():
    predictor = Predictor(Model((AGE, CITY)))
    columns = {
        "age": np.array([20.0, 200, -1, np.nan, 300, 400]),
        "city": np.array(["Ulm"] + ["Bonn"] * 5, dtype=object),
    }
    assert predictor.warnings(columns) == [
        "'age' is outside the 17 to 123 seen in training in 4 of 6 rows (row 2, 3, 5, …; the first is 200).",
        "'city' is not among the 2 choices seen in the sample in 1 of 6 rows (row 1; the first is 'Ulm').",
    ]


@pytest.mark.parametrize(
    ("limits", "says"),
    [({"low": 0}, "'x' is -5, below the 0 expected."), ({"high": -9}, "'x' is -5, above the -9 expected.")],
)
def test_a_range_may_be_open_to_one_side(limits, says):
    predictor = Predictor(Model((Field(name="x", type=FieldType.INTEGER, **limits),)))
    assert predictor.warnings({"x": np.array([-5])}) == [says]


def test_soft_choices_of_numbers_are_told_too():
    predictor = Predictor(Model((Field(name="k", type=FieldType.INTEGER, choices=(0, 1), nullable=True),)))
    assert predictor.warnings({"k": np.array([1.0, np.nan])}) == []
    assert predictor.warnings({"k": np.array([2.0])}) == ["'k' is 2, not among the 2 choices seen."]


@pytest.mark.parametrize("rows", [1, 3])
def test_values_far_from_a_trees_splits_are_told_by_model_or_signature(rows):
    columns = {"income": np.full(rows, 3571.0)}
    by_model = Model((Field(name="income"),), thresholds={"income": np.array([-1.6, 0.2, 1.9])})
    by_signature = Model((Field(name="income", splits=(-1.6, 1.9)),))
    for model in (by_model, by_signature):
        (sentence,) = Predictor(model).warnings(columns)
        assert sentence.startswith("'income' is 3571, far from the -1.6 to 1.9 that the model splits on")
        assert Predictor(model).warnings({"income": np.full(rows, 1.0)}) == []


WORD = Field(name="word", type=FieldType.TEXT, boxed=True, choices=("a", "b"))


def words(*values: str) -> Columns:
    return {"word": np.array([*values, None], dtype=object)[:-1]}


def function(columns: Columns) -> Answer:
    """Refuses `bad` in its place, and fails for `worse`."""
    if "worse" in columns["word"]:
        raise KeyError("secret")
    found = [
        BadInput(f"No {word!r}.", [Problem("$.word", "No.")]) if word == "bad" else word.upper()
        for word in columns["word"]
    ]
    return Answer(values=(np.array([*found, None], dtype=object)[:-1],))


def called(fast: bool, predict: Callable[[Columns], Answer] = function, **more: Any) -> Predictor:
    return Predictor(Model((WORD,), predict, task=Task.FUNCTION, **more), fast=fast, max_batch=0 if fast else 2)


def test_what_a_function_refuses_in_an_answers_place_is_its_callers_error(fast):
    predictor = called(fast)
    assert predictor(words("x")).values[0].tolist() == ["X"]
    with pytest.raises(BadInput, match="No 'bad'"):
        predictor(words("bad"))
    with pytest.raises(BadInput) as caught:
        predictor(words("x", "bad", "y", "bad"))
    assert [each.at for each in caught.value.problems] == ["$[1].word", "$[3].word"]
    with pytest.raises(PredictionFailed) as failed:
        predictor(words("worse"))
    assert "secret" not in failed.value.detail


def test_a_function_is_given_no_more_rows_than_it_takes_at_once():
    given = []

    def predict(columns: Columns) -> Answer:
        given.append(len(columns["word"]))
        return function(columns)

    assert called(False, predict)(words(*"abcde")).values[0].tolist() == list("ABCDE")
    assert given == [2, 2, 1]


def test_functions_that_are_not_batched_run_at_the_same_time():
    both = threading.Barrier(2, timeout=DEADLINE)

    def predict(columns: Columns) -> Answer:
        both.wait()
        return function(columns)

    predictor = called(True, predict)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(predictor, [words("a"), words("b")]))
    assert [each.values[0].tolist() for each in found] == [["A"], ["B"]]


def test_callers_of_a_batched_function_are_joined_and_only_the_refused_one_is_refused():
    begun, go, given = threading.Semaphore(0), threading.Semaphore(0), list[list[str]]()

    def predict(columns: Columns) -> Answer:
        given.append(columns["word"].tolist())
        begun.release()
        assert go.acquire(timeout=DEADLINE)
        return function(columns)

    predictor = called(False, predict)
    assert predictor.batcher is not None
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(predictor, words("a"))
        assert begun.acquire(timeout=DEADLINE)
        others = [pool.submit(predictor, words(word)) for word in ("bad", "c")]
        wait_until(lambda: predictor.batcher.waiting == 2, "two callers in the queue")
        go.release(2)
        assert first.result(DEADLINE).values[0].tolist() == ["A"]
        assert {type(each.exception(DEADLINE)) for each in others} == {BadInput, type(None)}
    assert sorted(given[1]) == ["bad", "c"]


def test_a_stream_is_passed_on_as_it_is_and_has_one_row():
    stream = iter("ab")
    predictor = called(True, lambda columns: Answer(values=(np.array([stream, None])[:-1],)), answers=AnswerType.STREAM)
    assert predictor(words("a")).values[0][0] is stream
    with pytest.raises(BadInput, match="one row at a time"):
        predictor(words("a", "b"))


def test_a_function_has_no_warnings(fast):
    assert called(fast).warnings(words("far")) == []
