"""`flaskship login REGISTRY`"""

from __future__ import annotations

import sys
from typing import Any

import click

from flaskship.cli import talk
from flaskship.cli.options import load, settings_options
from flaskship.errors import UsageError
from flaskship.image import auth
from flaskship.image.auth import Credentials
from flaskship.image.client import Client
from flaskship.image.ref import DOCKER_HUB, Ref
from flaskship.image.registry import Registry


@click.command("login")
@click.argument("registry", default=DOCKER_HUB)
@click.option("-u", "--user", prompt=True, help="Asked for where not given.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, not from the terminal.")
@settings_options("insecure")
def command(registry: str, user: str, password_stdin: bool, **flags: Any) -> None:
    """Try the credentials of REGISTRY, then keep them where Docker keeps them (or its credential helper)."""
    ref = Ref.parse(f"{registry}/x") if registry != DOCKER_HUB else Ref.parse("x")
    if ref.registry != registry:
        raise UsageError(f"{registry!r} is no registry. Write it like registry.example or localhost:5000.")
    secret = sys.stdin.readline().rstrip("\r\n") if password_stdin else click.prompt("Password", hide_input=True)
    given = Credentials(user=user, secret=secret)
    client = Client(registry, plain=ref.local or load(flags).insecure, given=given)
    try:
        Registry(client).check()
    finally:
        client.close()
    talk.note(f"Kept in {auth.save(registry, given)}")
    click.echo(f"Logged in to {registry} as {user}")
