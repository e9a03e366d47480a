"""``assert_closed`` names each route that answers without a token, and runs no view. Here with an app of Flask."""

from __future__ import annotations

import logging
import re

import flask
import pytest
from cherrypy import _cptree
from paste.urlmap import URLMap
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter, Rule

from helpers.support import echo
from oauth_mw import OAuthMiddleware
from oauth_mw.testing import assert_closed

ROUTES = {
    "/health": ["GET"],
    "/items/<int:number>": ["GET"],
    "/items/<name>": ["POST"],
    "/items/new": ["GET"],
    "/files/<path:file>": ["GET"],
    "/reports/<day>.csv": ["GET"],
    "/größe": ["GET"],
}
STATIC = "/static/<path:filename>"


def fails(**parameters):
    raise AssertionError("a view was run")


def faults(app, *public):
    """What ``assert_closed`` says."""
    try:
        assert_closed(app, public)
    except AssertionError as error:
        return str(error)
    return ""


@pytest.fixture
def wrap():
    """A Flask app with these routes, behind a middleware with options."""

    def wrap(routes=ROUTES, **options):
        app = flask.Flask("tested")
        app.url_map.converters["regex"] = type("Lines", (BaseConverter,), {"part_isolating": False, "regex": ".*"})
        for route, methods in routes.items():
            app.add_url_rule(route, route.replace(".", " "), fails, methods=methods)
        app.wsgi_app = OAuthMiddleware(app.wsgi_app, **{"store": "memory://", **options})
        return app

    return wrap


def test_without_public_paths_all_routes_are_closed(wrap):
    assert_closed(wrap())


OPEN = {
    "a path": ("/health", "/health answers GET /health without a token"),
    "a name that a parameter takes": ("/items/a", "/items/<name> answers OPTIONS /items/a without a token"),
    "a number that a parameter takes": ("/items/42", "/items/<int:number> answers GET /items/42 without a token"),
    "a name that is any": ("/items/{name}", "/items/new answers GET /items/new without a token"),
    "all below": ("/files/*", "/files/<path:file> answers GET /files/sample without a token"),
    "one below": ("/files/a/b", "/files/<path:file> answers GET /files/a/b without a token"),
    "far below": ("/files/a/b/c/d/*", "/files/<path:file> answers GET /files/a/b/c/d without a token"),
    "one below of any name": ("/files/{name}/b", "/files/<path:file> answers GET /files/sample/b without a token"),
    "a part of a segment": ("/reports/today.csv", "/reports/<day>.csv answers GET /reports/today.csv without a token"),
    "no ASCII": ("/größe", "/größe answers GET /größe without a token"),
    "Flask's own": ("/static/logo.png", f"{STATIC} answers GET /static/logo.png without a token"),
}


@pytest.mark.parametrize(("path", "words"), OPEN.values(), ids=OPEN)
def test_an_open_route_is_named_with_a_path(wrap, path, words):
    with pytest.raises(AssertionError) as caught:
        assert_closed(wrap(public_paths=[path]))

    assert words in str(caught.value).splitlines()


def test_an_open_literal_route_opens_no_parameter_beside_it(wrap):
    routes = {"/items/new": ["GET"], "/items/<name>": ["GET"], "/items/<int:number>": ["PUT"]}

    assert_closed(wrap(routes, public_paths=["/items/new"]), public=["/items/new"])


def test_the_refusals_are_not_logged(wrap, caplog):
    caplog.set_level("INFO", "oauth_mw")

    assert_closed(wrap())

    assert (caplog.records, logging.getLogger("oauth_mw").level) == ([], logging.INFO)


def test_routes_that_are_open_on_purpose_are_named(wrap):
    app = wrap(public_paths=["/health", "/files/*"])

    assert_closed(app, public=["/health", "/files/<path:file>"])


def test_one_name_needs_no_list(wrap):
    assert_closed(wrap(public_paths=["/health"]), public="/health")


