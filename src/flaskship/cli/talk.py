"""What is said to a person, on stderr: plain when that is no terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from flaskship.errors import BadInput, FlaskshipError

stderr = Console(stderr=True, soft_wrap=True, highlight=False)
stdout = Console(soft_wrap=True, highlight=False)


def note(text: str) -> None:
    """One line of progress."""
    stderr.print(f"[dim]{escape(text)}[/dim]")


def warn(text: str) -> None:
    stderr.print(f"[yellow]Warning:[/yellow] {escape(text)}")


def error(failure: FlaskshipError) -> None:
    """The sentence of an error, and each fault of an input with its place."""
    stderr.print(f"[bold red]{failure.title}:[/bold red] {escape(failure.detail)}")
    if isinstance(failure, BadInput):
        for problem in failure.problems:
            stderr.print(f"  {escape(problem.at)}: {escape(problem.message)}")


def listed(headers: Sequence[str], lines: Iterable[Sequence[str]], *, right: Collection[str] = ()) -> None:
    """A table on stdout, a line each however narrow the terminal is; columns of numbers to the `right`."""
    table = [headers, *lines]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = zip(line, headers, widths, strict=True)
        text = "  ".join(f"{cell:>{width}}" if head in right else f"{cell:<{width}}" for cell, head, width in cells)
        stdout.print(escape(text.rstrip()), style="bold" if line is headers else None)


def rows(title: str, pairs: Sequence[tuple[str, str]]) -> Table | Text:
    """What, and its value: a table, or where a program reads it one line each, however long."""
    if not stdout.is_terminal:
        width = max(len(name) for name, _ in pairs)
        return Text("\n".join([title, *(f"{name:<{width}}  {value}" for name, value in pairs)]))
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, escape(value))
    return table
