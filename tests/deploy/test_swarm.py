"""A stack's whole text, and that Docker's own tool takes it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from golden import EVERYTHING, MEASURED, SALES, same

from flaskship.deploy import nginx, swarm
from flaskship.deploy.service import TLS, Service
from flaskship.settings import Size

SECURE = replace(
    EVERYTHING, published=443, tls=TLS(certificate=Path("/tls/$chain.pem"), key=Path("/tls/key.pem"))
)  # fmt: skip
PLAIN, FULL = swarm.render(SALES, measured=MEASURED), swarm.render(SECURE, fingerprint="0123abcd")


def test_the_whole_text_is_as_kept() -> None:
    same("swarm.yaml", PLAIN)
    same("swarm_everything.yaml", FULL)


@pytest.mark.needs("docker")
@pytest.mark.parametrize("service", [SALES, SECURE], ids=["plain", "full"])
def test_docker_reads_it_with_every_value_as_it_is(service: Service) -> None:
    text = swarm.render(service, measured=MEASURED, fingerprint="0123abcd")
    command = ["docker", "stack", "config", "--compose-file", "-"]
    read = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    assert not read.stderr
    found: dict[str, Any] = yaml.safe_load(read.stdout)
    api, front = found["services"]["api"], found["services"]["nginx"]
    assert front["environment"]["NGINX_CONF"] == nginx.render(replace(service, version=""))
    assert "$NGINX_CONF" in front["entrypoint"][2]
    for name, value in service.env.items():
        assert api["environment"][name] == value
    if service.tls:
        assert found["secrets"]["certificate"]["file"] == "/tls/$chain.pem"
        assert [each["published"] for each in front["ports"]] == [443, 80]


def test_it_asks_for_what_was_measured_or_for_what_the_user_says() -> None:
    found = yaml.safe_load(PLAIN)["services"]["api"]["deploy"]["resources"]
    assert found == {"limits": {"memory": "192M"}, "reservations": {"cpus": "0.5", "memory": "96M"}}
    found = yaml.safe_load(FULL)["services"]["api"]["deploy"]["resources"]
    assert found == {name: {"cpus": "1.5", "memory": "512M"} for name in ("limits", "reservations")}
    found = yaml.safe_load(swarm.render(replace(SALES, memory=Size(10**8))))["services"]["api"]["deploy"]["resources"]
    assert found["limits"] == {"memory": "100000000"}  # Docker takes no number
    assert "limits" not in yaml.safe_load(swarm.render(SALES))["services"]["api"]["deploy"]["resources"]


def test_it_waits_as_long_as_the_server_takes_to_stop() -> None:
    api = yaml.safe_load(FULL)["services"]["api"]
    assert float(api["stop_grace_period"].removesuffix("s")) >= EVERYTHING.drain + EVERYTHING.grace


def test_another_version_leaves_nginx_as_it_is() -> None:
    other = yaml.safe_load(swarm.render(replace(SALES, version="2.0", image="registry.example/me/sales:2.0")))
    assert other["services"]["nginx"] == yaml.safe_load(PLAIN)["services"]["nginx"]
    assert other["services"]["api"] != yaml.safe_load(PLAIN)["services"]["api"]


def test_another_key_has_a_secret_of_another_name() -> None:
    names = {
        yaml.safe_load(swarm.render(replace(SALES, api_key=key)))["secrets"]["api-key"]["name"] for key in ("a", "b")
    }
    assert len(names) == 2
    assert "not-to-be-seen" not in FULL
    assert json.dumps(yaml.safe_load(FULL)["services"]["api"]["environment"]).count("/run/secrets/api-key") == 1
