from __future__ import annotations

import json

import numpy as np
import pytest

from flaskship.predict.codec import Codec
from flaskship.schema import Answer, Field, FieldType, Output, Signature, Task

INPUTS = (Field(name="x"),)


def codec(task: Task, **more: object) -> Codec:
    return Codec(Signature(task=task, inputs=INPUTS, **more))


def both(by: Codec, answer: Answer) -> object:
    """The answer as one row, which must be as it is among many."""
    one = json.loads(by.encode(answer[:1], single=True))
    assert json.loads(by.encode(answer, single=False))["predictions"][0] == one
    assert by.results(answer)[0] == one
    return one


@pytest.mark.parametrize(
    ("labels", "keys"),
    [
        (np.array([0, 1]), ["0", "1"]),
        (np.array(["no", "ja"], dtype=object), ["no", "ja"]),
        (np.array(["no", "ja"]), ["no", "ja"]),
        (np.array([False, True]), ["false", "true"]),
        (np.array([0.5, 1.0]), ["0.5", "1.0"]),
    ],
)
def test_labels_keep_their_type_and_name_the_probabilities(labels, keys):
    by = codec(Task.CLASSIFICATION, classes=tuple(labels.tolist()), probabilities=True)
    answer = Answer(values=(labels,), probabilities=np.array([[0.97, 0.03], [0.1, 0.9]]))
    one = both(by, answer)
    assert one == {
        "prediction": labels[0].item() if isinstance(labels[0], np.generic) else labels[0],
        "probabilities": dict(zip(keys, [0.97, 0.03], strict=True)),
    }
    assert type(one["prediction"]) is type(labels.tolist()[0])


def test_one_row_is_these_bytes():
    by = codec(Task.CLASSIFICATION, classes=(0, 1), probabilities=True)
    answer = Answer(values=(np.array([0]),), probabilities=np.array([[0.97, 0.03]]))
    assert by.encode(answer, single=True) == b'{"prediction":0,"probabilities":{"0":0.97,"1":0.03}}'
    assert by.encode(answer, single=False) == (
        b'{"predictions":[{"prediction":0,"probabilities":{"0":0.97,"1":0.03}}]}'
    )


def test_several_outputs_go_by_name():
    by = codec(Task.MULTIOUTPUT, outputs=(Output(name="y0"), Output(name="y1", type=FieldType.INTEGER)))
    assert both(by, Answer(values=(np.array([1.5, 2]), np.array([0, 1])))) == {"prediction": {"y0": 1.5, "y1": 0}}


def test_an_outlier_has_a_score():
    by = codec(Task.OUTLIER, score=True)
    assert both(by, Answer(values=(np.array([-1, 1]),), score=np.array([-0.12, 0.2]))) == {
        "prediction": -1,
        "score": -0.12,
    }


def test_what_is_not_finite_is_null():
    by = codec(Task.TRANSFORM, outputs=(Output(name="a"), Output(name="b", shape=(2,))), score=True)
    answer = Answer(values=(np.array([np.nan]), np.array([[np.inf, 1]])), score=np.array([-np.inf]))
    assert both(by, answer) == {"prediction": {"a": None, "b": [None, 1.0]}, "score": None}
    plain = codec(Task.REGRESSION)
    assert plain.encode_values(Answer(values=(np.array([np.nan, 1.5]),))) == b"[null,1.5]"


def test_tensors_are_nested_lists():
    by = codec(Task.REGRESSION, outputs=(Output(name="prediction", shape=(2, 2)),))
    assert both(by, Answer(values=(np.arange(8.0).reshape(2, 2, 2),))) == {"prediction": [[0.0, 1.0], [2.0, 3.0]]}


def test_numpy_scalars_in_an_object_column_are_plain_json():
    values = np.array([np.str_("a"), np.int64(3), np.float32(0.5), np.bool_(True)], dtype=object)
    by = codec(Task.CLASSIFICATION)
    assert by.encode_values(Answer(values=(values,))) == b'["a",3,0.5,true]'
    assert by.encode(Answer(values=(values[:1],)), single=True) == b'{"prediction":"a"}'


def test_warnings_stand_beside_the_answer_where_there_are_any():
    by, answer = codec(Task.REGRESSION), Answer(values=(np.array([1.0]),))
    assert by.encode(answer, single=True, warnings=["w"]) == b'{"prediction":1.0,"warnings":["w"]}'
    assert by.encode(answer, single=False, warnings=["w"]) == b'{"predictions":[{"prediction":1.0}],"warnings":["w"]}'


def test_floats_have_the_shortest_text_that_reads_back_the_same():
    numbers = np.random.default_rng(7).normal(size=200) * 10.0 ** np.arange(-100, 100)
    by = codec(Task.REGRESSION)
    found = json.loads(by.encode_values(Answer(values=(numbers,))))
    assert found == numbers.tolist()
    assert by.encode(Answer(values=(np.array([0.1]),)), single=True) == b'{"prediction":0.1}'
