"""What people see in a browser: the model's page, the list of models, Swagger UI. All comes from this server.

Every page works without JavaScript and has its JSON twin at the same address (`Accept: application/json`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.exceptions import NotFound

from flaskship.errors import BadInput, FlaskshipError, Problem
from flaskship.exchange import REQUEST_ID
from flaskship.predict.codec import Request
from flaskship.predict.uploads import Given
from flaskship.schema import FieldType, Signature, Task
from flaskship.web import answers, assets, drawing, form, multipart, problem, reply, results, snippets, streams
from flaskship.web.drawing import Drawing
from flaskship.web.form import seen
from flaskship.web.subject import Site, Subject

__all__ = ["add_index", "add_model", "as_json", "card", "described", "seen"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept",
}
DIAGRAM = SECURITY | {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
}  # it brings its own styles; it runs nothing and asks for nothing
TASKS = {
    Task.CLASSIFICATION: "Classification",
    Task.REGRESSION: "Regression",
    Task.MULTIOUTPUT: "Several outputs",
    Task.CLUSTERING: "Clustering",
    Task.OUTLIER: "Outlier detection",
    Task.TRANSFORM: "Transformation",
    Task.FUNCTION: "Function",
}


CODED = (FieldType.OBJECT, FieldType.IMAGE, FieldType.ARRAY)  # whose cells need to be told of


class Told(NamedTuple):
    """What the model said to what was entered, or why it did not."""

    answer: dict[str, Any] | None = None
    status: int = 200
    detail: str = ""
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    drawing: Drawing | None = None


def page(name: str, status: int = 200, **values: object) -> Response:
    """A template as a page, under a strict content security policy."""
    direct = "X-Forwarded-For" not in request.headers  # a proxy keeps metrics and health to those inside
    html = render_template(f"flaskship/{name}", root=root(), direct=direct, **values)
    allowed = "camera=(self)" if values.get("pictured") else "camera=()"
    headers = SECURITY | {"Permissions-Policy": f"{allowed}, microphone=(), geolocation=()"}
    return Response(html, status, headers, mimetype="text/html")


def root() -> str:
    """From this page to where the model's routes are, so that any prefix will do."""
    return "../" if request.path.endswith("/apidocs/") else "./"


def wants_json() -> bool:
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


def as_json(value: object) -> Response:
    status, headers, body = reply.Reply.of(msgspec.json.encode(value))
    return Response(body, status, [*headers, ("Vary", "Accept")])


def add_model(app: Blueprint, subject: Subject, site: Site) -> None:
    """The page of one model: its form, and what it is as JSON."""

    def show() -> Response:
        return as_json(card(subject)) if wants_json() else model_page(subject, site)

    def answer() -> Response:
        """What the form sends, answered on the page."""
        try:
            body = reply.body(request.environ, int(site.settings.max_body))
        except BadInput as error:  # too large: a browser gets the page, with why
            if not request.accept_mimetypes.accept_html or wants_json():
                raise
            at = tuple(Problem(name, error.detail) for name in subject.files) if len(subject.files) == 1 else ()
            return model_page(subject, site, {}, Told(status=error.status, detail=error.detail, problems=at))
        return posted(subject, site, body, request.environ.get("CONTENT_TYPE", ""))

    def diagram() -> Response:
        if not subject.diagram:
            raise NotFound
        return Response(subject.diagram, headers=DIAGRAM, content_type="text/html; charset=utf-8")

    app.add_url_rule("/", "page", show)
    app.add_url_rule("/", "answer", answer, methods=["POST"])
    app.add_url_rule("/diagram", "diagram", diagram)
    add_samples(app, subject)
    add_apidocs(app, subject.name)


def posted(subject: Subject, site: Site, body: bytes, content: str) -> Response:
    """The answer to a form, as a page; for `?part=answer` alone, and to the page's script a stream as it comes."""
    if reply.media_type(content)[0] not in (*multipart.TYPES, ""):
        return results.respond(subject, reply.decoded(subject, body, content), site)  # no browser sent that
    pairs = reply.form(body, content, files=subject.takes_files)
    if wants_json():
        return timed_json(subject, pairs)
    if subject.streams and request.accept_mimetypes.best_match(["text/html", streams.EVENTS]) == streams.EVENTS:
        told = streamed(subject, pairs, site)
    else:
        told = tell(subject, pairs, site)
    if isinstance(told, Response):
        return told
    if request.query_string == b"part=answer":
        shown = answers.shown(told.answer, subject, told.drawing, dict(pairs).values())
        return page("answer.html", subject=subject, told=told, shown=shown, part=True)
    return model_page(subject, site, dict(pairs), told)


def add_samples(app: Blueprint, subject: Subject) -> None:
    """A table of made-up rows, and a made-up file for each field that travels as one."""

    def sample() -> Response:
        disposition = {"Content-Disposition": f'attachment; filename="{sample_name(subject)}"'}
        return Response(snippets.sample(subject.signature), headers=disposition, content_type="text/csv; charset=utf-8")

    def sample_file(name: str) -> Response:
        field = next((each for each in subject.signature.inputs if each.name == name and name in subject.files), None)
        if field is None:
            raise NotFound
        content, named, kind = snippets.sample_file(field)
        return Response(content, headers={"Content-Disposition": f"inline; filename={named}"}, content_type=kind)

    app.add_url_rule("/sample.csv", "sample", sample)
    app.add_url_rule("/sample/<name>", "sample_file", sample_file)


def sample_name(subject: Subject) -> str:
    kept = "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "_" for each in subject.name)
    return f"{kept}_sample.csv"


