"""Bundles to the application that answers for them: what a worker spends its start on."""

from __future__ import annotations

from flaskship.bundle import Bundle
from flaskship.serve.job import Job, Loaded
from flaskship.web import application, subject


def load(job: Job) -> Loaded:
    """The application, with all models loaded and their golden rows replayed. Raises what those raise."""
    subjects = [subject(Bundle.read(path), job.settings) for path in job.bundles]
    made = application(subjects, job.settings, shared=job.shared)
    return Loaded(application=made, names=tuple(each.name for each in subjects))
