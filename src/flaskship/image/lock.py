"""The lock: what exactly goes into an image, with hashes, in the form that `pip install --require-hashes -r` reads too.

It lies beside the target as `sales.joblib.lock`, made by uv for the image's platform and Python, and honoured after:

    # flaskship: {"base":"…","python":"3.11","requirements":["flask>=3.0"],"tags":["x86_64-manylinux_2_36"]}
    flask==3.1.3 \\
        --hash=sha256:…
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uv

from flaskship import indexes
from flaskship.app_bundle import AppManifest
from flaskship.errors import FlaskshipError, ImageError, NoWheel
from flaskship.image.layout import beside
from flaskship.image.spec import Platform
from flaskship.source import Requirements, Solved

MARK = "# flaskship: "
DECIDED = "# - "
NOTE = "# Made by flaskship build, and honoured by it. Delete it, or give --upgrade, to take newer versions.\n"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "ppc64le": "powerpc64le", "riscv64": "riscv64gc"}
TORCH = r"^torch(vision|audio)?\b"
CPU = ("--torch-backend", "cpu")  # PyTorch's own index, of which uv knows
NVIDIA = re.compile(r"^nvidia-", re.MULTILINE)  # among pins: libraries of CUDA, which torch's build for it asks for
GPU = re.compile(r"^nvidia-|^[\w-]+-gpu==|\+(cu|rocm)\d", re.MULTILINE)  # among pins: what computes on a GPU
MANYLINUX = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)  # minor versions of glibc 2 that uv has a platform for


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What wheels are wanted for."""

    platform: Platform
    python: str  # "3.11"
    glibc: int = 28  # 36 is glibc 2.36; 0 is musl

    @property
    def tag(self) -> str:
        """As uv names it: `aarch64-manylinux_2_28`."""
        machine = MACHINES.get(self.platform.architecture, self.platform.architecture)
        if not self.glibc:
            return f"{machine}-unknown-linux-musl"
        return f"{machine}-manylinux_2_{max(each for each in MANYLINUX if each <= max(self.glibc, MANYLINUX[0]))}"

    @property
    def here(self) -> bool:
        """True where what is built on this machine runs there."""
        return self.platform == Platform.here() and bool(self.glibc) and bool(interpreter(self.python))


@functools.cache
def interpreter(python: str = "") -> str:
    """A Python of that version (this one where none is named) on this machine; "" where there is none."""
    if python in ("", f"{sys.version_info.major}.{sys.version_info.minor}"):
        return sys.executable
    command = [uv.find_uv_bin(), "python", "find", "--no-project", "--no-python-downloads", python]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    name: str
    version: str
    text: str  # its lines in the lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    text: str  # the pins, without the header
    base: str = ""  # the base image with its digest, if it came from a registry
    tags: tuple[str, ...] = ()  # of the platforms whose wheels' hashes are there
    gpu: bool = False  # with torch's build for NVIDIA

    @property
    def pins(self) -> tuple[Pin, ...]:
        found = re.finditer(r"^([A-Za-z0-9._-]+)==(\S+)(?:.*\\\n(?:    --hash.*\n)+|.*\n)", self.text, re.MULTILINE)
        return tuple(Pin(name=each[1], version=each[2], text=each[0]) for each in found)


def read(path: Path, requirements: Sequence[str], python: str, *, gpu: bool = False) -> Lock | None:
    """The lock at `path`, if it is one for these requirements and this Python, and for a GPU or not."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return None
    header = _header(lines, path)
    wanted = (sorted(requirements), python, gpu)
    if (header["requirements"], header["python"], header.get("gpu", False)) != wanted:
        return None
    text = "".join(line for line in lines if not line.startswith("#"))
    return Lock(text=text, base=header.get("base", ""), tags=tuple(header.get("tags", ())), gpu=gpu)


def write(path: Path, lock: Lock, requirements: Sequence[str], python: str, app: AppManifest | None = None) -> None:
    """With a line for each decision that led to an app's requirements."""
    header: dict[str, object] = {"base": lock.base, "python": python, "requirements": sorted(requirements)}
    header |= {"tags": lock.tags, **({"gpu": True} if lock.gpu else {})}
    if app:
        header |= {"wanted": app.wanted.wanted, "pins": app.requirements, "solved": app.solved}
    decisions = "".join(f"{DECIDED}{' '.join(each.split())}\n" for each in (app.decisions if app else ()))
    with beside(path) as (file, move):
        file.write(f"{NOTE}{decisions}{MARK}{json.dumps(header, separators=(',', ':'))}\n{lock.text}".encode())
        move(path)


def solved(path: Path, wanted: Requirements) -> Solved | None:
    """What was found for an app's `wanted` requirements, as the lock at `path` keeps it."""
    if not path.is_file():
        return None
    header = _header(path.read_text(encoding="utf-8").splitlines(), path)
    if header.get("wanted") != list(wanted.wanted):
        return None
    return Solved(python=header["python"], pins=tuple(header["pins"]), decisions=tuple(header["solved"]))


def _header(lines: Sequence[str], path: Path) -> dict[str, Any]:
    """Raises `ImageError` for a file that is none of ours."""
    try:
        found = json.loads(next((line for line in lines if line.startswith(MARK)), "").removeprefix(MARK))
        return {"python": found["python"], "requirements": found["requirements"], **found}
    except (ValueError, KeyError, TypeError) as error:
        raise ImageError(
            f"{str(path)!r} is no lock of Flaskship: its first lines do not say for what. Move it."
        ) from error


