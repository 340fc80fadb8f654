"""How to ask this model from code, as programs that run when pasted; and a file of rows that it answers."""

from __future__ import annotations

import csv
import io
import json
import pprint
import re
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
from flask import Request

from flaskship.schema import Field, FieldType, Signature
from flaskship.web import examples
from flaskship.web.form import text
from flaskship.web.subject import Subject

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


class Call(NamedTuple):
    """One request: what is sent where, and what comes back: json, a stream, or a picture."""

    url: str
    row: dict[str, Any]  # as JSON has it, without what is sent as files
    files: tuple[tuple[str, str, str], ...]  # field, name of the file, where a sample of it is
    keyed: bool  # whether the server asks for a key
    answers: str

    @property
    def headers(self) -> dict[str, str]:
        kinds = {} if self.files else {"Content-Type": "application/json"}
        return kinds | {"stream": {"Accept": "application/x-ndjson"}, "picture": {"Accept": "image/png"}}.get(
            self.answers, {}
        )


def snippets(subject: Subject, base: str, *, keyed: bool, alone: bool = True) -> list[Snippet]:
    """curl, Python and JavaScript for one row, curl for a file. `keyed` where the server asks for a key."""
    signature = subject.signature
    row = examples.row(signature)
    call = Call(
        url=base + (subject.path.lstrip("/") if alone and subject.path.strip("/") else "predict"),
        row={name: value for name, value in row.items() if name not in subject.files},
        files=tuple(
            (name, examples.FILES[kind], f"{base}sample/{quote(name)}") for name, kind in subject.files.items()
        ),
        keyed=keyed,
        answers="stream" if subject.streams else "picture" if signature.outputs[0].type is FieldType.IMAGE else "json",
    )
    found = [
        Snippet("curl", "curl", curl(call)),
        Snippet("python", "Python", python(call)),
        Snippet("javascript", "JavaScript", javascript(call)),
    ]
    return [*found, Snippet("file", "A file", file(base, keyed))] if subject.cells else found


def curl(call: Call) -> str:
    key = ' -H "X-API-Key: $API_KEY"' if call.keyed else ""
    got = [f"curl{key} -o {name} {shlex.quote(url)}" for _, name, url in call.files]
    parts = [f"curl{' -N' if call.answers == 'stream' else ''} {shlex.quote(call.url)}{key}"]
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in call.headers.items()]
    if call.files:
        parts += [f"-F {shlex.quote(f'{field}=@{name}')}" for field, name, _ in call.files]
        parts += [f"--form-string {shlex.quote(f'{field}={text(value)}')}" for field, value in call.row.items()]
    else:
        parts.append(f"-d {shlex.quote(json.dumps(call.row, ensure_ascii=False))}")
    if call.answers == "picture":
        parts.append("-o answer.png")
    return "\n".join([*got, " \\\n  ".join(parts)])


def python(call: Call) -> str:
    key = {"X-API-Key": Code('os.environ["API_KEY"]')} if call.keyed else {}
    headers = key | ({"Accept": call.headers["Accept"]} if "Accept" in call.headers else {})
    told = f", headers={literal(headers)}" if headers else ""
    lines = (["import os"] if call.keyed else []) + (["import json"] if call.answers == "stream" else [])
    lines = [*sorted(lines), *([""] if lines else []), "import requests", ""]
    if call.files:
        asked = f", headers={literal(key)}" if key else ""
        lines += [
            f"{field} = requests.get({json.dumps(url)}{asked}, timeout=60).content" for field, _, url in call.files
        ]
        lines += [f"row = {shown({name: text(value) for name, value in call.row.items()})}"] if call.row else []
        sent = f"files={literal({field: Code(f'({json.dumps(name)}, {field})') for field, name, _ in call.files})}"
        sent += ", data=row" if call.row else ""
    else:
        lines.append(f"row = {shown(call.row)}")
        sent = "json=row"
    asked = f"requests.post({json.dumps(call.url)}, {sent}{told}"
    if call.answers == "stream":
        lines += [
            f"with {asked}, stream=True, timeout=60) as answer:",
            "    answer.raise_for_status()",
            "    for line in answer.iter_lines():",
            "        print(json.loads(line), flush=True)",
        ]
    else:
        lines += [f"answer = {asked}, timeout=60)", "answer.raise_for_status()"]
        picture = 'with open("answer.png", "wb") as file:\n    file.write(answer.content)'
        lines.append(picture if call.answers == "picture" else "print(answer.json())")
    return "\n".join(lines)


