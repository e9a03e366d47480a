"""``on_refusal``: the house's own bodies for refusals of the guard and of views."""

from __future__ import annotations

import enum
import json
import logging

import pytest

from helpers import house
from helpers.guarded_apps import APPS
from helpers.support import TESTER, echo, issue
from helpers.wsgi_client import call, make_environ, post_form
from oauth_mw import ConfigError, OAuthMiddleware, refusal

STORE_KINDS = ["memory"]

RULES = [("GET", "/reports", "admin"), ("POST", "/any", "any of admin root")]

REFUSED = {
    "no token": ("GET", "/reports", {}, 401, "missing_token", "admin"),
    "an invalid token": ("GET", "/other", {"HTTP_AUTHORIZATION": "Bearer unknown"}, 401, "invalid_token", ""),
    "too little scope": ("POST", "/any", {"HTTP_AUTHORIZATION": "Bearer {read}"}, 403, "insufficient_scope",
                         "any of admin root"),
    "no rule for the method": ("PUT", "/any", {"HTTP_AUTHORIZATION": "Bearer {read}"}, 403, "insufficient_scope", ""),
    "an ambiguous path": ("GET", "/x//y", {}, 400, "invalid_request", ""),
    "an outage": ("GET", "/reports", {"wsgi.multiprocess": True}, 503, "temporarily_unavailable", ""),
}  # fmt: skip


def request(app, method, path, keys):
    token = issue(app, scope="read")
    return call(app.app, make_environ(method, path, **{name: _filled(value, token) for name, value in keys.items()}))


def _filled(value, token):
    return value.format(read=token) if isinstance(value, str) else value


@pytest.mark.parametrize(("method", "path", "keys", "status", "error", "needed"), REFUSED.values(), ids=REFUSED)
def test_the_body_is_the_houses_and_all_else_is_ours(wrap, client, method, path, keys, status, error, needed):
    plain = request(wrap(required_scopes=RULES), method, path, keys)
    answer = request(wrap(required_scopes=RULES, on_refusal=house.body), method, path, keys)

    ours = json.loads(plain.body)
    description = ours.get("error_description") or ours["message"]
    expected = {"status": status, "error": error, "description": description, "needed": needed, "path": path}
    assert (answer.status, json.loads(answer.body)) == (plain.status, expected)
    replaced = {"Content-Type": "application/problem+json", "Content-Length": str(len(answer.body))}
    assert answer.headers == {**plain.headers, **replaced}


def test_an_answer_to_head_has_the_length_of_the_body_and_no_body(wrap):  # H-16
    get, head = (call(wrap(on_refusal=house.body).app, make_environ(method)) for method in ("GET", "HEAD"))

    assert (head.body, head.headers) == (b"", get.headers)


BYTES = b"n\xf6"  # not UTF-8


def in_latin_1(environ, refusal):
    return "text/plain; charset=ISO-8859-1", BYTES


def test_a_view_that_refuses_does_it_with_the_houses_body(wrap, client):
    def view(environ, start_response):
        return (refusal(environ, "admin") or echo)(environ, start_response)

    app = wrap(view, on_refusal=in_latin_1)

    assert request(app, "GET", "/any", {"HTTP_AUTHORIZATION": "Bearer {read}"})[::2] == (403, BYTES)


@pytest.mark.parametrize(("framework", "path"), [(name, paths[0]) for name, (_, paths) in APPS.items()])
def test_so_do_views_of_every_framework(wrap, client, framework, path):
    app = wrap(APPS[framework][0](), on_refusal=in_latin_1)

    answer = request(app, "GET", path, {"HTTP_AUTHORIZATION": "Bearer {read}"})

    assert (answer.status, answer.body) == (403, BYTES)
    assert {name.lower(): value for name, value in answer.headers.items()}["content-type"].endswith("ISO-8859-1")


def test_endpoints_keep_the_bodies_of_their_rfcs(wrap, client):
    app, plain = wrap(on_refusal=house.body).app, wrap().app
    requests = [(b"", TESTER, {}), (b"token=x", {}, {}), (b"token=x", TESTER, {"wsgi.multiprocess": True})]

    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        for body, headers, keys in requests:
            keys = {f"HTTP_{name.upper()}": value for name, value in headers.items()} | keys
            assert post_form(app, body, path, **keys)[:3] == post_form(plain, body, path, **keys)[:3]


class Kind(enum.StrEnum):
    TEXT = "text/plain"


def test_a_content_type_may_be_of_an_enumeration(wrap):
    answer = call(wrap(on_refusal=lambda *given: (Kind.TEXT, b"no")).app, make_environ("GET", "/any"))

    assert type(answer.headers["Content-Type"]) is str


def raising(environ, refusal):
    raise KeyError(environ["HTTP_AUTHORIZATION"])


def leaving(environ, refusal):
    raise SystemExit


WRONG = {
    "an exit": (leaving, "it raised SystemExit (test_on_refusal.py"),
    "an exception": (raising, "it raised KeyError (test_on_refusal.py, line {line})"),
    "a text": (lambda environ, refusal: "denied", "it returned str, not (content type, bytes)"),
    "three": (lambda environ, refusal: ("a/b", b"", 1), "it returned tuple, not (content type, bytes)"),
    "a body that is text": (lambda environ, refusal: ("a/b", "x"), "the body that it returned is str, not bytes"),
    "no content type": (lambda environ, refusal: (None, b""), "the content type that it returned is not one"),
    "a wrong content type": (lambda environ, refusal: ("json", b""), "the content type that it returned is not one"),
    "a header in it": (lambda environ, refusal: ("a/b;\r\nX: y", b""), "the content type that it returned is not one"),
}


@pytest.mark.parametrize(("hook", "says"), WRONG.values(), ids=WRONG)
def test_a_function_that_fails_leaves_our_own_body_and_a_warning_once_a_minute(wrap, caplog, hook, says):
    environ = make_environ("GET", "/any", HTTP_AUTHORIZATION="Bearer secret")
    app, plain = wrap(on_refusal=hook).app, wrap().app

    assert [call(app, dict(environ))[:3] for _ in range(2)] == [call(plain, dict(environ))[:3]] * 2
    (record,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    line = raising.__code__.co_firstlineno + 1
    assert f"on_refusal failed, and our own body was sent: {says.format(line=line)}" in record.getMessage()
    assert "secret" not in caplog.text


def test_a_function_may_leave_the_body_to_us(wrap, caplog):
    answer, plain = (call(wrap(on_refusal=hook).app, make_environ()) for hook in (lambda environ, refusal: None, None))

    assert answer[:3] == plain[:3] and not caplog.records


async def coroutine(environ, refusal): ...


FAULTS = {
    "no module": ("no_such_module:body", "no_such_module:body cannot be imported: ModuleNotFoundError"),
    "no name": ("helpers.house:nothing", "helpers.house:nothing cannot be imported: AttributeError"),
    "no function": ("helpers.house:__name__", "expected a function of (environ, refusal)"),
    "a coroutine function": (coroutine, "expected a function of (environ, refusal)"),
    "one argument": (lambda environ: None, "or None: too many positional arguments"),
    "three arguments": (lambda environ, refusal, more: None, "or None: missing a required argument"),
}


@pytest.mark.parametrize(("given", "says"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_called_stops_the_start_with_all_other_faults(given, says):
    with pytest.raises(ConfigError) as caught:
        OAuthMiddleware(echo, store="memory://", realm="", on_refusal=given)

    assert [name for name, _ in caught.value.faults] == ["realm", "on_refusal"]
    assert says in str(caught.value)
