"""Where each model answers: nobody's routes may hide another's."""

from __future__ import annotations

from collections.abc import Sequence

from flaskship.errors import UsageError
from flaskship.health import LIVE, READY
from flaskship.web.subject import Subject

OURS = {"v2", "metrics", "assets", "predict_file", "invocations", "openapi.json", "apidocs", "sample.csv", "sample"}
OURS |= {"diagram", *(path.split("/")[1] for path in (*LIVE, *READY))}


def wsgi(path: str) -> str:
    """A path as WSGI has it: UTF-8 as Latin-1."""
    return path.encode().decode("latin-1")


def settle(subjects: Sequence[Subject]) -> None:
    """Takes away what several would answer at by their functions' names alone, as two modules with a `predict`."""
    names, paths = [each.name for each in subjects], [each.path for each in subjects]
    for each in subjects:
        if each.implied and (paths.count(each.path) > 1 or each.path[1:] in {*names} - {each.name}):
            each.path = ""


def check(subjects: Sequence[Subject]) -> None:
    """Raises `UsageError` where two models, or a model and Flaskship itself, would answer at the same address."""
    several, paths = len(subjects) > 1, set[str]()
    names = [each.name for each in subjects] if several else []
    for each in subjects:
        if names.count(each.name) > 1:
            raise UsageError(f"Two models are called {each.name!r}. Name one of them anew: other={each.name} …")
        if several and each.name in OURS:
            raise UsageError(f"A model among several cannot be called {each.name!r}: /{each.name} is Flaskship's own.")
        first = each.path.split("/")[1] if each.path else ""
        others = {name for name in names if name != each.name}
        if first in OURS | others or each.path in paths or (several and each.path == "/"):
            taken = "Flaskship's own" if first in OURS or not first else "another model's"
            raise UsageError(f"{each.name!r} asks for the path {each.path!r}, which is {taken}. Give it another one.")
        if each.path:
            paths.add(each.path)
