"""PEP 3333: the validators are content, and the app's answer passes untouched."""

from __future__ import annotations

import io
import re
import sys
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
import webtest.lint

from helpers.support import TESTER, echo, issue
from helpers.wsgi_client import PREFLIGHT, call, make_environ
from oauth_mw import StoreUnavailable, forbidden

STORE_KINDS = ["memory"]

CC = b"grant_type=client_credentials"
FORM = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
TEXT = [("Content-Type", "text/plain")]
MODES = {
    "usual": {},
    "delayed": {"delay_auth_decision": True},
    "all options": {"remote_user": True, "strip_authorization": True, "preflight": True, "public_paths": "/public"},
}


def requests(app):
    """One request of each kind, with its status."""
    client = {"HTTP_AUTHORIZATION": TESTER["Authorization"]}
    token = issue(app)
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    return {
        "issue": (make_environ("POST", "/oauth/token", CC, **FORM, **client), 200),
        "introspect": (make_environ("POST", "/oauth/introspect", f"token={token}".encode(), **FORM, **client), 200),
        "introspect nothing": (make_environ("POST", "/oauth/introspect", b"token=x", **FORM, **client), 200),
        "pass": (make_environ("GET", "/any", **bearer), 200),
        "pass by HEAD": (make_environ("HEAD", "/any", **bearer), 200),
        "pass a body": (make_environ("POST", "/any", b"a=b", **FORM, **bearer), 200),
        "invalid token": (make_environ("GET", "/ruled", HTTP_AUTHORIZATION="Bearer x"), 401),
        "no token": (make_environ("GET", "/ruled"), 401),
        "no token by HEAD": (make_environ("HEAD", "/ruled"), 401),
        "forbidden": (make_environ("GET", "/ruled", **bearer), 403),
        "ambiguous": (make_environ("GET", "/a//b", **bearer), 400),
        "wrong method": (make_environ("GET", "/oauth/token"), 405),
        "no client": (make_environ("POST", "/oauth/token", CC, **FORM), 401),
        "bad form": (make_environ("POST", "/oauth/token", b"x", **FORM), 400),
        "too large": (make_environ("POST", "/oauth/token", b"x" * 70_000, **FORM), 413),
        "revoke nothing": (make_environ("POST", "/oauth/revoke", b"token=x", **FORM, **client), 200),
        "revoke": (make_environ("POST", "/oauth/revoke", f"token={token}".encode(), **FORM, **client), 200),
    }


def well_behaved(environ, start_response):
    """An app that reads its body and answers by the book."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", TEXT)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else b"ok"]


VALIDATORS = {"wsgiref": validator, "WebTest": webtest.lint.middleware}


@pytest.mark.parametrize("options", MODES.values(), ids=MODES)
@pytest.mark.parametrize("lint", VALIDATORS.values(), ids=VALIDATORS)
def test_the_validators_are_content_outside_and_inside(wrap, client, lint, options):  # H-20, H-21
    app = wrap(lint(well_behaved), required_scopes=[("GET", "/ruled", "admin")], **options)
    wrapped, statuses = lint(app.app), {}
    sent = requests(app)
    for name, (environ, _) in sent.items():
        errors = environ["wsgi.errors"]
        statuses[name] = call(wrapped, environ).status
        assert errors.getvalue() == ""

    assert statuses == {name: status for name, (_, status) in sent.items()}


@pytest.mark.parametrize("lint", VALIDATORS.values(), ids=VALIDATORS)
def test_forbidden_passes_the_validators(lint):  # H-20
    assert call(lint(forbidden("a")), make_environ("GET", "/any")).status == 403


@pytest.mark.parametrize("path", ["/any", "/oauth/token"])
@pytest.mark.parametrize("lint", VALIDATORS.values(), ids=VALIDATORS)
def test_answers_to_preflights_pass_the_validators(wrap, lint, path):  # H-20
    app = lint(wrap(cors_origins="*").app)

    assert call(app, make_environ("OPTIONS", path, **PREFLIGHT)).status == 200


@pytest.fixture(params=MODES.values(), ids=MODES)
def through(wrap, client, request):
    """Send an authorized request through the middleware to ``app``, by hand, in each mode."""

    def send(app, start_response=lambda *args: None, **keys):
        wrapped = wrap(app, **request.param)
        keys["HTTP_AUTHORIZATION"] = f"Bearer {issue(wrapped)}"
        return wrapped.app(make_environ("GET", "/any", **keys), start_response)

    return send


class Streaming:
    """An app's iterable that counts what is done to it."""

    def __init__(self):
        self.given = self.closed = 0

    def __iter__(self):
        for self.given in (1, 2, 3):
            yield b"piece"

    def close(self):
        self.closed += 1


