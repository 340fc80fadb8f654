"""The Open Inference Protocol over REST, version 2, with the extensions that Triton's clients use.

    POST /v2/models/sales/infer
    {"inputs": [{"name": "age", "shape": [2], "datatype": "INT64", "data": [45, 30]}, …]}
    {"model_name": "sales", "outputs": [{"name": "prediction", "shape": [2], "datatype": "INT64", "data": [0, 1]}, …]}

Besides one tensor a field, a model of scalar fields takes one tensor of shape [rows, fields] under any name.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Blueprint, Flask, Response, request
from werkzeug import exceptions
from werkzeug.datastructures import Accept

from flaskship import __version__
from flaskship.errors import BadInput, NotJSON
from flaskship.metrics import Name
from flaskship.predict.objects import parse
from flaskship.schema import Columns
from flaskship.web import guards, health, reply, tensors
from flaskship.web.reply import Headers, Reply
from flaskship.web.subject import Site, State, Subject
from flaskship.web.tensors import Output, Tensor

EXTENSIONS = ["binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics"]
HEADER_LENGTH = "Inference-Header-Content-Length"
PACKED = 1024  # bytes from which an answer is compressed for a client that asks for it


class OIP:
    """The routes under /v2, for the models of a site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._subjects = {subject.name: subject for subject in site.subjects}
        self._limit = int(site.settings.max_body)

    def add(self, app: Flask | Blueprint) -> None:
        model = "/v2/models/<name>"
        routes: list[tuple[str, Callable[..., Response], str]] = [
            ("/v2", self.server, "GET"),
            ("/v2/health/live", self.live, "GET"),
            ("/v2/health/ready", self.ready, "GET"),
            ("/v2/models", self.models, "GET"),
            ("/v2/models/stats", self.all_stats, "GET"),
            ("/v2/repository/index", self.index, "POST"),
            ("/v2/repository/models/<name>/load", self.load, "POST"),
            ("/v2/repository/models/<name>/unload", self.unload, "POST"),
        ]
        for path in (model, f"{model}/versions/<version>"):
            routes += [
                (path, self.metadata, "GET"),
                (f"{path}/ready", self.model_ready, "GET"),
                (f"{path}/config", self.config, "GET"),
                (f"{path}/stats", self.stats, "GET"),
                (f"{path}/infer", self.infer, "POST"),
            ]
        for path, view, method in routes:
            app.add_url_rule(path, f"oip_{view.__name__}", view, methods=[method], strict_slashes=False)

    def _subject(self, name: str, version: str = "") -> Subject:
        subject = self._subjects.get(name)
        if subject is None:
            raise exceptions.NotFound(f"No model {name[:200]!r} here. There are: {', '.join(self._subjects)}.")
        if version and version != version_of(subject):
            raise exceptions.NotFound(
                f"No version {version[:200]!r} of {name!r} here. There is: {version_of(subject)}."
            )
        return subject

    def server(self) -> Response:
        return said({"name": "flaskship", "version": __version__, "extensions": EXTENSIONS})

    def live(self) -> Response:
        return said({"live": True})

    def ready(self) -> Response:
        """Raises `Unavailable`."""
        health.check(self._site)
        return said({"live": True, "ready": True})

    def models(self) -> Response:
        return said({"models": list(self._subjects)})

    def metadata(self, name: str, version: str = "") -> Response:
        return said(tensors.metadata(self._subject(name, version)))

    def model_ready(self, name: str, version: str = "") -> Response:
        """Raises `Unavailable`."""
        subject = self._subject(name, version)
        health.check(self._site.of(subject))
        return said({"name": name, "ready": True})

    def config(self, name: str, version: str = "") -> Response:
        return said(tensors.config(self._subject(name, version)))

    def index(self) -> Response:
        states = {State.READY: "READY", State.LOADING: "LOADING", State.FAILED: "UNAVAILABLE"}
        asked = _object(parse(reply.body(request.environ, self._limit) or b"{}"), "The body")
        found = [subject for subject in self._site.subjects if not asked.get("ready") or subject.state is State.READY]
        return said(
            [
                {"name": each.name, "version": version_of(each), "state": states[each.state], "reason": each.reason}
                for each in found
            ]
        )

    def load(self, name: str) -> Response:
        """The models are there from the start; asking for one of them is granted."""
        guards.check(self._subject(name))
        return said({})

    def unload(self, name: str) -> Response:
        self._subject(name)
        raise exceptions.NotImplemented("This server keeps its models loaded. Stop it to unload them.")

    def all_stats(self) -> Response:
        return said({"model_stats": [self._counted(each) for each in self._site.subjects]})

    def stats(self, name: str, version: str = "") -> Response:
        return said({"model_stats": [self._counted(self._subject(name, version))]})

    def _counted(self, subject: Subject) -> dict[str, object]:
        """Triton's statistics, as far as they are counted here: calls of the model, their rows and their time."""
        cells = self._site.metrics.read()
        (*_, rows), (*calls, seconds) = (
            cells.get(Name(metric, (subject.name,)), [0.0, 0.0]) for metric in ("batch_rows", "model_duration_seconds")
        )
        time = {"count": int(sum(calls)), "ns": int(seconds * 1e9)}
        none = {"count": 0, "ns": 0}
        parts = {"queue": none, "compute_input": none, "compute_infer": time, "compute_output": none}
        return {
            "name": subject.name,
            "version": version_of(subject),
            "last_inference": 0,
            "inference_count": int(rows),
            "execution_count": int(sum(calls)),
            "inference_stats": {"success": time, "fail": none, **parts},
            "batch_stats": [],
        }

    def infer(self, name: str, version: str = "") -> Response:
        subject = self._subject(name, version)
        guards.check(subject)
        tensors.check(subject.signature)
        body = reply.body(request.environ, self._limit)
        asked = Inference(body, request.headers.get(HEADER_LENGTH), subject)
        answer = subject.predictor(asked.columns)
        outputs = tensors.outputs(subject.signature, subject.codec.flat(answer))
        status, headers, body = asked.reply(outputs, subject)
        return Response(*packed(status, headers, body, request.accept_encodings))


