"""ONNX files of other tools, built here node by node, and how compiled graphs say what they are."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from flaskship.artifact.onnx import loader, model
from flaskship.artifact.onnx.graph import GraphFacts, read
from flaskship.artifact.onnx.model import Bindings, Input, Result, Role
from flaskship.artifact.sniff import Format, Sniffed
from flaskship.errors import BundleError, NotRecognised, PredictionFailed
from flaskship.schema import Facts, Field, FieldType, Signature, Task

FLOAT, DOUBLE, INT64, STRING = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.STRING
FACTS = Facts(framework="scikit-learn", kind="LogisticRegression")


@pytest.fixture
def graph(tmp_path):
    """Loads a file's bytes, or a graph: nodes, inputs and outputs as (name, type, shape), constants by name."""

    def make(first, *rest):
        path = tmp_path / "model.onnx"
        path.write_bytes(build(first, *rest) if rest else first)
        return loader.load(Sniffed(path=path, format=Format.ONNX, detail="opset 19"))

    return make


def build(nodes, inputs, outputs, constants=(), metadata=None):
    infos = [[helper.make_tensor_value_info(*each) for each in group] for group in (inputs, outputs)]
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in dict(constants).items()]
    opsets = [helper.make_opsetid("", 19), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(helper.make_graph(nodes, "g", *infos, initializers), opset_imports=opsets, ir_version=9)
    helper.set_model_props(made, metadata or {})
    return made.SerializeToString()


def linear(**attributes):
    return helper.make_node("LinearClassifier", ["X"], ["label", "scores"], domain="ai.onnx.ml", **attributes)


def classifier(**labels):
    return linear(coefficients=[1.0, -1.0, -1.0, 1.0], intercepts=[0.0, 0.0], post_transform="SOFTMAX", **labels)


def test_a_matrix_becomes_fields_by_number(graph):
    nodes, weights = [helper.make_node("MatMul", ["X", "w"], ["y"])], {"w": np.ones((3, 1))}
    model = graph(nodes, [("X", DOUBLE, [None, 3])], [("y", DOUBLE, [None, 1])], weights)
    assert model.signature.names == ("x0", "x1", "x2")
    assert model.signature.task is Task.REGRESSION
    answer = model.predict({"x0": np.array([1.0, 2.0]), "x1": np.array([10.0, 20.0]), "x2": np.array([0.5, 0.5])})
    assert answer.values[0].tolist() == [11.5, 22.5]


def test_an_input_for_each_column_keeps_names_and_types(graph):
    nodes = [
        helper.make_node("Cast", ["age"], ["number"], to=DOUBLE),
        helper.make_node(
            "LabelEncoder", ["city"], ["code"], domain="ai.onnx.ml", keys_strings=["a", "b"], values_floats=[1.0, 2.0]
        ),
        helper.make_node("Cast", ["code"], ["place"], to=DOUBLE),
        helper.make_node("Add", ["number", "place"], ["y"]),
    ]
    model = graph(nodes, [("age", INT64, [None, 1]), ("city", STRING, [None, 1])], [("y", DOUBLE, [None, 1])])
    assert [field.type for field in model.signature.inputs] == [FieldType.INTEGER, FieldType.TEXT]
    answer = model.predict({"age": np.array([40, 50]), "city": np.array(["a", "b"], object)})
    assert answer.values[0].tolist() == [41.0, 52.0]


def test_labels_of_text_come_from_the_graph(graph):
    model = graph(
        [classifier(classlabels_strings=["no", "yes"])],
        [("X", FLOAT, [None, 2])],
        [("label", STRING, [None]), ("scores", FLOAT, [None, 2])],
    )
    assert model.signature.classes == ("no", "yes")
    assert model.signature.probabilities
    assert model.facts.float32
    answer = model.predict({"x0": np.array([3.0]), "x1": np.array([0.0])})
    assert answer.values[0].tolist() == ["no"]
    np.testing.assert_allclose(answer.probabilities, [[1 / (1 + np.exp(-6)), 1 / (1 + np.exp(6))]], rtol=1e-5)


def test_a_zipmap_is_read_by_its_keys(graph):
    nodes = [
        classifier(classlabels_ints=[3, 7]),
        helper.make_node("ZipMap", ["scores"], ["probability"], domain="ai.onnx.ml", classlabels_int64s=[3, 7]),
    ]
    maps = helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, []))
    output = helper.make_value_info("probability", helper.make_sequence_type_proto(maps))
    content = onnx.load_from_string(build(nodes, [("X", FLOAT, [None, 2])], [("label", INT64, [None])]))
    content.graph.output.append(output)
    model = graph(content.SerializeToString())
    assert model.signature.classes == (3, 7)
    answer = model.predict({"x0": np.array([0.0, 3.0]), "x1": np.array([3.0, 0.0])})
    assert answer.values[0].tolist() == [7, 3]
    assert answer.probabilities.argmax(axis=1).tolist() == [1, 0]


