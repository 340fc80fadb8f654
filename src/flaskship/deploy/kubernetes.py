"""Manifests for Kubernetes: what runs the API, finds it, scales it, guards it and, where asked, lets users in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from textwrap import indent

from flaskship.deploy import cluster, nginx
from flaskship.deploy.cluster import Memory
from flaskship.deploy.service import Service
from flaskship.plan import PREFIX, USER
from flaskship.target import Kind

START = 300  # seconds that a model may take to load
GROWTH = 4  # times as many replicas at most
BUSY = 70  # percent of the CPU asked for, from which on there are more replicas


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How users come in from outside the cluster."""

    host: str  # the name that they ask for
    secret: str = ""  # of type kubernetes.io/tls, with the certificate for that name


POD = Template("""\
automountServiceAccountToken: false  # it asks nothing of the cluster
enableServiceLinks: false  # their variables look like settings: FLASKSHIP_PORT=tcp://...
# preStop waits $notice s, in which the cluster takes the pod out of its Service. At SIGTERM the server closes each
# connection with its next answer, and says 503 at /readyz, for $drain s. Then it accepts no more and answers what is
# in flight, for $grace s at most.
terminationGracePeriodSeconds: $stopping
securityContext:
  runAsNonRoot: true
  runAsUser: $user
  runAsGroup: $user
  seccompProfile: {type: RuntimeDefault}
containers:
""")

CONTAINER = Template("""\
- name: $name
  image: $image
  ports:
    - name: $port_name
      containerPort: $port
      protocol: TCP
${env}\
  startupProbe:  # the model is loaded, and gives its golden rows' answers
    httpGet: {path: /readyz, port: $port}
    periodSeconds: 1
    failureThreshold: $start
  livenessProbe:
    httpGet: {path: /livez, port: $port}
    periodSeconds: 10
    timeoutSeconds: 5
  readinessProbe:
    httpGet: {path: /readyz, port: $port}
    periodSeconds: 5
    timeoutSeconds: 5
$resources
  lifecycle:
    preStop:  # by the image's own Python, since it has no shell
      exec: {command: [$python, -c, "import time; time.sleep($notice)"]}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: $read_only
    capabilities: {drop: [ALL]}
${mounts}\
""")

SPREAD = Template("""\
topologySpreadConstraints:  # a node, or a zone, that fails takes only its share
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: $selector
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: $selector
""")

OBJECTS = Template("""\
# $title, for Kubernetes 1.25 or later: kubectl apply -f FILE
# Written by flaskship deploy.
${secret}\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: $name
  labels: $labels
spec:
  # no replicas: the HorizontalPodAutoscaler sets them
  selector:
    matchLabels: $selector
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0  # one goes when another is ready
  template:
    metadata:
      labels: $labels
    spec:
$pod
---
apiVersion: v1
kind: Service
metadata:
  name: $name
  labels: $labels
spec:
  selector: $selector
  ports:
    - name: http
      port: $published
      targetPort: http
      appProtocol: http
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: $name
  labels: $labels
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: $name}
  minReplicas: $replicas
  maxReplicas: $most
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: $busy}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: $name
  labels: $labels
spec:
  maxUnavailable: 1  # when nodes are drained, one after the other
  selector:
    matchLabels: $selector
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: $name
  labels: $labels
spec:
  podSelector:
    matchLabels: $selector
  policyTypes: $policies
  ingress:
    - ports: [{port: http, protocol: TCP}]
${egress}\
""")

NOBODY = "  egress: []  # a model calls nobody; name here whom yours does\n"
CLOSED = (Kind.MODEL, Kind.CHECKPOINT)

INGRESS = Template("""\
---
# For ingress-nginx: the limits that the server has.
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: $name
  labels: $labels
  annotations:
    nginx.ingress.kubernetes.io/proxy-body-size: "$body"
    nginx.ingress.kubernetes.io/proxy-read-timeout: "$timeout"
    nginx.ingress.kubernetes.io/proxy-send-timeout: "$timeout"
    nginx.ingress.kubernetes.io/proxy-connect-timeout: "2"
    # a prediction may be asked for again, of another replica
    nginx.ingress.kubernetes.io/proxy-next-upstream: error timeout http_502 http_503 non_idempotent
${rate}\
spec:
  ingressClassName: nginx
${tls}\
  rules:
    - host: $host
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: $name, port: {name: http}}}}
---
# Health and metrics are for those inside the cluster: from nowhere else may these paths be asked for.
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: $name-inside
  labels: $labels
  annotations:
    nginx.ingress.kubernetes.io/whitelist-source-range: 127.0.0.1/32
spec:
  ingressClassName: nginx
${tls}\
  rules:
    - host: $host
      http:
        paths:
$inside
""")

INSIDE = Template("- {path: $path, pathType: Exact, backend: {service: {name: $name, port: {name: http}}}}")
PRIVATE = ("/metrics", "/livez", "/readyz", "/healthz", "/health", "/ping")

SECRET = Template("""\
# The API key: kubectl create secret generic $secret --from-literal=api-key=KEY
""")

SECRET_OBJECT = Template("""\
apiVersion: v1
kind: Secret
metadata:
  name: $secret
  labels: $labels
stringData:
$data---
""")


