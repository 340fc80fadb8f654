"""An app on a base: the packages for the Python that is there, or the base to take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flaskship import ship
from flaskship.app_bundle import AppBundle, AppManifest
from flaskship.bundle import Source
from flaskship.errors import BaseError
from flaskship.source import Entry, Requirements


def app(wanted: str, python: str, pin: str) -> AppBundle:
    manifest = AppManifest(
        flaskship="0", name="hall", python=python, requirements=(pin,), entry=Entry(root=".", file="app.py"),
        wanted=Requirements(wanted=(wanted,)), source=Source(file="app.py", sha256="0", size=1),
    )  # fmt: skip
    return AppBundle(path=Path(), digest="sha256:0", manifest=manifest)


def test_the_python_that_it_was_solved_for_is_taken_as_it_is() -> None:
    made, said = app("itsdangerous", "3.11", "itsdangerous==2.0.1"), list[str]()
    assert ship.fitting(made, "debian.tar", "3.11", said.append) is made
    assert said == []


def test_another_python_has_pins_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASKSHIP_CACHE", str(tmp_path))
    made = app("itsdangerous", "3.9", "itsdangerous==2.0.1")
    found = ship.fitting(made, "debian.tar", "3.12", lambda text: None).manifest
    assert found.python == "3.12"
    assert found.requirements[0].startswith("itsdangerous==2.")
    assert replace(found, python="", requirements=(), solved=()) == replace(
        made.manifest, python="", requirements=(), solved=()
    )


def test_a_base_whose_python_has_no_wheels_names_the_one_to_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASKSHIP_CACHE", str(tmp_path))
    made = app("scikit-learn==0.24.2", "3.9", "scikit-learn==0.24.2")
    made = replace(
        made, manifest=replace(made.manifest, wanted=replace(made.manifest.wanted, models=("scikit-learn",)))
    )
    with pytest.raises(
        BaseError, match=r"needs Python 3\.9: on 3\.13, which the base 'x\.tar' .* --base python:3\.9-slim"
    ):
        ship.fitting(made, "x.tar", "3.13", lambda text: None)
