"""What is named on a command line, found as a file without being imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from flaskship.target import Target


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """shop/__init__.py, shop/prices.py, shop/till/__init__.py, site/app.py, sales.joblib"""
    monkeypatch.chdir(tmp_path)
    for name in (
        "shop/__init__.py",
        "shop/prices.py",
        "shop/till/__init__.py",
        "site/app.py",
        "sales.joblib",
        "a:b.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "path", "attribute"),
    [
        ("sales.joblib", "sales.joblib", ""),
        ("site", "site", ""),
        ("site/app.py", "site/app.py", ""),
        ("site/app.py:app", "site/app.py", "app"),
        ("site/app.py:create_app('x:y')", "site/app.py", "create_app('x:y')"),
        ("shop.prices:Price.of", "shop/prices.py", "Price.of"),
        ("shop.till:add", "shop/till/__init__.py", "add"),
        ("./site:app", "site", "app"),
        ("a:b.py", "a:b.py", ""),
        ("none.py:f", "none.py", "f"),
        ("no.such:f", "no/such.py", "f"),
        ("me/sales:1.0", "me/sales:1.0", ""),
    ],
)
def test_a_target_is_a_path_and_what_in_it(text: str, path: str, attribute: str) -> None:
    assert Target.of(text) == Target(path=Path(path), attribute=attribute)


def test_code_is_told_from_a_models_file() -> None:
    assert [Target.of(each).is_code for each in ("sales.joblib", "site/app.py", "shop.prices:f", "site")] == [
        False, True, True, True,
    ]  # fmt: skip


def test_the_folder_of_a_module_is_over_its_top_package_or_the_project_over_that(place: Path) -> None:
    assert Target.of("shop.prices:f").folder == Path()
    assert Target.of("site/app.py").folder == Path("site")
    assert Target.of("site").folder == Path("site")
    (place / "requirements.txt").touch()
    assert Target.of("site/app.py").folder.resolve() == place
    assert Target.of("site").folder == Path("site")


def test_a_module_elsewhere_has_no_more_than_its_own_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "requirements.txt").touch()
    monkeypatch.chdir(place / "shop")
    assert Target.of("../site/app.py").folder == Path("../site")
