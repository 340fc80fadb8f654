"""The decorator: it marks, and changes nothing else."""

from __future__ import annotations

import pytest

from flaskship.endpoints import Mark, endpoint, mark
from flaskship.errors import UsageError


def test_a_marked_function_is_the_function_itself() -> None:
    def double(x: int) -> int:
        return 2 * x

    assert endpoint(double) is double
    assert endpoint("/twice", name="twice", batch=4)(double) is double
    assert double(3) == 6
    assert mark(double) == Mark(path="/twice", name="twice", batch=4)
    assert mark(len) is None


def test_methods_of_every_kind_are_marked() -> None:
    class Model:
        @endpoint
        def own(self, x: int) -> int: ...

        @endpoint("/fixed")
        @staticmethod
        def fixed(x: int) -> int: ...

        @endpoint()
        @classmethod
        def shared(cls, x: int) -> int: ...

    assert [mark(each) for each in (Model().own, Model().fixed, Model().shared)] == [
        Mark(),
        Mark(path="/fixed"),
        Mark(),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"path": "segment"}, "'segment' cannot be an endpoint's path. Begin with '/'"),
        ({"path": "/"}, "'/' cannot be an endpoint's path"),
        ({"path": "/a/<b>"}, "'/a/<b>' cannot be an endpoint's path"),
        ({"name": "a b"}, "'a b' cannot be an endpoint's name"),
        ({"batch": -1}, "batch=-1 cannot be. Give the number of rows that one call takes"),
        ({"batch": True}, "batch=True cannot be"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(arguments, said) -> None:
    path = arguments.pop("path", "")
    with pytest.raises(UsageError, match=said):
        endpoint(path, **arguments)


def test_a_class_is_not_marked_but_its_method() -> None:
    with pytest.raises(UsageError, match="@endpoint marks functions and methods, not <class 'int'>"):
        endpoint(int)
