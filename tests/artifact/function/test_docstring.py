"""Help for each argument, from docstrings as people write them."""

from __future__ import annotations

import pytest

from flaskship.artifact.function.docstring import parse

GOOGLE = """Estimates a price.

    In thousands
    of euros.

    Args:
        area (float): Of the floor,
            in square metres.
        rooms: How many.

    Returns:
        price: not an argument
    """
NUMPY = """Estimates a price.

    In thousands
    of euros.

    Parameters
    ----------
    area : float
        Of the floor,
        in square metres.
    rooms : int, optional
        How many.

    Returns
    -------
    price : float
        Not an argument.
    """
REST = """Estimates a price.

    In thousands
    of euros.

    :param float area: Of the floor,
        in square metres.
    :param rooms: How many.
    :returns: a price
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, REST], ids=["google", "numpy", "rest"])
def test_a_docstring_gives_text_and_help_in_three_forms(text) -> None:
    found = parse(text)
    assert found.text == "Estimates a price.\n\nIn thousands of euros."
    assert found.arguments == {"area": "Of the floor, in square metres.", "rooms": "How many."}


@pytest.mark.parametrize("text", [None, "", "One line.", "Args", "Note: this is text."])
def test_a_docstring_without_arguments_is_text(text) -> None:
    assert parse(text).arguments == {}
    assert parse(text).text == (text or "")


def test_help_comes_from_the_docstring_unless_meta_has_it(load) -> None:
    first, second = load(
        '''
        def predict(area: float, rooms: Annotated[int, Meta(description="Also the bathroom.")]) -> float:
            """A price.

            Args:
                area: Square metres.
                rooms: How many.
            """
        '''
    )["predict"].signature.inputs
    assert (first.help, second.help) == ("Square metres.", "Also the bathroom.")
