"""What the app sees of a request that passed, and what its views use: ``current_token``, ``forbidden``."""

from __future__ import annotations

import json
from itertools import product

import pytest
from webob import Request

from helpers.support import SECRET, basic, bearer, echo, issue
from helpers.wsgi_client import PREFLIGHT, Untouched, call, challenge_of, make_environ, post_form, showing
from oauth_mw import AccessToken, ConfigError, OAuthMiddleware, admin, current_token, forbidden

STORE_KINDS = ["memory"]

KEYS = ("oauth_mw.client_id", "oauth_mw.scope", "oauth_mw.token", "oauth_mw.error", "oauth_mw.denied")
FORGED = dict.fromkeys(KEYS, "forged")


# An app that answers with all text of its environ.
show = showing(lambda environ: {key: value for key, value in environ.items() if isinstance(value, str)})


def seen(app, method="GET", path="/any", body=b"", **keys):
    return json.loads(call(app.app, make_environ(method, path, body, **keys)).body)


@pytest.fixture
def app(wrap, client):
    return wrap(show, public_paths=["/public"])


@pytest.fixture
def token(app):
    """A token that may only read."""
    return issue(app, scope="read")


def test_the_app_sees_the_client_and_its_scope_and_nothing_else_is_written(app, token):  # B-17
    sent = make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {token}")
    environ = seen(app, HTTP_AUTHORIZATION=f"Bearer {token}")

    assert (environ["oauth_mw.client_id"], environ["oauth_mw.scope"]) == ("tester", "read")
    assert environ.keys() - sent.keys() == {"oauth_mw.client_id", "oauth_mw.scope"}


SPOOFS = """
    HTTP_CLIENT_ID HTTP_OAUTH_MW_CLIENT_ID HTTP_OAUTH_MW.CLIENT_ID HTTP_OAUTH-MW.CLIENT-ID HTTP_OAUTH_MW.TOKEN
    HTTP_REMOTE_USER HTTP_X_CLIENT_ID HTTP_OAUTH_MW.SCOPE
""".split()


