"""The package indexes that pip is told of, told to uv too, which does not read pip's settings."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

from flaskship import settings
from flaskship.errors import ImageError

YES = ("1", "true", "yes", "on")


def options() -> list[str]:
    """What uv is given besides its environment."""
    return ["--no-index"] if _pip_settings().get("no-index", "").lower() in YES else []


def environment() -> dict[str, str]:
    """The process's environment; what pip is told of indexes, wheel folders and certificates, uv is told too."""
    pip = _pip_settings()
    env = dict(settings.environment())
    links = ",".join(pip.get("find-links", "").split())
    asked = {
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(pip.get("extra-index-url", "").split()),
        "UV_INDEX_STRATEGY": "unsafe-best-match" if pip.get("extra-index-url") else "",  # as pip: the newest of all
        "UV_FIND_LINKS": links,
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", "").split()),
        "SSL_CERT_FILE": pip.get("cert", ""),
    }
    for name in (
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "UV_PYTHON",
        "UV_TORCH_BACKEND" if not env.get("UV_TORCH_BACKEND") else "",
    ):
        env.pop(name, None)
    return {name: value for name, value in asked.items() if value} | env


def _pip_settings() -> dict[str, str]:
    """pip's `[global]` and `[install]` settings: machine, user, environment variables; later wins."""
    env = settings.environment()
    home = Path.home()
    user = Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    files = [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", user]
    files += [Path(env[name]) / "pip.conf" for name in ("VIRTUAL_ENV",) if env.get(name)]
    files += [Path(env["PIP_CONFIG_FILE"])] if env.get("PIP_CONFIG_FILE", os.devnull) != os.devnull else []
    parser = configparser.RawConfigParser()
    try:
        parser.read(files)
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ImageError(f"Cannot read the configuration of pip: {error}") from error
    found = {
        key: value for part in ("global", "install") if parser.has_section(part) for key, value in parser.items(part)
    }
    names = ("index-url", "extra-index-url", "find-links", "trusted-host", "cert", "no-index")
    return found | {name: env[key] for name in names if env.get(key := f"PIP_{name.upper().replace('-', '_')}")}
