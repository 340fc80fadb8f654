"""A Swarm of three nodes, each an engine in a network namespace of its own: no request is lost, whatever goes on."""

from __future__ import annotations

import os
import re
import shutil
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import joblib
import pandas as pd
import pytest
from containers import run, wait_until
from load import Rows, load
from registries import running
from sklearn.linear_model import LogisticRegression
from swarm import Node, bridge, swarm

from flaskship import make
from flaskship.image import debian
from flaskship.image.spec import Platform
from flaskship.settings import Settings
from flaskship.web import create_app, subject

pytestmark = pytest.mark.needs("ip", "iptables", "nsenter", "dockerd", "docker", "docker-registry", "mmdebstrap")

NOBODY = re.compile(r'could not be resolved|no live upstreams|"status":5|shutting down')
NAMED = '{{with index .Services "sales_api"}}{{range .Tasks}}{{.EndpointIP}} {{end}}{{end}}'
NGINX = ["-c", 'CMD ["nginx", "-g", "daemon off;"]', "-c", "ENV PATH=/usr/sbin:/usr/bin:/bin"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that the nodes reach."""
    if os.geteuid() != 0:
        pytest.skip("needs: root")
    with bridge() as gateway, running(tmp_path_factory.mktemp("registry"), host=gateway) as address:
        yield address


@pytest.fixture(scope="module")
def nodes(registry: str) -> Iterator[Sequence[Node]]:
    with swarm(registry) as found:
        yield found


@pytest.fixture(scope="module")
def models(sales: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Two versions of the sales model, whose answers differ, each in a folder."""
    folders = {version: tmp_path_factory.mktemp("model") for version in ("1", "2")}
    for version, folder in folders.items():
        shutil.copy(sales / "sales.joblib", folder)
        shutil.copy(sales / "online_sales.csv", folder)
        if version == "2":
            rows = pd.read_csv(folder / "online_sales.csv")
            other = LogisticRegression(max_iter=1000, C=0.001).fit(rows.drop(columns="converted"), rows["converted"])
            joblib.dump(other, folder / "sales.joblib")
    return folders


@pytest.fixture(scope="module")
def answers(models: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Rows]:
    """Requests, and what each version answers."""
    asked = [{"age": 20 + 3 * each, "new_user": each % 2, "total_pages_visited": each} for each in range(16)]
    found: dict[str, Rows] = {}
    for version, folder in models.items():
        bundle = make.make(folder / "sales.joblib", Settings(), tmp_path_factory.mktemp("made") / "bundle")
        client = create_app([subject(bundle, Settings())], Settings()).test_client()
        found[version] = [(each, client.post("/predict", json=each).json) for each in asked]
    return found


@pytest.fixture(scope="module")
def images(models: Mapping[str, Path], debian: Path, cache: Path, registry: str) -> Mapping[str, str]:
    """Both versions, in the registry."""
    found = {}
    for version, folder in models.items():
        found[version] = f"{registry}/me/sales:{version}"
        named = ["-t", found[version], "--model-version", version, "--base", str(debian)]
        run(folder, "build", "sales.joblib", *named, "--push", "--insecure")
    return found


@pytest.fixture(scope="module")
def nginx(nodes: Sequence[Node], registry: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian's nginx, in the registry."""
    place, name = tmp_path_factory.mktemp("nginx") / "nginx.tar", f"{registry}/nginx:debian"
    debian.assemble(place, Platform.here(), recipe=debian.NGINX)
    nodes[0].docker("import", *NGINX, str(place), name)
    nodes[0].docker("push", name)
    return name


class Stack:
    """The stack `sales`, as `flaskship deploy` gives it to the first node."""

    def __init__(self, nodes: Sequence[Node], images: Mapping[str, str], nginx: str) -> None:
        self.nodes, self.images = nodes, images
        self.options = ["--to", "swarm", "--apply", "--insecure", "--memory", "256MiB", "--nginx", nginx]

    def deploy(self, version: str) -> None:
        env = {"DOCKER_HOST": self.nodes[0].host}
        run(Path.cwd(), "deploy", self.images[version], *self.options, env=env)

    def manage(self, *arguments: str) -> str:
        return self.nodes[0].docker(*arguments)

    def updated(self) -> bool:
        state = self.manage("service", "inspect", "sales_api", "--format", "{{.UpdateStatus.State}}")
        assert state in ("", "updating", "completed"), state
        return state == "completed"

    def running(self) -> list[str]:
        """The nodes of the replicas that answer, as their engines say it."""
        wanted = (
            "ps",
            "--quiet",
            "--filter",
            "label=com.docker.swarm.service.name=sales_api",
            "--filter",
            "health=healthy",
        )
        return [node.name for node in self.nodes for _ in node.docker(*wanted, check=False).split()]

    def placed(self, node: Node) -> list[str]:
        return [each for each in self.running() if each == node.name]

    def named(self) -> str:
        """The replicas that Docker's DNS gives to the first node's nginx."""
        return self.manage("network", "inspect", "--verbose", "sales_default", "--format", NAMED)

    def ready(self, count: int) -> bool:
        """Whether so many replicas run, and the first node's nginx may know them."""
        return len(self.running()) == count == len(self.named().split())

    def troubles(self) -> str:
        """What became of the replicas, and what nginx wrote when it had nobody left to ask."""
        tasks = "\n".join([self.manage("service", "ps", "--no-trunc", "sales_api"), self.named()])
        front = self.manage("ps", "--quiet", "--all", "--filter", "label=com.docker.swarm.service.name=sales_nginx")
        said = [line for each in front.split() for line in self.nodes[0].said(each) if NOBODY.search(line)]
        return "\n".join([tasks, *said[:10], *said[-10:]])


def status(node: Node, path: str) -> int:
    with suppress(OSError), urllib.request.urlopen(f"http://{node.address}{path}", timeout=5) as response:
        return int(response.status)
    return 0


@pytest.fixture(scope="module")
def stack(nodes: Sequence[Node], images: Mapping[str, str], nginx: str) -> Stack:
    """Version 1, answering at every node."""
    found = Stack(nodes, images, nginx)
    found.deploy("1")
    for node in nodes:
        wait_until(lambda node=node: status(node, "/") == 200, f"{node.name} answers")
    return found


def test_no_request_is_lost(stack: Stack, answers: Mapping[str, Rows]) -> None:
    manager, *workers = stack.nodes
    with load(f"http://{manager.address}/predict", answers) as counter:
        counter.more()
        assert set(counter.versions) == {"1"}

        stack.deploy("2")
        wait_until(lambda: stack.updated() and stack.ready(2), "version 2 is rolled out")
        old = counter.versions["1"]
        counter.more()
        assert counter.versions["2"]
        assert counter.versions["1"] == old

        for count in (4, 2):
            stack.manage("service", "scale", "--detach", f"sales_api={count}")
            wait_until(lambda count=count: stack.ready(count), f"{count} replicas run")
            counter.more()

        drained, killed = sorted(workers, key=lambda node: len(stack.placed(node)), reverse=True)
        stack.manage("node", "update", "--availability", "drain", drained.id)
        wait_until(lambda: not stack.placed(drained) and stack.ready(2), "the replicas are elsewhere")
        stack.manage("node", "update", "--availability", "active", drained.id)
        counter.more()

        assert stack.placed(killed)
        killed.kill()
        counter.more()
        wait_until(lambda: stack.ready(2), "two replicas run on what is left")
        counter.more()
    assert not counter.wrong, f"{counter.wrong[:5]}\n{stack.troubles()}"
    assert set(counter.versions) == {"1", "2"}
