"""``require_scope`` in every framework, before every kind of view."""

from __future__ import annotations

import logging
import re
from itertools import product

import pytest

from helpers.guarded_apps import APPS, METHODS, RAN
from helpers.support import issue
from helpers.wsgi_client import call, make_environ
from oauth_mw import ConfigError
from oauth_mw.contrib import flask

STORE_KINDS = ["memory"]

each_framework = pytest.mark.parametrize("framework", APPS)


@pytest.fixture
def view(wrap, client, framework):
    """Make the framework's app behind the middleware; all scopes of the client are enough for its views."""
    make, _ = APPS[framework]
    return lambda **options: wrap(make(), **options)


@pytest.fixture
def paths(framework):
    """Those of its views."""
    return APPS[framework][1]


def send(app, path, authorization=None, method="GET"):
    return call(app.app, make_environ(method, path, HTTP_AUTHORIZATION=authorization))


@each_framework
def test_a_view_runs_if_the_token_has_enough(view, paths):  # S-11
    app = view()
    bearer = f"Bearer {issue(app)}"

    answers = {(path, method): send(app, path, bearer, method) for path in paths for method in METHODS}

    assert [each for each, answer in answers.items() if (answer.status, answer.body) != (200, RAN.encode())] == []


# How a request passes the guard without a scope that is enough, and what it sends.
PASSED = {
    "a public path": ({"public_paths": ["/*"]}, None),
    "a delayed decision": ({"delay_auth_decision": True}, None),
    "a delayed decision about a bad token": ({"delay_auth_decision": True}, "Bearer unknown"),
    "a token": ({}, "Bearer {read}"),
}


each_way = pytest.mark.parametrize(("options", "value"), PASSED.values(), ids=PASSED)


@each_framework
@each_way
def test_a_view_refuses_exactly_as_the_guard_does(wrap, view, paths, options, value):  # S-11, H-16
    app, guard = view(realm="r", **options), wrap(realm="r", required_scopes=[("*", "/*", "read admin write")])
    authorization = value and value.format(read=issue(app, scope="read"))

    for path, method in product(paths, [*METHODS, "HEAD"]):
        by_view, by_guard = send(app, path, authorization, method), send(guard, path, authorization, method)
        headers = {name.lower(): text for name, text in by_view.headers.items()}
        assert (by_view.status, by_view.body) == (by_guard.status, by_guard.body), (path, method)
        assert headers | {name.lower(): text for name, text in by_guard.headers.items()} == headers, (path, method)


def with_a_body_of_the_house(environ, refusal):
    return "text/plain; charset=iso-8859-1", b"refus\xe9"  # not UTF-8


@each_framework
def test_a_view_refuses_with_the_body_and_headers_of_the_house(wrap, view, paths):
    house = {"on_refusal": with_a_body_of_the_house, "cors_origins": ["https://shop.example"]}
    app, guard = view(**house), wrap(required_scopes=[("*", "/*", "read admin write")], **house)
    bearer = f"Bearer {issue(app, scope='read')}"

    for path in paths:
        environ = make_environ("GET", path, HTTP_AUTHORIZATION=bearer, HTTP_ORIGIN="https://shop.example")
        by_view, by_guard = call(app.app, dict(environ)), call(guard.app, dict(environ))
        headers = {name.lower(): text for name, text in by_view.headers.items()}
        assert (by_view.status, by_view.body) == (by_guard.status, b"refus\xe9"), path
        assert headers | {name.lower(): text for name, text in by_guard.headers.items()} == headers, path


@each_framework
@each_way
def test_a_refusal_is_reported_once(view, paths, options, value, caplog):
    app = view(**options)
    authorization = value and value.format(read=issue(app, scope="read"))
    caplog.clear()
    caplog.set_level(logging.INFO, "oauth_mw")

    for path in paths:
        send(app, path, authorization)

    lines = [record.getMessage() for record in caplog.records if record.name == "oauth_mw"]
    reported = [re.findall(r"GET (\S+) .*(?:missing_token|invalid_token|insufficient_scope)", line) for line in lines]
    assert reported == [[path] for path in paths]


# The same for oauth_mw.denied, which names a client only if it is authenticated.
DENIED = ["missing_token", "missing_token", "invalid_token", "tester insufficient_scope"]


@each_framework
@pytest.mark.parametrize(("passed", "denied"), [*zip(PASSED.values(), DENIED, strict=True)], ids=PASSED)
def test_a_refusal_is_shown_to_what_wraps_the_middleware(view, paths, passed, denied):
    options, value = passed
    app = view(**options)
    authorization = value and value.format(read=issue(app, scope="read"))

    shown = [send(app, path, authorization).environ["oauth_mw.denied"] for path in paths]

    assert shown == [denied] * len(paths)


WRONG = {
    "no parentheses": (lambda: None,),
    "a list": (["a", "b"],),
    "any of none": (flask.any_of(),),
    "any of a list": (flask.any_of(["a", "b"]),),
    "two in one text": ("a b",),
    "an empty text": ("",),
    "a list in one text": ("a,b",),
    "a character that no scope has": ('a"b',),
}


@pytest.mark.parametrize("needs", WRONG.values(), ids=WRONG)
def test_what_is_no_scope_is_refused_at_the_start(needs):
    with pytest.raises(ConfigError, match="require_scope"):
        flask.require_scope(*needs)


def test_a_class_is_refused_at_the_start():
    with pytest.raises(ConfigError, match="Resource is a class: decorate its methods"):
        flask.require_scope("a")(type("Resource", (), {}))


def test_a_view_keeps_its_name():
    def reports():
        """Show reports."""

    guarded = flask.require_scope("a")(reports)

    assert (guarded.__name__, guarded.__doc__) == ("reports", "Show reports.")
