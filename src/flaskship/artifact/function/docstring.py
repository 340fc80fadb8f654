"""What a docstring says of a function, and of each of its arguments: in Google's, NumPy's or reST's form."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

SECTIONS = {
    "args", "arguments", "parameters", "params", "keyword args", "keyword arguments", "other parameters", "returns",
    "return", "yields", "yield", "raises", "example", "examples", "note", "notes", "see also", "references", "warnings",
    "warning", "attributes", "todo",
}  # fmt: skip
ARGUMENTS = ("args", "arguments", "parameters", "params", "keyword args", "keyword arguments", "other parameters")
GOOGLE = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")  # age (int): In years.
NUMPY = re.compile(r"\*{0,2}(\w+(?:\s*,\s*\w+)*)\s*(?::.*)?")  # age : int, with the text below it
FIELD = re.compile(r":(\w+)\s*([^:]*):\s*(.*)")  # :param int age: In years.


@dataclass(slots=True)
class Docstring:
    text: str = ""  # what stands before the first section, paragraphs apart by an empty line
    arguments: dict[str, str] = field(default_factory=dict)  # name -> one line of text


def parse(docstring: Any) -> Docstring:
    """The parts of a docstring, which may be anything. What is in none of the three forms is text."""
    found = Docstring()
    lines = inspect.cleandoc(docstring if isinstance(docstring, str) else "").splitlines()
    parts = list(_sections(lines))
    opening, fields = _fields(parts[0][1])
    found.text = "\n\n".join(" ".join(each.split()) for each in re.split(r"\n\s*\n", "\n".join(opening))).strip()
    found.arguments |= fields
    for name, body in parts[1:]:
        if name in ARGUMENTS:
            found.arguments |= _arguments(body)
    return found


def _sections(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The opening, named "", then each section with the lines under its heading."""
    name, body = "", list[str]()
    skip = False
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        underlined = bool(re.fullmatch(r"\s*[-=~]{3,}\s*", following))
        title = line.strip().removesuffix(":").lower()
        if skip:
            skip = False
        elif title in SECTIONS and (underlined or (line.strip().endswith(":") and not line[0].isspace())):
            yield name, body
            name, body, skip = title, [], underlined
        else:
            body.append(line)
    yield name, body


def _fields(lines: list[str]) -> tuple[list[str], dict[str, str]]:
    """The lines before reST's fields, and the arguments among these."""
    opening: list[str] = []
    found: dict[str, str] = {}
    current = ""
    within = False
    for line in lines:
        match = FIELD.match(line)
        if match:
            within = True
            current = match[2].split()[-1] if match[1] in ("param", "parameter", "arg") and match[2].split() else ""
            if current:
                found[current] = match[3].strip()
        elif not within:
            opening.append(line)
        elif current and line.strip():
            found[current] = f"{found[current]} {line.strip()}".strip()
    return opening, found


def _arguments(lines: list[str]) -> dict[str, str]:
    """A section's arguments: lines of the least indentation name them, deeper ones go on."""
    said = [line for line in lines if line.strip()]
    least = min((len(line) - len(line.lstrip()) for line in said), default=0)
    found: dict[str, str] = {}
    current: list[str] = []
    for line in said:
        if len(line) - len(line.lstrip()) > least:
            for name in current:
                found[name] = f"{found[name]} {line.strip()}".strip()
            continue
        google, numpy = GOOGLE.fullmatch(line.strip()), NUMPY.fullmatch(line.strip())
        if google and least:
            current = [google[1]]
        elif numpy:
            current = [each.strip() for each in numpy[1].split(",")]
        else:
            current = []
        found |= dict.fromkeys(current, google[2] if google and least else "")
    return found
