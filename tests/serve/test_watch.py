from __future__ import annotations

from flaskship.serve.watch import Watch


def test_an_unchanged_file_is_not_noticed(tmp_path):
    (tmp_path / "model").write_text("one")
    watch = Watch([tmp_path / "model"])
    assert not watch.changed()
    assert not watch.changed()


def test_a_change_is_noticed_once_and_when_it_is_whole(tmp_path):
    file = tmp_path / "model"
    file.write_text("one")
    watch = Watch([file])
    file.write_text("half of it")
    assert not watch.changed()
    file.write_text("all of it, at last")
    assert not watch.changed()
    assert watch.changed()
    assert not watch.changed()


def test_a_file_that_is_being_replaced_is_waited_for(tmp_path):
    file = tmp_path / "model"
    file.write_text("one")
    watch = Watch([file])
    file.unlink()
    assert not watch.changed()
    assert not watch.changed()
    file.write_text("another")
    assert not watch.changed()
    assert watch.changed()


def test_a_file_of_a_directory_is_noticed(tmp_path):
    (tmp_path / "deep").mkdir()
    watch = Watch([tmp_path])
    (tmp_path / "deep" / "weights").write_text("w")
    assert not watch.changed()
    assert watch.changed()
