"""One app in each framework. All of its views need the same scopes, and answer that they ran."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bottle
import django.http
import django.urls
import falcon
import flask
from asgiref.sync import sync_to_async
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.decorators import method_decorator
from django.views import View
from flask.views import MethodView

import oauth_mw.contrib.bottle
import oauth_mw.contrib.django
import oauth_mw.contrib.falcon
import oauth_mw.contrib.flask
import oauth_mw.contrib.pyramid
from helpers.frameworks import Configurator, Response
from helpers.frameworks import django_app as set_up_django

RAN = "the view ran"
METHODS = ["GET", "POST"]


def needs(contrib: Any) -> Callable[..., Any]:
    """The decorator of a framework's module, which every view has."""
    return contrib.require_scope("read", contrib.any_of("admin", "write"))


guarded_flask = needs(oauth_mw.contrib.flask)


class FlaskView(MethodView):
    decorators = [guarded_flask]

    def get(self) -> str:
        return RAN

    post = get


class FlaskMethods(MethodView):
    @guarded_flask
    def get(self) -> str:
        return RAN

    post = get


def flask_app() -> Any:
    """With an app factory and a blueprint, as larger apps are made."""
    pages = flask.Blueprint("pages", __name__)

    @pages.route("/function", methods=METHODS)
    @guarded_flask
    def function() -> str:
        return RAN

    @pages.route("/named/<name>", methods=METHODS)
    @guarded_flask
    def named(name: str) -> str:
        return RAN * (name == "x")

    closed = flask.Blueprint("closed", __name__)
    closed.before_request(guarded_flask(lambda: None))
    closed.add_url_rule("/blueprint", "blueprint", lambda: RAN, methods=METHODS)

    app = flask.Flask(__name__)
    app.register_blueprint(pages)
    app.register_blueprint(closed)
    app.add_url_rule("/class", view_func=FlaskView.as_view("class"))
    app.add_url_rule("/methods", view_func=FlaskMethods.as_view("methods"))
    return app


guarded_django = needs(oauth_mw.contrib.django)


def ran(request: Any) -> Any:
    return django.http.HttpResponse(RAN)


async def ran_async(request: Any) -> Any:
    return await sync_to_async(ran)(request)


class DjangoMethods(View):
    @guarded_django
    def get(self, request: Any) -> Any:
        return ran(request)

    post = get


class DjangoAsyncMethods(View):
    @guarded_django
    async def get(self, request: Any) -> Any:
        return await ran_async(request)

    post = get


@method_decorator(guarded_django, name="dispatch")
class DjangoView(View):
    def get(self, request: Any) -> Any:
        return ran(request)

    post = get


class DjangoBare(View):
    async def get(self, request: Any) -> Any:
        return await ran_async(request)

    post = get


@method_decorator(guarded_django, name="dispatch")
class DjangoAsyncView(DjangoBare):
    pass


class DjangoDispatch(DjangoBare):
    @guarded_django
    def dispatch(self, request: Any) -> Any:
        return View.dispatch(self, request)


DJANGO_VIEWS = {
    "function": guarded_django(ran),
    "async": guarded_django(ran_async),
    "methods": DjangoMethods.as_view(),
    "async-methods": DjangoAsyncMethods.as_view(),
    "class": DjangoView.as_view(),
    "async-class": DjangoAsyncView.as_view(),
    "dispatch": DjangoDispatch.as_view(),
    "in-urls": guarded_django(DjangoBare.as_view()),
}


class DjangoUrls:
    urlpatterns = [django.urls.path(name, view) for name, view in DJANGO_VIEWS.items()]


class DjangoRequest(WSGIRequest):
    urlconf = DjangoUrls


class DjangoHandler(WSGIHandler):
    request_class = DjangoRequest


def django_app() -> Any:
    set_up_django()
    return DjangoHandler()


guarded_pyramid = needs(oauth_mw.contrib.pyramid)


@guarded_pyramid
def with_request(request: Any) -> Any:
    return Response(RAN)


@guarded_pyramid
def with_context(context: Any, request: Any) -> Any:
    return Response(RAN)


class PyramidView:
    def __init__(self, request: Any) -> None:
        self.request = request

    @guarded_pyramid
    def guarded(self) -> Any:
        return Response(RAN)

    @guarded_pyramid
    def rendered(self) -> str:
        return RAN

    def bare(self) -> Any:
        return Response(RAN)


class PyramidContextView(PyramidView):
    def __init__(self, context: Any, request: Any) -> None:
        self.request = request


def pyramid_app() -> Any:
    """Views with routes, and some that traversal finds by their names."""
    with Configurator() as config:
        for route, view in (("request", with_request), ("context", with_context)):
            config.add_route(route, f"/{route}")
            config.add_view(view, route_name=route)
        for name, kind in (("class", PyramidView), ("context-class", PyramidContextView)):
            config.add_view(kind, attr="guarded", name=name)
        config.add_view(PyramidView, attr="rendered", name="rendered", renderer="string")
        config.add_view(PyramidView, attr="bare", name="decorated", decorator=guarded_pyramid)
        return config.make_wsgi_app()


guarded_bottle = needs(oauth_mw.contrib.bottle)


@guarded_bottle
def in_pieces() -> Any:
    yield RAN[:5]
    yield RAN[5:]


def bottle_app() -> Any:
    """One with another mounted in it."""
    app, inner = bottle.Bottle(), bottle.Bottle()
    for each in (app, inner):
        each.route("/function", METHODS, guarded_bottle(lambda: RAN))
    app.route("/named/<name>", METHODS, guarded_bottle(lambda name: RAN * (name == "x")))
    app.route("/applied", METHODS, lambda: RAN, apply=guarded_bottle)
    app.route("/generator", METHODS, in_pieces)
    app.mount("/mounted/", inner)
    return app


guarded_falcon = needs(oauth_mw.contrib.falcon)


class Resource:
    """With a responder for each method, and one that has a hook."""

    @guarded_falcon
    def on_get(self, req: Any, resp: Any, name: str = "") -> None:
        resp.text = RAN

    on_post = on_head = on_get

    @falcon.before(lambda req, resp, resource, params: resp.set_header("X-Hook", "ran"))
    @guarded_falcon
    def on_get_hooked(self, req: Any, resp: Any) -> None:
        resp.text = RAN

    on_post_hooked = on_head_hooked = on_get_hooked


@guarded_falcon
def sink(req: Any, resp: Any, **groups: Any) -> None:
    resp.text = RAN


def falcon_app() -> Any:
    app = falcon.App()
    app.add_error_handler(Exception, lambda req, resp, error, params: 1 / 0)  # never called
    app.add_route("/resource", Resource())
    app.add_route("/named/{name}", Resource())
    app.add_route("/hooked", Resource(), suffix="hooked")
    app.add_sink(sink, "/sink/")
    return app


# Each app, and the paths of its views.
APPS = {
    "Flask": (flask_app, ["/function", "/named/x", "/blueprint", "/class", "/methods"]),
    "Django": (django_app, [f"/{name}" for name in DJANGO_VIEWS]),
    "Pyramid": (
        pyramid_app,
        ["/request", "/context", "/class", "/context-class", "/rendered", "/decorated"],
    ),
    "Bottle": (bottle_app, ["/function", "/named/x", "/applied", "/generator", "/mounted/function"]),
    "Falcon": (falcon_app, ["/resource", "/named/x", "/hooked", "/sink/x"]),
}
