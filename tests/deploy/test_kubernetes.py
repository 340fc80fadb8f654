"""Manifests: their whole text, and that Kubernetes' own schemas and kubectl take it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from golden import EVERYTHING, MEASURED, SALES, same

from flaskship.deploy import kserve, kubernetes
from flaskship.deploy.kubernetes import Door

DOOR = Door(host="sales.example", secret="sales-example-tls")
PLAIN = kubernetes.render(SALES, measured=MEASURED)
FULL = kubernetes.render(EVERYTHING, door=DOOR)
# PredictorSpec, ComponentExtensionSpec and PodSpec: https://kserve.github.io/website/docs/reference/crd-api
PREDICTOR = {"minReplicas": int, "maxReplicas": int, "scaleMetric": str, "scaleTarget": int, "timeout": int}


def objects(text: str) -> dict[str, Any]:
    """By kind and name."""
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in yaml.safe_load_all(text)}


def container(text: str) -> Any:
    return objects(text)["Deployment/sales"]["spec"]["template"]["spec"]["containers"][0]


def test_the_whole_text_is_as_kept() -> None:
    same("kubernetes.yaml", PLAIN)
    same("kubernetes_everything.yaml", FULL)
    same("kserve.yaml", kserve.render(SALES, measured=MEASURED))


@pytest.mark.parametrize("version", ["1.25", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("text", [PLAIN, FULL, kubernetes.secret(EVERYTHING) + FULL], ids=["plain", "full", "secret"])
def test_the_official_schemas_take_it(text: str, version: str) -> None:
    for each in yaml.safe_load_all(text):
        kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.needs("kubectl")
def test_kubectl_reads_every_object(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(FULL)
    # `--dry-run=client` asks a cluster which kinds there are; with --local kubectl uses the types it has itself
    command = ["kubectl", "label", "--local", "--filename", str(tmp_path / "all.yaml"), "a=b", "--output", "name"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert [each.partition(".")[0].partition("/")[0] for each in found] == [
        "deployment", "service",
        "horizontalpodautoscaler", "poddisruptionbudget", "networkpolicy", "ingress", "ingress",
    ]  # fmt: skip


def test_what_selects_the_pods_selects_them() -> None:
    found = objects(PLAIN)
    pod = found["Deployment/sales"]["spec"]["template"]["metadata"]["labels"].items()
    spread = found["Deployment/sales"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
    for selector in (
        found["Deployment/sales"]["spec"]["selector"]["matchLabels"],
        found["Service/sales"]["spec"]["selector"],
        found["PodDisruptionBudget/sales"]["spec"]["selector"]["matchLabels"],
        found["NetworkPolicy/sales"]["spec"]["podSelector"]["matchLabels"],
        *(each["labelSelector"]["matchLabels"] for each in spread),
    ):
        assert selector
        assert selector.items() <= pod


def test_it_waits_as_long_as_the_server_takes_to_stop() -> None:
    spec = objects(FULL)["Deployment/sales"]["spec"]["template"]["spec"]
    python, flag, code = container(FULL)["lifecycle"]["preStop"]["exec"]["command"]
    assert (python, flag) == ("/opt/flaskship/bin/python", "-c")
    notice = float(code.removeprefix("import time; time.sleep(").removesuffix(")"))
    assert notice >= 5
    assert spec["terminationGracePeriodSeconds"] >= notice + EVERYTHING.drain + EVERYTHING.grace


def test_memory_is_what_was_measured_or_what_the_user_says() -> None:
    assert container(PLAIN)["resources"] == {
        "requests": {"cpu": "500m", "memory": "96Mi"}, "limits": {"memory": "192Mi"}
    }  # fmt: skip
    assert container(FULL)["resources"] == {
        "requests": {"cpu": "1500m", "memory": "512Mi"}, "limits": {"cpu": "1500m", "memory": "512Mi"}
    }  # fmt: skip
    assert container(kubernetes.render(SALES))["resources"] == {"requests": {"cpu": "500m"}}


def test_the_key_is_in_the_secret_alone() -> None:
    assert "not-to-be-seen" not in FULL
    secret = yaml.safe_load(kubernetes.secret(EVERYTHING).removesuffix("---\n"))
    assert secret["stringData"] == {"api-key": "not-to-be-seen"}
    asked = next(each for each in container(FULL)["env"] if each["name"] == "FLASKSHIP_API_KEY")
    assert asked["valueFrom"]["secretKeyRef"] == {"name": secret["metadata"]["name"], "key": "api-key"}


def test_values_of_the_environment_arrive_as_they_are() -> None:
    found: Mapping[str, str] = {each["name"]: each.get("value") for each in container(FULL)["env"]}
    assert found["GREETING"] == 'say "$HOME": ok'
    sly = kubernetes.render(replace(SALES, env={"A": "$(B)"}))
    assert {"name": "A", "value": "$$(B)"} in container(sly)["env"]  # which Kubernetes reads as $(B)


def test_without_settings_of_its_own_a_container_has_no_environment() -> None:
    assert "env" not in container(kubernetes.render(replace(SALES, env={})))


def test_an_inference_service_has_only_what_its_definition_names() -> None:
    found = yaml.safe_load(kserve.render(EVERYTHING))
    assert (found["apiVersion"], found["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    predictor = found["spec"].pop("predictor")
    assert not found["spec"]
    for name, kind in PREDICTOR.items():
        assert isinstance(predictor.pop(name), kind)
    only = predictor["containers"][0]
    assert only["name"] == "kserve-container"
    assert only["ports"][0]["name"] == "http1"
    assert {"name": "PROTOCOL", "value": "v2"} in only["env"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sales"}, "spec": predictor}
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)  # the rest is a pod's
