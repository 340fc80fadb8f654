"""The command line: one group, one file a verb, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import click

from flaskship import __version__
from flaskship.cli.talk import error as say_error
from flaskship.errors import INTERRUPTED, FileError, FlaskshipError, UsageError

VERBS = {
    "serve": "Run the API of one model, or of several.",
    "inspect": "Show what a target is: framework, fields, outputs, compiled or why not.",
    "predict": "Answer rows offline, from flags or a file.",
    "check": "Replay the golden rows against a target or a URL.",
    "bundle": "Write a bundle: what is served, and what goes into an image.",
    "build": "Make an image, without Docker.",
    "base": "Assemble a minimal Debian with Python for images to stand on.",
    "push": "Send an image to a registry: only what it lacks.",
    "pull": "Fetch an image from a registry.",
    "login": "Keep the credentials of a registry, where Docker keeps them.",
    "run": "Run an image, or a model, as a container.",
    "ps": "Show the containers: URL, health, CPU and memory.",
    "logs": "Show what a container wrote.",
    "shell": "Open a shell in a container, where it has one.",
    "stop": "Stop containers.",
    "rm": "Remove containers.",
    "images": "Show the images that were built or pulled here, and the engine's.",
    "rmi": "Remove images.",
    "prune": "Remove what is no longer used: stopped containers, images, layers.",
    "up": "Run a model behind nginx, in several containers, through Compose.",
    "down": "Take away what `up` made.",
    "deploy": "Write what runs an image on Swarm or Kubernetes.",
    "eject": "Write the project that gives the same image with `docker build`.",
    "new": "Make a small project to start from.",
}


class Verbs(click.Group):
    """Imports a verb's module when it is used; what is no verb is a target to serve."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS:
            if (near := get_close_matches(args[0], VERBS, n=1)) and not Path(args[0]).exists():
                raise UsageError(
                    f"No verb {args[0]!r}, nor a file or directory of that name. Did you mean: flaskship {near[0]}"
                )
            args = ["serve", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="flaskship")
def group() -> None:
    """Ship a trained model as a production web API.

    `flaskship TARGET` means `flaskship serve TARGET`.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the error class's code."""
    sys.exit(invoke(sys.argv[1:] if args is None else args))


def invoke(args: Sequence[str]) -> int:
    """The exit code of `flaskship ARGS`."""
    try:
        code = group.main(list(args), prog_name="flaskship", standalone_mode=False)
    except FlaskshipError as error:
        say_error(error)
        return error.exit_code
    except click.exceptions.Exit as exit:
        return exit.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except OSError as error:  # of whatever file the user named, or of the disk it is on
        failure = FileError.of(error)
        say_error(failure)
        return failure.exit_code
    return code if isinstance(code, int) else 0
