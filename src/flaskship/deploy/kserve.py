"""An InferenceService of KServe: the image as a custom predictor that speaks the Open Inference Protocol."""

from __future__ import annotations

import math
from string import Template
from textwrap import indent

from flaskship.deploy import cluster, kubernetes
from flaskship.deploy.service import Service

# Fields: https://kserve.github.io/website/docs/reference/crd-api
SERVICE = Template("""\
# $title, for KServe: kubectl apply -f FILE
# Written by flaskship deploy.
${secret}\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: $name
  labels: $labels
  annotations:
    # a plain Deployment; Knative, the other way, takes not all that stands below
    serving.kserve.io/deploymentMode: RawDeployment
spec:
  predictor:
    minReplicas: $replicas
    maxReplicas: $most
    scaleMetric: cpu
    scaleTarget: $busy
    timeout: $timeout
$pod
""")
PROTOCOL = "- name: PROTOCOL  # for KServe\n  value: v2\n"


def render(service: Service, *, measured: int = 0) -> str:
    """As `kubernetes.render`."""
    pod = kubernetes.pod(service, measured, name="kserve-container", port_name="http1", env=PROTOCOL)
    return SERVICE.substitute(
        title=cluster.title(service),
        name=service.name,
        labels=kubernetes.labels(service),
        secret=kubernetes.told(service),
        replicas=service.replicas,
        most=kubernetes.GROWTH * service.replicas,
        busy=kubernetes.BUSY,
        timeout=math.ceil(service.timeout),
        pod=indent(pod.rstrip(), " " * 4),
    )