class Inference:
    """One request to infer: its columns, and what is to be answered in which form."""

    def __init__(self, body: bytes, header: str | None, subject: Subject) -> None:
        length = _header_length(header, len(body))
        self.identity: Any = None
        self.wanted: list[dict[str, Any]] = []
        self.binary = False
        if length == 0 and header is not None:  # a raw request: one tensor and nothing else
            self.binary = True
            self.columns: Columns = tensors.raw(body, subject.codec)
            return
        told = _object(parse(body[:length]), "The body")
        parameters = _object(told.get("parameters", {}), "'parameters'")
        self.binary = parameters.get("binary_data_output") is True
        self.identity = told.get("id")
        if self.identity is not None and not isinstance(self.identity, str):
            raise BadInput("'id' takes text.")
        given = told.get("inputs")
        if not isinstance(given, list) or not given:
            raise BadInput("'inputs' takes an array of tensors.")
        self.wanted = [_object(each, "An output") for each in _list(told.get("outputs", []), "'outputs'")]
        self.columns = tensors.columns(_tensors(given, body[length:]), subject.codec)

    def reply(self, outputs: dict[str, Output], subject: Subject) -> Reply:
        wanted = self.wanted or [{"name": name} for name in outputs]
        found, raw = [], list[bytes]()
        for each in wanted:
            name = each.get("name")
            if not isinstance(name, str) or name not in outputs:
                raise BadInput(f"No output {str(name)[:200]!r} in this model. It has {', '.join(outputs)}.")
            parameters = _object(each.get("parameters", {}), "'parameters'")
            output = outputs[name]
            if (count := parameters.get("classification")) is not None:
                output = tensors.classified(output, count, subject.signature)
            if parameters.get("binary_data", self.binary) is True:
                raw.append(output.raw())
                found.append(output.described() | {"parameters": {"binary_data_size": len(raw[-1])}})
            else:
                found.append(output.described() | {"data": output.plain()})
        told: dict[str, object] = {"model_name": subject.name}
        if subject.version:
            told["model_version"] = subject.version
        if self.identity is not None:
            told["id"] = self.identity
        head = msgspec.json.encode(told | {"outputs": found})
        if not raw:
            return Reply.of(head)
        made = Reply.of(b"".join([head, *raw]), "application/octet-stream")
        made.headers.append((HEADER_LENGTH, str(len(head))))
        return made


def version_of(subject: Subject) -> str:
    return subject.version or "1"


def said(value: object) -> Response:
    status, headers, body = Reply.of(msgspec.json.encode(value))
    return Response(body, status, headers)


def packed(status: str, headers: Headers, body: bytes, accepted: Accept) -> tuple[bytes, str, Headers]:
    """The answer, compressed where the client asks for gzip or deflate and it is worth it."""
    name = next((each for each in ("gzip", "deflate") if accepted.quality(each)), "")
    if not name or len(body) < PACKED:
        return body, status, headers
    pack = zlib.compressobj(1, wbits=31 if name == "gzip" else 15)
    body = pack.compress(body) + pack.flush()
    kept = [(key, str(len(body)) if key == "Content-Length" else value) for key, value in headers]
    return body, status, [*kept, ("Content-Encoding", name), ("Vary", "Accept-Encoding")]


def _header_length(header: str | None, size: int) -> int:
    """The bytes of JSON at the body's start."""
    if header is None:
        return size
    if not (header.isascii() and header.isdecimal()) or int(header[:20]) > size:
        raise NotJSON(f"{HEADER_LENGTH} is {header[:40]!r}, and the body has {size} bytes.")
    return int(header)


def _tensors(given: list[Any], rest: bytes) -> list[Tensor]:
    """The tensors, those without data from the bytes behind the JSON, in order."""
    found, at = [], 0
    for each in given:
        one = _object(each, "An input")
        size = _object(one.get("parameters", {}), "'parameters'").get("binary_data_size")
        if size is None:
            found.append(Tensor.of_json(one))
            continue
        if type(size) is not int or not 0 <= size <= len(rest) - at:
            raise BadInput(f"'binary_data_size' is {size!r}, and {len(rest) - at} bytes follow.")
        if "data" in one:
            raise BadInput("An input has both 'data' and 'binary_data_size'. Send one of them.")
        found.append(Tensor.of_bytes(one, rest[at : at + size]))
        at += size
    if at != len(rest):
        raise BadInput(f"{len(rest) - at} bytes are left over after the tensors.")
    return found


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{what} takes an object.")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadInput(f"{what} takes an array.")
    return value
