"""HTTP to a registry: who asks, how often again, and what a refusal means. Foreign errors become ours here.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

from flaskship import __version__
from flaskship.errors import LoginRefused, RegistryError
from flaskship.image import auth
from flaskship.image.auth import Credentials
from flaskship.image.ref import DOCKER_HUB

HUB_HOST = "registry-1.docker.io"
ATTEMPTS = 5
AGAIN = (408, 429, 500, 502, 503, 504)
BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
TIMEOUT = (10, 120)  # seconds: to connect, between bytes
LONGEST_WAIT = 30.0  # seconds, whatever Retry-After says


class Stream(Protocol):
    """A body whose length is known before it is read."""

    def __len__(self) -> int: ...

    def read(self, count: int = -1, /) -> bytes: ...


Body = Callable[[], Stream] | bytes | None


@dataclass(slots=True)
class Client:
    """Requests to one registry; used by several threads at once."""

    registry: str
    plain: bool = False  # HTTP, for this machine and where asked for
    given: Credentials | None = None  # in place of what the user's files say
    attempts: int = ATTEMPTS
    pause: float = 0.5  # seconds before the second attempt; twice as long before each further one
    _session: requests.Session = field(default_factory=requests.Session)
    _granted: dict[str, str] = field(default_factory=dict)  # scope -> Authorization
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._session.headers["User-Agent"] = f"flaskship/{__version__}"
        self._session.mount(self.root, HTTPAdapter(pool_maxsize=16))

    @property
    def root(self) -> str:
        host = HUB_HOST if self.registry == DOCKER_HUB else self.registry
        return f"{'http' if self.plain else 'https'}://{host}/v2/"

    def send(
        self,
        method: str,
        path: str,
        scope: str = "",
        *,
        expected: tuple[int, ...] = (200,),
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        attempts: int = 0,
        stream: bool = False,
    ) -> requests.Response:
        """The answer to a request, tried again when the registry is busy or the connection breaks.

        Raises `LoginRefused`, and `RegistryError` for every other status that is not `expected`.
        """
        url = urljoin(self.root, path)
        attempts = attempts or self.attempts
        for attempt in range(1, attempts + 1):
            try:
                response = self._authorised(method, url, scope, dict(headers or {}), body, stream)
            except requests.exceptions.SSLError as error:
                raise self._insecure(error) from error
            except BROKEN as error:
                if attempt == attempts:
                    raise self._unreachable(error) from error
                self.wait(attempt)
                continue
            except requests.RequestException as error:
                raise self._unreachable(error) from error
            if response.status_code in expected:
                return response
            if response.status_code not in AGAIN or attempt == attempts:
                raise self.refused(response)
            self.wait(attempt, response.headers.get("Retry-After", ""))
        raise AssertionError("the last attempt returns or raises")

    def refused(self, response: requests.Response) -> RegistryError:
        said = f"{response.status_code} {response.reason}"
        try:
            said += "".join(f": {each.get('message') or each.get('code')}" for each in response.json()["errors"][:1])
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # a page for people, from something in between
        if response.status_code in (401, 403):
            return LoginRefused(f"{self.registry!r} refuses: {said}. Log in: flaskship login {self.registry}")
        path = response.url.partition("/v2/")[2].partition("?")[0]
        return RegistryError(f"{self.registry!r} answers {said} (for {path!r}).")

    def _authorised(
        self, method: str, url: str, scope: str, headers: dict[str, str], body: Body, stream: bool
    ) -> requests.Response:
        for again in (False, True):
            if (granted := self._granted.get(scope)) and self._is_own(url):
                headers["Authorization"] = granted
            data = body() if callable(body) else body
            response = self._session.request(method, url, headers=headers, data=data, timeout=TIMEOUT, stream=stream)
            challenge = response.headers.get("WWW-Authenticate", "")
            if response.status_code != 401 or again or not challenge or not self._is_own(response.url):
                break
            self._granted[scope] = self._grant(challenge, scope)
        return response

    def _is_own(self, url: str) -> bool:
        """False for a store elsewhere that the registry sends uploads to: it is told no credentials."""
        return urlsplit(url)[:2] == urlsplit(self.root)[:2]

    def _grant(self, challenge: str, scope: str) -> str:
        """The `Authorization` that a challenge asks for."""
        kind, _, rest = challenge.partition(" ")
        known = self.given or auth.find(self.registry)
        if kind.lower() == "basic":
            if known is None:
                raise LoginRefused(f"{self.registry!r} wants a login. Log in: flaskship login {self.registry}")
            return known.basic
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if kind.lower() != "bearer" or "realm" not in asked:
            raise RegistryError(f"{self.registry!r} wants {kind!r} authentication, which Flaskship does not know.")
        wanted = {"service": asked.get("service", ""), "scope": scope or asked.get("scope", "")}
        return f"Bearer {self._token(asked['realm'], {key: value for key, value in wanted.items() if value}, known)}"

    def _token(self, realm: str, wanted: dict[str, str], known: Credentials | None) -> str:
        if known and known.token:
            form = wanted | {"grant_type": "refresh_token", "client_id": "flaskship", "refresh_token": known.token}
            response = self._session.post(realm, data=form, timeout=TIMEOUT)
        else:
            headers = {"Authorization": known.basic} if known else {}
            response = self._session.get(realm, params=wanted, headers=headers, timeout=TIMEOUT)
        if response.status_code != 200:
            raise self.refused(response)
        answer: Mapping[str, Any] = response.json()
        return str(answer.get("token") or answer.get("access_token") or "")

    def wait(self, attempt: int, asked: str = "") -> None:
        """Before the next attempt: as long as the registry asks, else twice as long each time."""
        seconds = float(asked) if asked.isdigit() else self.pause * 2 ** (attempt - 1)
        if self._stopped.wait(min(seconds, LONGEST_WAIT)):
            raise RegistryError("Stopped.")

    def close(self) -> None:
        self._session.close()

    def stop(self) -> None:
        """Wake who waits: another transfer failed for good."""
        self._stopped.set()

    def _insecure(self, error: Exception) -> RegistryError:
        return RegistryError(
            f"No safe connection to {self.registry!r}: {_reason(error)}. If it speaks plain HTTP and you trust the way"
            " there, say --insecure; if its certificate is your own, name the file in REQUESTS_CA_BUNDLE."
        )

    def _unreachable(self, error: Exception) -> RegistryError:
        return RegistryError(f"Cannot reach the registry {self.registry!r}: {_reason(error)}. Is its name right?")


def _reason(error: BaseException) -> str:
    """The innermost reason of a chain of wrapped errors, in its last words."""
    while (inner := getattr(error, "reason", None) or (error.args[0] if error.args else None)) and isinstance(
        inner, BaseException
    ):
        error = inner
    return str(error).rpartition(": ")[2].rstrip(".") or type(error).__name__
