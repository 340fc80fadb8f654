"""All settings, as one table.

A row of the table is a field of `Settings`: its name is the key in `[tool.flaskship]` of `pyproject.toml` (or in
`flaskship.toml`), with dashes the flag, in capitals after `FLASKSHIP_` the environment variable (with `_FILE` after it,
the name of a file that holds the value). Later wins: default, file, environment, flag. The environment is read here
and nowhere else.

Runs on Python 3.8 too, in the processes that serve somebody's app: see flaskship/serve.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Optional, Tuple

from flaskship.errors import UsageError

UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Size(int):
    """Bytes; written `64MB` or `64MiB`."""


class Duration(float):
    """Seconds; written `30`, `30s`, `500ms`, `2m`."""


def _setting(default: Any, text: str, *, short: str = "", also: str = "") -> Any:
    """One row of the table. `also` names a further environment variable that platforms set, such as `PORT`."""
    return dataclasses.field(default=default, metadata={"help": text, "short": short, "also": also})


@dataclass(frozen=True)
class Settings:
    host: str = _setting("127.0.0.1", "Address to listen on.")
    port: int = _setting(8000, "Port to listen on.", short="p", also="PORT")
    workers: int = _setting(0, "Server processes; 0 takes one for each CPU of the quota, at most 4.")
    threads: int = _setting(0, "Request threads of a process; 0 chooses by how long the model takes.")
    server: Literal["granian", "gunicorn"] = _setting("granian", "What accepts the requests.")
    sample: Optional[Path] = _setting(None, "A file of example rows: gives types, ranges, choices and golden rows.")
    target_column: str = _setting("", "The column of the sample that holds the right answer.")
    weights: Optional[Path] = _setting(None, "Weights for a class of torch: a state dict, or safetensors.")
    shape: Tuple[str, ...] = _setting(
        (), "What a row of an input of a net is, as x=3,any,any or tokens=any:int64; may be repeated."
    )
    name: str = _setting("", "Name of the model; the file's own where not given.")
    model_version: str = _setting("", "Version of the model, for people and for /v2.")
    compile: bool = _setting(True, "Compile where that gives the same answers.")
    trust: bool = _setting(False, "Load a pickle whatever it names. It can run any code.")
    isolated: bool = _setting(False, "Run the original in an environment of its own with the versions that made it.")
    reload: bool = _setting(False, "Serve anew when the target changes.")
    max_body: Size = _setting(Size(64 * 10**6), "Largest request body that is read.")
    timeout: Duration = _setting(Duration(60), "Longest wait for an answer.")
    grace: Duration = _setting(Duration(10), "After a stop signal, time for the requests in flight.")
    drain: Duration = _setting(
        Duration(0.3),
        "After a stop signal, time to go on while /readyz says 503 and each answer closes its connection.",
    )
    max_batch: int = _setting(0, "Most rows put through the model at once for several callers; 0 chooses.")
    max_queue: int = _setting(256, "Requests that may wait for a busy model; one more is answered 429.")
    max_streams: int = _setting(64, "Answers that a process streams at once; one more is answered 429.")
    api_key: str = _setting("", "When set, every route but health asks for it: as Bearer, X-API-Key or password.")
    access_log: bool = _setting(False, "Write one line a request to stderr.")
    log_level: Literal["debug", "info", "warning", "error"] = _setting("info", "How much is logged.")
    base: str = _setting("auto", "What an image stands on: a reference, FILE.tar, oci:DIR, engine:NAME, or auto.")
    platform: str = _setting("", "What an image is for: linux/amd64,linux/arm64; this machine's where not given.")
    requirement: Tuple[str, ...] = _setting((), "A further package for the image, as pip takes it; may be repeated.")
    system: Tuple[str, ...] = _setting((), "A Debian package for the base that is assembled; may be repeated.")
    env: Tuple[str, ...] = _setting(
        (), "NAME=VALUE in its environment, or NAME for the value that it has here; may be repeated."
    )
    secret: Tuple[str, ...] = _setting(
        (), "NAME of a variable that it gets where it runs, and no image keeps; may be repeated."
    )
    app: str = _setting("", "What starts a folder's app: FILE, FILE:OBJECT or OBJECT.")
    exclude: Tuple[str, ...] = _setting((), "Of a folder of code, what stays out, as .dockerignore; may be repeated.")
    label: Tuple[str, ...] = _setting((), "NAME=VALUE among the image's labels; may be repeated.")
    gpu: bool = _setting(False, "For an NVIDIA GPU: torch's build for it in the image, the device in the container.")
    replicas: int = _setting(0, "Containers of the API; 0 takes one for `run`, two for `up` and `deploy`.")
    memory: Size = _setting(Size(0), "Most memory of a container; 0 sets no limit.")
    cpus: float = _setting(0.0, "Most CPUs of a container; 0 sets no limit.")
    keep_alive: Duration = _setting(Duration(65), "How long a client's idle connection is kept.")
    rate_limit: int = _setting(0, "Requests a second that nginx takes from one client; 0 sets no limit.")
    tls_cert: Optional[Path] = _setting(None, "The certificate chain (PEM) with which nginx speaks HTTPS.")
    tls_key: Optional[Path] = _setting(None, "The private key (PEM) of that certificate.")
    nginx: str = _setting("auto", "The image of nginx: a reference, or auto.")
    insecure: bool = _setting(False, "Speak plain HTTP to registries on other machines too.")

    @classmethod
    def load(cls, folder: Path | None, env: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
        """Defaults, then the settings file in `folder`, then `env`, then `flags` (those that are not None).

        Raises `UsageError` naming the key, where it stood, and what it may be.
        """
        rows = {row.name: row for row in dataclasses.fields(cls)}
        hints = typing.get_type_hints(cls)
        found: dict[str, Any] = {}
        for where, values in (_file(folder, rows), ("the environment", _environment(env, rows)), ("flags", flags)):
            for key, value in values.items():
                if value is not None:
                    found[key] = parse(value, hints[key], f"{key!r} in {where}")
        return cls(**found)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"FLASKSHIP_{name.upper()}"


def _environment(env: Mapping[str, str], rows: Mapping[str, dataclasses.Field[Any]]) -> dict[str, str]:
    found = {name: env[row.metadata["also"]] for name, row in rows.items() if env.get(row.metadata["also"] or "\0")}
    files = {name: _held(f"{variable(name)}_FILE", env) for name in rows if env.get(f"{variable(name)}_FILE")}
    return {**found, **files, **{name: env[variable(name)] for name in rows if variable(name) in env}}


def _held(name: str, env: Mapping[str, str]) -> str:
    """What the file holds that a variable names: a secret as Swarm and Kubernetes mount it."""
    try:
        return Path(env[name]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot read {env[name]!r}, which {name} names: {error}.") from error


def _file(folder: Path | None, rows: Mapping[str, dataclasses.Field[Any]]) -> tuple[str, dict[str, Any]]:
    if folder is None:
        return "", {}
    import tomllib  # an older Python has none: it serves, and is given no folder

    for name in ("flaskship.toml", "pyproject.toml"):
        path = folder / name
        if not path.is_file():
            continue
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"Cannot read {str(path)!r}: {error}.") from error
        table = values.get("tool", {}).get("flaskship") if name == "pyproject.toml" else values
        if table is None:
            continue
        found = {key.replace("-", "_"): value for key, value in table.items()}
        if unknown := sorted(set(found) - set(rows)):
            raise UsageError(f"No setting {unknown[0]!r} (in {str(path)!r}). There are: {', '.join(sorted(rows))}.")
        return str(path), found
    return "", {}


def parse(value: Any, hint: Any, where: str) -> Any:
    """`value` as the type of a setting, from TOML or from text. Raises `UsageError`, which names `where`."""
    if typing.get_origin(hint) is typing.Union:
        hint = next(each for each in typing.get_args(hint) if each is not type(None))
    if typing.get_origin(hint) is Literal:
        if value in typing.get_args(hint):
            return value
        raise UsageError(f"{where} is {value!r}. It may be one of {', '.join(typing.get_args(hint))}.")
    try:
        return _READERS[hint](value)
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{where} is {value!r}, which is no {_NOUNS[hint]}.") from error


def _boolean(value: Any) -> bool:
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
        "": False,
    }
    return value if isinstance(value, bool) else words[str(value).strip().lower()]


def _text(value: Any) -> str:
    if isinstance(value, (list, dict)):
        raise ValueError(value)
    return str(value)


def _integer(value: Any) -> int:
    if isinstance(value, (bool, float)) or int(value) < 0:
        raise ValueError(value)
    return int(value)


def _number(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not 0 <= number < float("inf"):
        raise ValueError(value)
    return number


def _words(value: Any) -> tuple[str, ...]:
    """A list as TOML has it, or words as a shell splits them."""
    return tuple(shlex.split(value)) if isinstance(value, str) else tuple(str(each) for each in value)


def _measure(value: Any, units: Mapping[str, float]) -> float:
    found = re.fullmatch(r"([\d.]+)\s*([a-z]*)", str(value).strip().lower())
    number, unit = typing.cast("re.Match[str]", found).groups()
    return float(number) * units[unit]


def _size(value: Any) -> Size:
    if not re.fullmatch(r"[\d.]+\s*[A-Za-z]*", str(value).strip()):
        raise ValueError(value)
    return Size(_measure(value, UNITS))


def _duration(value: Any) -> Duration:
    if not re.fullmatch(r"[\d.]+\s*[a-z]*", str(value).strip().lower()):
        raise ValueError(value)
    return Duration(_measure(value, SECONDS))


_READERS: dict[Any, Callable[[Any], Any]] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _boolean,
    Path: Path,
    Tuple[str, ...]: _words,
    Size: _size,
    Duration: _duration,
}
_NOUNS = {
    str: "text",
    int: "whole number from 0 up",
    float: "number from 0 up",
    bool: "boolean (true or false)",
    Path: "path",
    Tuple[str, ...]: "list of words",
    Size: "size (such as 64MB)",
    Duration: "duration (such as 30s)",
}


def environment() -> Mapping[str, str]:
    """The process's environment: the one place where it is read for settings."""
    return os.environ


def cache_folder() -> Path:
    """Where bundles and environments are kept between calls: `FLASKSHIP_CACHE`, else the user's cache directory."""
    env = environment()
    if env.get("FLASKSHIP_CACHE"):
        return Path(env["FLASKSHIP_CACHE"])
    return Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flaskship"
