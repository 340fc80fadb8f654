"""`flaskship up` and `down`: nginx in front of containers that are killed, scaled and replaced under load."""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import joblib
import pandas as pd
import pytest
from containers import docker, run
from load import Load, Rows, load
from sklearn.linear_model import LogisticRegression

NAME = f"test-sales-{os.getpid()}"
SAMPLE = ("--sample", "online_sales.csv", "--target-column", "converted")
REQUESTS = [
    {"age": age, "new_user": new, "total_pages_visited": pages}
    for age in (20, 35, 50) for new in (0, 1) for pages in (1, 8, 15)
]  # fmt: skip

pytestmark = pytest.mark.needs("docker-compose")


def up(folder: Path, *arguments: str, name: str = NAME, check: bool = True) -> subprocess.CompletedProcess[str]:
    return run(folder, "up", *arguments, "--name", name, check=check)


def ask(url: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in lower case, body."""
    parts = urlsplit(url)
    made = http.client.HTTPConnection(parts.netloc, timeout=60)
    if parts.scheme == "https":
        anyone = ssl._create_unverified_context()
        made = http.client.HTTPSConnection(parts.netloc, timeout=60, context=anyone)
    with closing(made):
        made.request("GET" if body is None else "POST", path, body, headers)
        response = made.getresponse()
        for name in ("x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy"):
            assert len(response.headers.get_all(name, [])) <= 1, f"{name} twice"
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def rows(url: str) -> Rows:
    """Requests with their answers."""
    return [(each, json.loads(ask(url, "/predict", json.dumps(each).encode())[2])) for each in REQUESTS]


def replicas(name: str = NAME) -> list[str]:
    labels = [f"label=com.docker.compose.{key}={value}" for key, value in (("project", name), ("service", "api"))]
    return docker("ps", "--quiet", "--filter", labels[0], "--filter", labels[1]).split()


@pytest.fixture(scope="module")
def second(image: str, sales: Path, debian: Path) -> str:
    """Another model as version 2 of the image."""
    data = pd.read_csv(sales / "online_sales.csv")
    model = LogisticRegression(C=0.001).fit(data[list(REQUESTS[0])], 1 - data["converted"])
    joblib.dump(model, sales / "second.joblib")
    run(sales, "build", "sales=second.joblib", *SAMPLE, "--base", str(debian), "-t", "me/sales:2.0")
    return "me/sales:2.0"


@pytest.fixture(scope="module")
def stack(engine: str, image: str, sales: Path) -> Iterator[str]:
    """The URL of two replicas behind nginx, at a port that was free."""
    try:
        yield up(sales, "me/sales:1.0", "--port", "0").stdout.strip()
    finally:
        run(sales, "down", NAME)
        assert not docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={NAME}")
        assert not docker("network", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={NAME}")


def test_the_page_the_api_and_a_file_come_through_nginx(stack: str, sales: Path) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", stack)
    status, headers, page = ask(stack, "/", Accept="text/html")
    assert (status, b"<form" in page, headers["server"]) == (200, True, "nginx")
    assert headers["x-frame-options"] == "DENY"
    links = set(re.findall(rb'(?:href|src)="\./([^"#]+)"', page))
    assert links and all(ask(stack, f"/{each.decode()}")[0] == 200 for each in links)
    assert ask(stack, "/", Accept="text/html", **{"Accept-Encoding": "gzip"})[1]["content-encoding"] == "gzip"
    assert ask(stack, "/predict?age=30&new_user=1&total_pages_visited=3")[0] == 200
    lines = (sales / "online_sales.csv").read_bytes()
    table = lines + lines.partition(b"\n")[2] * 3
    status, _, answer = ask(stack, "/predict_file", table, **{"Content-Type": "text/csv"})
    assert (status, json.loads(answer)["rows"]) == (200, table.count(b"\n") - 1)


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/healthz", "/health", "/ping"])
def test_health_and_metrics_are_for_those_inside(stack: str, path: str) -> None:
    status, headers, body = ask(stack, path)
    assert (status, headers["content-type"], json.loads(body)["status"]) == (404, "application/problem+json", 404)


def test_what_nginx_refuses_is_said_as_the_app_says_it(stack: str) -> None:
    parts = urlsplit(stack)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as made:
        made.putrequest("POST", "/predict")
        made.putheader("Content-Length", str(65 * 10**6))
        made.endheaders()
        response = made.getresponse()
        problem = json.loads(response.read())
    assert response.status == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (problem["type"], problem["title"], problem["status"]) == ("/problems/body-too-large", "Body too large", 413)


def test_nothing_has_rights_or_can_be_written(stack: str) -> None:
    labels = f"label=com.docker.compose.project={NAME}"
    for each in docker("ps", "--quiet", "--filter", labels).split():
        found: Any = json.loads(docker("inspect", each))[0]
        assert found["HostConfig"]["ReadonlyRootfs"] is True
        assert found["HostConfig"]["CapDrop"] == ["ALL"]
        assert found["Config"]["User"] == "65532:65532"


def lossless(counter: Load) -> None:
    counter.more()
    assert not counter.wrong, counter.wrong[:5]


def test_no_request_is_lost_when_workers_and_containers_are_killed_and_replicas_change(stack: str, sales: Path) -> None:
    with load(f"{stack}/predict", {"1": rows(stack)}) as counter:
        counter.more()
        processes = dict(line.split() for line in docker("top", replicas()[0], "-eo", "pid,ppid").splitlines()[1:])
        worker = next(process for process, parent in processes.items() if parent in processes)
        subprocess.run(["kill", "-9", worker], check=True)
        lossless(counter)
        docker("kill", replicas()[0])
        lossless(counter)
        for count in ("4", "2"):
            up(sales, "me/sales:1.0", "--port", "0", "--replicas", count)
            assert len(replicas()) == int(count)
            lossless(counter)


def test_no_request_is_lost_when_another_image_takes_over(stack: str, second: str, sales: Path) -> None:
    other = f"{NAME}-2"
    try:
        elsewhere = up(sales, second, "--port", "0", "--replicas", "1", name=other).stdout.strip()
        versions = {"1": rows(stack), "2": rows(elsewhere)}
    finally:
        run(sales, "down", other)
    with load(f"{stack}/predict", versions) as counter:
        counter.more()
        assert not counter.versions["2"]
        up(sales, second, "--port", "0")
        lossless(counter)
        before = counter.versions["1"]
        lossless(counter)
        assert counter.versions["1"] == before, "an old replica still answers"
    assert len(replicas()) == 2


def test_what_does_not_start_leaves_what_served_before(stack: str, second: str, sales: Path) -> None:
    there = replicas()
    found = up(sales, "me/sales:1.0", "--port", "0", "--server", "gunicorn", check=False)
    assert found.returncode == 10
    assert "ended at its start" in found.stderr
    assert "build the image with --server gunicorn" in found.stderr
    assert replicas() == there
    assert ask(stack, "/v2/health/ready")[0] == 200


def test_replicas_without_memory_enough_say_so(stack: str, sales: Path) -> None:
    there = replicas()
    found = up(sales, "me/sales:1.0", "--port", "0", "--memory", "7MB", check=False)
    assert found.returncode == 10
    assert "for want of memory: raise --memory" in " ".join(found.stderr.split())
    assert replicas() == there


def test_a_taken_port_and_an_unknown_name_are_said(stack: str, sales: Path) -> None:
    found = up(sales, "me/sales:1.0", "--port", str(urlsplit(stack).port), name=f"{NAME}-3", check=False)
    assert (found.returncode, "is taken by the container" in found.stderr) == (10, True)
    assert not replicas(f"{NAME}-3")
    found = run(sales, "down", "nobody", check=False)
    assert (found.returncode, "'nobody'" in found.stderr, NAME in found.stderr) == (10, True, True)


@pytest.mark.needs("openssl")
def test_https_with_a_limit_for_each_client(engine: str, image: str, sales: Path, tmp_path: Path) -> None:
    name = f"{NAME}-tls"
    for each in ("one", "two"):
        subject = ["-subj", "/CN=localhost", "-days", "1", "-keyout", f"{each}.key", "-out", f"{each}.pem"]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    certificate, key, other = (str(tmp_path / each) for each in ("one.pem", "one.key", "two.key"))
    wrong = up(sales, "me/sales:1.0", "--tls-cert", certificate, "--tls-key", other, name=name, check=False)
    assert (wrong.returncode, "are no certificate with its key" in wrong.stderr) == (2, True)
    limits = ("--rate-limit", "1", "--replicas", "1", "--api-key", "a$b", "--output", str(tmp_path / "project"))
    try:
        made = up(sales, "me/sales:1.0", "--port", "0", "--tls-cert", certificate, "--tls-key", key, *limits, name=name)
        url = made.stdout.strip()
        assert url.startswith("https://")
        assert ask(url, "/predict?age=3")[0] == 401
        status, headers, _ = ask(url, "/", **{"X-API-Key": "a$b"})
        assert (status, "max-age" in headers["strict-transport-security"]) == (200, True)
        status, headers, _ = ask(url.replace("https", "http"), "/")
        assert (status, headers["location"]) == (308, f"{url}/")
        answers = (
            ask(url, "/predict?age=3", **{"X-API-Key": "a$b"}) for _ in range(400)
        )  # 20 at once, then 1 a second
        refused = next(each for each in answers if each[0] == 429)
        assert refused[1]["retry-after"] == "1"
        assert json.loads(refused[2])["title"] == "Too many requests"
        assert (tmp_path / "project" / "api.env").stat().st_mode & 0o077 == 0
        assert (tmp_path / "project" / "tls").stat().st_mode & 0o077 == 0
    finally:
        run(sales, "down", name, check=False)
