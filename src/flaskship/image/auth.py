"""Credentials of registries, where Docker and Podman keep them: config.json, auth.json, credential helpers.

https://docs.docker.com/reference/cli/docker/login/ and https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import base64
import binascii
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flaskship.errors import LoginRefused, RegistryError
from flaskship.image.layout import beside
from flaskship.image.ref import DOCKER_HUB
from flaskship.settings import environment

HUB_KEY = "https://index.docker.io/v1/"
TOKEN_USER = "<token>"  # how helpers say: the secret is an identity token
HELPER_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    user: str
    secret: str  # a password, or with the user `<token>` an identity token

    @property
    def token(self) -> str:
        return self.secret if self.user == TOKEN_USER else ""

    @property
    def basic(self) -> str:
        """The value of an `Authorization` header."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.secret}'.encode()).decode()}"


def docker_config() -> Path:
    env = environment()
    return Path(env.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def _files() -> Iterator[Path]:
    env = environment()
    if env.get("REGISTRY_AUTH_FILE"):
        yield Path(env["REGISTRY_AUTH_FILE"])
    yield docker_config()
    if env.get("XDG_RUNTIME_DIR"):
        yield Path(env["XDG_RUNTIME_DIR"]) / "containers" / "auth.json"
    yield Path.home() / ".config" / "containers" / "auth.json"


def find(registry: str) -> Credentials | None:
    """What the user once gave for `registry`, or None. Raises `RegistryError` for a file or helper that is broken."""
    key = _key(registry)
    for path in _files():
        config = _read(path)
        helper = (config.get("credHelpers") or {}).get(key) or config.get("credsStore")
        if helper and (found := _helped(helper, key)):
            return found
        for name, entry in (config.get("auths") or {}).items():
            if _host(name) == _host(key) and (found := _plain(entry, path)):
                return found
    return None


def save(registry: str, given: Credentials) -> str:
    """Keep credentials as `docker login` does; says where."""
    path = docker_config()
    config = _read(path)
    key = _key(registry)
    helper = (config.get("credHelpers") or {}).get(key) or config.get("credsStore")
    if helper:
        _call(helper, "store", json.dumps({"ServerURL": key, "Username": given.user, "Secret": given.secret}))
        return f"the credential helper {helper!r}"
    auths = dict(config.get("auths") or {})
    auths[key] = {"auth": given.basic.removeprefix("Basic ")}
    with beside(path) as (file, move):
        file.write(json.dumps({**config, "auths": auths}, indent=2).encode())
        move(path)
        path.chmod(0o600)
    return str(path)


def _key(registry: str) -> str:
    return HUB_KEY if registry == DOCKER_HUB else registry


def _host(key: str) -> str:
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(path.read_bytes() or b"{}")
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as error:
        raise RegistryError(f"Cannot read the credentials in {str(path)!r}: {error}.") from error
    return found


def _plain(entry: Mapping[str, str], path: Path) -> Credentials | None:
    if entry.get("identitytoken"):
        return Credentials(user=TOKEN_USER, secret=entry["identitytoken"])
    if not entry.get("auth"):
        return None
    try:
        user, _, secret = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RegistryError(f"An 'auth' in {str(path)!r} is no base64. Log in again: flaskship login.") from error
    return Credentials(user=user, secret=secret.rstrip("\0"))


def _helped(helper: str, key: str) -> Credentials | None:
    said = _call(helper, "get", key)
    if said is None:
        return None
    return Credentials(user=said.get("Username", ""), secret=said.get("Secret", ""))


def _call(helper: str, verb: str, text: str) -> Mapping[str, str] | None:
    """What `docker-credential-HELPER VERB` answers; None where it knows nothing of that registry."""
    name = f"docker-credential-{helper}"
    try:
        found = subprocess.run(
            [name, verb], input=text, capture_output=True, text=True, timeout=HELPER_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise RegistryError(f"{str(docker_config())!r} names the helper {name!r}, which is not installed.") from error
    except subprocess.TimeoutExpired as error:
        raise RegistryError(f"{name!r} gave no answer within {HELPER_SECONDS} s.") from error
    said = found.stdout.strip()
    if found.returncode and "credentials not found" in (said + found.stderr):
        return None
    if found.returncode:
        raise LoginRefused(f"{name!r} failed: {said or found.stderr.strip()}")
    try:
        answer: Mapping[str, str] = json.loads(said) if said else {}
    except ValueError as error:
        raise RegistryError(f"{name!r} answered something else than JSON.") from error
    return answer
