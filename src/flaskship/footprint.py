"""How much memory the server of an image takes: its model is served here for a moment, and asked for its golden rows.

No engine is needed for that, nor any layer of the image but those with the model.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from flaskship.bundle import Bundle, Manifest
from flaskship.cache import MANIFEST
from flaskship.errors import FlaskshipError, UsageError
from flaskship.image.spec import Blob, Image
from flaskship.plan import BUNDLE
from flaskship.settings import environment, variable

PROC = Path("/proc")
REQUESTS = 200  # each on a connection of its own, so that every worker gets some
MARGIN = 1.25
STEP = 16 << 20  # bytes
SERVING = "Serving "  # what the server says once it is ready
PLACES = ("PATH", "HOME", "PYTHON", "LD_")  # variables that name what lies in an image, and not here
HERE = {
    variable("host"): "127.0.0.1",
    variable("port"): "0",
    variable("log_level"): "error",
    variable("access_log"): "no",
    variable("drain"): "0",
}


def measured(image: Image, env: Mapping[str, str], *, trust: bool = False) -> int:
    """Bytes that a container of `image` should ask for, with `env` added to its own environment.

    A quarter more than was found, in steps of 16 MiB. Raises `UsageError` where the model cannot be served here, as a
    library is missing or as it needs `trust`, which the image alone does not give.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpack(image, Path(folder))
            found = _served(Path(folder), _settings(image) | dict(env), trust=trust)
        except (FlaskshipError, OSError, tarfile.TarError, msgspec.MsgspecError) as error:
            raise UsageError(
                f"The memory that the model takes cannot be measured here: {error}. Say how much: --memory 512MiB"
            ) from error
    return -(-int(found * MARGIN) // STEP) * STEP


def memory(pids: Sequence[int]) -> int:
    """Bytes that these processes take together: what each has for itself, and once what they share with any other.

    The proportional set size, their sum in the kernel's terms, would be less on a machine that runs more of the kind.
    """
    own, shared = 0, [0]
    for pid in pids:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
        sizes = {line.split()[0]: int(line.split()[1]) * 1024 for line in lines}
        own += sizes["Private_Clean:"] + sizes["Private_Dirty:"]
        shared.append(sizes["Shared_Clean:"] + sizes["Shared_Dirty:"])
    return own + max(shared)


def unpack(image: Image, folder: Path) -> Bundle:
    """The bundle in an image, read from its last layer back until all of it is there."""
    one = image if image.config else image.images[0]
    for layer in reversed(one.layers):
        for name, content in _bundled(layer):
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():  # a later layer's file hides an earlier one's
                place.write_bytes(content)
        if (folder / MANIFEST).is_file():
            wanted = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest).files
            if all((folder / name).is_file() for name in wanted):
                return Bundle.read(folder)
    raise UsageError("the image holds no whole bundle")


def _bundled(layer: Blob) -> Iterator[tuple[str, bytes]]:
    """The files of a layer that lie in the bundle's folder."""
    with layer.open() as file, tarfile.open(fileobj=file, mode="r|*") as members:
        for each in members:
            name = each.name.removeprefix("./").removeprefix("/")
            content = members.extractfile(each) if each.isreg() and name.startswith(f"{BUNDLE[1:]}/") else None
            if content is not None and ".." not in Path(name).parts:
                yield name.removeprefix(f"{BUNDLE[1:]}/"), content.read()


def _settings(image: Image) -> dict[str, str]:
    env = (image.settings().get("config") or {}).get("Env") or []
    pairs = dict(each.partition("=")[::2] for each in env)
    return {name: value for name, value in pairs.items() if not name.startswith(PLACES)}


def _served(folder: Path, env: Mapping[str, str], *, trust: bool) -> int:
    bundle = Bundle.read(folder)
    with _server(folder, {**env, **HERE, variable("trust"): str(trust).lower(), variable("api_key"): ""}) as running:
        process, url = running
        for path, rows in _asked(bundle).items():
            for each in [rows, *(rows[at % len(rows)] for at in range(REQUESTS))]:
                _ask(f"{url}{path}", each)
        return memory([process, *_children(process)])


def _asked(bundle: Bundle) -> dict[str, list[dict[str, Any]]]:
    """Paths, and the golden rows that are sent there; a function may have none."""
    code = bundle.manifest.code
    if code is None:
        return {"/predict": bundle.golden.rows}
    return {each.path: [bundle.recorded[each.name].row] for each in code.endpoints if each.name in bundle.recorded}


@contextmanager
def _server(folder: Path, env: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """The process and the address of a server of the bundle in `folder`."""
    given = {name: value for name, value in environment().items() if not name.startswith("FLASKSHIP_")}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "flaskship.serve", str(folder)],
        env={**given, **env},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        said = ""
        for line in process.stderr:
            if line.startswith(SERVING):
                yield process.pid, line.rpartition(" ")[2].strip()
                return
            said = line.strip() or said
        raise UsageError(said.rstrip(".") or "the server ended without a word")
    finally:
        process.terminate()
        process.communicate()


def _children(pid: int) -> list[int]:
    found = []
    for task in (PROC / str(pid) / "task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *_children(child)]
    return found


def _ask(url: str, rows: Any) -> None:
    request = urllib.request.Request(url, json.dumps(rows).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        response.read()
