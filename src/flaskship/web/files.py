"""POST /predict_file: a table in, its rows answered.

curl -F file=@rows.csv localhost:8000/predict_file              {"rows": 50, "predictions": [0, 1, …]}
curl -F file=@rows.csv localhost:8000/predict_file?format=csv   the rows with prediction, probability_0, …
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import PurePath
from typing import IO, Any, NamedTuple, cast
from urllib.parse import quote

import msgspec
from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from flaskship.errors import BadInput, UnsupportedContent
from flaskship.predict import table, writers
from flaskship.predict.codec import pairs
from flaskship.predict.rules import nearest
from flaskship.predict.table import OnError, Table
from flaskship.schema import AnswerType
from flaskship.web import multipart, reply
from flaskship.web.subject import Site, Subject

TYPES = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "text/plain": "csv",
    "application/csv": "csv",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/json": "jsonl",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "excel",
    "application/vnd.ms-excel": "",  # what Windows calls a CSV too
    "application/vnd.oasis.opendocument.spreadsheet": "excel",
    "application/octet-stream": "",
    "": "",
}  # content type -> format; "" where the bytes tell
FORMATS = {"json": reply.JSON, **writers.FORMATS}
ENDINGS = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet"}
encode = msgspec.json.Encoder(enc_hook=str).encode
WARNED = 20  # sentences at most


class Upload(NamedTuple):
    stream: IO[bytes] | bytes
    name: str
    format: str


class Options(NamedTuple):
    """What the query asks for."""

    format: str = "json"
    probabilities: bool = False
    on_error: OnError = "refuse"


def add(app: Blueprint, subject: Subject, site: Site) -> None:
    def predict_file() -> Response:
        if subject.streams:
            raise NotFound(f"{subject.name!r} answers bit by bit, which has no place in a file. Send rows to /predict.")
        wanted = options()
        upload = received(reply.body(request.environ, int(site.settings.max_body)), request.content_type or "")
        rows = table.read(
            upload.stream, subject.codec, name=upload.name, format=upload.format, on_error=wanted.on_error
        )
        if wanted.format == "json":
            return as_json(subject, rows, wanted)
        return as_file(subject, rows, wanted, upload.name)

    app.add_url_rule("/predict_file", "predict_file", predict_file, methods=["POST"], strict_slashes=False)


def options() -> Options:
    """The query's options; the format is negotiated where it is not said. Raises `BadInput`."""
    known = {"format": (*FORMATS,), "probabilities": ("true", "false"), "on_error": ("refuse", "null")}
    given = dict(pairs(reply.from_wsgi(request.environ.get("QUERY_STRING", ""))))
    for name, value in given.items():
        if name not in known:
            raise BadInput(f"No option {name[:60]!r}.{nearest(name, known)} There are: {', '.join(known)}.")
        if value not in known[name]:
            raise BadInput(f"{name!r} is {value[:60]!r}. It may be one of {', '.join(known[name])}.")
    offered = {kind.partition(";")[0]: name for name, kind in FORMATS.items()}
    accepted = request.accept_mimetypes.best_match(list(offered)) or reply.JSON
    return Options(
        given.get("format", offered[accepted]),
        given.get("probabilities") == "true",
        cast(OnError, given.get("on_error", "refuse")),
    )


def received(body: bytes, content_type: str) -> Upload:
    """The table in a request's body: the body itself, or the field `file` of a form."""
    media, parameters = reply.media_type(content_type)
    if media == multipart.FORM_DATA:
        return _of_form(body, parameters.get("boundary", ""))
    if media not in TYPES:
        raise UnsupportedContent(
            f"{media!r} is no type of file that is read here. Send a multipart form with the field 'file', or "
            "a body of text/csv, application/x-ndjson, application/vnd.apache.parquet or an Excel type."
        )
    if not body:
        raise BadInput("The body is empty. Send a file.")
    return Upload(body, "", TYPES[media])


def _of_form(body: bytes, boundary: str) -> Upload:
    found = [part for part in multipart.parts(body, boundary) if part.file is not None or part.name == "file"]
    if len(found) != 1 or found[0].name != "file":
        names = ", ".join(repr(part.name[:60]) for part in found[:10]) or "none"
        raise BadInput(f"The form needs one file, in the field 'file'. It has: {names}.")
    part = found[0]
    if part.start == part.end:
        raise BadInput("The file is empty. Send a header with the names of the columns, and rows.")
    stream: Any = multipart.View(body, part.start, part.end)
    format = "" if part.type in ("text/plain", "application/octet-stream") else TYPES.get(part.type, "")
    return Upload(stream, part.file or "", format)


def as_json(subject: Subject, rows: Table, wanted: Options) -> Response:
    """All answers in one body, whose parts are encoded as they come."""
    codec, labelled = subject.codec, subject.signature.answers is AnswerType.LABELS
    count, predictions, probabilities, warnings = 0, list[bytes](), list[bytes](), dict[str, None]()
    with rows:
        for chunk, answer in rows.answers(subject.predictor):
            count += chunk.rows
            predictions.append(codec.encode_values(answer)[1:-1])
            if wanted.probabilities and (labelled or answer.probabilities is not None):
                probabilities.append(encode([each.get("probabilities") for each in codec.results(answer)])[1:-1])
            if chunk.good is None or len(chunk.good):
                warnings |= dict.fromkeys(subject.predictor.warnings(chunk.columns))
    told: dict[str, object] = {"rows": count, "predictions": array(predictions)}
    if probabilities:
        told["probabilities"] = array(probabilities)
    if wanted.on_error == "null":
        told["unanswered"] = rows.problems
    if warnings:
        told["warnings"] = list(warnings)[:WARNED]
    status, headers, body = reply.Reply.of(encode(told))
    return Response(body, status, [*headers, ("Vary", "Accept")])


def array(parts: list[bytes]) -> msgspec.Raw:
    """A JSON array of parts that are encoded."""
    return msgspec.Raw(b"[" + b",".join(parts) + b"]")


def as_file(subject: Subject, rows: Table, wanted: Options, name: str) -> Response:
    """The rows with the answers beside them.

    Streamed where bad rows are answered with null, once its first rows are there: a file that is none is refused. Else
    it is made before it is sent, for a bad row at its end must still be able to refuse it.
    """
    write = writers.writer(wanted.format, rows)

    def content() -> Iterator[bytes]:
        with rows:
            yield write.head()
            for chunk, answer in rows.answers(subject.predictor):
                yield write.rows(chunk, answer)
            yield write.tail()

    parts = content()
    begun = list(islice(parts, 2 if wanted.on_error == "null" else None))
    stem = PurePath(name.replace("\\", "/")).stem or subject.name
    file = f"{stem}_predictions{ENDINGS[wanted.format]}"
    disposition = f"attachment; filename=\"{ascii_name(file)}\"; filename*=UTF-8''{quote(file)}"
    headers = {"Content-Disposition": disposition, "Vary": "Accept", "X-Content-Type-Options": "nosniff"}
    return Response(chain(begun, parts), headers=headers, content_type=FORMATS[wanted.format])


def ascii_name(file: str) -> str:
    """A file name for clients that know no other encoding."""
    return "".join(each if each.isascii() and (each.isalnum() or each in "._- ") else "_" for each in file)
