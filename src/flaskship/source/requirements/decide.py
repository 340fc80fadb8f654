"""What a folder asks for, what its code imports and what its model files hold, joined: each decision a sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from flaskship.artifact.facts import SOFT
from flaskship.source import Requirements
from flaskship.source.requirements import declared, imports, pickles
from flaskship.source.requirements.found import PYTHONS, Found, pin
from flaskship.source.requirements.names import COVERS, INSTEAD, REMOVED, SAME
from flaskship.source.requirements.pickles import Held

OWN = "flaskship"  # comes with what runs the app
NEAR = 0.84  # of two names that differ by a slip of the pen; 1 is the same


@dataclass(kw_only=True)
class Joined:
    """The requirements while they grow, by distribution."""

    wanted: dict[str, Requirement] = field(default_factory=dict)
    decisions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def has(self, name: str) -> bool:
        return name in self.wanted or any(each in self.wanted for each in COVERS.get(name, ()))


def join(
    folder: Path, root: str, file: str, files: Collection[str], installed: Mapping[str, Sequence[str]]
) -> Requirements:
    """What the app that `file` starts needs. `installed` has the distributions here by top-level module."""
    joined = Joined()
    lists = declared.read(folder, root)
    read = imports.read(folder, root, file, files)
    held = pickles.read(folder, files, installed)
    joined.warnings += [*read.warnings, *held.warnings]
    base = next((each for each in lists if each.wanted), None)
    _listed(joined, base, lists)
    needed = _needed(joined, read, installed)
    _slips(joined, {name for name, _ in needed})
    _imported(joined, needed, base, lists)
    models = _held(joined, held)
    _companions(joined)
    own = joined.wanted.pop(OWN, None) is not None and any(name == OWN for name, _ in needed)
    if own:
        joined.decisions.append("flaskship itself is not looked for: this one comes along.")
    return Requirements(
        wanted=tuple(sorted(str(each) for each in joined.wanted.values())),
        models=tuple(sorted(models & set(joined.wanted))),
        python=_python(joined, folder, root, lists),
        until=_until(joined, read.removed),
        committed=_committed(folder),
        flaskship=own,
        decisions=tuple(dict.fromkeys(joined.decisions)),
        warnings=tuple(dict.fromkeys(joined.warnings)),
    )


def _listed(joined: Joined, base: Found | None, lists: list[Found]) -> None:
    """The best of the lists. The others are asked for what is imported only."""
    for each in lists:
        if each is base or not each.wanted:
            joined.decisions += each.decisions if each is base else []
            joined.warnings += each.warnings
    if base is None:
        joined.decisions.append("No file says which packages are needed: they are read from the imports.")
        return
    many = f"{len(base.wanted)} packages are" if len(base.wanted) != 1 else "One package is"
    joined.decisions.append(f"{many} asked for by {base.path}.")
    joined.wanted |= base.wanted


def _needed(joined: Joined, read: imports.Imports, installed: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """(distribution, where it is imported), each once."""
    found: dict[str, str] = {}
    for module, where in sorted(read.needed.items()):
        name, sure = imports.distribution(module, installed)
        if not sure and name != OWN and not joined.has(name):
            name, sure = (_by_name(joined, name), True) if _by_name(joined, name) else (name, name in found)
        if not sure and name != OWN and not joined.has(name):
            joined.warnings.append(f"{module!r} ({where}) is taken to come with {name!r}: no table has its package.")
        found.setdefault(name, where)
    for name, where in sorted(read.implied.items()):
        found.setdefault(name, where)
    return list(found.items())


def _by_name(joined: Joined, module: str) -> str:
    """What is asked for and, as it is called, brings a module that no table has: python-whois, PySastrawi."""
    forms = (f"python-{module}", f"{module}-python", f"py{module}", f"py-{module}")
    ends = (each for each in joined.wanted if module.endswith(f"-{each}") and each.replace("-", "_") not in SAME)
    return next((each for each in forms if each in joined.wanted), "") or next(ends, "")


def _slips(joined: Joined, needed: set[str]) -> None:
    """A listed name that is near to one that is imported and not listed: `skikit-lern`."""
    lacking = [each for each in needed if not joined.has(each)]
    for name in [each for each in joined.wanted if each not in needed and each.replace("-", "_") not in SAME]:
        near = get_close_matches(name, lacking, n=1, cutoff=NEAR)
        if near and not name.startswith(f"{near[0]}-") and not near[0].startswith(f"{name}-"):
            wanted = joined.wanted.pop(name)
            wanted.name = near[0]
            joined.wanted[near[0]] = wanted
            joined.decisions.append(f"{name} is taken as {near[0]}, which is imported.")


def _imported(joined: Joined, needed: list[tuple[str, str]], base: Found | None, lists: list[Found]) -> None:
    """Adds what is imported and not asked for; another list may say which version."""
    added = []
    for name, where in needed:
        if joined.has(name):
            continue
        other = next((each for each in lists if name in each.wanted), None)
        joined.wanted[name] = other.wanted[name] if other else Requirement(name)
        added.append(f"{joined.wanted[name]} ({where})" if not other else f"{joined.wanted[name]} (as in {other.path})")
    if added:
        reason = f"are imported, and not in {base.path}" if base else "are imported"
        joined.decisions.append(f"Added, as they {reason}: {', '.join(sorted(added))}.")


def _held(joined: Joined, held: Held) -> set[str]:
    """What the model files hold, at the versions that wrote them; the names of these libraries."""
    models, added = set(), []
    for name, files in sorted(held.files.items()):
        known = next((each for each in (name, *COVERS.get(name, ())) if each in joined.wanted), "")
        wanted = joined.wanted.setdefault(known or name, Requirement(name))
        models.add(wanted.name)
        added += [] if known else [f"{name} ({_shown(files)})"]
        if version := held.version(name):
            _written(joined, wanted, held.versions[name], version)
            continue
        for bound in held.bounds.get(name, []):
            _bounded(joined, wanted, bound, files)
    if added:
        joined.decisions.append(f"Added, as model files hold their objects: {', '.join(added)}.")
    return models - set(SOFT) or models


def _bounded(joined: Joined, wanted: Requirement, bound: str, files: Sequence[str]) -> None:
    """What the file's bytes tell of a version that they do not name."""
    limit = SpecifierSet(bound)
    if pin(wanted) and limit.contains(pin(wanted), prereleases=True):
        return
    over = f", not {wanted}" if pin(wanted) else ""
    joined.decisions.append(f"{wanted.name}{bound} is taken{over}: {_shown(files)} was written with it.")
    wanted.specifier = limit if pin(wanted) else wanted.specifier & limit


