"""Bundles to the application that answers for them: what a worker spends its start on."""

from __future__ import annotations

import os

from flaskship.bundle import Bundle
from flaskship.serve.job import Job, Loaded
from flaskship.web import application, subjects


def load(job: Job) -> Loaded:
    """The application, with all models loaded and their golden rows replayed. Raises what those raise.

    Functions that are alone here find their folder as the working directory also when they are called.
    """
    bundles = [Bundle.read(path.absolute()) for path in job.bundles]
    if len(bundles) == 1 and bundles[0].manifest.code:
        os.chdir(bundles[0].folder / bundles[0].manifest.code.root)
    found = [each for bundle in bundles for each in subjects(bundle, job.settings, job.shared)]
    made = application(found, job.settings, shared=job.shared)
    direct = all(each.direct for each in found)
    return Loaded(application=made, names=tuple(each.name for each in found), direct=direct)
