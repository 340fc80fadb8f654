"""An answer in the form that is asked for: JSON, a stream, a picture as a file, with masks."""

from __future__ import annotations

from flask import Response, request

from flaskship.predict.codec import Request
from flaskship.predict.values import picture
from flaskship.web import reply, streams
from flaskship.web.subject import Site, Subject

VARIES = ("Vary", "Accept")
PICTURES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}


def respond(subject: Subject, asked: Request, site: Site) -> Response:
    """The answer to decoded rows. Raises what answering them raises."""
    if subject.streams:
        return streams.respond(subject, asked, site)
    if subject.quick:
        return _response(reply.answer(subject, asked))
    return chosen(subject, asked)


def chosen(subject: Subject, asked: Request) -> Response:
    """As `?masks=` and `Accept` have it."""
    masks = dict(reply.options(subject, request.environ.get("QUERY_STRING", ""))).get(reply.MASKS, "")
    accepted = request.accept_mimetypes.best_match([reply.JSON, *PICTURES], reply.JSON)
    try:
        found = subject.predictor(asked.columns)
        if accepted in PICTURES and (content := picture(found, PICTURES[accepted])) is not None:
            return _response(reply.Reply.of(content, accepted), VARIES)
        return _response(reply.Reply.of(subject.codec.encode(found, single=asked.single, masks=masks)), VARIES)
    finally:
        asked.close()


def _response(answer: reply.Reply, *more: tuple[str, str]) -> Response:
    status, headers, body = answer
    return Response(body, status, [*headers, *more])
