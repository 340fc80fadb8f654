"""The two routes whose paths Vertex AI chooses and tells in the environment.

AIP_PREDICT_ROUTE takes {"instances": […]} and is /invocations under another name; AIP_HEALTH_ROUTE is /readyz.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flaskship.web.reply import WSGI, Environ, StartResponse

ROUTES = {"AIP_PREDICT_ROUTE": ("POST", "/invocations"), "AIP_HEALTH_ROUTE": ("GET", "/readyz")}


class Vertex:
    """Outermost, and there only where the environment names a route: all within sees its usual paths."""

    def __init__(self, app: WSGI, environment: Mapping[str, str]) -> None:
        self._app = app
        self._paths = {
            (method, environment[name]): path for name, (method, path) in ROUTES.items() if environment.get(name)
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = self._paths.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if path is not None:
            environ["PATH_INFO"] = path
        return self._app(environ, start_response)

    @staticmethod
    def wanted(environment: Mapping[str, str]) -> bool:
        return any(environment.get(name) for name in ROUTES)
