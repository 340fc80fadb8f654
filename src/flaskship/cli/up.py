"""`flaskship up REF|TARGET`"""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from flaskship import engine, proxy, ship, stack, variables
from flaskship.cli import supply, talk
from flaskship.cli.options import MAKING, PACKING, load, settings_options
from flaskship.deploy.compose import SECURE
from flaskship.deploy.service import Service
from flaskship.errors import UsageError
from flaskship.plan import BAKED
from flaskship.settings import Duration, parse
from flaskship.target import Kind

RUNNING = ("api_key", "replicas", "memory", "cpus", "gpu", "rate_limit", "tls_cert", "tls_key", "nginx")
PLAIN = 80
PORTS = "[default: 80, or 443 with --tls-cert]"


@click.command("up")
@click.argument("target", metavar="REF|TARGET")
@click.option(
    "-p", "--port", type=click.IntRange(0, 65535),
    help=f"Port that users come to; 0 takes a free one.  {PORTS}",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Write compose.yaml and nginx.conf there.  [default: stacks/NAME in the user's cache]",
)  # fmt: skip
@click.option("--wait", default="2m", metavar="DURATION", help="Longest wait until it is ready.  [default: 2m]")
@settings_options(*MAKING, *PACKING, "env", "secret", *RUNNING, *BAKED)
def command(target: str, port: int | None, output: Path | None, wait: str, **flags: Any) -> None:
    """Run a model behind nginx, in several containers, through Compose, and print the URL that answers.

    REF is an image that was built or pulled here, or that the engine or its registry has. TARGET is made one first.
    Again with other --replicas it scales; with another image or other settings, new containers take over from the
    old ones one by one. No request is lost. `flaskship down` takes it away.
    """
    settings, patience = load(flags), parse(wait, Duration, "--wait")
    stack.program()
    variables.set_here(variables.given(settings))  # what has no value here is said before anything is built
    if settings.tls_cert and settings.tls_key:
        _check(settings.tls_cert, settings.tls_key)
    with engine.connected() as client:
        image, held = supply.image(client, target, load({**flags, "env": None}))  # no secret goes into an image
        given = {name for name, value in flags.items() if value is not None}
        service = Service.of(image, held.config, settings, given=given)
        usual = SECURE if service.tls else PLAIN
        finder = proxy.Finder(store=ship.store(), say=talk.note, insecure=settings.insecure)
        service = replace(
            service, published=usual if port is None else port, nginx=finder.image(client, settings.nginx)
        )
        if service.page_port not in (0, service.published):
            talk.warn(f"It is written for localhost:{service.page_port}. Publish that: -p {service.page_port}")
        folder = output.resolve() if output else stack.default_folder(service.name)
        if service.kind is Kind.APP and service.replicas > 1 and not settings.replicas:  # of which nobody spoke
            talk.warn(
                f"It runs in {service.replicas} containers: what one keeps in files or memory, the others do not see. "
                "Where the app keeps something: --replicas 1"
            )
        made = stack.Stack(service=service, identity=held.id, folder=folder, client=client, say=talk.note)
        url = made.up(patience)
        talk.note(f"{service.name} is ready behind nginx; its files are in {folder}")
        click.echo(url)


def _check(certificate: Path, key: Path) -> None:
    """Raises `UsageError` for files that are no certificate and its key."""
    for each in (certificate, key):
        try:
            each.read_bytes()
        except OSError as error:
            raise UsageError(f"Cannot read {str(each)!r}: {error.strerror}.") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        raise UsageError(
            f"{str(certificate)!r} and {str(key)!r} are no certificate with its key, in PEM and without a password"
            f" ({error.reason or error})."
        ) from error
