"""What real frameworks make of a path after the guard has checked it."""

from __future__ import annotations

from itertools import product

import falcon
import pytest

from helpers.frameworks import FRAMEWORKS, METHODS, Resource, cherrypy_app, mounted, traversal_app
from helpers.support import TESTER, issue, one_store
from helpers.wsgi_client import PREFLIGHT, call, make_environ, post_form

pytestmark = one_store

RULES = [("GET", "/reports/*", "read"), ("*", "/reports/*", "admin"), ("*", "/files/private/*", "admin")]
PUBLIC = ["/items/{id}", "/files/*"]
CLIENT = {"HTTP_AUTHORIZATION": TESTER["Authorization"]}

each_framework = pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=FRAMEWORKS)


@pytest.fixture
def app(wrap, client, framework):
    """The framework's app with rules and public paths."""
    return wrap(framework(), required_scopes=RULES, public_paths=PUBLIC)


def send(app, path, method="GET", **keys):
    return call(app, make_environ(method, path, **keys))


def viewed(answer):
    """The view that answered, if any did."""
    return answer.body.decode().split()[1] if answer.body.startswith(b"VIEW") else None


@each_framework
def test_a_public_path_is_open(app):  # P-04
    paths = ["/items/x", "/items/\xc3\xbc", "/items/\xef\xbf\xbd", "/files/a/b"]

    assert [viewed(send(app.app, path)) for path in paths] == ["item", "item", "item", "file"]


# Bytes that frameworks drop, replace or decode in some way of their own, in places where that opens something: a byte,
# a continuation, latin-1, cut, overlong, a surrogate, a pair of them, beyond Unicode.
BAD = ["\xff", "\x80", "\xe9", "\xe2\x82", "\xc0\xaf", "\xed\xa0\x80", "\xed\xa0\xbd\xed\xb8\x80", "\xf4\x90\x80\x80"]
PLACES = ["/reports{}", "/rep{}orts", "/{}reports", "/items/{}", "/items/a{}", "/files/priv{}ate/x"]
PLACES += ["/files/{}private/x"]
OPTIONS = {
    "rules": ({"required_scopes": RULES, "public_paths": PUBLIC}, 400),
    "all public": ({"public_paths": ["/*"]}, 401),
    "left to the app": ({"delay_auth_decision": True, "required_scopes": RULES}, 400),
}


@pytest.mark.parametrize("mount", ["", "/mnt"], ids=["", "mounted"])
@pytest.mark.parametrize(("options", "status"), OPTIONS.values(), ids=OPTIONS)
def test_bytes_that_are_not_utf8_reach_no_app(wrap, client, options, status, mount):  # P-06, P-07
    def unreached(environ, start_response):
        raise AssertionError(environ["PATH_INFO"])

    app = wrap(unreached, **options)
    outer = mounted(app.app, mount) if mount else app.app
    token = {"HTTP_AUTHORIZATION": f"Bearer {issue(app, scope='read')}"} if status == 400 else {}
    for bad, method, place, keys in product(BAD, METHODS, PLACES, ({}, token)):
        assert send(outer, mount + place.format(bad), method, **keys).status == status, (method, place)


@each_framework
def test_other_spellings_of_a_closed_view_need_its_scope(app):  # S-11
    token = {"HTTP_AUTHORIZATION": f"Bearer {issue(app, scope='read')}"}

    assert viewed(send(app.app, "/reports", **token)) == "reports"
    assert send(app.app, "/reports", "POST", **token).status == 403


ITEM = ("*", "/items/{name}", "admin")


