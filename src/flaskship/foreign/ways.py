"""The ways in which programs start servers, library by library, and how each tells its app."""

from __future__ import annotations

import functools
import os
import sys
from typing import Any, Callable

from flaskship.errors import AppFailed
from flaskship.foreign.capture import Capture, Way, named


def serves(place: str, app: Callable[..., Any]) -> Way:
    """A function or method that serves what `app` finds among its arguments, and does not return."""

    def instead(capture: Capture, original: Any) -> Any:
        @functools.wraps(original)
        def serve(*args: Any, **kwargs: Any) -> None:
            capture.serve(app(*args, **kwargs))

        return serve

    return Way(place, instead)


def starts(place: str, app: Callable[..., Any]) -> Way:
    """One that returns at once: the program goes on, and waits elsewhere."""

    def instead(capture: Capture, original: Any) -> Any:
        @functools.wraps(original)
        def start(*args: Any, **kwargs: Any) -> None:
            capture.take(app(*args, **kwargs))

        return start

    return Way(place, instead)


def awaits(place: str, app: Callable[..., Any]) -> Way:
    """One that is a coroutine."""

    def instead(capture: Capture, original: Any) -> Any:
        @functools.wraps(original)
        async def serve(*args: Any, **kwargs: Any) -> None:
            await capture.serve_async(app(*args, **kwargs))

        return serve

    return Way(place, instead)


def binds(place: str, app: Callable[..., Any]) -> Way:
    """One that makes a server, which is told to serve afterwards."""
    return Way(place, lambda capture, original: lambda *args, **kwargs: Bound(capture, app(*args, **kwargs)))


def refused(place: str, what: str) -> Way:
    def instead(capture: Capture, original: Any) -> Any:
        def refuse(*args: Any, **kwargs: Any) -> None:
            capture.fail(AppFailed(f"{what} brings its own server, and is neither WSGI nor ASGI: it cannot be served."))
            capture.serve(None)

        return refuse

    return Way(place, instead)


def idle(place: str) -> Way:
    """One that is not to do anything."""
    return Way(place, lambda capture, original: lambda *args, **kwargs: None)


class Bound:
    """A server as `make_server` gives it, that never was one."""

    def __init__(self, capture: Capture, app: Any) -> None:
        self.application = self.app = app
        self.host, self.port = "127.0.0.1", int(os.environ.get("PORT") or 0)
        self.server_name, self.server_port = self.host, self.port
        self._capture = capture

    def serve_forever(self, *args: Any, **kwargs: Any) -> None:
        self._capture.serve(self.app)

    run = handle_request = serve_forever

    def server_close(self) -> None: ...

    shutdown = close = server_close

    def __enter__(self) -> Bound:
        return self

    def __exit__(self, *error: object) -> None: ...


def own(self: Any, *args: Any, **kwargs: Any) -> Any:
    return self


def first(app: Any, *args: Any, **kwargs: Any) -> Any:
    return named(app)


def second(one: Any, app: Any, *args: Any, **kwargs: Any) -> Any:
    return named(app)


def third(host: Any, port: Any, app: Any, *args: Any, **kwargs: Any) -> Any:
    return app


def run_simple(hostname: str, port: int, application: Any, *args: Any, **kwargs: Any) -> Any:
    return application


def flask_run(app: Any, *args: Any, **kwargs: Any) -> Any:
    """`Flask.run` reads .env files first, where the program may."""
    getattr(sys.modules.get("flask.cli"), "load_dotenv", tuple)()
    return app


def uvicorn_run(app: Any, *args: Any, factory: bool = False, **kwargs: Any) -> Any:
    return named(app, factory=factory)


def uvicorn_config(server: Any, *args: Any, **kwargs: Any) -> Any:
    return named(server.config.app, factory=server.config.factory)


def bottle_run(app: Any = None, *args: Any, **kwargs: Any) -> Any:
    return named(app) if app else sys.modules["bottle"].default_app()


def manager_run(manager: Any, *args: Any, **kwargs: Any) -> Any:
    """Of Flask-Script: made with an app, or with what makes one."""
    return manager.app if hasattr(manager.app, "wsgi_app") else manager.app()


def tornado_server(server: Any, *args: Any, **kwargs: Any) -> Any:
    app = getattr(server.request_callback, "wsgi_application", None)  # of a WSGIContainer
    if app is None:
        raise AppFailed("A Tornado application is neither WSGI nor ASGI: it cannot be served.")
    return app


