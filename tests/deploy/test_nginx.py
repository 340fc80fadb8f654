"""nginx.conf and compose.yaml: their whole text, and that nginx and docker-compose take it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from golden import EVERYTHING, SALES, same

from flaskship.deploy import compose, nginx
from flaskship.deploy.service import TLS, Service
from flaskship.settings import Duration
from flaskship.target import Kind

SECURE = replace(EVERYTHING, published=443, tls=TLS(certificate=Path("certificate.pem"), key=Path("key.pem")))


def test_the_whole_text_is_as_kept() -> None:
    same("nginx.conf", nginx.render(SALES))
    same("nginx_everything.conf", nginx.render(SECURE))
    same("compose.yaml", compose.render(SALES, identity="sha256:0"))
    same("compose_everything.yaml", compose.render(SECURE, identity="sha256:0"))
    same("compose_build.yaml", compose.render(SALES, builder="python:3.12-slim"))


@pytest.mark.needs("nginx", "openssl")
@pytest.mark.parametrize("service", [SALES, SECURE, replace(SALES, kind=Kind.APP)], ids=["plain", "everything", "app"])
def test_nginx_takes_it(service: Service, tmp_path: Path) -> None:
    subject = ["-subj", "/CN=localhost", "-days", "1", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    text = nginx.render(service).replace("/etc/tls", str(tmp_path)).replace("/tmp/nginx", f"{tmp_path}/nginx")
    (tmp_path / "nginx.conf").write_text(text)
    found = subprocess.run(["nginx", "-t", "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "warn" not in found.stderr


def test_an_apps_requests_are_not_sent_twice_and_its_own_health_is_its_users() -> None:
    text = nginx.render(replace(SALES, kind=Kind.APP))
    assert "non_idempotent" not in text
    assert "error_page 502 = $unsent;" in text
    assert "^/(metrics|livez|readyz)/?$" in text


@pytest.mark.needs("docker-compose")
@pytest.mark.parametrize("service", [SALES, SECURE], ids=["plain", "everything"])
def test_docker_compose_reads_what_was_meant(service: Service, tmp_path: Path) -> None:
    for name, source in compose.files(replace(service, tls=None)).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(source if isinstance(source, bytes) else b"")
    found = subprocess.run(["docker-compose", "config"], cwd=tmp_path, capture_output=True, text=True, check=True)
    api = yaml.safe_load(found.stdout)["services"]["api"]
    environment = {name: value.replace("$$", "$") for name, value in api["environment"].items()}  # as it escapes them
    assert environment.items() >= service.env.items()
    assert environment.get("FLASKSHIP_API_KEY", "") == service.api_key
    assert api["scale"] == service.replicas


def test_a_revision_is_another_where_replicas_must_be_replaced() -> None:
    first = compose.revision(SALES, "sha256:0")
    same_replicas = replace(SALES, replicas=7, published=81, rate_limit=3, nginx="nginx:1.28")
    assert compose.revision(same_replicas, "sha256:0") == first
    others = [replace(SALES, env={"A": "1"}), replace(SALES, image="me/sales:2"), replace(SALES, api_key="k")]
    assert first not in {compose.revision(each, "sha256:0") for each in others}
    assert compose.revision(SALES, "sha256:1") != first


def test_nginx_waits_longer_than_the_app() -> None:
    assert "proxy_read_timeout 6s;" in nginx.render(replace(SALES, timeout=Duration(0.5)))


def test_a_free_port_is_left_to_the_engine() -> None:
    assert 'ports: ["8080"]' in compose.render(replace(SALES, published=0))
