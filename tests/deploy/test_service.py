"""One table from an image's labels and environment, and from settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from flaskship.deploy.service import TLS, Service, slug
from flaskship.errors import UsageError
from flaskship.settings import Duration, Settings, Size

CONFIG = {
    "Env": ["PATH=/usr/bin", "FLASKSHIP_HOST=0.0.0.0", "FLASKSHIP_MAX_BODY=1000000", "FLASKSHIP_TIMEOUT=5"],
    "Labels": {
        "io.flaskship.version": "1.0",
        "io.flaskship.name": "Online_Sales",
        "org.opencontainers.image.version": "2.1",
    },
}


def test_what_was_baked_into_the_image_holds() -> None:
    service = Service.of("me/sales:1.0", CONFIG, Settings())
    assert (service.name, service.version, service.port) == ("online-sales", "2.1", 8000)
    assert (service.max_body, service.timeout, service.keep_alive) == (1_000_000, 5, 65)
    assert service.env == {}
    assert service.replicas == 2


def test_settings_win_and_go_into_the_containers_environment() -> None:
    settings = Settings(max_body=Size(10**8), timeout=Duration(0.5), server="gunicorn", env=("A=1",), replicas=4)
    service = Service.of("me/sales:1.0", CONFIG, settings)
    assert (service.max_body, service.timeout, service.replicas) == (10**8, 0.5, 4)
    assert service.env == {
        "FLASKSHIP_SERVER": "gunicorn",
        "FLASKSHIP_MAX_BODY": "100000000",
        "FLASKSHIP_TIMEOUT": "0.5",
        "A": "1",
    }


def test_a_flag_may_bring_a_default_back() -> None:
    service = Service.of("me/sales:1.0", CONFIG, Settings(), given={"timeout"})
    assert service.timeout == 60
    assert service.env == {"FLASKSHIP_TIMEOUT": "60"}


def test_a_variable_of_the_container_holds_for_nginx_too() -> None:
    service = Service.of("me/sales:1.0", CONFIG, Settings(env=("FLASKSHIP_PORT=9000", "FLASKSHIP_TIMEOUT=7")))
    assert (service.port, service.timeout) == (9000, 7)


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(UsageError, match="'tls_key' is missing"):
        Service.of("me/sales:1.0", CONFIG, Settings(tls_cert=Path("a.pem")))
    service = Service.of("me/sales:1.0", CONFIG, Settings(tls_cert=Path("a.pem"), tls_key=Path("b.pem")))
    assert service.tls == TLS(certificate=Path("a.pem"), key=Path("b.pem"))


def test_an_image_of_somebody_else_is_refused() -> None:
    with pytest.raises(UsageError, match="'alpine:3' was not made by Flaskship"):
        Service.of("alpine:3", {"Labels": None}, Settings())


@pytest.mark.parametrize(
    ("name", "told"), [("Sales 2_b.c", "sales-2-b-c"), ("7x", "model-7x"), ("é", "model"), ("a" * 80, "a" * 63)]
)
def test_a_name_fits_everywhere(name: str, told: str) -> None:
    assert slug(name) == told
