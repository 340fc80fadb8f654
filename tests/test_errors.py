"""The error tree."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest

from flaskship import errors
from flaskship.errors import MAX_PROBLEMS, BadInput, FlaskshipError, Overloaded, Problem, Unavailable


def every(base: type[FlaskshipError]) -> Iterator[type[FlaskshipError]]:
    yield base
    for each in base.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from every(each)


def drawn() -> list[tuple[int, str, int | None, int | None]]:
    """The tree of the docstring: depth, name, exit code and status, None where the line leaves it to its parent."""
    found = []
    for line in (inspect.getdoc(errors) or "").splitlines():
        if match := re.match(r" {4}([ │├└─]*)([A-Z]\w+)\s+(?:exit (\d+))?\s*(\d{3})?", line):
            depth, name, code, status = len(match[1]) // 4, match[2], match[3], match[4]
            found.append((depth, name, int(code) if code else None, int(status) if status else None))
    return found


def test_the_docstring_draws_every_class_below_its_parent() -> None:
    parents: list[str] = []
    tree = []
    for depth, name, _, _ in drawn():
        parents[depth:] = [name]
        tree.append((name, parents[depth - 1] if depth else "Exception"))
    assert tree == [(each.__name__, each.__bases__[0].__name__) for each in every(FlaskshipError)]


def test_the_docstring_gives_every_exit_code_and_status() -> None:
    for _, name, code, status in drawn():
        each = getattr(errors, name)
        assert code in (None, each.exit_code), name
        assert status in (None, each.status), name
        assert (code is None) == ("exit_code" not in vars(each) and each is not FlaskshipError), name
        assert status is not None or each.status == each.__bases__[0].status, name


@pytest.mark.parametrize("error", list(every(FlaskshipError)))
def test_every_class_has_a_title_an_exit_code_and_a_status(error: type[FlaskshipError]) -> None:
    assert error.title.strip() and not error.title.endswith(".")
    assert 1 <= error.exit_code < 64
    assert 400 <= error.status < 600


def test_exit_codes_tell_the_families_apart() -> None:
    codes = [each.exit_code for each in [FlaskshipError, *FlaskshipError.__subclasses__()]]
    assert len(set(codes)) == len(codes)


def test_the_detail_is_the_sentence_given() -> None:
    assert errors.NotRecognised("No such thing.").detail == "No such thing."
    assert errors.NotRecognised().detail == "Target not recognised"


def test_bad_input_keeps_the_first_100_problems() -> None:
    problems = [Problem(f"$[{row}].age", "Missing.") for row in range(250)]
    error = BadInput("250 rows are wrong.", problems)
    assert error.problems == tuple(problems[:MAX_PROBLEMS])
    assert MAX_PROBLEMS == 100


def test_what_is_unavailable_says_when_to_come_back() -> None:
    assert Overloaded.retry_after >= 1
    assert Unavailable.retry_after >= 1