def answering(answer):
    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return answer

    return app


def test_the_iterable_of_the_app_is_returned_itself_and_closed_once(wrap, client, through):  # H-21
    stream = Streaming()
    for answer in (stream, [], (), iter(()), io.BytesIO(b"x"), [b"a", b"", b"b"]):
        assert through(answering(answer)) is answer
    assert (stream.given, stream.closed) == (0, 0)

    wrapped = wrap(answering(stream))
    answer = call(wrapped.app, make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {issue(wrapped)}"))
    assert (answer.body, stream.closed) == (b"piecepiecepiece", 1)


def test_the_app_may_start_late(through):  # H-21
    started = []

    def app(environ, start_response):
        yield b""
        start_response("200 OK", TEXT)
        yield b"late"

    pieces = through(app, lambda *args: started.append(args))

    assert started == []
    assert b"".join(pieces) == b"late"
    assert started == [("200 OK", TEXT)]


def test_write_and_file_wrapper_are_those_of_the_server(through):  # H-21
    written = []

    def app(environ, start_response):
        write = start_response("200 OK", TEXT)
        write(b"one")
        write(b"two")
        return environ["wsgi.file_wrapper"](io.BytesIO(b"file"), 2)

    answer = through(app, lambda *args: written.append, **{"wsgi.file_wrapper": FileWrapper})

    assert written == [b"one", b"two"]
    assert type(answer) is FileWrapper
    assert list(answer) == [b"fi", b"le"]


def test_exc_info_reaches_the_server(through):  # H-21
    calls = []

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        try:
            raise KeyError("halfway")
        except KeyError:
            start_response("500 Oh", TEXT, sys.exc_info())
        return []

    through(app, lambda *args: calls.append(args))

    assert [len(call) for call in calls] == [2, 3]
    assert calls[1][2][0] is KeyError


@pytest.mark.parametrize("error", [ValueError, SystemExit, GeneratorExit, StoreUnavailable])
def test_exceptions_of_the_app_pass(through, error):  # H-21
    def app(environ, start_response):
        raise error("the app's own")

    with pytest.raises(error, match="own"):
        through(app)


def test_start_response_is_wrapped_in_the_delayed_mode_alone(wrap, client):  # H-21
    def own(*args):
        """The server's."""

    for name, options in MODES.items():
        seen = []
        wrapped = wrap(lambda environ, start_response, seen=seen: seen.append(start_response) or [], **options)
        wrapped.app(make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {issue(wrapped)}"), own)
        assert (seen[0] is own) is (name != "delayed")


def test_our_status_lines_and_headers_are_native_and_few(wrap, client):  # H-21, T-23
    app = wrap(required_scopes=[("GET", "/ruled", "admin")])
    known = "content-type content-length cache-control pragma www-authenticate vary allow"
    for name, (environ, status) in requests(app).items():
        if name.startswith("pass"):
            continue
        calls = []
        body = app.app(environ, lambda *args, calls=calls: calls.append(args))
        ((line, headers),) = calls
        assert re.fullmatch(rf"{status} [A-Za-z ]+", line)
        assert all(type(text) is str for pair in headers for text in pair) and type(headers) is list
        assert {key.lower() for key, _ in headers} <= set(known.split())
        assert all(type(piece) is bytes for piece in body)


def test_the_middleware_may_be_wrapped_around_itself(wrap, client):  # H-21
    inner = wrap(token_path="/inner/token", revocation_path="off", introspection_path="off")
    outer = wrap(inner.app)

    assert call(outer.app, make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {issue(outer)}")).body == (
        b"MARKER tester read write"
    )


def test_the_middleware_has_a_short_repr(wrap):  # L-02
    assert re.fullmatch(r"<OAuthMiddleware for <function echo at 0x[0-9a-f]+>>", repr(wrap(echo).app))
