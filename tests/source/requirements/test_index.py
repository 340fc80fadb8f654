"""What an index tells of a package: a folder of pages here, read as those of a server are."""

from __future__ import annotations

from packaging.specifiers import SpecifierSet
from packaging.tags import sys_tags

from flaskship.source.requirements import index

HERE = next(iter(sys_tags())).platform
FILES = {
    "tool-1.0.tar.gz": "2019-01-01T00:00:00Z",
    "tool-1.1.tar.gz": "2020-06-01T10:00:00.5Z",
    f"tool-1.1-cp38-cp38-{HERE}.whl": "2020-06-02T10:00:00Z",
    f"tool-1.1-cp39-cp39-{HERE}.whl": "2020-12-02T10:00:00Z",
    "tool-2.0rc1-py3-none-any.whl": "2021-01-01T10:00:00Z",
    f"tool-2.0-cp39-abi3-{HERE}.whl": "2021-02-02T10:00:00Z",
    "another-3.0-py3-none-any.whl": "2021-02-02T10:00:00Z",
    "tool.exe": "2021-02-02T10:00:00Z",
}


def package(folder, monkeypatch, files, name="tool") -> index.Package:
    links = "".join(f'<a href="x/{each}#sha256=0" data-upload-time="{day}">{each}</a>\n' for each, day in files.items())
    (folder / name).mkdir()
    (folder / name / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
    monkeypatch.setattr(index, "_places", lambda: (folder.as_uri(),))
    index._package.cache_clear()
    try:
        return index.packages([name, "nobodys"])[name]
    finally:
        index._package.cache_clear()


def test_versions_have_days_and_pythons(tmp_path, monkeypatch):
    tool = package(tmp_path, monkeypatch, FILES)
    assert tool.uploaded("1.1") == "2020-06-01"
    assert [each for each in ("3.8", "3.9", "3.12") if tool.had("1.1", each)] == ["3.8", "3.9"]
    assert [each for each in ("3.8", "3.9", "3.12") if tool.had("2.0", each)] == ["3.9", "3.12"]
    assert (tool.newest(), tool.newest("2020-12-31")) == ("2.0", "1.1")
    assert tool.within(SpecifierSet("<2")) == "1.1"
    assert tool.within(SpecifierSet(">=1")) == ""


def test_the_first_day_with_a_wheel_is_known(tmp_path, monkeypatch):
    tool = package(tmp_path, monkeypatch, FILES)
    assert not tool.by("2020-06-01")
    assert tool.by("2020-06-02")
    assert tool.since("3.9", "2020-06-01") == "2020-12-02"
    assert tool.since("3.12", "2020-06-01") == "2021-02-02"


def test_what_is_there_in_source_alone_is_built_only_where_it_never_had_a_wheel(tmp_path, monkeypatch):
    assert not package(tmp_path, monkeypatch, FILES).built("1.0")
    pure = {"pure-1.0.tar.gz": "", "pure-2.0-py3-none-any.whl": ""}
    assert package(tmp_path, monkeypatch, pure, "pure").built("1.0")
    windows = {"wind-1.0.tar.gz": "", "wind-1.0-cp39-cp39-win_amd64.whl": ""}
    assert package(tmp_path, monkeypatch, windows, "wind").built("1.0")


def test_a_package_that_no_index_has_is_known_not_to_be_there(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "_places", lambda: (tmp_path.as_uri(),))
    index._package.cache_clear()
    assert index.packages(["nobodys"]) == {"nobodys": index.Package(())}
    index._package.cache_clear()
