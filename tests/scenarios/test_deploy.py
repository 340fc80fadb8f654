"""`flaskship deploy` of a real image, through the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from containers import run


def objects(text: str) -> dict[str, Any]:
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def test_memory_is_measured_without_an_engine(image: str, tmp_path: Path) -> None:
    flags = ["--to", "kubernetes", "--workers", "1"]
    env = {"PATH": str(Path(sys.executable).parent), "DOCKER_HOST": "tcp://127.0.0.1:1"}
    said = run(tmp_path, "deploy", "me/sales:1.0", *flags, env=env)
    container = objects(said.stdout)["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == image
    assert {"name": "FLASKSHIP_WORKERS", "value": "1"} in container["env"]
    memory = {name: int(each["memory"].removesuffix("Mi")) for name, each in container["resources"].items()}
    assert 48 <= memory["requests"] <= 192
    assert memory["limits"] == 2 * memory["requests"]
    assert f"Memory: {memory['requests']} MiB" in said.stderr


def test_the_settings_are_in_the_file(image: str, tmp_path: Path) -> None:
    flags = [
        "--to",
        "kubernetes",
        "--memory",
        "256MiB",
        "--cpus",
        "2",
        "--replicas",
        "5",
        "--timeout",
        "7s",
        "--tag-only",
    ]
    run(tmp_path, "deploy", "me/sales:1.0", *flags, "--host", "sales.example", "--env", "A=1", "-o", "k.yaml")
    found = objects((tmp_path / "k.yaml").read_text())
    container = found["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "me/sales:1.0"
    env = {each["name"]: each["value"] for each in container["env"]}
    assert env == {"A": "1", "FLASKSHIP_TIMEOUT": "7", "FLASKSHIP_WORKERS": "2"}
    assert found["HorizontalPodAutoscaler"]["spec"]["minReplicas"] == 5
    assert found["Ingress"]["spec"]["rules"][0]["host"] == "sales.example"
    kserve = run(tmp_path, "deploy", "me/sales:1.0", *flags, "--kserve")
    assert list(objects(kserve.stdout)) == ["InferenceService"]


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--to", "swarm", "--host", "a.example"], 2, "--host is for Kubernetes: --to kubernetes"),
        (["--to", "kubernetes", "--tls-cert", "a", "--tls-key", "b"], 2, "kubectl create secret tls"),
        (["--to", "kubernetes", "--tls-secret", "a"], 2, "--host NAME"),
        (["--to", "swarm", "--tls-cert", "none.pem", "--tls-key", "none.pem"], 11, "none.pem"),
        (["--to", "swarm", "--apply"], 10, "there is no 'docker' here. Install it, or write the file with -o FILE."),
        (["--to", "kubernetes", "--apply"], 10, "there is no 'kubectl' here"),
    ],
)
def test_what_cannot_be_says_why(flags: list[str], code: int, said: str, image: str, tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path)}  # nothing is there
    found = run(tmp_path, "deploy", "me/sales:1.0", "--memory", "256MiB", *flags, check=False, env=env)
    assert found.returncode == code, found.stderr
    assert said in " ".join(found.stderr.split())


def test_a_model_that_is_no_image_yet_says_how_to_make_one(image: str, sales: Path) -> None:
    found = run(sales, "deploy", "sales.joblib", "--to", "swarm", check=False)
    assert found.returncode == 2
    assert "is no image. Make one of it: flaskship build sales.joblib -t REF" in " ".join(found.stderr.split())


@pytest.mark.needs("docker")
def test_what_the_tool_says_is_passed_on(image: str, tmp_path: Path) -> None:
    env = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "PATH": os.environ["PATH"]}
    flags = ["--to", "swarm", "--memory", "256MiB", "--apply"]
    found = run(tmp_path, "deploy", "me/sales:1.0", *flags, check=False, env=env)
    assert found.returncode == 10
    assert "'docker stack deploy' refuses: " in found.stderr
    assert "none.sock" in found.stderr
