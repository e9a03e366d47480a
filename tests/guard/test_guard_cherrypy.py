"""``ambiguous_paths = refuse cherrypy``: CherryPy's dispatcher finds one view under many paths."""

from __future__ import annotations

import string
from itertools import product

import pytest

from helpers.frameworks import cherrypy, cherrypy_app, shown
from helpers.support import issue
from helpers.wsgi_client import PREFLIGHT, call, make_environ, wire
from oauth_mw.cherrypy import CherryPyRules
from oauth_mw.errors import ConfigError
from oauth_mw.rules import AMBIGUOUS, parse_pattern, parse_rule

STORE_KINDS = ["memory"]

RULES = [("*", "/my_reports/*", "admin"), ("*", "/my_admin/*", "admin"), ("GET", "/files/v1.0/*", "read")]


@pytest.fixture
def make(wrap, client):
    """A guarded CherryPy app, and what sends a request with a token of the scope ``read`` to it."""

    def make(**options):
        app = wrap(cherrypy_app(), **{"ambiguous_paths": "refuse cherrypy", "required_scopes": RULES, **options})
        token = issue(app, scope="read")

        def get(path, authorization=f"Bearer {token}", method="GET", **keys):
            return call(app.app, make_environ(method, path, HTTP_AUTHORIZATION=authorization, **keys))

        return get

    return make


SPELLINGS = [f"/my{mark}reports" for mark in string.punctuation if mark not in "/\\;_"]
DETOURS = {
    "punctuation below": "/my-admin/secret",
    "with a slash": "/my-reports/",
    "arguments": "/my.reports/a/b",
    "any method's object": "/files/__self__/my_admin/secret",
    "the constructor's object": "/__init__/__self__/my_reports",
    "the class": "/__class__/my_admin/secret",
    "both spelled in another way": "/files/-.self~~/my_admin/secret",
    "index of the root": "/index",
    "index below": "/my_admin/index",
    "default": "/my_admin/default",
    "default with arguments": "/my_admin/default/x",
    "index with arguments": "/index/x",
}
SEEN_ALIKE = [*SPELLINGS, *(path for path in DETOURS.values() if path != "/index/x")]


def test_cherrypy_finds_a_view_under_another_path_as_well(make):
    """Were it otherwise, the option would be for nothing."""
    get = make(required_scopes=[], ambiguous_paths="pass")

    assert [path for path in SEEN_ALIKE if not get(path).body.startswith(b"VIEW")] == []


def test_what_cherrypy_reads_as_another_path_is_refused(make):  # P-09
    get = make()

    assert [path for path in [*SPELLINGS, *DETOURS.values()] if get(path).status != 400] == []


@pytest.mark.parametrize(("rules", "status"), [(RULES, 400), ([], 401)], ids=["with rules", "without"])
def test_what_cherrypy_reads_as_another_path_is_never_public(make, rules, status):  # P-09
    get = make(required_scopes=rules, public_paths=["/files/*"])

    for path in ("/files/__self__/my_admin/secret", "/files/--self--/my_reports"):
        assert (get(path, None).status, get("/files/x", None).status) == (status, 200)
    assert get("/files/v1-0", None).status == (400 if rules else 200)


@pytest.mark.parametrize("path", ["/my_reports", "/my_reports/", "/my_reports/a.b-c", "/my_admin/secret"])
def test_the_spelling_of_a_rule_is_the_one_that_works(make, path):
    assert (make()(path).status, make(required_scopes=[("*", "/*", "read")])(path).status) == (403, 200)


def test_punctuation_that_changes_no_decision_is_let_through(make):
    get = make()

    for path in ("/", "/files", "/files/report-2027.pdf", "/files/v1.0/x", "/files/index.html", "/f_"):
        assert get(path).status in (200, 404), path


@pytest.mark.parametrize("mount", ["/my_admin", "/my_reports", "/my_admin/"])
def test_the_mount_is_not_put_before_the_path_again(make, mount):  # P-06
    get = make()

    assert get("/secret", SCRIPT_NAME=mount).status == 404
    assert get("/my_admin/secret", SCRIPT_NAME=mount).status == 403


MISMEASURED = {
    "doubled slashes": "/a////////////b",
    "doubled at the beginning": "//////////////b",
    "UTF-8": "/" + wire("é" * 14),
    "UTF-8 below a folder": "/a/" + wire("é" * 14),
    "not UTF-8": "/\xff",
    "doubled before a slash at the end": "/a////////////b/",
    "doubled before ..": "/a////////////..",
    "without a first slash": "a/////////////b",
}


@pytest.mark.parametrize("mount", MISMEASURED.values(), ids=MISMEASURED)
@pytest.mark.parametrize("delay", [False, True], ids=["", "delayed"])
def test_a_mount_that_cherrypy_measures_otherwise_is_refused(make, mount, delay):  # P-06, P-09
    get = make(public_paths=["/files/*"], delay_auth_decision=delay)

    for path in ("/files/x/my_reports", "/my_reports", "", "files/x", "/other"):
        assert (get(path, None, SCRIPT_NAME=mount).status, get(path, SCRIPT_NAME=mount).status) == (400, 400)


