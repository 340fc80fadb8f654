"""Bundles to the application that answers for them: what a worker spends its start on."""

from __future__ import annotations

from flaskship.bundle import Bundle
from flaskship.serve.job import Job, Loaded
from flaskship.web import application, subjects


def load(job: Job) -> Loaded:
    """The application, with all models loaded and their golden rows replayed. Raises what those raise."""
    found = [each for path in job.bundles for each in subjects(Bundle.read(path), job.settings)]
    made = application(found, job.settings, shared=job.shared)
    return Loaded(application=made, names=tuple(each.name for each in found))
