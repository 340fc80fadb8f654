"""`python fake_server.py FOLDER KEY=VALUE…`: serves FOLDER/bundle with the fake application."""

import sys
from pathlib import Path

from flaskship.errors import FlaskshipError
from flaskship.serve import serve
from flaskship.settings import Settings

folder = Path(sys.argv[1])
flags = dict(each.split("=") for each in sys.argv[2:])
bundles, elsewhere = [folder / "bundle"], folder / "environment" / "bin" / "python"


def remade() -> tuple[list[Path], str]:
    """With another Python where a test put one."""
    return bundles, str(elsewhere) if elsewhere.exists() else ""


try:
    settings = Settings.load(None, {}, {"port": 0, **flags})
    code = serve(bundles, settings, watched=bundles, rebuild=remade, load="fake_app:load")
except FlaskshipError as error:
    sys.stderr.write(f"{error.title}: {error.detail}\n")
    code = error.exit_code
sys.exit(code)
