"""compose.yaml: replicas of the API and nginx in front of them. For `docker compose` and for docker-compose 1.29.

https://github.com/compose-spec/compose-spec/blob/main/05-services.md
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from string import Template

from flaskship.deploy import nginx
from flaskship.deploy.service import Service
from flaskship.plan import USER
from flaskship.settings import variable

REVISION = "io.flaskship.revision"  # the label that tells replicas of this image and these settings from others
SPARE = 2  # seconds after `drain` and `grace`, before a container is killed
API, NGINX = "api", "nginx"  # the services
SECURE = 443  # where browsers expect HTTPS, and follow from port 80

Files = Mapping[str, bytes | Path]

COMPOSE = Template("""\
# $title behind nginx. Written by Flaskship. Run it: docker compose up -d (or docker-compose up -d)
services:
  api:
$api    scale: $replicas
  nginx:
$nginx    user: "$user:$user"
    sysctls: {net.ipv4.tcp_tw_reuse: 1}  # a connection a request: its port may be used again after a second
    ports: $ports
    volumes:
$volumes      - /tmp
    depends_on: [api]
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    stop_signal: SIGQUIT
    stop_grace_period: $stopping
    restart: unless-stopped
    logging: *logging
""")

API_PART = Template("""\
$image$more    read_only: $read_only
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    stop_grace_period: $stopping
    restart: unless-stopped
    logging: &logging
      driver: json-file
      options: {max-size: 10m, max-file: "3"}
""")


GPU = """\
    deploy:
      resources:
        reservations:
          devices: [{driver: nvidia, count: all, capabilities: [gpu]}]
"""


def render(service: Service, *, identity: str = "", builder: str = "") -> str:
    """The text of compose.yaml.

    `identity` is the image's id in the engine, so that an image which was built anew under its old name is another
    revision. With a `builder`, an image that has pip, both images are built from the folders api/ and nginx/.
    """
    api = _api(service, builder)
    if not builder:
        api += f'    labels: {{{REVISION}: "{revision(service, identity)}"}}\n'
    mounts = [] if builder else [f"./nginx:{nginx.FOLDER}:ro"]
    if service.tls:
        mounts += [f"./tls/{Path(inside).name}:{inside}:ro" for inside in (nginx.CERTIFICATE, nginx.KEY)]
    return COMPOSE.substitute(
        title=f"{service.name} {service.version}".strip(),
        api=api,
        replicas=service.replicas,
        nginx="    build: nginx\n" if builder else f"    image: {_text(service.nginx)}\n",
        user=USER,
        ports=json.dumps(
            [f"{outside}:{inside}" if outside else f"{inside}" for outside, inside in ports(service).items()]
        ),
        volumes="".join(f"      - {each}\n" for each in mounts),
        stopping=_stopping(service),
    )


def files(service: Service, *, identity: str = "", builder: str = "") -> Files:
    """The project's files by name: bytes, or where they are now."""
    found: dict[str, bytes | Path] = {
        "compose.yaml": render(service, identity=identity, builder=builder).encode(),
        "nginx/nginx.conf": nginx.render(service, upstream=API).encode(),
    }
    if service.tls:
        found |= {"tls/certificate.pem": service.tls.certificate, "tls/key.pem": service.tls.key}
    held = {variable("api_key"): service.api_key, **service.secrets}
    if any(held.values()):
        found["api.env"] = "".join(f"{name}='{each}'\n" for name, each in held.items() if each).encode()
    return found


def revision(service: Service, identity: str) -> str:
    """The same for replicas that need not be replaced by each other."""
    parts = (_api(service, ""), service.api_key, *map(str, service.secrets.items()), identity)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def ports(service: Service) -> Mapping[int, int]:
    """Ports of nginx's container by those that users come to; 0 is any that is free."""
    if not service.tls:
        return {service.published: nginx.PLAIN}
    plain = {80: nginx.PLAIN} if service.published == SECURE else {}
    return {service.published: nginx.SECURE, **plain}


def _api(service: Service, builder: str) -> str:
    image = f"    image: {_text(service.image)}\n"
    if builder:
        image = f'    build: {{context: api, args: {{BUILDER: "${{BUILDER:-{builder}}}"}}}}\n{image}'
    more = ""
    env = {name: _text(each) for name, each in service.env.items()}
    env |= {name: f'"${{{name}:?is a secret: set it}}"' for name, each in service.secrets.items() if not each}
    if env:
        more += "    environment:\n" + "".join(f"      {name}: {each}\n" for name, each in env.items())
    if service.api_key or any(service.secrets.values()):
        more += "    env_file: [api.env]\n"
    if service.memory:
        more += f"    mem_limit: {service.memory}\n"
    if service.cpus:
        more += f"    cpus: {service.cpus:g}\n"
    if service.gpu:
        more += GPU
    if service.scratch:
        more += "    tmpfs: [/tmp]\n"
    read_only = str(not service.writable).lower()
    return API_PART.substitute(image=image, more=more, stopping=_stopping(service), read_only=read_only)


def _stopping(service: Service) -> str:
    return f"{math.ceil(service.drain + service.grace) + SPARE}s"


def _text(value: str) -> str:
    """As YAML and Compose read it back: JSON's strings are YAML's, and two dollar signs are one."""
    return json.dumps(value).replace("$", "$$")
