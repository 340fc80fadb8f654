"""Clients that ask again and again, and check every answer.

    with load("http://127.0.0.1:8080/predict", {"1": rows}) as counter:
        …                     # kill, scale, roll
        counter.more(200)     # waits for so many answers from now on
    assert not counter.wrong

`rows` are pairs of a request and the answer that it must get, both as JSON has them. Of several versions, each with the
same requests, `counter.versions` says how often which of them answered.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

DEADLINE = 180  # seconds for one answer, and for `more`: nothing near it on a machine with little else to do
KEPT = 50  # faults told in full
PACE = 0.01  # seconds from an answer to the next request of a connection, so that what is tested has processors left

Rows = Sequence[tuple[Any, Any]]


@dataclass(slots=True, kw_only=True)
class Load:
    answers: int = 0  # right ones
    wrong: list[str] = field(default_factory=list)  # what came instead
    versions: Counter[str] = field(default_factory=Counter)  # right answers by who gave them
    over: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def more(self, count: int = 200) -> None:
        """Wait for `count` answers from now on; at once when one was wrong."""
        with self.changed:
            goal = self.answers + count
            arrived = self.changed.wait_for(lambda: self.wrong or self.answers >= goal, DEADLINE)
        assert arrived, f"no {count} answers in {DEADLINE} s"

    def note(self, version: str | None, said: str) -> None:
        with self.changed:
            if version is not None:
                self.answers += 1
                self.versions[version] += 1
            elif len(self.wrong) < KEPT:
                self.wrong.append(said)
            self.changed.notify_all()


@contextmanager
def load(url: str, versions: Mapping[str, Rows], *, connections: int = 8) -> Iterator[Load]:
    """Ask `url` from so many connections at once: every other one is kept alive, the others are new each time."""
    counter = Load()
    requests = [json.dumps(each).encode() for each, _ in next(iter(versions.values()))]
    answers = [{name: rows[at][1] for name, rows in versions.items()} for at in range(len(requests))]
    threads = [
        threading.Thread(target=_ask, args=(url, counter, requests, answers, number)) for number in range(connections)
    ]
    for thread in threads:
        thread.start()
    try:
        yield counter
    finally:
        counter.over.set()
        for thread in threads:
            thread.join(DEADLINE)


def _ask(url: str, counter: Load, requests: Sequence[bytes], answers: Sequence[Mapping[str, Any]], number: int) -> None:
    parts, kept = urlsplit(url), number % 2 == 0
    connection: http.client.HTTPConnection = http.client.HTTPConnection(parts.netloc, timeout=DEADLINE)
    if parts.scheme == "https":
        anyone = ssl._create_unverified_context()  # a certificate that the test made
        connection = http.client.HTTPSConnection(parts.netloc, timeout=DEADLINE, context=anyone)
    headers = {"Content-Type": "application/json"} | ({} if kept else {"Connection": "close"})
    at = number
    while not counter.over.wait(PACE):
        at = (at + 1) % len(requests)
        try:
            connection.request("POST", parts.path, requests[at], headers)
            response = connection.getresponse()
            body = response.read()
            counter.note(_version(response.status, body, answers[at]), f"{response.status} {body[:300]!r}")
        except (OSError, http.client.HTTPException) as error:
            counter.note(None, f"{'kept' if kept else 'new'} connection: {error!r}")
            connection.close()
        if not kept:
            connection.close()
    connection.close()


def _version(status: int, body: bytes, answers: Mapping[str, Any]) -> str | None:
    """Whose answer it is, None where it is nobody's."""
    found = json.loads(body) if status == 200 else None
    return next((name for name, answer in answers.items() if answer == found), None)
