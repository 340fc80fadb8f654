"""`flaskship deploy REF --to swarm|kubernetes`"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from flaskship import footprint, ship
from flaskship.cli import talk, targets
from flaskship.cli.options import load, settings_options
from flaskship.deploy import cluster, kserve, kubernetes, swarm
from flaskship.deploy.kubernetes import Door
from flaskship.deploy.service import Service
from flaskship.errors import EngineError, UsageError
from flaskship.image.ref import Ref
from flaskship.image.spec import Image
from flaskship.plan import BAKED
from flaskship.serve import cpu
from flaskship.settings import Settings, environment, variable
from flaskship.target import Kind

RUNNING = (
    "replicas",
    "memory",
    "cpus",
    "gpu",
    "env",
    "secret",
    "api_key",
    "rate_limit",
    "tls_cert",
    "tls_key",
    "nginx",
)
TOOLS = {"docker": "Docker's command line", "kubectl": "kubectl"}
WORKERS = variable("workers")


@click.command("deploy")
@click.argument("ref")
@click.option("--to", "goal", type=click.Choice(["swarm", "kubernetes"]), required=True, help="What runs it.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write, not stdout.")
@click.option("--apply", is_flag=True, help="Have docker or kubectl run it.")
@click.option("-p", "--port", type=click.IntRange(1, 65535), help="The port that users come to.  [default: 80, or 443]")
@click.option("--tag-only", is_flag=True, help="Name the image without its digest, for one that is in no registry.")
@click.option("--host", metavar="NAME", help="Kubernetes: an Ingress for the users who ask for this name.")
@click.option("--tls-secret", metavar="NAME", help="Kubernetes: the Secret with the certificate of that name.")
@click.option("--kserve", "predictor", is_flag=True, help="Kubernetes: an InferenceService of KServe.")
@settings_options("name", *RUNNING, *BAKED, "trust", "insecure")
def command(
    ref: str, goal: str, output: Path | None, apply: bool, port: int | None, tag_only: bool, host: str | None,
    tls_secret: str | None, predictor: bool, **flags: Any,
) -> None:  # fmt: skip
    """Write what runs the image REF on a cluster: a stack for Swarm, or manifests for Kubernetes.

    REF is an image that was built or pulled here, or is in its registry. Memory is measured: its model is served here
    for a moment, unless --memory says how much it may have.
    """
    settings = load(flags)
    if targets.names_path(ref):
        raise UsageError(f"{ref!r} is no image. Make one of it: flaskship build {ref} -t REF")
    _check(goal, settings, host, tls_secret, predictor)
    place = Ref.parse(ref)
    image = ship.find(place, insecure=settings.insecure)
    service = _service(str(place if tag_only else place.at(image.digest)), image, settings, flags, valued=apply)
    service = replace(service, published=port or (443 if service.tls else 80))
    measured = 0 if service.memory or service.kind is Kind.APP else _measured(image, service, settings)
    if service.kind is Kind.APP and not service.memory:
        talk.note("How much memory an app takes is not measured: without --memory it may take what there is")
    if goal == "swarm":
        text = swarm.render(service, measured=measured, fingerprint=_fingerprint(service))
    elif predictor:
        text = kserve.render(service, measured=measured)
    else:
        text = kubernetes.render(
            service, measured=measured, door=Door(host=host, secret=tls_secret or "") if host else None
        )
    if output:
        output.write_text(text, encoding="utf-8")
    elif not apply:
        click.echo(text, nl=False)
    if apply:
        click.echo(_swarm(service, text) if goal == "swarm" else _kubernetes(service, text))


def _check(goal: str, settings: Settings, host: str | None, tls_secret: str | None, predictor: bool) -> None:
    if goal == "swarm" and (host or tls_secret or predictor):
        flag = "--host" if host else "--tls-secret" if tls_secret else "--kserve"
        raise UsageError(f"{flag} is for Kubernetes: --to kubernetes")
    if goal == "kubernetes" and (settings.tls_cert or settings.tls_key):
        raise UsageError(
            "Kubernetes takes a certificate from a Secret: kubectl create secret tls NAME --cert FILE --key FILE, then"
            " --host and --tls-secret NAME."
        )
    if predictor and host:
        raise UsageError("KServe makes the way in by itself: --host does not go with --kserve.")
    if tls_secret and not host:
        raise UsageError("--tls-secret needs the name that the certificate is for: --host NAME")


def _service(name: str, image: Image, settings: Settings, flags: Mapping[str, Any], *, valued: bool) -> Service:
    """With a number of processes that is the same wherever it runs, so that the memory that was measured holds."""
    config = image.settings().get("config") or {}
    given = [key for key, value in flags.items() if value is not None]
    service = Service.of(name, config, settings, given=given, valued=valued)
    if WORKERS in service.env or any(each.startswith(f"{WORKERS}=") for each in config.get("Env") or []):
        return service
    return replace(service, env={**service.env, WORKERS: str(cpu.workers(service.cpus or 1))})


def _measured(image: Image, service: Service, settings: Settings) -> int:
    found = footprint.measured(image, cluster.environment(service), trust=settings.trust)
    talk.note(f"Memory: {found >> 20} MiB, as measured here; the limit is twice that")
    return found


def _fingerprint(service: Service) -> str:
    if service.tls is None:
        return ""
    return hashlib.sha256(service.tls.certificate.read_bytes() + service.tls.key.read_bytes()).hexdigest()[:8]


def _swarm(service: Service, text: str) -> str:
    """Raises `EngineError`."""
    if service.api_key:
        name = cluster.secret(service)
        if name not in _run(["docker", "secret", "ls", "--format", "{{.Name}}"]).split():
            _run(["docker", "secret", "create", name, "-"], service.api_key)
    return _run(
        ["docker", "stack", "deploy", "--with-registry-auth", "--compose-file", "-", service.name],
        text,
        service.secrets,
    )


def _kubernetes(service: Service, text: str) -> str:
    return _run(["kubectl", "apply", "--filename", "-"], kubernetes.secret(service) + text)


def _run(arguments: Sequence[str], given: str = "", more: Mapping[str, str] | None = None) -> str:
    """What the tool says; `more` is added to its environment."""
    tool, env = arguments[0], {**environment(), **(more or {})}
    try:
        done = subprocess.run(arguments, input=given, capture_output=True, text=True, check=False, env=env)
    except FileNotFoundError as error:
        raise EngineError(
            f"--apply needs {TOOLS[tool]}, and there is no {tool!r} here. Install it, or write the file with -o FILE."
        ) from error
    if done.returncode:
        raise EngineError(f"{' '.join(arguments[:3])!r} refuses: {' '.join(done.stderr.split()).rstrip('.')}.")
    return done.stdout.strip()