@each_framework
def test_a_list_beside_its_items_keeps_its_own_rule(wrap, client, framework):
    """Also where its path could be that of an item with an empty name."""
    ruled = wrap(framework(), required_scopes=[ITEM, ("GET", "/items/", "read")])
    by_method = wrap(
        framework(), required_scopes=[("GET,POST", "/items", "read"), ("DELETE", "/items/{name}", "admin")]
    )
    public = wrap(framework(), required_scopes=[ITEM], public_paths=["/items/"])
    token = {"HTTP_AUTHORIZATION": f"Bearer {issue(ruled, scope='read')}"}

    assert (viewed(send(ruled.app, "/items/", **token)), send(ruled.app, "/items/5", **token).status) == ("all", 403)
    assert [viewed(send(by_method.app, "/items/", method, **token)) for method in ("GET", "POST")] == ["all", "all"]
    assert (viewed(send(public.app, "/items/")), send(public.app, "/items/5").status) == ("all", 401)


# Rules and public paths beside Falcon's route, and the path that it takes for one with an empty name.
EMPTY_NAMES = {
    "no other rule": ([ITEM], [], "/items/"),
    "a rule for the rest": ([ITEM, ("GET", "/*", "read")], [], "/items/"),
    "a rule for the list": ([("GET", "/items", "read"), ITEM], [], "/items/"),
    "a rule for all below": ([ITEM, ("GET", "/items/*", "read")], [], "/items/"),
    "a rule for one more segment": ([("*", "/{kind}", "read"), ("GET", "/{kind}/{name}", "admin")], [], "/items/"),
    "all below is public": ([ITEM], ["/items/*"], "/items/"),
    "the rule is for all below": ([("*", "/items/{name}/*", "admin")], ["/items/*"], "/items/"),
    "the rule ends in a slash": ([("*", "/items/{name}/", "admin")], [], "/items/"),
    "no rule for the method": ([("PUT", "/items/{name}", "read")], ["/items/*"], "/items/"),
    "the root": ([("*", "/{name}", "admin")], ["/*"], "/"),
}


@pytest.mark.parametrize(("rules", "public", "path"), EMPTY_NAMES.values(), ids=EMPTY_NAMES)
def test_falcons_empty_name_needs_what_any_other_needs(wrap, client, rules, public, path):  # P-09
    falcon_app = falcon.App()
    for route in ("/items/{name}", "/{name}"):
        falcon_app.add_route(route, Resource("item"))
    app = wrap(falcon_app, required_scopes=rules, public_paths=public, delay_auth_decision=True)
    token = {"HTTP_AUTHORIZATION": f"Bearer {issue(app, scope='read')}"}

    assert send(falcon_app, path).body == b"VIEW item ''"
    assert [send(app.app, path, **keys).status for keys in ({}, token)] == [401, 403]


TRAVERSAL_RULES = [("*", "/admin/*", "admin"), ("*", "/reports/*", "admin")]


@pytest.fixture
def traversed(wrap, client):
    """Make a guarded Pyramid app that finds its views by traversal."""
    return lambda **options: wrap(traversal_app(), **{"required_scopes": TRAVERSAL_RULES, **options})


def test_a_traversal_app_is_guarded_by_its_paths(traversed):
    app = traversed()
    token = {"HTTP_AUTHORIZATION": f"Bearer {issue(app, scope='read')}"}

    assert send(app.app, "/users", **token).body == b"VIEW users 'root'"
    assert [send(app.app, path, **token).status for path in ("/admin/users", "/reports", "/reports/x")] == [403] * 3


@pytest.mark.parametrize("options", [{}, {"public_paths": ["/users"]}, {"delay_auth_decision": True}], ids=str)
def test_a_header_that_moves_the_root_is_refused(traversed, options):  # P-08
    app = traversed(**options)
    token = {"HTTP_AUTHORIZATION": f"Bearer {issue(app, scope='read')}"}

    for root, keys in product(["/admin", "admin", "/admin/", "/", " ", "/x/../admin", "\xff"], ({}, token)):
        answer = send(app.app, "/users", HTTP_X_VHM_ROOT=root, **keys)
        assert (answer.status, b"X-Vhm-Root" in answer.body) == (400, True)


def test_a_header_that_moves_the_root_is_refused_without_rules(traversed):  # P-08
    app = traversed(required_scopes=[], public_paths=["/*"], preflight=True)
    assert send(app.app, "/users").status == 200
    assert send(app.app, "/users", HTTP_X_VHM_ROOT="/admin").status == 400
    assert send(app.app, "/users", "OPTIONS", HTTP_X_VHM_ROOT="/admin", **PREFLIGHT).status == 400