def decoded(subject: Subject, pairs: list[tuple[str, Given]]) -> Request:
    """The row in a form: field by field, or as JSON where there are too many fields."""
    if len(subject.signature.inputs) > form.MOST_FIELDS and [name for name, _ in pairs] == [form.ROW]:
        return subject.codec.decode(str(pairs[0][1]).encode())
    return subject.codec.decode_pairs(form.completed(subject.signature, pairs))


def tell(subject: Subject, pairs: list[tuple[str, Given]], site: Site) -> Told:
    """The answer for a page. What the server did wrong is told there too, but raised for whom is no browser."""
    try:
        row = decoded(subject, pairs)
        try:
            return answered(subject, row, site)
        finally:
            row.close()
    except BadInput as error:
        return Told(status=error.status, detail=error.detail, problems=error.problems)
    except FlaskshipError as error:
        if not request.accept_mimetypes.accept_html:
            raise
        fault = problem.of(error, request.environ.get(REQUEST_ID, ""))
        return Told(status=fault.status, detail=fault.detail)


def answered(subject: Subject, row: Request, site: Site) -> Told:
    predictor, codec = subject.predictor, subject.codec
    started = time.perf_counter()
    if subject.streams:
        items, note = streams.gathered(subject, row, site)
        told: dict[str, Any] = {"prediction": items} | ({"warnings": [note]} if note else {})
        return Told(answer=told, seconds=time.perf_counter() - started)
    found = predictor(row.columns)
    body = codec.encode(found, single=True, warnings=predictor.warnings(row.columns))
    seconds = time.perf_counter() - started
    picture = drawing.of(found.values[0][0], subject.signature, row.columns)
    return Told(answer=msgspec.json.decode(body), seconds=seconds, drawing=picture)


def streamed(subject: Subject, pairs: list[tuple[str, Given]], site: Site) -> Response | Told:
    """The answer bit by bit for the page's script, or what was wrong with what was entered."""
    try:
        return streams.respond(subject, decoded(subject, pairs), site)
    except BadInput as error:
        return Told(status=error.status, detail=error.detail, problems=error.problems)


def timed_json(subject: Subject, pairs: list[tuple[str, Given]]) -> Response:
    """What /predict answers, and how long that took."""
    row = decoded(subject, pairs)
    started = time.perf_counter()
    status, headers, body = reply.answer(subject, row)
    spent = ("Server-Timing", f"model;dur={1000 * (time.perf_counter() - started):.3f}")
    return Response(body, status, [*headers, spent, ("Vary", "Accept")])


def model_page(
    subject: Subject, site: Site, given: Mapping[str, Given] | None = None, told: Told | None = None
) -> Response:
    base, keyed = snippets.address(request), bool(site.settings.api_key)
    entries = form.entries(subject.signature, given, told.problems if told else ())
    return page(
        "model.html",
        told.status if told else 200,
        subject=subject,
        task=TASKS[subject.signature.task],
        entries=entries,
        pictured=any(each.picture for each in entries),
        even=any(each.rows == form.TALL for each in entries),
        function=subject.signature.task is Task.FUNCTION,
        about=[part for part in subject.signature.help.split("\n\n") if part],
        cells=subject.cells,
        coded=any(each.type in CODED for each in subject.signature.inputs),
        wide=len(subject.signature.inputs) > form.MOST_FIELDS,
        whole=(given or {}).get(form.ROW, ""),
        files=bool(subject.files),
        told=told,
        shown=answers.shown(told.answer, subject, told.drawing, (given or {}).values()) if told else None,
        base=base,
        snippets=snippets.snippets(subject, base, keyed=keyed, alone=len(site.subjects) == 1),
        settings=site.settings,
        several=len(site.subjects) > 1,
        seen=seen,
        limits=form.limits,
        fields=[{"name": each.name, "required": each.required} for each in subject.signature.inputs],
    )


def card(subject: Subject) -> dict[str, object]:
    """What the model is, as JSON."""
    return {
        "name": subject.name,
        "version": subject.version,
        "state": subject.state,
        **({"path": subject.path} if subject.path else {}),
        **described(subject.signature),
        **subject.card,
    }


def described(signature: Signature) -> dict[str, object]:
    """A signature as JSON; what is not known of a field is left out."""
    whole: Mapping[str, Any] = msgspec.to_builtins(signature)
    nothing: tuple[object, ...] = (None, "", [], (), {})
    inputs = []
    for each in whole["inputs"]:
        each["limits"] = {name: limit for name, limit in each["limits"].items() if limit is not None}
        told = {key: value for key, value in each.items() if value not in nothing and key != "boxed"}
        inputs.append(told if not each["required"] else {key: told[key] for key in told if key != "required"})
    told = {"task": whole["task"], "inputs": inputs, "outputs": whole["outputs"], "classes": whole["classes"]}
    if signature.task is Task.FUNCTION:
        told |= {"answers": signature.answers, "help": signature.help}
    return told


def listed(subject: Subject) -> dict[str, str]:
    """One of several, in their list."""
    own = {"path": subject.path} if subject.path else {}
    said = {"description": subject.signature.help} if subject.signature.help else {}
    return {"name": subject.name, "version": subject.version, "url": f"{subject.name}/"} | own | said


def add_index(app: Blueprint, site: Site) -> None:
    """The list of models at / of a site with several."""

    def index() -> Response:
        if not wants_json():
            return page("index.html", subjects=site.subjects, tasks=TASKS)
        models = [listed(each) for each in site.subjects]
        return as_json({"models": models})

    app.add_url_rule("/", "page", index)
    assets.add(app)


def add_apidocs(app: Blueprint, title: str) -> None:
    def apidocs() -> Any:
        return redirect(f"{root()}openapi.json") if wants_json() else page("apidocs.html", title=title)

    app.add_url_rule("/apidocs", "apidocs", apidocs, strict_slashes=False)
    assets.add(app)