def cherrypy_tree(*args: Any, **kwargs: Any) -> Any:
    return sys.modules["cherrypy"].tree


def cherrypy_quickstart(root: Any = None, script_name: str = "", config: Any = None) -> Any:
    if config:
        sys.modules["cherrypy"].config.update({key: value for key, value in config.items() if key == "global"})
    sys.modules["cherrypy"].tree.mount(root, script_name, config)
    return cherrypy_tree()


def django(*args: Any, **kwargs: Any) -> Any:
    return named("django.core.wsgi:get_wsgi_application", factory=True)


def undebugged(self: Any, environ: Any, start_response: Any) -> Any:
    """The debugger runs what a client types: the app answers without it."""
    return self.app(environ, start_response)


def threads_of_socketio(capture: Capture, original: Any) -> Any:
    """Flask-SocketIO answers in threads, as everything does here, whatever else is installed."""

    @functools.wraps(original)
    def init(self: Any, app: Any = None, **kwargs: Any) -> None:
        original(self, app, **{**kwargs, "async_mode": "threading"})

    return init


WAYS = (
    idle("webbrowser:open"),  # nobody sits before a server, and the page is elsewhere
    Way("werkzeug.debug:DebuggedApplication.__call__", lambda capture, original: undebugged),
    serves("flask.app:Flask.run", flask_run),
    serves("flask.cli:FlaskGroup.main", lambda group, *args, **kwargs: group.create_app()),
    serves("flask_script:Manager.run", manager_run),
    serves("flask_socketio:SocketIO.run", second),
    Way("flask_socketio:SocketIO.__init__", threads_of_socketio),
    serves("dash.dash:Dash.run", lambda dash, *args, **kwargs: dash.server),
    serves("dash.dash:Dash.run_server", lambda dash, *args, **kwargs: dash.server),
    serves("connexion.apps.flask_app:FlaskApp.run", lambda app, *args, **kwargs: app.app),  # version 2
    serves("connexion.apps.abstract:AbstractApp.run", own),  # version 3
    serves("quart.app:Quart.run", own),
    awaits("quart.app:Quart.run_task", own),
    serves("sanic.app:Sanic.run", own),
    serves("bottle:run", bottle_run),
    serves("django.core.management:execute_from_command_line", django),
    serves("werkzeug.serving:run_simple", run_simple),
    binds("werkzeug.serving:make_server", third),
    binds("wsgiref.simple_server:make_server", third),
    serves("waitress:serve", first),
    binds("waitress:create_server", first),
    serves("gevent.pywsgi:WSGIServer.serve_forever", lambda server, *args, **kwargs: server.application),
    starts("gevent.pywsgi:WSGIServer.start", lambda server, *args, **kwargs: server.application),
    idle("gevent.monkey:patch_all"),  # requests run in threads, which it would take away
    serves("eventlet.wsgi:server", second),
    idle("eventlet.patcher:monkey_patch"),
    serves("uvicorn.main:run", uvicorn_run),
    serves("uvicorn.server:Server.run", uvicorn_config),
    awaits("uvicorn.server:Server.serve", uvicorn_config),
    awaits("hypercorn.asyncio:serve", first),
    awaits("hypercorn.trio:serve", first),
    serves("hypercorn.run:run", lambda config, *args, **kwargs: named(config.application_path)),
    serves("daphne.server:Server.run", lambda server, *args, **kwargs: server.application),
    serves("gunicorn.app.base:BaseApplication.run", lambda app, *args, **kwargs: app.load()),
    serves("gunicorn.app.base:Application.run", lambda app, *args, **kwargs: app.load()),
    starts("tornado.httpserver:HTTPServer.listen", tornado_server),
    starts("tornado.httpserver:HTTPServer.bind", tornado_server),
    idle("tornado.httpserver:HTTPServer.start"),
    serves("cherrypy:quickstart", cherrypy_quickstart),
    serves("cherrypy:engine.block", cherrypy_tree),
    idle("cherrypy:engine.start"),
    serves("cheroot.wsgi:Server.start", lambda server, *args, **kwargs: server.wsgi_app),
    serves("cheroot.wsgi:Server.safe_start", lambda server, *args, **kwargs: server.wsgi_app),
    serves("paste.httpserver:serve", first),
    serves("bjoern:run", first),
    refused("aiohttp.web:run_app", "aiohttp"),
)
