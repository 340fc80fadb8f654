from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(("beside", "name"), [("manifest.json", "weights"), ("app.py", "page.html")])
def test_a_file_of_a_bundle_or_of_a_folder_with_code_is_noticed(tmp_path, beside, name):
    (tmp_path / "deep").mkdir()
    (tmp_path / beside).write_text("{}")
    watch = Watch([tmp_path])
    (tmp_path / "deep" / name).write_text("w")
    assert not watch.changed()
    assert watch.changed()


@pytest.mark.parametrize("name", ["app.log", "uploads.db", "__pycache__/app.py", "venv/app.py"])
def test_what_an_app_writes_and_what_is_installed_is_not_noticed(tmp_path, name):
    (tmp_path / "app.py").write_text("")
    for folder in ("__pycache__", "venv"):
        (tmp_path / folder).mkdir()
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    watch = Watch([tmp_path])
    (tmp_path / name).write_text("x")
    assert not watch.changed()
    assert not watch.changed()
