"""What goes wrong, in the words of each protocol.

RFC 9457, `application/problem+json`, on all routes but those of other protocols:

    {"type": "/problems/invalid-input", "title": "Invalid input", "status": 422,
     "detail": "Field 'age' is missing.", "errors": [{"at": "$.age", "message": "Field 'age' is missing."}]}

Open Inference Protocol, under /v2:   {"error": "Field 'age' is missing."}
MLflow, at /invocations:              {"error_code": "BAD_REQUEST", "message": "Field 'age' is missing."}

`type` is a short name relative to the server, one for each class of error; "about:blank", as the RFC has it, where the
status says all there is (404, 405). It need not lead anywhere.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from flaskship.errors import BadInput, CheckFailed, FlaskshipError, Problem, Unavailable
from flaskship.exchange import REQUEST_ID
from flaskship.web.reply import JSON, Headers, Reply

log = logging.getLogger("flaskship.web")

OIP_PATH = re.compile(r"(?:^|/)v2(?:/|$)")
MLFLOW_PATH = re.compile(r"(?:^|/)invocations/?$")
CODES = {400: "BAD_REQUEST", 401: "UNAUTHENTICATED", 404: "RESOURCE_DOES_NOT_EXIST", 413: "REQUEST_LIMIT_EXCEEDED"}
CODES |= {415: "BAD_REQUEST", 429: "REQUEST_LIMIT_EXCEEDED", 503: "TEMPORARILY_UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One failure as a client may know it."""

    status: int
    detail: str
    title: str = ""
    type: str = "about:blank"
    problems: tuple[Problem, ...] = ()
    request_id: str = ""  # where the log has more
    headers: Headers = field(default_factory=list)


def of(error: Exception, request_id: str = "") -> Fault:
    """The fault that `error` is to a client. What the server did wrong goes to the log, with its cause."""
    if isinstance(error, BadInput | CheckFailed | Unavailable):
        return Fault(
            status=error.status,
            detail=error.detail,
            title=error.title,
            type=_type(error),
            problems=error.problems if isinstance(error, BadInput) else (),
            headers=[("Retry-After", str(error.retry_after))] if isinstance(error, Unavailable) else [],
        )
    if isinstance(error, HTTPException):
        headers = [
            (name, value) for name, value in error.get_headers() if name.lower() not in ("content-type", "allow")
        ]
        if isinstance(error, MethodNotAllowed):
            headers.append(("Allow", ", ".join(sorted(error.valid_methods or ()))))
        return Fault(status=error.code or 500, detail=error.description or "", headers=headers)
    log.error("Request %s failed.", request_id, exc_info=error)
    title = error.title if isinstance(error, FlaskshipError) else ""
    kind = _type(error) if isinstance(error, FlaskshipError) else "about:blank"
    said = "The model could not answer." if kind == "/problems/prediction-failed" else "The server failed."
    detail = f"{said} Its log says why, under request id {request_id}."
    return Fault(status=500, detail=detail, title=title, type=kind, request_id=request_id)


def reply(error: Exception, environ: dict[str, Any]) -> Reply:
    """`error` in the words of the protocol that is spoken at the request's path."""
    return written(of(error, environ.get(REQUEST_ID, "")), environ["PATH_INFO"])


def written(fault: Fault, path: str) -> Reply:
    if OIP_PATH.search(path):
        return oip(fault)
    return mlflow(fault) if MLFLOW_PATH.search(path) else problem(fault)


def problem(fault: Fault) -> Reply:
    body: dict[str, object] = {
        "type": fault.type,
        "title": fault.title or HTTPStatus(fault.status).phrase,
        "status": fault.status,
        "detail": fault.detail,
    }
    if fault.problems:
        body["errors"] = [{"at": each.at, "message": each.message} for each in fault.problems]
    if fault.request_id:
        body["request_id"] = fault.request_id
    return _reply(fault, fault.status, body, "application/problem+json")


def oip(fault: Fault) -> Reply:
    """Wrong values are 400 in this protocol."""
    return _reply(fault, 400 if fault.status == 422 else fault.status, {"error": _long(fault)}, JSON)


def mlflow(fault: Fault) -> Reply:
    status = 400 if fault.status == 422 else fault.status
    code = CODES.get(status, "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR")
    return _reply(fault, status, {"error_code": code, "message": _long(fault)}, JSON)


def _long(fault: Fault) -> str:
    """All problems in one text, for protocols that have room for no more."""
    if len(fault.problems) < 2:
        return fault.detail
    return "\n".join(f"{each.at}: {each.message}" for each in fault.problems)


def _reply(fault: Fault, status: int, body: dict[str, object], content: str) -> Reply:
    made = Reply.of(msgspec.json.encode(body), content, status=f"{status} {HTTPStatus(status).phrase}")
    made.headers.extend(fault.headers)
    return made


def _type(error: FlaskshipError) -> str:
    return f"/problems/{error.title.lower().replace(' ', '-')}"