def _written(joined: Joined, wanted: Requirement, versions: Mapping[str, str], version: str) -> None:
    """Gives `wanted` the version that wrote its files."""
    file, listed = versions[version], str(wanted.specifier)
    if pin(wanted) != version:
        over = f", not {wanted.name}{listed}" if listed and not wanted.specifier.contains(version, True) else ""
        joined.decisions.append(f"{wanted.name}=={version} is taken{over}: it wrote {file}.")
    for other, path in sorted(versions.items()):
        if other != version:
            joined.warnings.append(
                f"{path} was written by {wanted.name} {other}, {file} by {version}: only one can be there."
                f" Save it again with {version}."
            )
    wanted.specifier = SpecifierSet(f"=={version}")


def _companions(joined: Joined) -> None:
    """What a library needs and does not ask for."""
    keras = joined.wanted.get("keras")
    if keras is not None and not any(joined.has(each) for each in ("tensorflow", "torch", "jax")):
        joined.wanted["tensorflow"] = Requirement("tensorflow")
        joined.decisions.append("tensorflow is added: keras computes with it.")
    if "transformers" in joined.wanted and not any(joined.has(each) for each in ("tensorflow", "torch", "jax", "flax")):
        joined.wanted["torch"] = Requirement("torch")
        joined.decisions.append("torch is added: transformers computes with it.")
    for name in [each for each in joined.wanted if each in INSTEAD]:
        other = INSTEAD[name][0]
        joined.wanted.setdefault(other, joined.wanted.pop(name)).name = other


def _python(joined: Joined, folder: Path, root: str, lists: list[Found]) -> str:
    """The Python that the folder asks for, "" where any will do."""
    version, file = declared.python(folder, root)
    told = [(version, file)] if version else []
    told += [(each.python, each.path) for each in lists if each.python]
    chosen: tuple[str, ...] = PYTHONS
    asking = ""
    for text, place in told:
        able = declared.allowed(text, chosen)
        if not able and not declared.allowed(text, PYTHONS):
            joined.warnings.append(f"{place} asks for Python {text}: {PYTHONS[-1]} is the oldest that serves apps.")
            able = PYTHONS[-1:]
        asking = place if able and able != chosen else asking
        chosen = able or chosen
    if PYTHONS[0] in chosen:
        return ""
    joined.decisions.append(f"Python {chosen[0]} is asked for by {asking}.")
    return chosen[0]


def _until(joined: Joined, removed: Mapping[str, str]) -> str:
    """The last Python that has all modules of the standard library that are imported, "" where the newest does."""
    module = max(removed, key=lambda each: PYTHONS.index(REMOVED[each]), default="")
    if not module:
        return ""
    joined.decisions.append(
        f"{module!r} ({removed[module]}) is no part of Python after {REMOVED[module]}: no later one is taken."
    )
    return REMOVED[module]


def _committed(folder: Path) -> str:
    """ISO date of the last commit in the folder, "" where it has none. Nothing of the repository is run."""
    command = ["git", "-c", "core.fsmonitor=false", "log", "-1", "--format=%cs", "--", "."]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _shown(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} (and {len(files) - 1} more)"
