"""`environment.yml`, as conda writes it: the one shape of YAML that is needed is read line by line.

dependencies:
  - python=3.8
  - numpy=1.21.2=py38h20f2e39_0
  - pip:
    - flask==2.0.1
"""

from __future__ import annotations

import re
from pathlib import Path

from packaging.utils import canonicalize_name

from flaskship.source.requirements import pip
from flaskship.source.requirements.found import Found
from flaskship.source.requirements.names import CONDA

NO_PYTHON = re.compile(r"_|lib(?!rosa|cst|clang|sass)|m2w64-|xorg-|r-|vs20|gcc_|gxx_|ucrt|vc14", re.IGNORECASE)
ITEM = re.compile(r"(\s*)-\s+(.*)")


def read(folder: Path, path: str) -> Found:
    found = Found(path=path)
    section, nested = "", -1  # the top key, and how far the items of `pip:` are indented beyond
    gone = 0
    for line in _raw(pip.text(folder / path)):
        if key := re.match(r"([\w-]+)\s*:\s*(.*)", line):
            section, nested = key[1], -1
            for each in _flow(key[2]) if section == "dependencies" else ():
                gone += _conda(found, each)
            continue
        item = ITEM.fullmatch(line)
        if section != "dependencies" or not item:
            continue
        value = item[2].strip().strip("'\"")
        if re.fullmatch(r"pip\s*:", value):
            nested = len(item[1])
        elif nested >= 0 and len(item[1]) > nested:
            found.add(value)
        else:
            nested = -1
            gone += _conda(found, value)
    if gone:
        found.decide(f"{gone} packages are conda's own, and no Python: they are left out.")
    return found


def _raw(content: str) -> list[str]:
    """Lines with their indentation, without comments."""
    plain = [re.sub(r"(^|\s)#.*", "", each).rstrip() for each in content.lstrip("\ufeff").splitlines()]
    return [each for each in plain if each]


def _flow(value: str) -> list[str]:
    return [each.strip(" '\"") for each in value.strip("[]").split(",")] if value.startswith("[") else []


def _conda(found: Found, spec: str) -> bool:
    """One of conda's own: https://docs.conda.io/projects/conda/en/stable/user-guide/concepts/pkg-specs.html

    True where it is none for Python.
    """
    plain = spec.rpartition("::")[2].strip()
    match = re.match(r"([\w.-]+)\s*(.*)", plain)
    if not match:
        return False
    name, version = canonicalize_name(match[1]), match[2].strip()
    exact = re.fullmatch(r"={1,2}\s*([\w.!+*]+)(?:=\S+)?|([\d][\w.!+*]*)(?:[= ]\S+)?", version)
    if name == "python":
        found.python = (exact[1] or exact[2]) if exact else version
        return False
    if (name in CONDA and not CONDA[name]) or NO_PYTHON.match(match[1]):
        return True
    if exact:
        number = exact[1] or exact[2]
        fuzzy = not version.startswith("==") and version.count("=") < 2 and "*" not in number
        version = f"=={number}.*" if fuzzy else f"=={number}"
    found.add(f"{CONDA.get(name) or name}{version}")
    return False
