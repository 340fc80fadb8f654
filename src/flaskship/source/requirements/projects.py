"""What a project's own files ask for: pyproject.toml, Pipfile, setup.cfg, setup.py; and the locks of their tools."""

from __future__ import annotations

import ast
import configparser
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from flaskship.source.requirements import pip
from flaskship.source.requirements.found import Found, pin, ranged

DEVELOPMENT = re.compile(r"dev|test|lint|doc|typing|types|ci|notebook|jupyter|bench", re.IGNORECASE)
LOCKS = {"pyproject.toml": ("uv.lock", "poetry.lock", "pdm.lock")}


def pyproject(folder: Path, path: str) -> Found:
    found = Found(path=path)
    told = _toml(found, folder / path)
    project, tool = told.get("project", {}), told.get("tool", {})
    found.python = str(project.get("requires-python", ""))
    for each in project.get("dependencies", []):
        found.add(str(each))
    for group, wanted in told.get("dependency-groups", {}).items():
        for each in wanted if not DEVELOPMENT.search(group) else []:
            found.add(each if isinstance(each, str) else "")
    poetry = tool.get("poetry", {})
    _table(found, poetry.get("dependencies", {}))
    for group, content in poetry.get("group", {}).items():
        if not content.get("optional") and not DEVELOPMENT.search(group):
            _table(found, content.get("dependencies", {}))
    for lock in LOCKS["pyproject.toml"]:
        if found.wanted and (folder / path).with_name(lock).is_file():
            _locked(found, (folder / path).with_name(lock))
            break
    return found


def pipfile(folder: Path, path: str) -> Found:
    found = Found(path=path)
    told = _toml(found, folder / path)
    found.python = str(told.get("requires", {}).get("python_version", ""))
    _table(found, told.get("packages", {}))
    return found


def pipfile_lock(folder: Path, path: str) -> Found:
    found = Found(path=path)
    try:
        told = json.loads(pip.text(folder / path))
        default = dict(told["default"])
        found.python = str(told.get("_meta", {}).get("requires", {}).get("python_version", ""))
    except (ValueError, KeyError, TypeError) as error:
        found.warn(f"it cannot be read, and is passed over: {error!r}.")
        return found
    _table(found, default)
    return found


def setup_cfg(folder: Path, path: str) -> Found:
    found = Found(path=path)
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(pip.text(folder / path))
    except configparser.Error as error:
        found.warn(f"it cannot be read, and is passed over: {error!r}.")
        return found
    found.python = parser.get("options", "python_requires", fallback="")
    for line in pip.lines(parser.get("options", "install_requires", fallback="")):
        found.add(line)
    return found


def setup_py(folder: Path, path: str) -> Found:
    """What `setup(install_requires=[…])` names in so many words. The file is not run."""
    found = Found(path=path)
    try:
        tree = ast.parse(pip.text(folder / path))
    except (SyntaxError, ValueError, RecursionError) as error:
        found.warn(f"it cannot be read, and is passed over: {error!r}.")
        return found
    names = {
        each.targets[0].id: each.value
        for each in tree.body
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
    }
    for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
        for keyword in call.keywords:
            value = names.get(keyword.value.id, keyword.value) if isinstance(keyword.value, ast.Name) else keyword.value
            if keyword.arg == "install_requires" and isinstance(value, ast.List | ast.Tuple):
                for each in value.elts:
                    found.add(each.value if isinstance(each, ast.Constant) and isinstance(each.value, str) else "")
            if keyword.arg == "python_requires" and isinstance(value, ast.Constant):
                found.python = str(value.value)
    return found


def _toml(found: Found, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(pip.text(path))
    except tomllib.TOMLDecodeError as error:
        found.warn(f"it cannot be read, and is passed over: {error}.")
        return {}


def _table(found: Found, table: Mapping[str, Any]) -> None:
    """Poetry's and Pipenv's form: `flask = "^2.0"`, `numpy = {version = "*", markers = "…"}`."""
    for name, value in table.items():
        for each in value if isinstance(value, list) else [value]:
            if name == "python":
                found.python = str(each)
            else:
                _entry(found, name, each if isinstance(each, Mapping) else {"version": str(each)})


def _entry(found: Found, name: str, entry: Mapping[str, Any]) -> None:
    if entry.get("optional"):
        return
    where = next((str(entry[key]) for key in ("git", "url", "path", "file") if key in entry), "")
    if where:
        if where not in (".", "./"):
            found.warn(f"{name!r} is taken from {where!r}, no package of the index, and is left out.")
        return
    version = ranged(str(entry.get("version", "*")))
    if version is None:
        found.warn(f"{name!r} has no version that can be read, {entry.get('version')!r}: it is taken without one.")
    extras = f"[{','.join(entry['extras'])}]" if entry.get("extras") else ""
    marker = f" ; {entry['markers']}" if entry.get("markers") else ""
    found.add(f"{name}{extras}{version or ''}{marker}")


@dataclass(slots=True)
class Locked:
    versions: set[str] = field(default_factory=set)
    needs: list[Requirement] = field(default_factory=list)  # of names and markers


def _locked(found: Found, lock: Path) -> None:
    """Gives `found` the lock's versions, and all that is needed for them."""
    kept = Found(path=lock.name)
    packages: dict[str, Locked] = {}
    for each in _toml(kept, lock).get("package", []):
        entry = packages.setdefault(canonicalize_name(str(each.get("name", ""))), Locked())
        entry.versions.add(str(each.get("version", "")))
        entry.needs += _needs(each.get("dependencies", []))
    found.warnings += kept.warnings
    direct = len(found.wanted)
    waiting, seen = list(found.wanted.values()), set(found.wanted)
    while waiting:
        wanted = waiting.pop()
        entry = packages.get(canonicalize_name(wanted.name), Locked())
        if len(entry.versions) == 1 and not pin(wanted):
            marker = f" ; {wanted.marker}" if wanted.marker else ""
            extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
            kept.add(f"{wanted.name}{extras}=={next(iter(entry.versions))}{marker}")
        new = [each for each in entry.needs if canonicalize_name(each.name) not in seen]
        seen |= {canonicalize_name(each.name) for each in new}
        waiting += new
    found.wanted |= kept.wanted
    found.decide(f"{direct} packages, and what they need, have the versions of {lock.name}.")


def _needs(dependencies: Any) -> Iterator[Requirement]:
    """Poetry's are a table of versions, uv's a list of tables, PDM's a list of requirements."""
    entries: Iterable[tuple[str, Any]]
    if isinstance(dependencies, Mapping):
        entries = dependencies.items()
    else:
        entries = [(each, {}) if isinstance(each, str) else (each.get("name", ""), each) for each in dependencies]
    for name, value in entries:
        told = value[0] if isinstance(value, list) and value else value
        marker = str(told.get("markers") or told.get("marker") or "") if isinstance(told, Mapping) else ""
        if isinstance(told, Mapping) and told.get("optional"):
            continue
        try:
            plain = Requirement(name)
            yield Requirement(f"{plain.name} ; {marker}" if marker else plain.name)
        except InvalidRequirement:
            continue