def test_identity_cannot_be_forged(wrap, token):  # B-18
    app = wrap()
    for key in [*KEYS, *SPOOFS]:
        answer = call(app.app, make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {token}", **{key: "forged"}))
        assert answer.body == b"MARKER tester read", key


REQUESTS = {"public": ("GET", "/public", {}), "guarded": ("GET", "/any", {})}
REQUESTS["preflight"] = ("OPTIONS", "/any", PREFLIGHT)


@pytest.mark.parametrize("name", REQUESTS)
def test_forged_keys_are_removed_from_every_request(wrap, client, token, name):  # B-18
    method, path, keys = REQUESTS[name]
    if name != "preflight":
        keys = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    environ = make_environ(method, path, REMOTE_USER="forged", **FORGED, **keys)
    call(wrap(show, preflight=True, remote_user=True, public_paths=["/public"]).app, environ)

    assert "forged" not in {str(environ.get(key)) for key in [*KEYS, "REMOTE_USER"]}
    assert ("oauth_mw.token" in environ) is (name == "guarded")


# Path, Authorization value, and what the access log then shows.
DENIED = {
    "no token": ("/any", None, "missing_token"),
    "unknown token": ("/any", "Bearer x", "invalid_token"),
    "ambiguous path": ("/a//b", None, "invalid_request"),
    "little scope": ("/ruled", "Bearer {}", "tester insufficient_scope"),
}


@pytest.mark.parametrize(("path", "value", "denied"), DENIED.values(), ids=DENIED)
def test_a_refused_request_is_marked_for_access_logs(wrap, token, path, value, denied):
    app = wrap(required_scopes=[("*", "/ruled", "write")]).app
    keys = {"HTTP_AUTHORIZATION": value and value.format(token), "oauth_mw.denied": "forged"}

    assert call(app, make_environ("GET", path, **keys)).environ["oauth_mw.denied"] == denied


FORMS = {
    "accepted": (SECRET, b"", None),
    "wrong secret": ("no" + SECRET, b"", "invalid_client"),
    "other scope": (SECRET, b"&scope=other", "tester invalid_scope"),
}


@pytest.mark.parametrize(("secret", "more", "denied"), FORMS.values(), ids=FORMS)
def test_a_refused_form_is_marked_and_names_a_client_that_is_authenticated(wrap, client, secret, more, denied):
    keys = {"HTTP_AUTHORIZATION": basic("tester", secret)["Authorization"], "oauth_mw.denied": "forged"}
    answer = post_form(wrap().app, b"grant_type=client_credentials" + more, **keys)

    assert answer.environ.get("oauth_mw.denied") == denied


def test_a_nested_guard_removes_what_the_outer_one_set(wrap, store, client, token):  # B-18
    inner = OAuthMiddleware(show, store=store, public_paths=["/any"], token_path="/inner")
    answer = call(wrap(inner).app, make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {token}"))

    assert not set(KEYS) & json.loads(answer.body).keys()


def test_remote_user_is_set_by_choice_and_by_the_guard_alone(wrap, token):  # B-18
    keys = {"HTTP_AUTHORIZATION": f"Bearer {token}", "REMOTE_USER": "root", "AUTH_TYPE": "Kerberos"}
    environs = [
        seen(wrap(show, remote_user=remote_user, public_paths=["/public"]), path=path, **keys)
        for remote_user, path in product((True, False), ("/any", "/public"))
    ]

    found = [(environ.get("REMOTE_USER"), environ.get("AUTH_TYPE")) for environ in environs]
    assert found == [("tester", "Bearer"), (None, None), ("root", "Kerberos"), ("root", "Kerberos")]


@pytest.mark.parametrize("strip", [True, False])
def test_the_authorization_header_is_hidden_by_choice(wrap, client, token, strip):
    app = wrap(show, strip_authorization=strip, public_paths=["/public"])
    keys = {"HTTP_AUTHORIZATION": f"Bearer {token}"}

    assert ("HTTP_AUTHORIZATION" in seen(app, **keys)) is not strip
    assert "HTTP_AUTHORIZATION" in seen(app, path="/public", **keys)


def test_the_body_of_an_accepted_request_is_not_read(app, token):  # B-19, H-22
    keys = {"HTTP_AUTHORIZATION": f"Bearer {token}", "wsgi.input": Untouched(), "CONTENT_LENGTH": "5"}

    assert seen(app, "POST", CONTENT_TYPE="application/x-www-form-urlencoded", **keys)["CONTENT_LENGTH"] == "5"


def test_the_request_reaches_the_app_unchanged(wrap, client, token):  # B-19
    body = b"a=1&access_token=x&\xff\0" * 1000
    keys = {
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "QUERY_STRING": "a=%zz&b=\xff&access_token=x",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "HTTP_X_ODD": "\xe9\t ",
        "SCRIPT_NAME": "/mnt",
        "HTTP_CONTENT_LENGTH": "3",
    }
    sent = make_environ("PATCH", "/caf\xc3\xa9/\xff", body, **keys)
    before, read = dict(sent), []

    def app(environ, start_response):
        read.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        return echo(environ, start_response)

    assert call(wrap(app).app, sent).status == 200
    assert read == [body]
    assert {key: sent[key] for key in before} == before


@pytest.mark.parametrize("authorization", [None, "Bearer bad", "Basic x", "Bearer {read}"])
def test_a_refusal_has_nothing_of_the_app_and_does_not_call_it(wrap, client, authorization):  # B-23
    called = []
    app = wrap(lambda *args: called.append(args), required_scopes=[("*", "/any", "write")])
    value = authorization and authorization.format(read=issue(app, scope="read"))
    answer = call(app.app, make_environ("GET", "/any", HTTP_AUTHORIZATION=value))

    assert (answer.status in (401, 403), called) == (True, [])


def test_a_token_of_a_client_with_an_odd_id_names_it(wrap, store):  # B-17
    admin.add_client(store, "odd", scope="a", client_id="a:b c%", secret=SECRET)
    app = wrap()

    assert app.get("/any", headers=bearer(issue(app, "a:b c%"))).text == "MARKER a:b c% a"


def test_the_current_token_is_that_of_the_request(wrap, client, clock):  # B-17
    found = []

    def app(environ, start_response):
        found.append(current_token(environ))
        return echo(environ, start_response)

    wrapped = wrap(app, public_paths=["/public"])
    wrapped.get("/any", headers=bearer(issue(wrapped, scope="read")))
    wrapped.get("/public", headers=bearer(issue(wrapped)))

    token, none = found
    assert none is None
    assert isinstance(token, AccessToken)
    assert (token.client_id, token.scope, token.scopes) == ("tester", "read", {"read"})
    assert (token.issued_at, token.expires_at) == (int(clock()), int(clock()) + 3600)
    assert (token.audience, dict(token.attributes), token.confirmation) == ((), {}, None)


def test_has_scope_needs_all_and_the_token_cannot_be_changed():  # B-20, S-11
    token = AccessToken("c", "a b", frozenset(["a", "b"]), "00", 0, 1)

    assert token.has_scope() and token.has_scope("a") and token.has_scope("a", "b")
    assert not token.has_scope("a", "c") and not token.has_scope("a b")
    with pytest.raises(AttributeError):
        token.client_id = "other"


def test_the_token_object_is_shared_by_requests_and_its_id_opens_nothing(app, token):  # B-05, B-17
    first, second = (make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {token}") for _ in range(2))
    for environ in (first, second, first):
        call(app.app, environ)

    assert current_token(first) is current_token(second)
    app.get("/any", headers=bearer(current_token(first).token_id), status=401)


@pytest.mark.parametrize("scopes", [("write",), ("write", "admin"), ("write admin",), ()])
def test_forbidden_answers_as_the_guard_does(wrap, client, scopes):  # S-11
    ruled = wrap(realm="the vault", required_scopes=[("*", "/*", " ".join(scopes) or "never")])
    app = wrap(lambda *args: forbidden(*scopes)(*args), realm="the vault")
    headers = bearer(issue(app, scope="read"))

    view, guard = app.get("/any", headers=headers, status=403), ruled.get("/any", headers=headers, status=403)

    assert view.body == guard.body
    if scopes:
        assert view.headerlist == guard.headerlist
    else:
        assert "scope" not in challenge_of(view).parameters


def test_forbidden_is_a_response_for_frameworks_without_a_body_for_head():  # H-16, S-11
    answer = Request.blank("/").get_response(forbidden("a"))
    head = Request.blank("/", method="HEAD").get_response(forbidden("a"))

    assert (answer.status_int, challenge_of(answer).parameters["scope"]) == (403, "a")
    assert (head.status_int, head.body) == (403, b"")


@pytest.mark.parametrize("scope", ['a"b', "a\\b", "a\r\nb", "ä", "a\tb"])
def test_a_scope_that_could_not_be_sent_is_refused(scope):  # H-15, S-06
    with pytest.raises(ConfigError, match="forbidden"):
        forbidden(scope)
