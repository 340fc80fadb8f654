"""How to ask this model from code, as programs that run when pasted; and a file of rows that it answers."""

from __future__ import annotations

import csv
import io
import json
import pprint
import re
import shlex
from typing import Any, NamedTuple
from urllib.parse import quote

from flask import Request

from flaskship.schema import Field, FieldType, Signature
from flaskship.web import examples
from flaskship.web.form import text

ROWS = 5  # of the sample file
HOST = re.compile(r"[\w.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?", re.ASCII)
PREFIX = re.compile(r"(/[\w.~%+:@-]+)*", re.ASCII)


class Snippet(NamedTuple):
    key: str  # "curl"
    title: str
    code: str


def address(request: Request) -> str:
    """The page's own address, ending in a slash, as the browser has it.

    A proxy in front says what it was asked for in X-Forwarded-Proto, -Host and -Prefix. Whatever does not look like a
    scheme, a host or a path is not believed; what is believed is shown to its sender only.
    """
    told = {name: request.headers.get(f"X-Forwarded-{name}", "").split(",")[0].strip() for name in FORWARDED}
    scheme = told["Proto"] if told["Proto"] in ("http", "https") else request.scheme
    host = next((each for each in (told["Host"], request.host) if HOST.fullmatch(each)), "localhost")
    prefix = told["Prefix"].rstrip("/") if PREFIX.fullmatch(told["Prefix"].rstrip("/")) else ""
    return f"{scheme}://{host}{prefix}{quote(request.root_path)}{quote(request.path)}"


FORWARDED = ("Proto", "Host", "Prefix")


def snippets(signature: Signature, base: str, *, keyed: bool) -> list[Snippet]:
    """curl, Python and JavaScript for one row, curl for a file. `keyed` where the server asks for a key."""
    row = examples.row(signature)
    return [
        Snippet("curl", "curl", curl(row, base, keyed)),
        Snippet("python", "Python", python(row, base, keyed)),
        Snippet("javascript", "JavaScript", javascript(row, base, keyed)),
        Snippet("file", "A file", file(base, keyed)),
    ]


def curl(row: dict[str, Any], base: str, keyed: bool) -> str:
    key = ' \\\n  -H "X-API-Key: $API_KEY"' if keyed else ""
    body = shlex.quote(json.dumps(row, ensure_ascii=False))
    return f"curl {shlex.quote(base + 'predict')}{key} \\\n  -H 'Content-Type: application/json' \\\n  -d {body}"


def python(row: dict[str, Any], base: str, keyed: bool) -> str:
    shown = pprint.pformat(row, sort_dicts=False, width=88, compact=True)
    key = ', headers={"X-API-Key": os.environ["API_KEY"]}' if keyed else ""
    head = "import os\n\nimport requests" if keyed else "import requests"
    return (
        f"{head}\n\nrow = {shown}\n"
        f"answer = requests.post({json.dumps(base + 'predict')}, json=row{key}, timeout=60)\n"
        "answer.raise_for_status()\nprint(answer.json())"
    )


def javascript(row: dict[str, Any], base: str, keyed: bool) -> str:
    key = ', "X-API-Key": process.env.API_KEY' if keyed else ""
    return (
        f"const row = {json.dumps(row, ensure_ascii=False, indent=2)};\n"
        f"const answer = await fetch({json.dumps(base + 'predict')}, {{\n"
        f'  method: "POST",\n  headers: {{ "Content-Type": "application/json"{key} }},\n'
        "  body: JSON.stringify(row),\n});\n"
        "if (!answer.ok) throw new Error(await answer.text());\nconsole.log(await answer.json());"
    )


def file(base: str, keyed: bool) -> str:
    key = ' -H "X-API-Key: $API_KEY"' if keyed else ""
    return (
        f"curl{key} -o sample.csv {shlex.quote(base + 'sample.csv')}\n"
        f"curl{key} -F file=@sample.csv {shlex.quote(base + 'predict_file?format=csv')} -o predictions.csv"
    )


def sample(signature: Signature) -> str:
    """A CSV file of made-up rows that the model answers, from ranges and choices; none is of the training data."""
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(signature.names)
    for index in range(ROWS):
        table.writerow([text(_value(field, index)) for field in signature.inputs])
    return written.getvalue()


def _value(field: Field, index: int) -> Any:
    """The value of row `index`: the example first, then others that the field may have."""
    if index == 0 or field.shape or (field.type is FieldType.TEXT and not field.choices):
        return examples.example(field)
    if field.choices:
        return field.choices[index % len(field.choices)]
    if field.low is None or field.high is None or field.type is FieldType.BOOLEAN:
        return examples.example(field) if field.type is not FieldType.BOOLEAN else bool(index % 2)
    value = field.low + (field.high - field.low) * index / (2 * ROWS)
    return int(value) if field.type is FieldType.INTEGER else float(f"{value:.6g}")
