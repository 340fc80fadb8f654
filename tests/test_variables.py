"""Variables of what is served: as given, from here, and those that nothing keeps."""

from __future__ import annotations

import pytest

from flaskship import variables
from flaskship.errors import UsageError
from flaskship.settings import Settings


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush")
    monkeypatch.setenv("REGION", "north")
    monkeypatch.delenv("NOWHERE", raising=False)


def test_a_name_alone_has_the_value_that_it_has_here() -> None:
    settings = Settings(env=("A=b=c", "REGION"))
    assert variables.given(settings) == variables.baked(settings) == {"A": "b=c", "REGION": "north"}


def test_a_secret_is_given_where_it_runs_and_not_baked_in() -> None:
    settings = Settings(env=("A=1", "PASSWORD=x"), secret=("TOKEN", "PASSWORD"))
    assert variables.given(settings) == {"A": "1", "PASSWORD": "x", "TOKEN": "hush"}
    assert variables.baked(settings) == {"A": "1"}
    assert variables.given(Settings(), ["TOKEN"]) == {"TOKEN": "hush"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(env=("NOWHERE",)), "'NOWHERE' is no NAME=VALUE, nor the name of a variable that is set here"),
        (Settings(env=("=1",)), "'=1' is no NAME=VALUE"),
        (Settings(secret=("NOWHERE",)), "The secret 'NOWHERE' has no value here.*--env NOWHERE=VALUE"),
    ],
)
def test_what_has_no_value_is_refused(settings: Settings, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        variables.given(settings)
