"""`python fake_server.py FOLDER KEY=VALUE…`: serves FOLDER/bundle with the fake application."""

import sys
from pathlib import Path

from flaskship.errors import FlaskshipError
from flaskship.serve import serve
from flaskship.settings import Settings

folder = Path(sys.argv[1])
flags = dict(each.split("=") for each in sys.argv[2:])
bundles = [folder / "bundle"]
try:
    settings = Settings.load(None, {}, {"port": 0, **flags})
    code = serve(bundles, settings, watched=bundles, rebuild=lambda: bundles, load="fake_app:load")
except FlaskshipError as error:
    sys.stderr.write(f"{error.title}: {error.detail}\n")
    code = error.exit_code
sys.exit(code)
