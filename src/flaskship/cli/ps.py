"""`flaskship ps`"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from flaskship import engine
from flaskship.cli import talk, transfer
from flaskship.engine import containers
from flaskship.engine.containers import Container, Usage


@click.command("ps")
@click.option("-a", "--all", "stopped", is_flag=True, help="Also those that do not run.")
@click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
def command(stopped: bool, as_json: bool) -> None:
    """Show the containers: name, model, version, URL, health, CPU and memory.

    CPU is in per cent of one CPU, so that 200 % is two of them busy. Memory is what the container takes, without the
    files that the kernel keeps cached for it.
    """
    with engine.connected() as client:
        theirs = containers.every(client, stopped=stopped)
        found = [(Container.of(each), used) for each, used in zip(theirs, containers.usage(theirs), strict=True)]
    if as_json:
        click.echo(json.dumps([_facts(*each) for each in found], indent=2))
        return
    headers = ("Name", "Model", "Version", "URL", "Health", "CPU", "Memory")
    lines = [
        (each.name, each.model, each.version, each.url, _health(each), _cpu(used), _memory(each, used))
        for each, used in found
    ]
    talk.listed(headers, lines, right=("CPU", "Memory"))
    if not found:
        talk.note("None runs. `flaskship run` starts one, `flaskship ps --all` shows those that stopped.")


def _facts(each: Container, used: Usage | None) -> dict[str, Any]:
    """As JSON: CPU in CPUs, memory in bytes, null where it is not known."""
    return {**asdict(each), "cpu": used and round(used.cpu, 4), "memory": used and used.memory}


def _health(each: Container) -> str:
    return each.health or each.state + (f" ({each.exit_code})" if each.state == "exited" else "")


def _cpu(used: Usage | None) -> str:
    return f"{used.cpu:.0%}".replace("%", " %") if used else ""


def _memory(each: Container, used: Usage | None) -> str:
    limit = f" of {transfer.size(each.memory_limit)}" if each.memory_limit else ""
    return f"{transfer.size(used.memory)}{limit}" if used else ""
