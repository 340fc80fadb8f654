"""The routes of one model, and of a site with several."""

from __future__ import annotations

import re

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException

from flaskship.web import files, health, invocations, openapi, pages, problem, reply
from flaskship.web.oip import OIP
from flaskship.web.reply import Reply
from flaskship.web.subject import Site, Subject


def model(subject: Subject, site: Site) -> Blueprint:
    """All routes of `subject`."""
    routes = Blueprint(re.sub(r"\W", "_", subject.name) or "model", "flaskship.web", template_folder="templates")
    limit = int(site.settings.max_body)

    def predict() -> Response:
        environ = request.environ
        if request.method != "POST":
            return response(reply.query(subject, environ.get("QUERY_STRING", "")))
        return response(reply.content(subject, reply.body(environ, limit), environ.get("CONTENT_TYPE", "")))

    routes.add_url_rule("/predict", "predict", predict, methods=["GET", "POST"], strict_slashes=False)
    pages.add_model(routes, subject, site)
    files.add(routes, subject, site)
    openapi.add(routes, subject, site)
    invocations.add(routes, subject, site)
    OIP(site.of(subject)).add(routes)
    health.add(routes, site.of(subject))
    return routes


def index(site: Site) -> Blueprint:
    """What a site with several models has at its root: their list, their health, the counts of all."""
    routes = Blueprint("flaskship", "flaskship.web", template_folder="templates")
    pages.add_index(routes, site)
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
