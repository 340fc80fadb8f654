"""The editable project that `flaskship eject` writes: the same image by `docker build`, and what runs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

from flaskship.image import dockerfile
from flaskship.image.base import Base
from flaskship.image.lock import Lock
from flaskship.plan import BUNDLE, PREFIX, Plan, site

Files = Mapping[str, bytes | Path]

APP = '''"""The API as a Flask app, to run and to change on this machine: python app.py

The container runs the server of flaskship/serve instead, on the same bundle.
"""

from pathlib import Path

from flaskship.bundle import Bundle
from flaskship.settings import Settings, environment
from flaskship.web import create_app, subject

settings = Settings.load(None, environment(), {})
app = create_app([subject(Bundle.read(Path(__file__).parent / "bundle"), settings)], settings)

if __name__ == "__main__":
    app.run(port=settings.port)
'''

NGINX_DOCKERFILE = """\
FROM nginx:stable-alpine
COPY nginx.conf /etc/nginx/nginx.conf
"""

NGINX = Template("""\
# In front of one or more containers of the API.
worker_processes auto;
events { worker_connections 4096; }
http {
    resolver 127.0.0.11 valid=5s;  # Docker's own: finds replicas that come later
    client_max_body_size $body;
    gzip on;
    gzip_types application/json text/css application/javascript text/csv;
    server_tokens off;
    server {
        listen 80;
        location ~ ^/(metrics|livez|readyz|healthz)$$ { return 404; }  # for those inside
        location / {
            set $$api http://api:$port;
            proxy_pass $$api;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $$http_host;
            proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $$scheme;
            proxy_read_timeout ${timeout}s;
        }
    }
}
""")

COMPOSE = Template("""\
services:
  api:
    build: api
    image: $name
    read_only: true
    cap_drop: [ALL]
    restart: unless-stopped
  nginx:
    build: nginx
    ports: ["80:80"]
    depends_on: [api]
    restart: unless-stopped
""")

RUN_DOCKER = """\
#!/bin/sh
# Builds both images and runs them: http://localhost
set -e
cd "$(dirname "$0")"
if docker compose version >/dev/null 2>&1; then compose="docker compose"; else compose=docker-compose; fi
$compose up --build --detach "$@"
echo "http://localhost"
"""

KUBERNETES = Template("""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: $name}
spec:
  replicas: 2
  selector: {matchLabels: {app: $name}}
  template:
    metadata: {labels: {app: $name}}
    spec:
      containers:
        - name: api
          image: $name
          ports: [{containerPort: $port}]
          readinessProbe: {httpGet: {path: /readyz, port: $port}, periodSeconds: 5}
          livenessProbe: {httpGet: {path: /livez, port: $port}, periodSeconds: 10, timeoutSeconds: 3}
          securityContext:
            runAsNonRoot: true
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
---
apiVersion: v1
kind: Service
metadata: {name: $name}
spec:
  selector: {app: $name}
  ports: [{port: 80, targetPort: $port}]
""")

README = Template("""\
# $name

Made by `flaskship eject`. It is yours: change what you like.

| file | is |
|---|---|
| `api/Dockerfile` | the image that `flaskship build` makes, as a Dockerfile |
| `api/bundle/` | the model, its signature, and rows with the answers that it must give |
| `api/requirements.txt` | the packages, pinned with their hashes |
| `api/flaskship/` | the server |
| `api/app.py` | the same API as a Flask app, to run and to change without a container |
| `nginx/` | what stands in front of it |
| `compose.yaml`, `run_docker.sh` | both together: `sh run_docker.sh`, then http://localhost |
| `kubernetes.yaml` | the same for a cluster, once the image is in its registry |
""")


def files(name: str, plan: Plan, base: Base, lock: Lock, *, body: int, timeout: float) -> Files:
    """The project's files by name: bytes, or where they are now. `body` in bytes, `timeout` in seconds."""
    named = {"name": name, "port": plan.port, "body": body, "timeout": f"{timeout:g}"}
    texts = {
        "README.md": README.substitute(named),
        "api/Dockerfile": dockerfile.render(plan, base),
        "api/app.py": APP,
        "api/requirements.txt": lock.text,
        "compose.yaml": COMPOSE.substitute(named),
        "kubernetes.yaml": KUBERNETES.substitute(named),
        "nginx/Dockerfile": NGINX_DOCKERFILE,
        "nginx/nginx.conf": NGINX.substitute(named),
        "run_docker.sh": RUN_DOCKER,
    }
    found: dict[str, bytes | Path] = {name: text.encode() for name, text in texts.items()}
    for part in plan.parts:
        found.update({f"api/{_inside(name, plan)}": source for name, source in part.files.items()})
    if not base.pin:
        found[f"api/{dockerfile.BASE_TAR}"] = base.layers[0].blob.read()
    return found


def _inside(name: str, plan: Plan) -> str:
    """Where a file of the image lies in `api/`."""
    package = f"{site(plan.python)}/flaskship/"
    if name.startswith(package):
        return f"flaskship/{name.removeprefix(package)}"
    if name.startswith(f"{BUNDLE}/"):
        return f"bundle/{name.removeprefix(f'{BUNDLE}/')}"
    return f"environment/{name.removeprefix(f'{PREFIX}/')}"