def test_all_routes_below_a_path_are_named_at_once(wrap):
    routes = {path: ["GET"] for path in ("/admin", "/admin/users/<name>", "/admin/login", "/administer")}

    with pytest.raises(AssertionError) as caught:
        assert_closed(wrap(routes, public_paths=["/*"]), public=["/admin/*", STATIC])

    assert str(caught.value) == "/administer answers GET /administer without a token"


def test_no_name_stands_for_all_routes(wrap):
    assert "/health answers GET /health without a token" in faults(wrap(public_paths=["/health"]), "/*")


CLOSED = {"no route": "/helth", "a closed route": "/items/new", "closed routes below": "/items/*"}


@pytest.mark.parametrize("named", CLOSED.values(), ids=CLOSED)
def test_a_name_of_no_open_route_is_refused(wrap, named):
    with pytest.raises(AssertionError, match=f"^{re.escape(named)} is named, and is no route that is open$"):
        assert_closed(wrap(), public=[named])


@pytest.mark.parametrize("slash", ["", "/"], ids=["without", "with a slash"])
def test_a_path_that_a_lenient_route_also_serves_is_open(wrap, slash):
    app = wrap(public_paths=["/lenient" + "/".removesuffix(slash)])
    app.add_url_rule(f"/lenient{slash}", "lenient", fails, strict_slashes=False)

    with pytest.raises(AssertionError, match="^/lenient/? answers GET /lenient/? without a token$"):
        assert_closed(app)


def test_what_a_rule_closes_is_closed(wrap):
    rules = [("*", f"/{name}/*", name) for name in ("files", "items", "static")]

    assert_closed(wrap(public_paths=["/{name}/b"], required_scopes=rules))


def test_what_the_app_decides_is_open(wrap):
    with pytest.raises(AssertionError, match="/health answers GET /health without a token"):
        assert_closed(wrap(delay_auth_decision=True))


def test_parameters_of_several_segments_stand_anywhere(wrap):
    app = wrap(
        {"/<path:folder>/of/<path:file>": ["GET"], "/x-<regex:all>": ["GET"]}, public_paths=["/a/of/b", "/x-y/z"]
    )

    with pytest.raises(AssertionError) as caught:
        assert_closed(app)

    assert str(caught.value).splitlines() == [
        "/<path:folder>/of/<path:file> answers GET /a/of/b without a token",
        "/x-<regex:all> answers GET /x-y/z without a token",
    ]


def test_an_option_that_names_the_sample_changes_it(wrap):
    rules = [("*", "/files/sample", "files")]

    with pytest.raises(AssertionError, match="^/files/<path:file> answers GET /files/samplee without a token$"):
        assert_closed(wrap(required_scopes=rules, public_paths=["/files/{name}"]))


RULES = {
    "without methods": (Rule("/health", endpoint="x"), "/health answers GET /health without a token"),
    "of a host": (Rule("/health", endpoint="x", subdomain="<name>"), "/health answers GET /health without a token"),
    "for building alone": (Rule("/health", endpoint="x", build_only=True), ""),
    "of WebSockets": (Rule("/health", endpoint="x", websocket=True), "/health answers GET /health without a token"),
    "without the text of its converter": (Rule("/<any(a, b):x>", endpoint="x"), ""),
    "with the text of its converter": (
        Rule("/<any(health, sick):x>", endpoint="x"),
        "/<any(health, sick):x> answers GET /health without a token",
    ),
}


@pytest.mark.parametrize(("rule", "words"), RULES.values(), ids=RULES)
def test_a_rule_of_werkzeug_is_read(wrap, rule, words):
    app = wrap({}, public_paths=["/health"])
    app.url_map.add(rule.empty())

    assert faults(app) == words


