"""`flaskship predict TARGET`"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from flaskship.artifact.function.model import FunctionModel
from flaskship.bundle import Bundle
from flaskship.cli import talk, targets
from flaskship.cli.options import MAKING, load, settings_options
from flaskship.errors import UsageError
from flaskship.predict import table, writers
from flaskship.predict.codec import Codec
from flaskship.predict.predictor import Predictor
from flaskship.predict.uploads import Given, Upload
from flaskship.schema import FieldType, Signature

FORMATS: dict[str, str] = {".csv": "csv", ".tsv": "csv", ".txt": "csv", "": "csv"}
SENT = (FieldType.IMAGE, FieldType.FILE, FieldType.ARRAY, FieldType.TABLE, FieldType.OBJECT)  # which @PATH may hold
ASKED = "Give one row with --set FIELD=VALUE …, or a file with --input."
FORMATS |= {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}


@click.command("predict")
@click.argument("target")
@click.option(
    "--set", "values", multiple=True, metavar="FIELD=VALUE", help="One field of one row; a picture or a file as @PATH."
)
@click.option("--input", "source", type=click.Path(path_type=Path), help="CSV, JSON Lines, Parquet or Excel.")
@click.option("--output", type=click.Path(path_type=Path), help="The same rows with predictions; else CSV to stdout.")
@click.option("--on-error", type=click.Choice(["refuse", "null"]), default="refuse", help="What bad rows do.")
@settings_options(*MAKING)
def command(
    target: str, values: tuple[str, ...], source: Path | None, output: Path | None, on_error: str, **flags: Any
) -> None:
    """Answer rows offline.

    One row from --set, or a file from --input: read and written some rows at a time, so that its size does not matter.
    """
    if values and source:
        raise UsageError(ASKED)
    settings = load(flags)
    bundle = targets.modelled(target, settings, "predict with")
    if bundle.manifest.code:
        function = _one(bundle.functions(trust=settings.trust), target)
        predictor, codec = Predictor(function), Codec(function.signature, hints=function.hints)
    else:
        predictor, codec = Predictor(bundle.load(trust=settings.trust)), Codec(bundle.manifest.signature)
    if not values and source is None and codec.rules:
        raise UsageError(ASKED)
    if source is None:
        with closing(codec.decode_pairs(_pair(text, codec.signature) for text in values)) as request:
            answer = predictor(request.columns)
            click.echo(codec.encode(answer, single=True, warnings=predictor.warnings(request.columns)))
    elif not source.is_file():
        raise UsageError(f"No file {str(source)!r} to read.")
    else:
        output = None if output == Path("-") else output
        rows, bad = _score(source, output, bundle, codec, predictor, cast("table.OnError", on_error))
        talk.note(f"{rows:,} rows" + (f", {bad:,} problems answered with nulls" if bad else ""))


def _one(functions: Mapping[str, FunctionModel], target: str) -> FunctionModel:
    """The only function that does not stream. Raises `UsageError` where there are several, and where there is none."""
    whole = [found for found in functions.values() if not found.streams]
    if len(whole) > 1:
        raise UsageError(f"{target!r} has {len(functions)} endpoints: {', '.join(functions)}. Name one: FILE.py:NAME")
    if not whole:
        name = next(iter(functions))
        raise UsageError(f"{name!r} answers bit by bit, which is for HTTP: flaskship serve {target}")
    return whole[0]


def _pair(text: str, signature: Signature) -> tuple[str, Given]:
    """A field's name and its text, or the file at `@PATH` where the field is none of text or numbers."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} is no FIELD=VALUE.")
    if not value.startswith("@") or not any(each.name == name and each.type in SENT for each in signature.inputs):
        return name, value
    path = Path(value[1:])
    if not path.is_file():
        raise UsageError(f"No file {str(path)!r} to read for {name!r}.")
    return name, Upload(name=name, filename=path.name, body=path.read_bytes())


def _score(
    source: Path, output: Path | None, bundle: Bundle, codec: Codec, predictor: Predictor, on_error: table.OnError
) -> tuple[int, int]:
    """The numbers of rows written and of problems met."""
    written, kind = 0, _format(output)
    with source.open("rb") as file, _progress(source) as advance, _writing(output) as out:
        with table.read(file, codec, on_error=on_error) as rows:
            writer = writers.writer(kind, rows)
            out.write(writer.head())
            for chunk, answer in rows.answers(predictor):
                out.write(writer.rows(chunk, answer))
                written += chunk.rows
                advance(file.tell(), written)
            out.write(writer.tail())
        return written, rows.problems


def _format(output: Path | None) -> str:
    suffix = output.suffix.lower() if output else ""
    if suffix not in FORMATS:
        raise UsageError(f"Cannot write {suffix} files. Name the output .csv, .jsonl or .parquet.")
    return FORMATS[suffix]


@contextmanager
def _progress(source: Path) -> Iterator[Any]:
    """A bar over the bytes read; only where stderr is a terminal."""
    columns = (TextColumn("{task.fields[rows]:,} rows"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=talk.stderr, disable=not talk.stderr.is_terminal, transient=True) as progress:
        task = progress.add_task("", total=source.stat().st_size, rows=0)
        yield lambda place, rows: progress.update(task, completed=place, rows=rows)


@contextmanager
def _writing(output: Path | None) -> Iterator[IO[bytes]]:
    """Stdout, or a draft that becomes `output` when all went well."""
    if output is None:
        yield sys.stdout.buffer
        return
    if not output.parent.is_dir():
        raise UsageError(f"No directory {str(output.parent)!r} to write {output.name!r} to.")
    number, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
    draft = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            yield file
        draft.chmod(0o644)
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)