def render(service: Service, *, measured: int = 0, door: Door | None = None) -> str:
    """Deployment, Service, HorizontalPodAutoscaler, PodDisruptionBudget, NetworkPolicy; with a `door`, an Ingress.

    `measured` is how many bytes of memory a container takes; 0 where nobody knows, and then none are asked for. The API
    key is a reference to a Secret: see `secret`.
    """
    text = OBJECTS.substitute(
        title=cluster.title(service),
        name=service.name,
        labels=labels(service),
        selector=selector(service),
        pod=indent(pod(service, measured, name="api", port_name="http") + spread(service), " " * 6).rstrip(),
        published=service.published,
        replicas=service.replicas,
        most=GROWTH * service.replicas,
        busy=BUSY,
        secret=told(service),
        policies="[Ingress, Egress]" if service.kind in CLOSED else "[Ingress]",
        egress=NOBODY if service.kind in CLOSED else "",
    )
    return text + (ingress(service, door) if door else "")


def told(service: Service) -> str:
    """How the Secrets are made that the manifests name."""
    text = SECRET.substitute(secret=cluster.secret(service)) if service.api_key else ""
    if service.secrets:
        literals = " ".join(f"--from-literal={name}=VALUE" for name in service.secrets)
        text += f"# Its secrets: kubectl create secret generic {secrets(service)} {literals}\n"
    return text


def secret(service: Service) -> str:
    """The Secrets with the API key and an app's own variables, to go before what `render` gives; empty without."""
    found = ""
    if service.api_key:
        found += _secret(service, cluster.secret(service), {"api-key": service.api_key})
    return found + (_secret(service, secrets(service), service.secrets) if service.secrets else "")


def _secret(service: Service, name: str, values: Mapping[str, str]) -> str:
    data = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in values.items())
    return SECRET_OBJECT.substitute(secret=name, labels=labels(service), data=data)


def pod(service: Service, measured: int, *, name: str, port_name: str, env: str = "") -> str:
    """A pod's spec; `env` is more of the container's environment, as YAML."""
    head = POD.substitute(
        user=USER,
        notice=f"{cluster.NOTICE:g}",
        drain=f"{service.drain:g}",
        grace=f"{service.grace:g}",
        stopping=cluster.stopping(cluster.NOTICE, service.drain, service.grace),
    )
    given = environment(service) + env
    container = CONTAINER.substitute(
        name=name,
        image=service.image,
        port_name=port_name,
        port=service.port,
        env=f"  env:\n{indent(given, ' ' * 4)}" if given else "",
        start=START,
        resources=indent(resources(service, measured).rstrip(), "  "),
        python=f"{PREFIX}/bin/python",
        notice=f"{cluster.NOTICE:g}",
        read_only=str(not service.writable).lower(),
        mounts="  volumeMounts: [{name: scratch, mountPath: /tmp}]\n" if service.scratch else "",
    )
    volumes = "volumes: [{name: scratch, emptyDir: {}}]\n" if service.scratch else ""
    return head + indent(container, "  ") + volumes


def environment(service: Service) -> str:
    lines = [
        f"- name: {name}\n  value: {json.dumps(value.replace('$(', '$$('))}\n"
        for name, value in cluster.environment(service).items()
    ]
    if service.api_key:
        place = f"secretKeyRef:\n      name: {cluster.secret(service)}\n      key: api-key\n"
        lines.append(f"- name: {cluster.API_KEY}\n  valueFrom:\n    {place}")
    for name in service.secrets:
        place = f"secretKeyRef:\n      name: {secrets(service)}\n      key: {name}\n"
        lines.append(f"- name: {name}\n  valueFrom:\n    {place}")
    return "".join(lines)


def secrets(service: Service) -> str:
    """The name of the Secret with an app's own variables."""
    return f"{service.name[:55].rstrip('-')}-secrets"


def resources(service: Service, measured: int) -> str:
    memory = Memory.of(service, measured)
    asked = [f"cpu: {(service.cpus or cluster.CPUS) * 1000:.0f}m"]
    most = [f"cpu: {service.cpus * 1000:.0f}m"] if service.cpus else []
    if memory.request:
        asked.append(f"memory: {cluster.quantity(memory.request, 'Mi')}")
        most.append(f"memory: {cluster.quantity(memory.limit, 'Mi')}")
    if service.gpu:
        most.append("nvidia.com/gpu: 1  # of NVIDIA's device plugin; a rollout needs one more than there are replicas")
    text = cluster.block("resources", {"requests": asked, "limits": most})
    if measured and not service.memory:
        return text.replace(":", ":  # memory as measured with this model", 1)
    return text


def spread(service: Service) -> str:
    return SPREAD.substitute(selector=selector(service))


def labels(service: Service) -> str:
    """https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/"""
    version = cluster.label(service.version)
    more = f', app.kubernetes.io/version: "{version}"' if version else ""
    return f"{selector(service)[:-1]}{more}}}"


def selector(service: Service) -> str:
    """The labels that do not change from one version to the next."""
    return f"{{app.kubernetes.io/name: {service.name}, app.kubernetes.io/component: api}}"


def ingress(service: Service, door: Door) -> str:
    rate = f'    nginx.ingress.kubernetes.io/limit-rps: "{service.rate_limit}"\n' if service.rate_limit else ""
    tls = f"  tls:\n    - hosts: [{json.dumps(door.host)}]\n      secretName: {door.secret}\n" if door.secret else ""
    inside = "\n".join(INSIDE.substitute(path=path, name=service.name) for path in PRIVATE)
    return INGRESS.substitute(
        name=service.name,
        labels=labels(service),
        body=int(service.max_body),
        timeout=math.ceil(service.timeout + nginx.MARGIN),
        host=json.dumps(door.host),
        rate=rate,
        tls=tls,
        inside=indent(inside, " " * 10),
    )
