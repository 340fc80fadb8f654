"""What the workers of these tests load in place of bundles. A `bundle` here is a text file, answered by `/predict`."""

import os
from pathlib import Path

from flaskship.errors import BundleError
from flaskship.health import DRAINING
from flaskship.serve.job import Job, Loaded


def load(job: Job) -> Loaded:
    text = job.bundles[0].read_text()
    if text.startswith("broken"):
        raise BundleError("This bundle is broken. Build it anew.")
    if text.startswith("crash"):
        os._exit(9)
    if text.startswith("slow"):
        (job.bundles[0].parent / "load").open().read()  # until the test writes to this pipe
    return Loaded(application=App(text, job.shared, job.bundles[0].parent), names=("fake",))


class App:
    def __init__(self, text: str, shared: Path, folder: Path) -> None:
        self.text, self.shared, self.folder = text, shared, folder

    def __call__(self, environ, start_response):
        status, body = getattr(self, environ["PATH_INFO"].strip("/"))(environ)
        start_response(status, [("content-type", "text/plain")])
        return body

    def livez(self, environ):
        return "200 OK", [b"ok\n"]

    def readyz(self, environ):
        return ("503 Draining" if (self.shared / DRAINING).exists() else "200 OK"), [b"ready?\n"]

    def predict(self, environ):
        return "200 OK", [self.text.encode()]

    def echo(self, environ):
        return "200 OK", [environ["wsgi.input"].read()]

    def chunks(self, environ):
        return "200 OK", (part for part in (b"one ", b"two ", b"three"))

    def within(self, environ):
        return "200 OK", [os.environ.get("VIRTUAL_ENV", "none").encode()]

    def pid(self, environ):
        return "200 OK", [str(os.getpid()).encode()]

    def shared_folder(self, environ):
        return "200 OK", [str(self.shared).encode()]

    def environment(self, environ):
        return "200 OK", [f"{os.environ['OMP_NUM_THREADS']} {sorted(k for k in environ if k.isupper())}".encode()]

    def wait(self, environ):
        """Says through one pipe that it runs, and answers when the test writes to the other."""
        (self.folder / "running").write_text("here")
        return "200 OK", [(self.folder / "go").read_bytes()]