def test_under_such_a_mount_nothing_is_public_without_rules_either(make):  # P-06, P-09
    get, mount = make(required_scopes=[], public_paths=["/files/*"]), "/a////b"

    assert get("/files/x", None, SCRIPT_NAME=mount).status == 401
    assert get("/files/x", SCRIPT_NAME=mount).status == 404  # CherryPy's own
    assert get("/files/x", None, SCRIPT_NAME="/a").body == b"VIEW file 'x'"


@pytest.mark.parametrize("options", [{"cors_origins": "https://a.example"}, {"preflight": True}], ids=str)
def test_under_such_a_mount_no_preflight_reaches_the_app(make, options):  # P-06, P-09
    get = make(required_scopes=[], public_paths=["/files/*"], **options)

    answers = [get("/files/x", None, "OPTIONS", SCRIPT_NAME=mount, **PREFLIGHT) for mount in ("/a", "/a////b")]
    assert [(each.status, each.body[:4]) for each in answers] == [(200, b"VIEW"), (400, b'{"er')]


def test_the_decision_about_another_mount_is_not_remembered(make):  # P-06, P-09
    get, mounts = make(public_paths=["/files/*"]), ["/a", "/a//b", "/a", "/a//b", ""]

    assert [get("/files/x", None, SCRIPT_NAME=mount).status for mount in mounts] == [200, 400, 200, 400, 200]


SEGMENTS = ["", "a", "..", ".", "%2f", wire("é"), "\xff", "index", "my_admin", "a;b", "@@x"]


def test_no_mount_opens_what_a_rule_protects(make):  # P-06, P-09
    """Whatever is let through, CherryPy reads as the path that was checked."""
    get = make(public_paths=["/files/*"])
    for first, second, third in product(SEGMENTS, SEGMENTS, ["", "/", "x//"]):
        answer = get("/files/x/my_reports", None, SCRIPT_NAME=f"/{first}/{second}{third}")
        assert answer.status == 400 or answer.body == b"VIEW file 'x/my_reports'"


def test_a_rule_may_have_the_other_spelling(make):
    get = make(required_scopes=[("GET", "/my-reports", "read")])

    assert (get("/my-reports").body, get("/my_reports").status) == (b"VIEW reports ''", 400)


class Shop:
    """Its handler has a path by ``_cp_dispatch``, one by its attribute, and one by an alias."""

    def _cp_dispatch(self, vpath):
        return self.handler_a if vpath.pop(0) == "a" else None

    @cherrypy.expose(["summary"])
    def handler_a(self, *names):
        return shown("handler")


def test_further_paths_of_a_handler_are_closed_by_a_rule_for_the_rest(wrap, client):  # P-09
    root = type("Root", (), {"shop": Shop()})()
    inner = cherrypy.Application(root, script_name=None)
    inner.log.screen = False
    app = wrap(inner, ambiguous_paths="refuse cherrypy", required_scopes=[("*", "/shop/a/*", "admin"), "* /* admin"])
    token, paths = {"HTTP_AUTHORIZATION": f"Bearer {issue(app, scope='read')}"}, ["/a", "/handler_a", "/summary"]

    assert [call(inner, make_environ("GET", f"/shop{path}")).body for path in paths] == [b"VIEW handler ''"] * 3
    assert [call(app.app, make_environ("GET", f"/shop{path}", **token)).status for path in paths] == [403] * 3


# The rules themselves


def rules(*lines, public=()):
    patterns = [parse_pattern(path, "public_paths") for path in public]
    return CherryPyRules([parse_rule(line) for line in lines], patterns, {})


@pytest.mark.parametrize("method", ["post", "POST"])
def test_the_case_of_a_method_counts_as_always(method):
    made = rules("GET,POST /a-b admin", "* /a-b/* -")

    assert made.decide(method, "/a-b") == made.decide(method, "/a-b/")
    assert made.decide(method, "/a_b") is AMBIGUOUS


def test_paths_that_cherrypy_cannot_tell_apart_are_refused():
    with pytest.raises(ConfigError, match=r"required_scopes: 'GET /a_b y' can never match.*: 'GET /a-b x'"):
        rules("GET /a-b x", "GET /a_b y")
    with pytest.raises(ConfigError, match="public_paths: '/a.b' can never match"):
        rules("GET /a-b x", public=["/a.b"])


def test_public_paths_may_have_several_spellings():
    made = rules("GET /x y", public=["/a-b", "/a_b"])

    assert made.decide("GET", "/a-b") == made.decide("GET", "/a_b") != made.decide("GET", "/a.b")


@pytest.mark.parametrize("path", ["/index", "/x/default", "/__x", "/x/-.y/*", "/{name}/index/*"])
def test_a_path_that_no_request_could_match_is_refused(path):
    for option, parts in ("required_scopes", ([f"GET {path} x"], [])), ("public_paths", (["GET /y x"], [path])):
        with pytest.raises(ConfigError, match="refuses all paths with a segment") as caught:
            rules(*parts[0], public=parts[1])
        assert caught.value.option == option
