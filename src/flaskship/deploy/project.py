"""The editable project that `flaskship eject` writes: the same image by `docker build`, and what runs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

from flaskship.deploy import compose, kubernetes
from flaskship.deploy.service import Service
from flaskship.image import dockerfile
from flaskship.image.base import Base
from flaskship.image.lock import Lock
from flaskship.plan import BUNDLE, PREFIX, Plan, site
from flaskship.target import Kind

Files = Mapping[str, bytes | Path]

APP = '''"""The API as a Flask app, to run and to change on this machine: python app.py

The container runs the server of flaskship/serve instead, on the same bundle.
"""

from pathlib import Path

from flaskship.bundle import Bundle
from flaskship.settings import Settings, environment
from flaskship.web import create_app, subjects

settings = Settings.load(None, environment(), {})
app = create_app(subjects(Bundle.read(Path(__file__).parent / "bundle"), settings), settings)

if __name__ == "__main__":
    app.run(port=settings.port)
'''

RUN_DOCKER = Template("""\
#!/bin/sh
# Builds both images and runs them: $url
set -e
cd "$$(dirname "$$0")"
if docker compose version >/dev/null 2>&1; then compose="docker compose"; else compose=docker-compose; fi
$$compose up --build --detach "$$@"
echo "$url"
""")

BUNDLES = {
    Kind.MODEL: "the model, its signature, and rows with the answers that it must give",
    Kind.FUNCTION: "the functions' folder, and what their types say",
    Kind.CHECKPOINT: "the model's folder, and what it is asked and answers",
    Kind.APP: "the app's folder, and what starts it",
}
OF_APP = "| `api/app.py` | the same API as a Flask app, to run and to change without a container |\n"

README = Template("""\
# $name

Made by `flaskship eject`. It is yours: change what you like.

| file | is |
|---|---|
| `api/Dockerfile` | the image that `flaskship build` makes, as a Dockerfile |
| `api/bundle/` | $bundle |
| `api/requirements.txt` | the packages, pinned with their hashes |
| `api/flaskship/` | the server |
$app| `nginx/` | what stands in front of it: limits, retries, headers |
| `compose.yaml`, `run_docker.sh` | both together: `sh run_docker.sh`, then $url |
| `kubernetes.yaml` | the same for a cluster, once the image is in its registry |

`api/Dockerfile` takes packages from a builder, an image with pip: `BUILDER=my/python sh run_docker.sh` takes another.
`sh run_docker.sh --scale api=4` runs four replicas; `docker compose down --volumes` takes all away.
""")


def files(service: Service, plan: Plan, base: Base, lock: Lock, *, proxy: str | Path) -> Files:
    """The project's files by name: bytes, or where they are now. `proxy` is nginx: a reference, or a tar."""
    scheme, usual = ("https", compose.SECURE) if service.tls else ("http", 80)
    url = f"{scheme}://localhost" + ("" if service.published == usual else f":{service.published}")
    texts = {
        "README.md": README.substitute(
            name=service.name, url=url, bundle=BUNDLES[service.kind], app="" if plan.app else OF_APP
        ),
        "api/Dockerfile": dockerfile.render(plan, base),
        **({} if plan.app else {"api/app.py": APP}),
        "api/requirements.txt": lock.text,
        "kubernetes.yaml": kubernetes.render(service),
        "nginx/Dockerfile": dockerfile.nginx(proxy if isinstance(proxy, str) else ""),
        "run_docker.sh": RUN_DOCKER.substitute(url=url),
    }
    found: dict[str, bytes | Path] = {name: text.encode() for name, text in texts.items()}
    found.update(compose.files(service, builder=dockerfile.builder(base)))
    for part in plan.parts:
        found.update({f"api/{_inside(name, plan)}": source for name, source in part.files.items()})
    if not base.pin:
        found[f"api/{dockerfile.BASE_TAR}"] = base.layers[0].blob.read()
    if isinstance(proxy, Path):
        found[f"nginx/{dockerfile.PROXY_TAR}"] = proxy
    return found


def _inside(name: str, plan: Plan) -> str:
    """Where a file of the image lies in `api/`."""
    package = f"{site(plan.python)}/flaskship/"
    if name.startswith(package):
        return f"flaskship/{name.removeprefix(package)}"
    if name.startswith(f"{BUNDLE}/"):
        return f"bundle/{name.removeprefix(f'{BUNDLE}/')}"
    return f"environment/{name.removeprefix(f'{PREFIX}/')}"