def test_an_empty_root_or_one_that_a_trusted_proxy_sets_passes(traversed):  # P-08
    app, trusting = traversed(public_paths=["/users"]), traversed(trust_vhm_root=True, public_paths=["/users"])

    assert send(app.app, "/users", HTTP_X_VHM_ROOT="").body == b"VIEW users 'root'"
    assert send(trusting.app, "/users", HTTP_X_VHM_ROOT="/admin").body == b"VIEW users 'admin'"
    assert post_form(app.app, b"grant_type=client_credentials", HTTP_X_VHM_ROOT="/admin", **CLIENT).status == 200


def test_a_segment_that_names_a_view_is_refused(traversed):  # P-09
    app = traversed(public_paths=["/{x}"])
    token = {"HTTP_AUTHORIZATION": f"Bearer {issue(app, scope='read')}"}

    for path in ("/@@reports", "/@@users", "/users/@@x", "/admin/@@users", "/@@", "/@@/x"):
        assert (send(app.app, path).status, send(app.app, path, **token).status) == (400, 400), path
    assert (send(app.app, "/@x").status, send(app.app, "/@x", **token).status) == (404, 404)
    ruleless = traversed(required_scopes=[], public_paths=["/{x}"])
    assert (send(ruleless.app, "/reports").status, send(ruleless.app, "/@@reports").status) == (200, 401)


IDENTITY = ["oauth_mw.client_id", "oauth_mw.scope", "oauth_mw.token", "oauth_mw.error", "REMOTE_USER", "AUTH_TYPE"]


@each_framework
@pytest.mark.parametrize("path", ["/reports", "/files/private/x"])
def test_a_view_that_a_preflight_reaches_sees_no_identity(wrap, framework, path):  # B-13
    seen, inner = [], framework()
    app = wrap(
        lambda environ, start_response: seen.append(dict(environ)) or inner(environ, start_response),
        required_scopes=RULES,
        preflight=True,
        remote_user=True,
    )
    answer = send(app.app, path, "OPTIONS", **PREFLIGHT, **dict.fromkeys(IDENTITY, "forged"))

    assert viewed(answer) in ("reports", "private")
    assert not {*IDENTITY} & seen[0].keys()


# What some framework, server or proxy somewhere takes for another path or method.
REWRITING = """
    Destination Forwarded Method-Override Path-Info Request-Method Request-Uri Script-Name X-Accel-Redirect
    X-Envoy-Original-Path X-Forwarded-Host X-Forwarded-Method X-Forwarded-Path X-Forwarded-Prefix X-Forwarded-Uri
    X-Http-Destination X-Http-Method X-Http-Method-Override X-Method X-Method-Override X-Original-Method
    X-Original-Uri X-Original-Url X-Path-Info X-Prefix X-Proxy-Prefix X-Real-Url X-Request-Uri X-Rewrite-Url
    X-Script-Name X-Script-Url X-Sendfile X-Sub-Path X-Traverse X-Vhm-Host
""".split()
ALL = {**FRAMEWORKS, "Pyramid by traversal": traversal_app, "CherryPy": cherrypy_app}


@pytest.mark.parametrize("framework", ALL.values(), ids=ALL)
def test_no_other_header_changes_path_or_method_after_us(wrap, framework):  # P-03, P-08
    app = wrap(framework(), public_paths=["/*"]).app
    path = {traversal_app: "/users", cherrypy_app: "/files"}.get(framework, "/items/x")
    keys = [f"HTTP_{name.upper().replace('-', '_')}" for name in REWRITING]

    plain = send(app, path).body
    others = {(key, value): send(app, path, **{key: value}).body for key in keys for value in ("/reports", "DELETE")}

    assert {place: body for place, body in others.items() if body != plain} == {}
    assert plain.startswith(b"VIEW")