def test_a_blueprint_within_another_is_walked(wrap):
    app = wrap({}, public_paths=["/acme/v1/reports"])
    outer, inner = flask.Blueprint("a", "a", url_prefix="/<tenant>"), flask.Blueprint("b", "b", url_prefix="/v1")
    inner.add_url_rule("/reports", "reports", fails, methods=["POST"])
    outer.register_blueprint(inner)
    app.register_blueprint(outer)

    assert faults(app) == "/<tenant>/v1/reports answers OPTIONS /acme/v1/reports without a token"


def test_what_stands_before_the_middleware_is_not_considered(wrap):
    app = wrap()
    app.wsgi_app = ProxyFix(app.wsgi_app)

    assert_closed(app)


# Mounts


def in_a_dispatcher(site):
    return DispatcherMiddleware(site, {"/v1": DispatcherMiddleware(site, {"/v2": site})})


def in_a_urlmap(site):
    urlmap = URLMap()
    urlmap["/"], urlmap["/v1"], urlmap["http://example.com/v1/v2"] = site, site, site
    return urlmap


@pytest.mark.parametrize("mount", [in_a_dispatcher, in_a_urlmap])
@pytest.mark.parametrize("prefix", ["", "/v1", "/v1/v2"])
def test_a_mounted_app_is_walked(wrap, mount, prefix):
    site = mount(wrap().wsgi_app.wrapped)
    app = OAuthMiddleware(site, store="memory://", public_paths=[f"{prefix}/health"])

    assert faults(app) == f"{prefix}/health answers GET {prefix}/health without a token"


def test_each_of_several_on_one_store_is_walked_behind_its_mount(wrap, store_url):
    site = URLMap()
    site["/v1"], site["/v2"] = wrap(store=store_url, public_paths=["/health"]), wrap(store=store_url)

    assert faults(site) == "/v1/health answers GET /v1/health without a token"


def test_a_longer_mount_is_tried_before_a_shorter_one(wrap):
    short, long = wrap({"/v2/health": ["GET"]}).wsgi_app.wrapped, wrap({"/<name>": ["GET"]}).wsgi_app.wrapped
    site = DispatcherMiddleware(short, {"/v1": short, "/v1/v2": long})
    app = OAuthMiddleware(site, store="memory://", public_paths=["/v1/v2/health"])

    assert "/v1/v2/<name> answers GET /v1/v2/health without a token" in faults(app).splitlines()


NOT_WALKED = {
    "an app": (lambda site: echo, "/* (echo)", ""),
    "a mounted app": (lambda site: DispatcherMiddleware(site, {"/v1": echo}), "/v1/* (echo)", ""),
    "a tree of objects": (lambda site: _cptree.Tree(), "/* (Tree)", ""),
    "what wraps the app": (ProxyFix, "/* (ProxyFix)", "/health answers GET /health without a token"),
    "what wraps an app in a mount": (
        lambda site: DispatcherMiddleware(site, {"/v1": ProxyFix(site)}),
        "/v1/* (ProxyFix)",
        "/health answers GET /health without a token\n/v1/health answers GET /v1/health without a token",
    ),
}


@pytest.mark.parametrize(("put", "name", "behind"), NOT_WALKED.values(), ids=NOT_WALKED)
def test_what_has_no_routes_must_be_named(wrap, put, name, behind):
    opened = {"public_paths": ["/health", "/v1/health"]} if behind else {}
    app = OAuthMiddleware(put(wrap().wsgi_app.wrapped), store="memory://", **opened)

    assert f"{name} was not walked: what it answers cannot be listed" in faults(app).splitlines()
    assert faults(app, name) == behind


def test_an_app_without_routes_is_not_taken_for_closed():
    app = OAuthMiddleware(flask.Flask("tested", static_folder=None), store="memory://")

    assert faults(app) == "/* was not walked: it has no routes"


def test_the_outer_one_of_two_middlewares_is_asked(wrap):
    inner = wrap(token_path="/inner/token").wsgi_app
    outer = OAuthMiddleware(inner, store="memory://", public_paths=["/health"])

    assert faults(outer, "/* (OAuthMiddleware)") == "/health answers GET /health without a token"