class Code(str):
    """What stands in a program as it is."""


def literal(values: Mapping[str, str]) -> str:
    """A dictionary of Python, and an object of JavaScript."""
    written = {name: each if isinstance(each, Code) else json.dumps(each) for name, each in values.items()}
    pairs = (f"{json.dumps(name)}: {each}" for name, each in written.items())
    return f"{{{', '.join(pairs)}}}"


def shown(row: dict[str, Any]) -> str:
    return pprint.pformat(row, sort_dicts=False, width=88, compact=True)


def javascript(call: Call) -> str:
    key = {"X-API-Key": Code("process.env.API_KEY")} if call.keyed else {}
    headers = {**call.headers, **key}
    lines, asked = [], f", {{ headers: {literal(key)} }}" if key else ""
    if call.files:
        lines.append("const body = new FormData();")
        for field, name, url in call.files:
            blob = f"await (await fetch({json.dumps(url)}{asked})).blob()"
            lines.append(f"body.append({json.dumps(field)}, {blob}, {json.dumps(name)});")
        for name, value in call.row.items():
            lines.append(f"body.append({json.dumps(name)}, {json.dumps(text(value), ensure_ascii=False)});")
    else:
        lines.append(f"const row = {json.dumps(call.row, ensure_ascii=False, indent=2)};")
    lines += [f"const answer = await fetch({json.dumps(call.url)}, {{", '  method: "POST",']
    lines += [f"  headers: {literal(headers)},"] if headers else []
    lines += ["  body," if call.files else "  body: JSON.stringify(row),", "});"]
    lines.append("if (!answer.ok) throw new Error(await answer.text());")
    last = {
        "stream": "for await (const part of answer.body.pipeThrough(new TextDecoderStream())) console.log(part);",
        "picture": "console.log(await answer.blob());",
    }
    lines.append(last.get(call.answers, "console.log(await answer.json());"))
    return "\n".join(lines)


def file(base: str, keyed: bool) -> str:
    key = ' -H "X-API-Key: $API_KEY"' if keyed else ""
    return (
        f"curl{key} -o sample.csv {shlex.quote(base + 'sample.csv')}\n"
        f"curl{key} -F file=@sample.csv {shlex.quote(base + 'predict_file?format=csv')} -o predictions.csv"
    )


def sample_file(field: Field) -> tuple[bytes, str, str]:
    """Content, name and type of a made-up file that the field takes."""
    name = examples.FILES[field.type]
    if field.type is FieldType.IMAGE:
        return examples.picture(320, 200), name, "image/png"
    if field.type is FieldType.ARRAY:
        written = io.BytesIO()
        np.save(written, np.array(examples.example(field), field.dtype or None))
        return written.getvalue(), name, "application/octet-stream"
    if field.type is FieldType.TABLE:
        rows = examples.example(field)
        header = list(rows) if isinstance(rows, dict) else list(rows[0])
        cells = zip(*rows.values(), strict=True) if isinstance(rows, dict) else (each.values() for each in rows)
        lines = [header, *cells]
        return "".join(f"{','.join(map(text, line))}\n" for line in lines).encode(), name, "text/csv; charset=utf-8"
    return b"A file of text.\n", name, "text/plain; charset=utf-8"


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
