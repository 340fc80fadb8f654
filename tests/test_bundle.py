"""Bundles: what is written is what is read, and nothing else is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from flaskship import bundle
from flaskship.bundle import Bundle, Compilation, Manifest, Report, Source
from flaskship.errors import BundleError, CheckFailed
from flaskship.schema import Answer, Facts, Field, FieldType, Output, Signature, Task

SIGNATURE = Signature(
    task=Task.CLASSIFICATION,
    inputs=(Field(name="age", type=FieldType.INTEGER), Field(name="town", type=FieldType.TEXT, nullable=True)),
    outputs=(Output(name="prediction", type=FieldType.TEXT),),
    classes=("no", "yes"),
    probabilities=True,
)
COLUMNS = {"age": np.array([30, 45]), "town": np.array(["Bern", None], dtype=object)}
ANSWER = Answer(values=(np.array(["no", "yes"], dtype=object),), probabilities=np.array([[0.9, 0.1], [1 / 3, 2 / 3]]))


def written(path, **changes):
    manifest = Manifest(
        flaskship="0.1.0",
        name="sales",
        model="model.bin",
        signature=SIGNATURE,
        facts=Facts(framework="none", kind="Nothing"),
        source=Source(file="model.bin", sha256="00", size=3),
        compilation=Compilation(compiled=False, reason="a test"),
    )
    return bundle.write(path, manifest, {"model.bin": b"abc"} | changes, (COLUMNS, ANSWER), Report(original=1e-4))


def test_what_is_written_is_read_again(tmp_path):
    made = written(tmp_path / "b")
    again = Bundle.read(tmp_path / "b")
    assert again == made
    assert again.manifest.signature == SIGNATURE
    assert again.report.original == 1e-4
    golden = again.golden
    assert golden.columns["age"].dtype == np.int64
    assert golden.columns["town"].tolist() == ["Bern", None]
    assert golden.answer.probabilities.tolist() == ANSWER.probabilities.tolist()


def test_equal_input_gives_an_equal_digest_and_other_input_another(tmp_path):
    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    assert first.digest == second.digest
    assert written(tmp_path / "c", **{"model.bin": b"abd"}).digest != first.digest


def test_a_changed_file_is_found(tmp_path):
    made = written(tmp_path / "b")
    (made.path / "model.bin").write_bytes(b"abX")
    with pytest.raises(BundleError, match=r"'model\.bin' .* was changed"):
        Bundle.read(made.path)


@pytest.mark.parametrize("missing", ["manifest.json", "model.bin", "golden.json"])
def test_a_missing_file_is_named(tmp_path, missing):
    made = written(tmp_path / "b")
    (made.path / missing).unlink()
    with pytest.raises(BundleError, match=missing):
        Bundle.read(made.path)


def test_a_manifest_that_is_no_json_is_a_sentence(tmp_path):
    made = written(tmp_path / "b")
    (made.path / "manifest.json").write_text("{")
    with pytest.raises(BundleError, match="Cannot read the bundle"):
        Bundle.read(made.path)


def test_a_bundle_is_replaced_but_no_other_directory_is(tmp_path):
    written(tmp_path / "b")
    written(tmp_path / "b", **{"model.bin": b"new"})
    assert (tmp_path / "b" / "model.bin").read_bytes() == b"new"
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter1.txt").write_text("years of work")
    with pytest.raises(BundleError, match="holds something else"):
        written(other)
    assert (other / "chapter1.txt").read_text() == "years of work"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b", "thesis"]  # no draft is left behind


def test_an_equal_bundle_stays_where_it_is_for_who_reads_it_and_a_damaged_one_is_mended(tmp_path):
    first = written(tmp_path / "b")
    inode = (tmp_path / "b").stat().st_ino
    assert written(tmp_path / "b").digest == first.digest
    assert (tmp_path / "b").stat().st_ino == inode
    (tmp_path / "b" / "golden.json").write_bytes(b"{}")
    assert written(tmp_path / "b").digest == first.digest
    assert [each.name for each in tmp_path.iterdir()] == ["b"]


def test_golden_rows_pass_for_the_same_answers(tmp_path):
    golden = written(tmp_path / "b").golden
    assert golden.check(lambda columns: ANSWER) == 0.0


def test_a_changed_label_names_the_row(tmp_path):
    golden = written(tmp_path / "b").golden
    wrong = Answer(values=(np.array(["no", "no"], dtype=object),), probabilities=ANSWER.probabilities)
    with pytest.raises(CheckFailed, match=r"row 1 \(age=45, town=None\) is answered no, the original answered yes"):
        golden.check(lambda columns: wrong)


def test_a_probability_beyond_the_tolerance_fails_and_one_within_passes(tmp_path):
    golden = written(tmp_path / "b").golden
    near = Answer(values=ANSWER.values, probabilities=ANSWER.probabilities * (1 + 1e-8))
    far = Answer(values=ANSWER.values, probabilities=ANSWER.probabilities * (1 + 1e-4))
    assert golden.check(lambda columns: near) == pytest.approx(1e-8, rel=1e-3)
    with pytest.raises(CheckFailed, match="row"):
        golden.check(lambda columns: far)


def test_nan_equals_nan_only():
    want, have = np.array([np.nan, np.nan, 1.0]), np.array([np.nan, 1.0, np.nan])
    assert bundle.differences(want, have).tolist() == [0.0, np.inf, np.inf]


def test_a_manifest_is_readable_json(tmp_path):
    made = written(tmp_path / "b")
    manifest = json.loads((made.path / "manifest.json").read_text())
    assert manifest["signature"]["inputs"][0]["name"] == "age"
    assert set(manifest["files"]) == {"model.bin", "golden.json"}
