"""A stack for Docker Swarm: nginx on every node, in front of the replicas of the API. One file with all in it.

https://docs.docker.com/reference/compose-file/legacy-versions/ has what `docker stack deploy` takes: no inline configs.
"""

from __future__ import annotations

import json
from dataclasses import replace
from string import Template
from textwrap import indent

from flaskship.deploy import cluster, compose, nginx
from flaskship.deploy.cluster import API_KEY, Memory
from flaskship.deploy.service import Service
from flaskship.plan import USER, written
from flaskship.settings import Duration, Settings, variable

STACK = Template("""\
# $title behind nginx, for Docker Swarm: docker stack deploy --with-registry-auth -c FILE $name
# Written by flaskship deploy.
version: "3.8"
services:
  api:
    image: $image
    environment:
$env
${key}\
    read_only: $read_only
${scratch}\
    cap_drop: [ALL]
    healthcheck:  # the test is the image's own: /readyz
      interval: 2s
      timeout: 5s
      retries: 3
      start_period: 5m
    # At the stop signal the server goes on for $drain s, in which nginx hears of it, then answers what is in flight,
    # for $grace s at most.
    stop_grace_period: ${stopping}s
    deploy:
      replicas: $replicas
      endpoint_mode: dnsrr  # nginx asks DNS for the replicas: that needs no IPVS in the kernel
      update_config:
        order: start-first  # one goes when its successor is healthy
        parallelism: 1
        delay: 1s
        monitor: 5s
        failure_action: rollback
      rollback_config:
        order: start-first
        parallelism: 1
      restart_policy:
        condition: any
        delay: 1s
$resources
  nginx:
    image: $nginx
    entrypoint:
      - /bin/sh
      - -c
      - printf '%s' "$$$$NGINX_CONF" > /tmp/nginx.conf && exec nginx -e stderr -c /tmp/nginx.conf -g 'daemon off;'
    environment:
      NGINX_CONF: |
$conf
${tls}\
    user: "$user:$user"
    read_only: true
    cap_drop: [ALL]
    volumes:
      - type: tmpfs
        target: /tmp
    sysctls:
      net.ipv4.tcp_tw_reuse: "1"  # a connection a request: its port may be used again after a second
      # A node that vanished says nothing: what its replicas were asked is asked of others after 6 s, and after 13 s
      # where not even the request got there.
      net.ipv4.tcp_keepalive_time: "3"
      net.ipv4.tcp_keepalive_intvl: "1"
      net.ipv4.tcp_keepalive_probes: "3"
      net.ipv4.tcp_retries2: "5"
    ports:  # of every node itself: no IPVS here either, and nginx sees who asks
$ports
    stop_signal: SIGQUIT
    stop_grace_period: ${stopping}s
    deploy:
      mode: global
      restart_policy:
        condition: any
        delay: 1s
""")

PORT = Template("""\
- target: $inside
  published: $outside
  protocol: tcp
  mode: host
""")

KEY = Template("""\
      ${variable}_FILE: /run/secrets/api-key
    secrets: [api-key]
""")

SCRATCH = """\
    volumes:
      - type: tmpfs
        target: /tmp
"""

TLS = Template("""\
    secrets:
      - source: certificate
        target: $certificate
      - source: key
        target: $key
        uid: "$user"
        mode: 0400
""")

KEY_SECRET = Template("""\
  api-key:  # printf %s KEY | docker secret create $name -
    external: true
    name: $name
""")

TLS_SECRETS = Template("""\
  certificate:
    name: $name-certificate-$fingerprint
    file: $certificate
  key:
    name: $name-key-$fingerprint
    file: $key
""")


GPU = """\
# Nodes with one say so in Docker's daemon.json: "node-generic-resources": ["NVIDIA-GPU=GPU-UUID"], and
# "default-runtime": "nvidia", whose config.toml has: swarm-resource = "DOCKER_RESOURCE_NVIDIA-GPU".
generic_resources:
  - discrete_resource_spec: {kind: NVIDIA-GPU, value: 1}
"""


def render(service: Service, *, measured: int = 0, fingerprint: str = "") -> str:
    """`measured` is how many bytes of memory a container takes; 0 where nobody knows, and then none are asked for.

    A secret of Swarm never changes: the certificate's `fingerprint` is in the names, so that another one has others.
    """
    ports = compose.ports(service).items()
    # the same for every version: nginx has the port of its node, so that another one could only start when it is gone
    conf = nginx.render(replace(service, version=""), upstream="api")
    text = STACK.substitute(
        title=cluster.title(service),
        name=service.name,
        image=service.image,
        env=indent(environment(service), " " * 6),
        read_only=str(not service.writable).lower(),
        scratch=SCRATCH if service.scratch else "",
        key=KEY.substitute(variable=API_KEY) if service.api_key else "",
        drain=f"{drain(service):g}",
        grace=f"{service.grace:g}",
        stopping=cluster.stopping(drain(service), service.grace),
        replicas=service.replicas,
        resources=indent(resources(service, measured), " " * 6),
        nginx=service.nginx,
        conf=indent(conf.replace("$", "$$").rstrip(), " " * 8),
        tls=TLS.substitute(certificate=nginx.CERTIFICATE, key=nginx.KEY, user=USER) if service.tls else "",
        user=USER,
        ports=indent("".join(PORT.substitute(outside=out, inside=inner) for out, inner in ports).rstrip(), " " * 6),
    )
    return text + secrets(service, fingerprint)


def drain(service: Service) -> Duration:
    """Swarm knows no hook before the stop signal: the server itself gives notice, unless the user says how long."""
    return cluster.NOTICE if service.drain == Settings().drain else service.drain


def environment(service: Service) -> str:
    env = {**cluster.environment(service), variable("drain"): written(drain(service))}
    lines = [f"{name}: {_text(env[name])}" for name in sorted(env)]
    lines += [f'{name}: "${{{name}:?is a secret: set it}}"' for name in service.secrets]  # never in the file itself
    return "\n".join(lines)


def resources(service: Service, measured: int) -> str:
    memory = Memory.of(service, measured)
    most = [f'cpus: "{service.cpus:g}"'] if service.cpus else []
    asked = [f'cpus: "{service.cpus or cluster.CPUS:g}"']
    if memory.request:
        most.append(f"memory: {cluster.quantity(memory.limit, 'M')}")  # Docker's M is a MiB
        asked.append(f"memory: {cluster.quantity(memory.request, 'M')}")
    if service.gpu:
        asked += GPU.splitlines()
    return cluster.block("resources", {"limits": most, "reservations": asked})


def secrets(service: Service, fingerprint: str) -> str:
    found = KEY_SECRET.substitute(name=cluster.secret(service)) if service.api_key else ""
    if service.tls:
        found += TLS_SECRETS.substitute(
            name=service.name,
            fingerprint=fingerprint,
            certificate=_text(str(service.tls.certificate)),
            key=_text(str(service.tls.key)),
        )
    return f"secrets:\n{found}" if found else ""


def _text(value: str) -> str:
    """As YAML reads it back, once Docker has put in what stands after a single dollar sign."""
    return json.dumps(value).replace("$", "$$")
