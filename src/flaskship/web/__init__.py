"""The API of models over HTTP.

    application([subject(bundle, settings)], settings)   what a WSGI server calls
    create_app, blueprint                                the same as a Flask app, or as a part of one

A request goes through layers, chosen at start: ops (id, clock, counts, guards) → fast lane → Flask.
"""

from __future__ import annotations

from flaskship.web.application import application, blueprint, create_app
from flaskship.web.subject import Subject, subject, subjects

__all__ = ["Subject", "application", "blueprint", "create_app", "subject", "subjects"]
