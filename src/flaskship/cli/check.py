"""`flaskship check TARGET|URL`"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import click
import numpy as np

from flaskship.bundle import Bundle
from flaskship.cli import targets
from flaskship.cli.options import MAKING, load, settings_options
from flaskship.errors import CheckFailed, Unavailable, UsageError
from flaskship.predict import recorded
from flaskship.predict.codec import Codec
from flaskship.predict.predictor import Predictor
from flaskship.schema import Answer, Array, Signature
from flaskship.settings import Settings


@click.command("check")
@click.argument("target", metavar="TARGET|URL")
@click.option("--golden", metavar="TARGET", help="For a URL: the target or bundle whose golden rows are sent to it.")
@settings_options(*MAKING, "api_key", "timeout")
def command(target: str, golden: str | None, **flags: Any) -> None:
    """Replay the golden rows of TARGET against itself, or against a server.

    Ends with exit code 4 and the worst row when an answer differs from the original's.
    """
    settings = load(flags)
    remote = target.startswith(("http://", "https://"))
    if remote and not golden:
        raise UsageError("A server does not give away its golden rows. Name their target or bundle with --golden.")
    bundle = targets.modelled(golden if remote and golden else target, settings, "check")
    if bundle.manifest.code:
        click.echo(_functions(bundle, target if remote else "", settings))
        return
    rows = bundle.golden
    if remote:
        worst = rows.check(lambda _: _asked(target, rows.rows, bundle.manifest.signature, settings))
    else:
        worst = rows.check(bundle.load(trust=settings.trust).predict)
    click.echo(f"{rows.answer.rows} golden rows: the same answers, largest difference {worst:.1e}")


def _functions(bundle: Bundle, url: str, settings: Settings) -> str:
    """What became of the golden rows of functions: here, or at the server at `url`. Raises `CheckFailed`."""
    rows, code = bundle.recorded, bundle.manifest.code
    assert code is not None
    if not rows:
        return "no golden rows: a function has one where each argument has an example or a default"
    functions = {} if url else bundle.functions(trust=settings.trust)
    prefixes = {each.name: f"/{each.name}" if len(code.endpoints) > 1 else "" for each in code.endpoints}
    for name, golden in rows.items():
        if url:
            recorded.compare(name, golden, _posted(f"{url.rstrip('/')}{prefixes[name]}", golden.row, settings))
        else:
            found = functions[name]
            recorded.replay(name, golden, Codec(found.signature, hints=found.hints), Predictor(found))
    rest = [each for each in prefixes if each not in rows]
    without = f"; none of {', '.join(rest)}" if rest else ""
    return f"golden rows of {', '.join(rows)}: the same answers{without}"


def _asked(url: str, rows: list[dict[str, Any]], signature: Signature, settings: Settings) -> Answer:
    """What the server at `url` answers to `POST /predict` for `rows`."""
    try:
        return _answer(_posted(url, rows, settings)["predictions"], signature)
    except (ValueError, KeyError, TypeError) as error:
        raise CheckFailed(f"{url!r} gives no prediction for the golden rows: {error}.") from error


def _posted(url: str, value: Any, settings: Settings) -> Any:
    request = urllib.request.Request(f"{url.rstrip('/')}/predict", json.dumps(value).encode())
    request.add_header("Content-Type", "application/json")
    if settings.api_key:
        request.add_header("Authorization", f"Bearer {settings.api_key}")
    try:
        with urllib.request.urlopen(request, timeout=settings.timeout) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise CheckFailed(
            f"{url!r} answers {error.code} {error.reason} to the golden rows: {_detail(error)}"
        ) from error
    except (urllib.error.URLError, TimeoutError) as error:
        raise Unavailable(f"No server answers at {url!r}: {getattr(error, 'reason', error)}.") from error
    except ValueError as error:
        raise CheckFailed(f"{url!r} gives no prediction for the golden rows: {error}.") from error


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return "no detail given."


def _answer(results: list[dict[str, Any]], signature: Signature) -> Answer:
    if signature.named:
        values = tuple(_array([row["prediction"][output.name] for row in results]) for output in signature.outputs)
    else:
        values = (_array([row["prediction"] for row in results]),)
    return Answer(
        values=values,
        probabilities=_array([list(row["probabilities"].values()) for row in results])
        if signature.probabilities
        else None,
        score=_array([row["score"] for row in results]) if signature.score else None,
    )


def _array(values: list[Any]) -> Array:
    """Numbers as float64 (null is NaN), else objects."""
    numbers = all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values)
    return (
        np.array(values, dtype=np.float64) if numbers or isinstance(values[0], list) else np.array(values, dtype=object)
    )
