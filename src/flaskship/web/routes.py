"""The routes of one model, and of a site with several."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Blueprint, Flask, Response, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from flaskship.web import files, health, invocations, openapi, pages, problem, reply, results
from flaskship.web.oip import OIP
from flaskship.web.reply import Reply
from flaskship.web.subject import Site, Subject


def model(subject: Subject, site: Site) -> Blueprint:
    """All routes of `subject`."""
    routes = Blueprint(re.sub(r"\W", "_", subject.name) or "model", "flaskship.web", template_folder="templates")
    predict = predicting(subject, site)
    methods = ["GET", "POST"]
    routes.add_url_rule("/predict", "predict", predict, methods=methods, strict_slashes=False)
    if len(site.subjects) == 1 and subject.path.rstrip("/") not in ("", "/predict"):
        routes.add_url_rule(subject.path, "predict", predict, methods=methods)
    pages.add_model(routes, subject, site)
    files.add(routes, subject, site)
    openapi.add(routes, subject, site)
    invocations.add(routes, subject, site)
    OIP(site.of(subject)).add(routes)
    health.add(routes, site.of(subject))
    return routes


def predicting(subject: Subject, site: Site, page: str = "") -> Callable[[], ResponseReturnValue]:
    """What answers rows at /predict, and at the path that a function's author chose.

    `page` is where a browser is sent that comes without any; other clients are answered by the arguments' defaults.
    """
    limit = int(site.settings.max_body)

    def predict() -> ResponseReturnValue:
        environ = request.environ
        if request.method == "POST":
            body, content = reply.body(environ, limit), environ.get("CONTENT_TYPE", "")
            asked = reply.decoded(subject, body, content, environ.get("QUERY_STRING", ""))
        elif page and not request.query_string and "text/html" in request.accept_mimetypes.values():
            return redirect(page)
        else:
            asked = reply.queried(subject, environ.get("QUERY_STRING", ""))
        return results.respond(subject, asked, site)

    return predict


def index(site: Site) -> Blueprint:
    """What a site with several models has at its root: their list, their health, the counts of all."""
    routes = Blueprint("flaskship", "flaskship.web", template_folder="templates")
    pages.add_index(routes, site)
    for number, subject in enumerate(site.subjects):
        if subject.path and subject.path != f"/{subject.name}/predict":
            predict = predicting(subject, site, page=f"./{subject.name}/")
            routes.add_url_rule(subject.path, f"own_{number}", predict, methods=["GET", "POST"])
        if subject.path != f"/{subject.name}":  # whoever forgets the last part
            routes.add_url_rule(f"/{subject.name}", f"bare_{number}", predicting(subject, site), methods=["POST"])
    OIP(site).add(routes)
    health.add(routes, site)
    return routes


def response(answer: Reply) -> Response:
    status, headers, body = answer
    return Response(body, status, headers)


def add_errors(app: Flask | Blueprint) -> None:
    """Every error as the protocol of its path has it."""

    def answered(error: Exception) -> Response | HTTPException:
        if isinstance(error, HTTPException) and (error.response is not None or (error.code or 500) < 400):
            return error  # a redirect, or an answer that its author chose
        return response(problem.reply(error, request.environ))

    app.register_error_handler(Exception, answered)
