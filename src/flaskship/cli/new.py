"""`flaskship new NAME --from sklearn|function|flask|torch`"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import click

from flaskship.cli import talk
from flaskship.deploy.service import slug
from flaskship.errors import UsageError

TEMPLATES = Path(__file__).parent / "templates"
KINDS = ("sklearn", "function", "flask", "torch")
COMMANDS = re.compile(r"```sh\n(.*?)```", re.DOTALL)


@click.command("new")
@click.argument("folder", metavar="NAME", type=click.Path(path_type=Path))
@click.option("--from", "template", type=click.Choice(KINDS), required=True, help="What to start from.")
def command(folder: Path, template: str) -> None:
    """Make a small project to start from, in a new folder NAME.

    sklearn: a trained model. function: a class with type hints. flask: a Flask app with a model in it. torch: a PyTorch
    model behind a class. Each trains what it needs, and has a test that passes.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{str(folder)!r} is there already. Name another folder, or empty it.")
    shutil.copytree(TEMPLATES / template, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8").replace("NAME", slug(folder.resolve().name))
    readme.write_text(text, encoding="utf-8")
    talk.note("Next:")
    for line in (f"cd {folder}", *COMMANDS.findall(text)[0].splitlines()):
        talk.note(f"  {line}")
    click.echo(str(folder))