def test_a_tensor_of_higher_rank_is_one_field_with_a_shape(graph):
    nodes = [helper.make_node("GlobalMaxPool", ["image"], ["top"])]
    model = graph(nodes, [("image", FLOAT, [None, 3, 4, 4])], [("top", FLOAT, [None, 3, 1, 1])])
    (field,) = model.signature.inputs
    assert (field.shape, field.dtype) == ((3, 4, 4), "float32")
    answer = model.predict({"image": np.arange(96.0).reshape(2, 3, 4, 4)})
    assert answer.values[0].shape == (2, 3, 1, 1)


def test_a_fixed_batch_of_one_is_run_row_by_row(graph):
    model = graph([helper.make_node("Neg", ["X"], ["y"])], [("X", DOUBLE, [1, 2])], [("y", DOUBLE, [1, 2])])
    answer = model.predict({"x0": np.arange(5.0), "x1": np.ones(5)})
    assert answer.values[0].tolist() == [0.0, -1.0, -2.0, -3.0, -4.0]


def test_a_fixed_batch_of_several_is_refused(graph):
    with pytest.raises(NotRecognised, match="dynamic batch"):
        graph([helper.make_node("Neg", ["X"], ["y"])], [("X", DOUBLE, [8, 2])], [("y", DOUBLE, [8, 2])])


def test_no_session_is_reported_to_microsoft(graph, tmp_path):
    graph([helper.make_node("Neg", ["X"], ["y"])], [("X", DOUBLE, [None, 2])], [("y", DOUBLE, [None, 2])])
    program = "import sys; from pathlib import Path; from flaskship import artifact; artifact.open(Path(sys.argv[1]))"
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-c", program, str(tmp_path / "model.onnx")]
    subprocess.run(command, env=env | {"XDG_CACHE_HOME": str(tmp_path / "cache")}, check=True)
    assert not (tmp_path / "cache").exists(), "where ONNX Runtime keeps the identity that it reports"


def test_several_outputs_keep_their_names(graph):
    nodes = [helper.make_node("Neg", ["X"], ["minus"]), helper.make_node("Abs", ["X"], ["size"])]
    model = graph(nodes, [("X", DOUBLE, [None, 2])], [("minus", DOUBLE, [None, 2]), ("size", DOUBLE, [None, 2])])
    assert [(output.name, output.shape) for output in model.signature.outputs] == [("minus", (2,)), ("size", (2,))]


def test_bytes_that_are_no_graph_are_refused(tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"\x08\x09garbage")
    with pytest.raises(NotRecognised, match=r"broken\.onnx"):
        loader.load(Sniffed(path=path, format=Format.ONNX))


def test_trees_that_know_gaps_are_seen(tmp_path):
    path = tmp_path / "gaps.onnx"
    node = helper.make_node(
        "TreeEnsembleRegressor", ["X"], ["y"], domain="ai.onnx.ml", nodes_missing_value_tracks_true=[1, 0, 0]
    )
    path.write_bytes(build([node], [("X", FLOAT, [None, 1])], [("y", FLOAT, [None, 1])]))
    assert read(path).gaps


def test_a_truncated_file_has_no_graph_facts(tmp_path):
    path = tmp_path / "cut.onnx"
    path.write_bytes(
        build([classifier(classlabels_ints=[0, 1])], [("X", FLOAT, [None, 2])], [("label", INT64, [None])])[:-40]
    )
    assert read(path) == GraphFacts()


SIGNATURE = Signature(
    task=Task.CLASSIFICATION,
    inputs=(Field(name="a"), Field(name="b", type=FieldType.INTEGER)),
    classes=("low", "high"),
)
BINDINGS = Bindings(inputs=(Input(name="X", fields=(0, 1)),), results=(Result(name="label", role=Role.LABEL),), batch=3)


def own(bindings=BINDINGS):
    nodes = [helper.make_node("ArgMax", ["X"], ["label"], axis=1, keepdims=0)]
    metadata = {"flaskship": bindings.to_json()}
    return build(nodes, [("X", DOUBLE, ["N", 2])], [("label", INT64, ["N"])], metadata=metadata)


def test_bindings_survive_the_metadata():
    assert Bindings.from_json(BINDINGS.to_json()) == BINDINGS


@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_in_chunks_answers_as_its_rows_do(threads):
    made = model.from_bytes(own(), SIGNATURE, FACTS, threads=threads)
    columns = {"a": np.array([1.0, 5.0, 1.0, 5.0]), "b": np.array([3, 3, 3, 3])}
    assert made.predict(columns).values[0].tolist() == ["high", "low", "high", "low"]
    one = {name: column[1:2] for name, column in columns.items()}
    assert made.predict(one).values[0].tolist() == ["low"]


def test_a_compiled_file_without_bindings_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(
        build([helper.make_node("Neg", ["X"], ["y"])], [("X", DOUBLE, [None, 2])], [("y", DOUBLE, [None, 2])])
    )
    with pytest.raises(BundleError, match="Build it anew"):
        model.compiled(path, SIGNATURE, FACTS)


def test_what_the_graph_does_not_take_is_a_failed_prediction():
    made = model.from_bytes(
        own(Bindings(inputs=(Input(name="X", fields=(0,)),), results=BINDINGS.results)), SIGNATURE, FACTS
    )
    with pytest.raises(PredictionFailed):
        made.predict({"a": np.array([1.0]), "b": np.array([3])})
