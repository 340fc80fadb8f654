"""Models of Keras: answered as Keras does, on torch; what could run code or read other files is refused."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flaskship import artifact, make
from flaskship.bundle import Bundle
from flaskship.cli import about
from flaskship.errors import NotRecognised, UnsafePickle
from flaskship.schema import FieldType, Task
from flaskship.settings import Settings
from flaskship.target import Target

pytestmark = [
    pytest.mark.needs("keras", "h5py", "onnxscript"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of torch's exporter
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models as their authors save them."""
    import flaskship.artifact.keras  # noqa: F401  # which says the backend

    import keras  # isort: skip
    from keras import layers

    @keras.saving.register_keras_serializable("mine")
    class Twice(layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2

    keras.utils.set_random_seed(0)
    made = tmp_path_factory.mktemp("keras")
    numbers, tokens = layers.Input((3,), name="numbers"), layers.Input((7,), dtype="int32", name="tokens")
    words = layers.GlobalAveragePooling1D()(layers.Embedding(50, 8)(tokens))
    joined = layers.Concatenate()([layers.Dense(4)(numbers), words])
    outputs = [layers.Dense(1, name="price")(joined), layers.Dense(4, activation="softmax", name="kind")(joined)]
    models = {
        "net": [layers.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(1)],
        "picture": [layers.Input((None, None, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3), *pooled(layers)],
        "steps": [layers.Input((None,), dtype="int32"), layers.Embedding(100, 4, mask_zero=True), *recurrent(layers)],
        "lambda": [layers.Input((4,)), layers.Lambda(lambda x: x * 2), layers.Dense(1)],
        "own": [layers.Input((4,)), Twice(), layers.Dense(1)],
    }
    found = {name: keras.Sequential(each) for name, each in models.items()}
    found["two"] = keras.Model([numbers, tokens], outputs)
    found["net"].compile("adam", "mse")
    for name, each in found.items():
        each.save(made / f"{name}.keras")
    for name in ("net", "own"):
        found[name].save(made / f"{name}.h5")
    found["net"].save_weights(made / "net.weights.h5")
    keras.saving.get_custom_objects().clear()
    return made


def pooled(layers: Any) -> list[Any]:
    return [layers.GlobalAveragePooling2D(), layers.Dense(5, activation="softmax")]


def recurrent(layers: Any) -> list[Any]:
    return [layers.SimpleRNN(2), layers.Dense(1, activation="sigmoid")]


def answers(path: Path, *inputs: Any) -> list[Any]:
    """What Keras itself answers."""
    import keras

    model = keras.saving.load_model(path, compile=False)
    found = model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
    return [each.detach().numpy() for each in keras.tree.flatten(found)]


def bundled(path: Path, into: Path, **settings: Any) -> Bundle:
    found = make.make(Target.of(path), dataclasses.replace(Settings(), **settings), into)
    assert isinstance(found, Bundle)
    return found


X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
COLUMNS = {f"x{place}": X[:, place].astype(float) for place in range(4)}


def test_a_net_becomes_a_graph_that_needs_no_keras(folder: Path, tmp_path: Path) -> None:
    name = "net.keras"
    bundle = bundled(folder / name, tmp_path / "b")
    manifest = bundle.manifest
    assert manifest.compilation.compiled, manifest.compilation.reason
    assert {each.partition("=")[0].strip(">") for each in manifest.requirements} == {"numpy", "onnxruntime"}
    assert (manifest.facts.framework, manifest.facts.kind) == ("keras", "Keras Sequential")
    assert manifest.signature.task is Task.REGRESSION
    np.testing.assert_allclose(bundle.load().predict(COLUMNS).values[0], answers(folder / name, X)[0][:, 0], rtol=1e-4)
    assert "tensorflow" not in sys.modules


def test_uncompiled_it_is_a_program_of_torch(folder: Path, tmp_path: Path) -> None:
    bundle = bundled(folder / "two.keras", tmp_path / "b", compile=False)
    assert bundle.manifest.model == "model.pt2"
    assert {each.partition("=")[0] for each in bundle.manifest.requirements} == {"torch", "numpy"}
    model = bundle.load()
    found = [(each.name, each.type, each.shape, each.low, each.high) for each in model.signature.inputs]
    assert found[:3] == [(f"numbers_{at}", FieldType.NUMBER, (), None, None) for at in range(3)]
    assert found[3:] == [("tokens", FieldType.INTEGER, (7,), 0, 49)]
    assert [each.name for each in model.signature.outputs] == ["price", "kind"]
    words = np.arange(14).reshape(2, 7)
    columns = {"tokens": words} | {f"numbers_{at}": X[:2, at].astype(float) for at in range(3)}
    wanted = answers(folder / "two.keras", X[:2, :3], words)
    for made, right in zip(model.predict(columns).values, wanted, strict=True):
        np.testing.assert_allclose(made, right, rtol=1e-4)


def test_pictures_have_their_sizes_and_the_values_that_a_rescaling_means(folder: Path) -> None:
    field = artifact.open(folder / "picture.keras").signature.inputs[0]
    assert (field.shape, field.usual, field.low, field.high) == ((-1, -1, 3), (32, 32, 3), 0, 255)


def test_what_torch_cannot_follow_keras_itself_answers(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = np.array([[5, 6, 7, 0, 0], [1, 2, 3, 4, 5]])
    np.save(tmp_path / "words.npy", words)
    bundle = bundled(folder / "steps.keras", tmp_path / "b", sample=tmp_path / "words.npy")
    assert bundle.manifest.model == "model.keras"
    assert "torch.export cannot follow" in bundle.manifest.compilation.reason
    assert {each.partition("=")[0] for each in bundle.manifest.requirements} == {"keras", "torch", "h5py", "numpy"}
    monkeypatch.setattr(tempfile, "mkdtemp", None)  # as in a container that may write nowhere
    model = bundle.load()
    found = model.predict({model.signature.names[0]: words}).values[0]
    np.testing.assert_allclose(found, answers(folder / "steps.keras", words)[0][:, 0], rtol=1e-4)


# What is refused


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("lambda.keras", UnsafePickle, "Lambda layer.*--trust"),
        ("own.keras", NotRecognised, r"'Twice'.*model\.export"),
        ("own.h5", NotRecognised, r"'Twice'.*model\.export"),
        ("net.weights.h5", NotRecognised, r"weights of Keras alone.*model\.save"),
    ],
)
def test_what_is_more_or_less_than_a_model_of_keras_says_so(
    folder: Path, tmp_path: Path, name: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        bundled(folder / name, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_lambda_is_loaded_with_trust(folder: Path, tmp_path: Path) -> None:
    bundle = bundled(folder / "lambda.keras", tmp_path / "b", trust=True, compile=False)
    assert bundle.load(trust=True).predict(COLUMNS).rows == 5


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
@pytest.mark.parametrize("part", [0.4, 0.8])
def test_a_truncated_file_is_said_in_one_sentence(folder: Path, tmp_path: Path, name: str, part: float) -> None:
    whole = (folder / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(NotRecognised, match="truncated or damaged"):
        artifact.open(tmp_path / name)


def test_a_configuration_that_is_a_number_is_said_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "net.h5"
    path.write_bytes(next(folder.glob("*.h5")).read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = 3
    with pytest.raises(NotRecognised, match="truncated or damaged"):
        artifact.open(path)


def changed(path: Path, into: Path, config: dict[str, str], **members: bytes) -> Path:
    """The archive with words of its configuration exchanged, and other members."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(into, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            for before, after in config.items() if name == "config.json" else ():
                assert before.encode() in content
                content = content.replace(before.encode(), after.encode())
            new.writestr(name, members.pop(name.replace(".", "_"), content))
        for name, content in members.items():
            new.writestr(name, content)
    return into


@pytest.mark.parametrize(
    ("config", "error", "says"),
    [
        ({'"keras.layers", "class_name": "Dense"': '"os", "class_name": "system"'}, NotRecognised, "'system'"),
        (
            {'"keras.layers", "class_name": "Dense"': '"keras.utils", "class_name": "get_file"'},
            NotRecognised,
            "get_file",
        ),
        ({'"class_name": "Dense"': '"class_name": "TorchModuleWrapper"'}, UnsafePickle, "TorchModuleWrapper"),
        ({'"class_name": "Dense"': '"class_name": "StringLookup"'}, NotRecognised, "needs TensorFlow"),
        ({'"class_name": "Dense"': '"class_name": "Dence"'}, NotRecognised, "'Dence'|cannot be loaded"),
        ({'"units": 8': '"units": 9'}, NotRecognised, "cannot be loaded by Keras"),
    ],
)
def test_a_configuration_names_parts_of_keras_only(
    folder: Path, tmp_path: Path, config: dict[str, str], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        artifact.open(changed(folder / "net.keras", tmp_path / "odd.keras", config))


def hdf5(folder: Path, build: Any) -> bytes:
    """The weights of net.keras with something added."""
    import h5py

    with zipfile.ZipFile(folder / "net.keras") as archive:
        file = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(file, "a") as opened:
        build(h5py, opened)
    return file.getvalue()


ADDED = {
    "a link to another file": (
        lambda h5py, file: file.__setitem__("other", h5py.ExternalLink("/etc/passwd", "/")),
        UnsafePickle,
        "points to the file '/etc/passwd'",
    ),
    "values in another file": (
        lambda h5py, file: file.create_dataset("other", (4,), "f4", external=[("/etc/passwd", 0, 16)]),
        UnsafePickle,
        "'other' in another file",
    ),
    "a bomb": (
        lambda h5py, file: file.create_dataset("other", (10**10,), "f4", chunks=(10**6,)),
        UnsafePickle,
        "promises 40.0 GB",
    ),
    "names of Windows": (
        lambda h5py, file: file.create_group("_layer_checkpoint_dependencies\\dense\\vars"),
        NotRecognised,
        "saved by Keras on Windows",
    ),
}


@pytest.mark.parametrize("what", ADDED)
def test_weights_are_numbers_within_the_file(folder: Path, tmp_path: Path, what: str) -> None:
    build, error, says = ADDED[what]
    path = changed(folder / "net.keras", tmp_path / "odd.keras", {}, model_weights_h5=hdf5(folder, build))
    with pytest.raises(error, match=says):
        artifact.open(path)


def test_an_archive_holds_no_other_members(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsafePickle, match=r"'\.\./evil\.py'"):
        artifact.open(changed(folder / "net.keras", tmp_path / "odd.keras", {}, **{"../evil.py": b"1"}))


def test_a_legacy_file_is_recognised_whatever_its_name(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "net.h5", tmp_path / "net.model")
    model = artifact.open(tmp_path / "net.model")
    np.testing.assert_allclose(model.predict(COLUMNS).values[0], answers(folder / "net.h5", X)[0][:, 0], rtol=1e-4)
    assert model.facts.made_with["keras"] == model.facts.version


def layer(kind: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"dtype": "float32", **config}}


def test_a_legacy_file_of_keras_2_on_tensorflow_answers_as_well(folder: Path, tmp_path: Path) -> None:
    import h5py

    shutil.copy(folder / "net.h5", tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "a") as file:
        first, last = (str(each) for each in file["model_weights"].attrs["layer_names"])
        zeros = {"bias_initializer": {"class_name": "Zeros", "config": {}}}
        layers = [
            layer("InputLayer", batch_input_shape=[None, 4], sparse=False, ragged=False, name="dense_input"),
            layer("Dense", name=first, units=8, activation="relu", use_bias=True, **zeros),
            layer("Dense", name=last, units=1, activation="linear", use_bias=True, **zeros),
        ]
        config = {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}
        file.attrs.update({"model_config": json.dumps(config), "keras_version": b"2.11.0", "backend": b"tensorflow"})
    model = artifact.open(tmp_path / "old.h5")
    np.testing.assert_allclose(model.predict(COLUMNS).values[0], answers(folder / "net.h5", X)[0][:, 0], rtol=1e-4)
    assert model.facts.made_with == {"keras": "2.11.0"}


def test_what_inspect_shows(folder: Path, tmp_path: Path) -> None:
    bundle = bundled(folder / "net.h5", tmp_path / "b", compile=False)
    shown = dict(about.pairs(bundle))
    assert shown["Model"] == "Keras Sequential, regression"
    assert shown["Framework"].startswith("keras 3.") and "file made with keras 3." in shown["Framework"]
    assert shown["Compiled"] == "no: --no-compile was given"
    assert shown["Served"].startswith("model.pt2, ")
    assert about.described(bundle)["facts"]["made_with"].keys() == {"keras"}
