"""The one table of settings: where values come from, how they are read, and what is said of a wrong one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Optional

import pytest

from flaskship.errors import UsageError
from flaskship.settings import Duration, Settings, Size, parse, variable


def load(folder: Path | None = None, env: dict[str, str] | None = None, **flags: Any) -> Settings:
    return Settings.load(folder, env or {}, flags)


def test_defaults_are_those_of_the_table() -> None:
    assert load() == Settings()
    assert Settings().port == 8000
    assert Settings().compile is True


def test_file_wins_over_default_environment_over_file_and_flag_over_all(tmp_path: Path) -> None:
    (tmp_path / "flaskship.toml").write_text("port = 1\nworkers = 1\nthreads = 1\n")
    env = {"FLASKSHIP_WORKERS": "2", "FLASKSHIP_THREADS": "2"}
    settings = load(tmp_path, env, threads=3)
    assert (settings.port, settings.workers, settings.threads) == (1, 2, 3)


def test_a_flag_that_was_not_given_is_none_and_changes_nothing() -> None:
    assert load(env={"FLASKSHIP_PORT": "81"}, port=None).port == 81


def test_a_flag_may_say_no_to_what_the_file_says_yes_to(tmp_path: Path) -> None:
    (tmp_path / "flaskship.toml").write_text("reload = true")
    assert load(tmp_path).reload is True
    assert load(tmp_path, reload=False).reload is False


def test_platforms_set_the_port_and_our_own_name_wins() -> None:
    assert load(env={"PORT": "9000"}).port == 9000
    assert load(env={"PORT": "9000", "FLASKSHIP_PORT": "9001"}).port == 9001
    assert load(env={"PORT": ""}).port == 8000


def test_a_variable_may_name_the_file_that_holds_the_value(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    env = {"FLASKSHIP_API_KEY_FILE": str(tmp_path / "key")}
    assert load(env=env).api_key == "secret"
    assert load(env=env | {"FLASKSHIP_API_KEY": "other"}).api_key == "other"
    with pytest.raises(UsageError, match="missing', which FLASKSHIP_API_KEY_FILE names"):
        load(env={"FLASKSHIP_API_KEY_FILE": str(tmp_path / "missing")})


def test_pyproject_keys_stand_in_tool_flaskship_with_dashes_or_underscores(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.flaskship]\nmax-body = "1MB"\nlog_level = "debug"\n')
    settings = load(tmp_path)
    assert (settings.max_body, settings.log_level) == (1_000_000, "debug")


def test_a_pyproject_without_our_table_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n')
    assert load(tmp_path) == Settings()


def test_flaskship_toml_wins_over_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.flaskship]\nport = 1\n")
    (tmp_path / "flaskship.toml").write_text("port = 2\n")
    assert load(tmp_path).port == 2


def test_a_key_that_is_no_setting_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "flaskship.toml").write_text("prot = 80\n")
    with pytest.raises(UsageError, match=r"No setting 'prot' \(in .*flaskship\.toml'\)\. There are: .*port"):
        load(tmp_path)


def test_a_broken_file_is_named_with_the_place(tmp_path: Path) -> None:
    (tmp_path / "flaskship.toml").write_text("port = = 80\n")
    with pytest.raises(UsageError, match=r"Cannot read .*flaskship\.toml.*line 1"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000", 1000), ("64MB", 64_000_000), ("64 MiB", 67_108_864), ("1.5kb", 1500), ("2gib", 2**31), (5, 5), ("0", 0)],
)
def test_sizes_are_bytes_or_carry_a_unit(text: Any, size: int) -> None:
    assert load(max_body=text).max_body == size
    assert isinstance(load(max_body=text).max_body, Size)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("30s", 30), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("1.5", 1.5), (0, 0)]
)
def test_durations_are_seconds_or_carry_a_unit(text: Any, seconds: float) -> None:
    assert load(timeout=text).timeout == seconds
    assert isinstance(load(timeout=text).timeout, Duration)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1", True),
        ("TRUE", True),
        ("yes", True),
        ("on", True),
        ("0", False),
        ("No", False),
        ("off", False),
        ("", False),
    ],
)
def test_booleans_are_the_usual_words(word: str, value: bool) -> None:
    assert load(env={"FLASKSHIP_TRUST": word}).trust is value


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("port", "eighty", "'port' in the environment is 'eighty', which is no whole number from 0 up."),
        ("port", "-1", "'port' in the environment is '-1', which is no whole number from 0 up."),
        ("workers", "1.5", "'workers' in the environment is '1.5', which is no whole number from 0 up."),
        ("trust", "maybe", "'trust' in the environment is 'maybe', which is no boolean (true or false)."),
        ("max_body", "64 parsecs", "'max_body' in the environment is '64 parsecs', which is no size (such as 64MB)."),
        ("max_body", "-1", "'max_body' in the environment is '-1', which is no size (such as 64MB)."),
        ("max_body", "1.2.3", "'max_body' in the environment is '1.2.3', which is no size (such as 64MB)."),
        ("timeout", "soon", "'timeout' in the environment is 'soon', which is no duration (such as 30s)."),
        ("timeout", "5 days", "'timeout' in the environment is '5 days', which is no duration (such as 30s)."),
        ("server", "apache", "'server' in the environment is 'apache'. It may be one of granian, gunicorn."),
    ],
)
def test_a_wrong_value_is_named_with_where_it_stood_and_what_it_may_be(key: str, value: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(env={variable(key): value})
    assert caught.value.detail == sentence


@pytest.mark.parametrize(("key", "value"), [("port", "true"), ("port", "1.5"), ("timeout", "false"), ("trust", "3")])
def test_a_wrong_type_in_a_file_is_refused(tmp_path: Path, key: str, value: str) -> None:
    (tmp_path / "flaskship.toml").write_text(f"{key} = {value}\n")
    with pytest.raises(UsageError, match=rf"'{key}' in .*flaskship\.toml is "):
        load(tmp_path)


def test_text_where_a_list_stands_is_refused(tmp_path: Path) -> None:
    (tmp_path / "flaskship.toml").write_text("name = ['a']\n")
    with pytest.raises(UsageError, match=r"'name' in .* is \['a'\], which is no text"):
        load(tmp_path)


def test_a_path_is_read_as_one() -> None:
    assert load(env={"FLASKSHIP_SAMPLE": "rows.csv"}).sample == Path("rows.csv")
    assert parse("rows.csv", Optional[Path], "here") == Path("rows.csv")  # noqa: UP045  # as settings.py has it


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]  # the point of the test


def test_every_setting_has_a_sentence_of_help() -> None:
    for row in dataclasses.fields(Settings):
        text = row.metadata["help"]
        assert text[0].isupper() and text.endswith((".", ")")), row.name


def test_no_two_settings_share_a_short_flag_or_a_variable() -> None:
    rows = dataclasses.fields(Settings)
    shorts = [row.metadata["short"] for row in rows if row.metadata["short"]]
    names = [variable(row.name) for row in rows] + [row.metadata["also"] for row in rows if row.metadata["also"]]
    assert len(set(shorts)) == len(shorts)
    assert len(set(names)) == len(names)
