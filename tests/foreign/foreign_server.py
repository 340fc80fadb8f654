"""`python foreign_server.py BUNDLE EXECUTABLE KEY=VALUE…`: serves the bundle of an app."""

import sys
from pathlib import Path

from flaskship.errors import FlaskshipError
from flaskship.serve import serve
from flaskship.settings import Settings

flags = dict(each.split("=") for each in sys.argv[3:])
try:
    code = serve([Path(sys.argv[1])], Settings.load(None, {}, {"port": 0, **flags}), executable=sys.argv[2])
except FlaskshipError as error:
    sys.stderr.write(f"{error.title}: {error.detail}\n")
    code = error.exit_code
sys.exit(code)
