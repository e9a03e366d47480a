"""``assert_closed`` reads the routes of each framework as that framework does, and runs no view."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import bottle
import django.urls
import falcon
import flask
import pytest
from django.conf.urls.i18n import i18n_patterns
from django.test import override_settings
from django.utils.functional import lazy
from django.utils.translation import get_language
from paste.urlmap import URLMap
from pyramid.config import Configurator
from pyramid.response import Response

from helpers.frameworks import django_app
from helpers.support import echo
from oauth_mw import OAuthMiddleware
from oauth_mw.testing import assert_closed


def fails(*args, **parameters):
    raise AssertionError("a view was run")


def flask_app():
    app = flask.Flask("tested", static_folder=None)
    app.add_url_rule("/health", "health", fails)
    app.add_url_rule("/items/<int:id>", "item", fails)
    app.add_url_rule("/files/<path:name>", "file", fails)
    return app.wsgi_app


FLASK = {
    "/health": "/health answers GET",
    "/items/1": "/items/<int:id> answers GET",
    "/items/new": "",
    "/files/a/b": "/files/<path:name> answers GET",
}


def pyramid_app():
    with Configurator() as config:
        config.add_route("health", "/health", factory=fails)
        config.add_route("item", r"items/{id:\d{1,9}}", request_method=("POST", "OPTIONS"))
        config.add_route("file", "/files/*name", request_param="x")
        config.add_route("old", "/old/:year")
        config.add_route("both", "/both")
        config.add_route("elsewhere", "https://cdn.example.com/{name}")
        config.add_route("hybrid", "/tree/*traverse")
        for name in ("item", "file", "old", "hybrid"):
            config.add_view(fails, route_name=name)
        config.add_view(fails, route_name="health", request_method=("PUT", "GET"))
        config.add_view(fails, route_name="both", request_method="PUT")
        config.add_view(fails, route_name="both", request_method="PATCH", context=ModuleType)
        config.add_static_view("assets", "oauth_mw:testing")
        config.include(lambda config: config.add_route("user", "{name}.{format:json|xml}"), route_prefix="/users")
        config.add_notfound_view(lambda request: Response(status=404))
        config.add_view(fails, context=ValueError)
        return config.make_wsgi_app()


PYRAMID = {
    "/health": "/health answers GET",
    "/items/1": r"/items/{id:\d{1,9}} answers OPTIONS",
    "/items/new": "",
    "/files/a/b": "/files/*name answers GET",
    "/old/2020": "/old/:year answers GET",
    "/both": "/both answers PATCH",
    "/a": "",
    "/tree/a/b": "/tree/*traverse answers GET",
    "/assets/a/logo.png": "/assets/*subpath answers GET",
    "/users/ada.json": "/users/{name}.{format:json|xml} answers GET",
    "/users/ada.csv": "",
}


def bottle_app():
    app, child, inner, merged = (bottle.Bottle() for _ in range(4))
    app.route("/health", callback=fails)
    app.route("/items/<id:int>", "POST", fails)
    app.route("/files/<name:path>", "ANY", fails)
    app.route("/codes/<code:re:[a-z]{2}>/<rest>", callback=fails)
    app.route(r"/raw/\\<name>", callback=fails)
    inner.route("/leaf/<name>", callback=fails)
    child.mount("/inner", inner.wsgi)
    child.route("/own", "PUT", fails)
    app.mount("/mounted", child.wsgi)
    merged.route("/x", callback=fails)
    app.mount("/merged/", merged)
    return app


BOTTLE = {
    "/health": "/health answers GET",
    "/items/1": "/items/<id:int> answers POST",
    "/items/new": "",
    "/files/a/b": "/files/<name:path> answers GET",
    "/codes/ab/c": "/codes/<code:re:[a-z]{2}>/<rest> answers GET",
    "/codes/abc/c": "",
    "/mounted/own": "/mounted/own answers PUT",
    "/mounted/inner/leaf/a": "/mounted/inner/leaf/<name> answers GET",
    "/own": "",
    "/merged/x": "/merged/x answers GET",
}


class Resource:
    on_get = on_post_all = fails


def falcon_app():
    app = falcon.App()
    app.add_route("/health", Resource())
    app.add_route("/items", Resource(), suffix="all")
    app.add_route("/items/{id:int}", Resource())
    app.add_route("/files/{name:path}", Resource())
    app.add_route('/days/{day:dt("%Y-%m-%d")}/{number}.{format}', Resource())
    app.add_route("/users/{name}", Resource())
    app.add_static_route("/static", "/")
    app.add_static_route("/spa", "/", fallback_filename=__file__)
    app.add_sink(fails, "/proxy")
    app.add_sink(fails, r"/v(\d)$")
    return app


FALCON = {
    "/health": "/health answers GET",
    "/items": "/items answers POST",
    "/items/1": "/items/{id:int} answers GET",
    "/items/new": "",
    "/files/a/b": "/files/{name:path} answers GET",
    "/files/": "/files/{name:path} answers GET",
    "/days/2020-02-03/1.pdf": '/days/{day:dt("%Y-%m-%d")}/{number}.{format} answers GET',
    "/users/": "/users/{name} answers GET",
    "/users": "",
    "/static/logo.png": "/static/ answers GET",
    "/static": "",
    "/spa": "/spa/ answers GET",
    "/proxy": "/proxy answers GET",
    "/proxying/a": "/proxy answers GET",
    "/v1": r"/v(\d)$ answers GET",
    "/v1/a": "",
}


@cache
def site():
    """The patterns of a Django project."""
    news = lazy(lambda: "nachrichten" if get_language() == "de" else "news", str)()
    found = ModuleType("site")
    found.urlpatterns = [
        django.urls.path("health", fails),
        django.urls.path("items/1", fails, name="first"),
        django.urls.path("items/<int:id>", fails),
        django.urls.path("files/<path:name>", fails),
        django.urls.path("files/last", fails),
        django.urls.path("admin/<path:id>/change/", fails),
        django.urls.re_path(r"^old/(?P<year>[0-9]{4})/(?:a|b)/?$", fails),
        django.urls.re_path("anywhere", fails),
        django.urls.re_path(r"^from/", fails),
        django.urls.re_path(r"^in/(?P<name>\w+)/", django.urls.include([django.urls.re_path(r"^(\d+)$", fails)])),
        django.urls.path(news, fails),
        *i18n_patterns(django.urls.path("about", fails), prefix_default_language=False),
    ]
    return found


DJANGO = {
    "/health": "/health answers GET",
    "/items/1": "/items/1 answers GET",
    "/items/2": "/items/<int:id> answers GET",
    "/items/new": "",
    "/files/a/b": "/files/<path:name> answers GET",
    "/admin/auth/user/1/change/": "/admin/<path:id>/change/ answers GET",
    "/old/2020/b": r"/^old/(?P<year>[0-9]{4})/(?:a|b)/?$ answers GET",
    "/old/2020/b/": r"/^old/(?P<year>[0-9]{4})/(?:a|b)/?$ answers GET",
    "/old/2020/c": "",
    "/a/b/anywhere/c": "/anywhere answers GET",
    "/from/a": "/^from/ answers GET",
    "/in/a/1": r"/^in/(?P<name>\w+)/^(\d+)$ answers GET",
    "/in/a/1/": "",
    "/nachrichten": "/nachrichten answers GET",
    "/about": "/about answers GET",
    "/de/about": "/de/about answers GET",
}

APPS = {
    "Flask": (flask_app, FLASK),
    "Pyramid": (pyramid_app, PYRAMID),
    "Bottle": (bottle_app, BOTTLE),
    "Falcon": (falcon_app, FALCON),
    "Django": (django_app, DJANGO),
}
CASES = [pytest.param(make, *row, id=f"{name} {row[0]}") for name, (make, rows) in APPS.items() for row in rows.items()]


@pytest.fixture(autouse=True)
def project():
    django_app()
    with override_settings(ROOT_URLCONF=site(), LANGUAGE_CODE="en", LANGUAGES=[("en", "English"), ("de", "German")]):
        yield


def faults(app, *named, **options):
    """What ``assert_closed`` says."""
    try:
        assert_closed(OAuthMiddleware(app, store="memory://", **options), named)
    except AssertionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("make", [make for make, _ in APPS.values()], ids=APPS)
def test_an_app_is_closed(make):
    assert faults(make()) == ""


@pytest.mark.parametrize(("make", "path", "words"), CASES)
def test_the_route_of_a_public_path_is_open_and_no_other(make, path, words):
    said = faults(make(), public_paths=[path])

    assert said == (f"{words} {path} without a token" if words else "")


def test_a_route_that_is_tried_first_may_answer_the_path_of_a_later_one():
    said = faults(django_app(), public_paths=["/files/last"]).splitlines()

    assert said == [f"/files/{name} answers GET /files/last without a token" for name in ("<path:name>", "last")]


def flask_app_of_two_hosts():
    app = flask.Flask("tested", static_folder=None, host_matching=True)
    app.add_url_rule("/new", "new", fails, host="a.example.com")
    app.add_url_rule("/<name>", "one", fails, host="b.example.com")
    return app.wsgi_app


def pyramid_app_with_a_predicate():
    with Configurator() as config:
        config.add_route("new", "/new", request_param="a")
        config.add_route("one", "/{name}")
        return config.make_wsgi_app()


def mounts_of_two_hosts():
    app, urlmap = flask_app_of_two_hosts(), URLMap()
    urlmap["http://a.example.com/"] = urlmap["http://b.example.com/"] = app
    return urlmap


CONDITIONAL = {
    "a host": (flask_app_of_two_hosts, ["/<name>", "/new"]),
    "a predicate": (pyramid_app_with_a_predicate, ["/new", "/{name}"]),
    "the host of a mount": (mounts_of_two_hosts, ["/<name>", "/new"]),
}


@pytest.mark.parametrize(("make", "names"), CONDITIONAL.values(), ids=CONDITIONAL)
def test_a_route_for_some_requests_leaves_the_others_to_a_later_one(make, names):
    said = faults(make(), public_paths=["/new"]).splitlines()

    assert said == [f"{name} answers GET /new without a token" for name in names]


def test_a_route_of_bottle_for_any_method_leaves_its_path_to_one_for_the_method():
    app = bottle.Bottle()
    app.route("/new", "ANY", fails)
    app.route("/<name>", "POST", fails)

    said = faults(app, public_paths=["/new"]).splitlines()

    assert said == ["/<name> answers POST /new without a token", "/new answers GET /new without a token"]


def test_falcons_option_for_a_slash_at_the_end_is_read():
    app = falcon_app()
    app.req_options.strip_url_path_trailing_slash = True

    assert faults(app, public_paths=["/health/"]) == "/health answers GET /health/ without a token"
    assert faults(app, public_paths=["/v1/"]) == r"/v(\d)$ answers GET /v1/ without a token"


# Not walked


def test_traversal_is_not_walked():
    with Configurator() as config:
        config.add_view(fails, name="edit")
        app = config.make_wsgi_app()

    assert faults(app).startswith("/* (traversal) was not walked: these views have no route: function ")
    assert faults(app, "/* (traversal)") == ""


def test_without_introspection_pyramid_is_not_walked():
    app = Configurator(introspection=False).make_wsgi_app()

    assert faults(app) == "/* (Router) was not walked: its Configurator is made with introspection=False"


def test_a_mount_without_routes_is_not_walked():
    app = bottle.Bottle()
    app.mount("/legacy", echo)

    assert faults(app) == "/legacy/* (echo) was not walked: what it answers cannot be listed"
    assert faults(app, "/legacy/* (echo)") == ""


def test_a_router_that_falcon_cannot_inspect_is_not_walked():
    app = falcon.App(router=type("Router", (falcon.routing.DefaultRouter,), {})())

    assert faults(app) == "/* (its router) was not walked: falcon.inspect does not know it"


def test_an_expression_that_cannot_be_read_is_not_walked():
    app = falcon.App()
    app.add_sink(fails, "/(?!private)")

    assert faults(app) == "/(?!private) was not walked: its expression cannot be read at '(?!private)'"
    assert faults(app, "/(?!private)") == ""