def base_of(path: Path) -> str:
    """The base that a lock at `path` names; "" where there is none."""
    found = re.search(rf'^{MARK}.*"base":"([^"]*)"', path.read_text(encoding="utf-8") if path.is_file() else "", re.M)
    return found[1] if found else ""


def resolve(
    requirements: Sequence[str], where: Where, *, gpu: bool = False, base: str = "", whole: bool = False
) -> Lock:
    """The newest versions that go together; where the requirements are the `whole` of it, no more than these.

    Raises `NoWheel` naming the package that cannot be had.
    """
    options = ["--python-platform", where.tag, "--python-version", where.python, "--generate-hashes"]
    options += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    options += [] if where.here else ["--only-binary", ":all:"]
    options += ["--no-deps"] if whole else []
    text = "\n".join([*sorted(requirements), ""])
    solve = run_nvidia if gpu else run_torch
    return Lock(text=solve(["pip", "compile", "-", *options], where, text), base=base, tags=(where.tag,), gpu=gpu)


def extend(known: Lock, where: Where, *, whole: bool = False) -> Lock:
    """The same versions with the hashes of another platform's wheels too, which may come from another index."""
    more = resolve([f"{pin.name}=={pin.version}" for pin in known.pins], where, gpu=known.gpu, whole=whole)
    hashes: dict[tuple[str, str], set[str]] = {}
    for pin in (*known.pins, *more.pins):
        hashes.setdefault((pin.name, pin.version), set()).update(re.findall(r"--hash=\S+", pin.text))
    lines = (
        " \\\n    ".join([f"{name}=={version}", *sorted(found)]) + "\n"
        for (name, version), found in sorted(hashes.items())
    )
    return replace(known, text="".join(lines), tags=(*known.tags, where.tag))


def run_torch(arguments: Sequence[str], where: Where, text: str) -> str:
    """As `run`; with torch's build for CPUs, where the requirements in `text` name torch.

    A folder of wheels that has it is enough; else PyTorch's own index has it, and where that cannot be reached, another
    index may. Raises `NoWheel`, too, rather than to take the gigabytes for NVIDIA.
    """
    if not re.search(TORCH, text, re.MULTILINE):
        return run(arguments, where, text)
    if "+cpu" in text or _is_near():
        try:
            if not NVIDIA.search(found := run(arguments, where, text)):
                return found
        except NoWheel as error:
            if "torch" not in error.detail:
                raise
        return run([*arguments, *CPU], where, text)
    try:
        return run([*arguments, *CPU], where, text)
    except NoWheel as error:
        if "pytorch" not in error.detail:
            raise
        found = run(arguments, where, text)
        if NVIDIA.search(found):
            raise
        return found


def run_nvidia(arguments: Sequence[str], where: Where, text: str) -> str:
    """What uv locks, with torch's build for NVIDIA where the requirements in `text` come to torch.

    An index has it under the plain version, with CUDA's libraries as packages beside it; so another build's version,
    such as 2.8.0+cpu in a folder of wheels, counts as a later one. Raises `NoWheel` where there is none.
    """
    found = run(arguments, where, text)
    if others := re.findall(rf"{TORCH}==(\S+\+cpu)", found, re.MULTILINE):
        found = run(arguments, where, text + "".join(f"torch{name}!={version}\n" for name, version in others))
    torch = re.search(rf"{TORCH}==(\S+)", found, re.MULTILINE)
    if torch and not NVIDIA.search(found) and "+cu" not in torch[2]:
        raise NoWheel(
            f"Of torch {torch[2]} there is no build for NVIDIA on {where.platform} where packages are looked for. Name"
            " the index of PyTorch that has it, by its CUDA: UV_TORCH_BACKEND=cu128, or leave --gpu out."
        )
    return found


def _is_near() -> bool:
    """Whether a folder of wheels that pip or uv is told of has torch's build for CPUs."""
    places = indexes.environment().get("UV_FIND_LINKS", "").split(",")
    return any(list(Path(each.removeprefix("file://")).glob("torch-*+cpu-*.whl")) for each in places if each)


def run(arguments: Sequence[str], where: Where, text: str = "") -> str:
    """What uv writes. Raises `NoWheel` with uv's own reason.

    It is told which interpreter to ask: else it asks each that it finds, which takes seconds.
    """
    arguments = [*arguments, "--python", interpreter(where.python) or interpreter()]
    arguments += indexes.options()
    with tempfile.TemporaryDirectory() as folder:  # elsewhere uv would read the project that it is called in
        found = subprocess.run(
            [uv.find_uv_bin(), *arguments, "--quiet", "--color", "never"],
            input=text, capture_output=True, text=True, cwd=folder, env=indexes.environment(), check=False,
        )  # fmt: skip
    if found.returncode:
        raise _refused(found.stderr, where)
    return found.stdout


def _refused(said: str, where: Where) -> FlaskshipError:
    reason = " ".join(line.strip() for line in said.splitlines() if line.strip())
    if re.search(r"No space left|os error 28", reason):
        return ImageError(f"Cannot fetch the packages: No space left on device. uv says: {reason}")
    if "does not satisfy Python" in reason:
        reason += (
            f" Take a base with the Python that builds: --base python:{sys.version_info[0]}.{sys.version_info[1]}-slim."
        )
    able = "" if where.here or "wheels" not in reason else " Build on such a machine, or take another version."
    return NoWheel(f"The packages cannot be had for Python {where.python} on {where.platform}: {reason}{able}")
