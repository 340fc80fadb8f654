"""One table from an image's labels and environment, and from settings."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from flaskship.deploy import compose, kserve, kubernetes, swarm
from flaskship.deploy.service import TLS, Service, slug
from flaskship.errors import UsageError
from flaskship.settings import Duration, Settings, Size
from flaskship.target import Kind

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


def config(target: str, **labels: str) -> dict[str, object]:
    more = {f"io.flaskship.{name.replace('_', '-')}": value for name, value in labels.items()}
    return {**CONFIG, "Labels": {**CONFIG["Labels"], "io.flaskship.target": target, **more}}  # type: ignore[dict-item]


def test_an_app_writes_to_its_files_and_a_function_to_a_place_that_nobody_keeps() -> None:
    app = Service.of("me/hall:1", config("app", page_port="5000"), Settings())
    function = Service.of("me/shapes:1", config("function"), Settings())
    model = Service.of("me/sales:1", CONFIG, Settings())
    assert [(each.writable, each.scratch) for each in (app, function, model)] == [
        (True, False), (False, True), (False, False),
    ]  # fmt: skip
    assert (app.page_port, model.page_port) == (5000, 0)


def test_secrets_are_apart_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush")
    given = Settings(env=("A=1", "KEY=sh"), secret=("KEY",))
    service = Service.of("me/hall:1", config("app", secrets="TOKEN"), given)
    assert service.env == {"A": "1"}
    assert service.secrets == {"KEY": "sh", "TOKEN": "hush"}
    monkeypatch.delenv("TOKEN")
    with pytest.raises(UsageError, match="'TOKEN' has no value here"):
        Service.of("me/hall:1", config("app", secrets="TOKEN"), Settings())
    without = Service.of("me/hall:1", config("app", secrets="TOKEN"), Settings(), valued=False)
    assert without.secrets == {"TOKEN": ""}


@pytest.mark.parametrize("render", [compose.render, swarm.render, kubernetes.render])
def test_no_file_holds_a_secrets_value(render: Callable[[Service], str]) -> None:
    text = render(Service(name="hall", image="me/hall:1", secrets={"TOKEN": "hush"}, kind=Kind.APP))
    assert "hush" not in text
    assert "TOKEN" in text or render is compose.render  # which has it in a file of its own, for nobody else
    assert re.search(r"read_only: false|readOnlyRootFilesystem: false", text)


def test_a_secret_lies_in_a_file_of_its_own_or_is_asked_for() -> None:
    service = Service(name="hall", image="me/hall:1", secrets={"TOKEN": "hush"})
    assert compose.files(service)["api.env"] == b"TOKEN='hush'\n"
    assert 'TOKEN: "hush"' in kubernetes.secret(service)
    unknown = replace(service, secrets={"TOKEN": ""})
    assert 'TOKEN: "${TOKEN:?is a secret: set it}"' in compose.render(unknown)
    assert "api.env" not in compose.files(unknown)


@pytest.mark.parametrize("render", [compose.render, swarm.render, kubernetes.render])
def test_a_function_has_a_folder_for_uploads(render: Callable[[Service], str]) -> None:
    text = render(Service(name="shapes", image="me/shapes:1", kind=Kind.FUNCTION))
    assert re.search(r"tmpfs: \[/tmp\]|type: tmpfs\n +target: /tmp\n +cap_drop|mountPath: /tmp", text)


def test_only_a_model_is_kept_from_calling_anybody() -> None:
    texts = {kind: kubernetes.render(Service(name="a", image="b", kind=kind)) for kind in Kind}
    assert [kind for kind, text in texts.items() if "egress: []" in text] == [Kind.MODEL, Kind.CHECKPOINT]


@pytest.mark.needs("docker-compose", "docker")
def test_a_gpu_is_asked_for_in_the_words_of_each(tmp_path: Path) -> None:
    service = Service.of("me/net:1", CONFIG, Settings(gpu=True))
    assert service.gpu
    (tmp_path / "compose.yaml").write_text(compose.render(service))
    read = ["docker-compose", "config"]
    told = yaml.safe_load(subprocess.run(read, cwd=tmp_path, check=True, capture_output=True).stdout)
    (device,) = told["services"]["api"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    text = swarm.render(service, measured=96 << 20)
    read = ["docker", "stack", "config", "--compose-file", "-"]
    told = yaml.safe_load(subprocess.run(read, input=text, check=True, capture_output=True, text=True).stdout)
    (wanted,) = told["services"]["api"]["deploy"]["resources"]["reservations"]["generic_resources"]
    assert wanted == {"discrete_resource_spec": {"kind": "NVIDIA-GPU", "value": 1}}
    for render in (kubernetes.render, kserve.render):
        pods = [each for each in yaml.safe_load_all(render(service)) if "spec" in each]
        assert '"nvidia.com/gpu": 1' in json.dumps(pods[0])
    for render in (compose.render, swarm.render, kubernetes.render, kserve.render):
        assert not re.search("gpu", render(replace(service, gpu=False)), re.IGNORECASE)
