"""What a container runs: `python -m flaskship.serve BUNDLE… [serve]`. Settings come from the environment.

SageMaker starts every container with the argument `serve`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flaskship.errors import FlaskshipError
from flaskship.serve import serve
from flaskship.settings import Settings, environment


def main(arguments: list[str]) -> int:
    """The exit code of serving the bundles that are named."""
    bundles = [Path(each) for each in arguments if each != "serve"]
    try:
        return serve(bundles, Settings.load(None, environment(), {}))
    except FlaskshipError as error:
        sys.stderr.write(f"{error.title}: {error.detail}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
