"""One small app in each framework: every view answers with its name and the parameter of its path."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any
from wsgiref.util import shift_path_info

import bottle
import django.conf
import django.http
import django.urls
import falcon
import flask
from django.core.wsgi import get_wsgi_application

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pkg_resources warns of its use by others
    import cherrypy
    from pyramid.config import Configurator
    from pyramid.response import Response

App = Callable[..., Any]
METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]

# The views by name; a path in braces is a segment, in angle brackets all that is left.
ROUTES = {
    "reports": "/reports",
    "all": "/items/",
    "item": "/items/{name}",
    "private": "/files/private/{name}",
    "file": "/files/<name>",
}


def shown(view: str, name: str = "") -> str:
    return f"VIEW {view} {name!a}"


@cache
def flask_app() -> App:
    app = flask.Flask(__name__)
    for view, path in ROUTES.items():
        rule = path.replace("<", "<path:").replace("{", "<").replace("}", ">")
        app.add_url_rule(rule, view, lambda name="", view=view: shown(view, name), methods=METHODS)
    return app


@cache
def pyramid_app() -> App:
    with Configurator() as config:
        for view, path in ROUTES.items():
            config.add_route(view, path.replace("<", "*").replace(">", ""))
            config.add_view(
                lambda request, view=view: Response(shown(view, str(request.matchdict.get("name", "")))),
                route_name=view,
            )
        app: App = config.make_wsgi_app()
    return app


@cache
def traversal_app() -> App:
    """Pyramid without routes: a tree of resources, with views by name."""
    tree: dict[str, Any] = {"admin": {}}
    with Configurator(root_factory=lambda request: tree) as config:
        for view in ("users", "reports"):
            config.add_view(
                lambda context, request, view=view: Response(shown(view, "root" if context is tree else "admin")),
                name=view,
            )
        app: App = config.make_wsgi_app()
    return app


@cache
def bottle_app() -> App:
    app = bottle.Bottle()
    for view, path in ROUTES.items():
        rule = path.replace("name>", "name:path>").replace("{", "<").replace("}", ">")
        app.route(rule, METHODS, lambda name="", view=view: shown(view, name))
    return app


@cache
def django_app() -> App:
    if not django.conf.settings.configured:
        django.conf.settings.configure(ALLOWED_HOSTS=["*"], MIDDLEWARE=[], ROOT_URLCONF=__name__, SECRET_KEY="x" * 50)
    app: App = get_wsgi_application()
    return app


def _django_route(view: str, path: str) -> Any:
    route = path[1:].replace("<", "<path:").replace("{", "<str:").replace("}", ">")
    return django.urls.path(route, lambda request, name="": django.http.HttpResponse(shown(view, name)))


urlpatterns = [_django_route(view, path) for view, path in ROUTES.items()]


class Resource:
    """A Falcon resource that answers every method alike."""

    def __init__(self, view: str) -> None:
        self.view = view

    def on_get(self, req: Any, resp: Any, name: str = "") -> None:
        resp.text = shown(self.view, name)

    on_post = on_put = on_delete = on_options = on_get


@cache
def falcon_app() -> App:
    app = falcon.App()
    for view, path in ROUTES.items():
        app.add_route(path.replace("<name>", "{name:path}"), Resource(view))
    return app


def plain_app() -> App:
    """A hand-written app, which takes one segment after the other."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        first, rest = shift_path_info(environ), environ["PATH_INFO"][1:]
        name = rest.encode("latin-1").decode(errors="ignore")
        views = {"reports": "reports", "items": "item" if name else "all", "files": "file"}
        view = "private" if name.startswith("private/") and first == "files" else views.get(first or "", "none")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [shown(view, name).encode()]

    return app


FRAMEWORKS = {
    "Flask": flask_app,
    "Pyramid": pyramid_app,
    "Bottle": bottle_app,
    "Django": django_app,
    "Falcon": falcon_app,
    "plain WSGI": plain_app,
}


def mounted(app: App, prefix: str) -> App:
    """Serve ``app`` below ``prefix`` alone."""

    def outer(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        assert path.startswith(prefix)
        return app({**environ, "SCRIPT_NAME": prefix, "PATH_INFO": path[len(prefix) :]}, start_response)

    return outer


@cache
def cherrypy_app() -> App:
    """CherryPy's own dispatcher over a tree of objects."""

    class Admin:
        @cherrypy.expose
        def index(self) -> str:
            return shown("admin")

        @cherrypy.expose
        def default(self, *names: str) -> str:
            return shown("admin", "/".join(names))

        @cherrypy.expose
        def secret(self) -> str:
            return shown("secret")

    class Root:
        my_admin = Admin()

        @cherrypy.expose
        def index(self) -> str:
            return shown("home")

        @cherrypy.expose
        def my_reports(self, *names: str) -> str:
            return shown("reports", "/".join(names))

        @cherrypy.expose
        def files(self, *names: str) -> str:
            return shown("file", "/".join(names))

    app = cherrypy.Application(Root(), script_name=None)
    app.log.screen = False
    return app
