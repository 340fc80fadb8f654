"""POST /invocations, as MLflow, SageMaker and Vertex AI send rows.

    {"dataframe_split": {"columns": ["age", …], "data": [[45, …]]}}     {"dataframe_records": [{"age": 45, …}]}
    {"instances": [[45, …]]}    {"inputs": {"age": [45], …}}            text/csv, with a header or without
    -> {"predictions": [0]}

`params` (Vertex: `parameters`) with `{"probabilities": true}` gives whole answers in place of bare predictions.
"""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
from flask import Blueprint, Response, request

from flaskship.errors import BadInput, UnsupportedContent
from flaskship.predict import table, writers
from flaskship.predict.batcher import join
from flaskship.predict.objects import parse
from flaskship.schema import Answer, Columns
from flaskship.web import reply
from flaskship.web.reply import Reply
from flaskship.web.subject import Site, Subject

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
PARAMETERS = ("params", "parameters")


def add(app: Blueprint, subject: Subject, site: Site, path: str = "/invocations") -> None:
    limit = int(site.settings.max_body)

    def invocations() -> Response:
        body = reply.body(request.environ, limit)
        answer, whole = answered(subject, body, request.environ.get("CONTENT_TYPE", ""))
        accepted = request.accept_mimetypes.best_match([reply.JSON, "text/csv"])
        made = in_csv(subject, answer) if accepted == "text/csv" else in_json(subject, answer, whole)
        return Response(made.body, made.status, made.headers)

    app.add_url_rule(path, f"invocations_{path.strip('/')}", invocations, methods=["POST"], strict_slashes=False)


def answered(subject: Subject, body: bytes, content_type: str) -> tuple[Answer, bool]:
    """The model's answer, and whether all of it is wanted."""
    media, options = reply.media_type(content_type)
    unknown = set(options) - {"charset"}
    if media not in (reply.JSON, "text/csv", "") or unknown:
        raise UnsupportedContent(f"The content type is {content_type[:100]!r}. Send application/json or text/csv.")
    if options.get("charset", "").lower() not in reply.UTF8:
        raise UnsupportedContent(f"The charset is {options['charset']!r}. Send UTF-8.")
    if media == "text/csv":
        return of_csv(subject, body), False
    columns, parameters = decoded(subject, parse(body))
    return subject.predictor(columns), parameters.get("probabilities") is True


def decoded(subject: Subject, told: Any) -> tuple[Columns, dict[str, Any]]:
    """The columns of a payload, and its parameters."""
    if not isinstance(told, dict):
        raise BadInput(f"The body takes an object with one of {', '.join(map(repr, FORMS))}.")
    given = [form for form in FORMS if form in told]
    unknown = [key for key in told if key not in FORMS and key not in PARAMETERS]
    if len(given) != 1 or unknown:
        found = ", ".join(repr(key[:60]) for key in list(told)[:10]) or "nothing"
        raise BadInput(f"The body takes one of {', '.join(map(repr, FORMS))}, and 'params'. It has {found}.")
    parameters: Any = next((told[key] for key in PARAMETERS if told.get(key)), {})
    if not isinstance(parameters, dict):
        raise BadInput("'params' takes an object.")
    rows = rows_of(given[0], told[given[0]], subject)
    if not rows:
        raise BadInput(f"{given[0]!r} holds no rows.")
    return subject.codec.decode_objects(rows, at=f"$.{given[0]}"), parameters


def rows_of(form: str, value: Any, subject: Subject) -> list[Any]:
    """The rows of one of `FORMS`: objects, or arrays in the order of the fields."""
    if form == "dataframe_split":
        return _split(value)
    if form == "inputs" and isinstance(value, dict):
        return _by_name(value)
    if not isinstance(value, list):
        raise BadInput(f"{form!r} takes an array of rows.")
    sole = len(subject.signature.inputs) == 1
    return [[row] if sole and not isinstance(row, list | dict) else row for row in value]


def _split(value: Any) -> list[Any]:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise BadInput("'dataframe_split' takes an object with 'columns' and 'data'.")
    names = value.get("columns")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadInput("'columns' takes an array of names.")
    if len(set(names)) != len(names):
        raise BadInput("'columns' names a column twice.")
    for index, row in enumerate(value["data"]):
        if not isinstance(row, list) or len(row) != len(names):
            raise BadInput(f"Row {index} of 'data' takes an array of {len(names)} values.")
    return [dict(zip(names, row, strict=True)) for row in value["data"]]


def _by_name(value: dict[str, Any]) -> list[Any]:
    """A tensor by name; a sole value is one row."""
    columns = {name: each if isinstance(each, list) else [each] for name, each in value.items()}
    if len({len(each) for each in columns.values()}) != 1:
        raise BadInput("'inputs' takes arrays of one length, one for each field.")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def of_csv(subject: Subject, body: bytes) -> Answer:
    """The answers to a CSV, whose header may be missing: then the columns are the fields in order."""
    names = subject.signature.names
    start = io.StringIO(body[: 2**16].decode("utf-8-sig", "replace"), newline="")
    cells = [cell.strip() for cell in next(csv.reader(start), [])]
    if len(cells) == len(names) and not set(cells) & set(names):
        header = io.StringIO()
        csv.writer(header, lineterminator="\n" if b"\n" in body else "\r").writerow(names)
        body = header.getvalue().encode() + body
    with table.read(body, subject.codec, format="csv") as rows:
        return join([answer for _, answer in rows.answers(subject.predictor)])


def in_json(subject: Subject, answer: Answer, whole: bool) -> Reply:
    results = subject.codec.results(answer)
    bare = [one.get("prediction", one) for one in results]
    return Reply.of(msgspec.json.encode({"predictions": results if whole else bare}))


def in_csv(subject: Subject, answer: Answer) -> Reply:
    """A line a row: its prediction, or several."""
    columns = [writers.texts(values, ",") for values in subject.codec.flat(answer).values]
    return Reply.of(b"".join(b",".join(row) + b"\n" for row in zip(*columns, strict=True)), "text/csv; charset=utf-8")
