"""Revocation (RFC 7009)."""

from __future__ import annotations

import pytest

from helpers.support import SECRET, basic, bearer, echo, issue
from helpers.wsgi_client import CheckedApp, challenge_of, post_form
from oauth_mw import OAuthMiddleware, StoreUnavailable, admin, open_store

TESTER = basic("tester", SECRET)
PATH = "/oauth/revoke"


@pytest.fixture
def app(wrap, client):
    return wrap()


@pytest.fixture
def token(app):
    return issue(app)


@pytest.fixture
def alive(app):
    """Whether a token opens the app, and introspection agrees."""

    def ask(token, client_id="tester"):
        opens = app.get("/any", headers=bearer(token), expect_errors=True).status_int == 200
        answer = app.post("/oauth/introspect", {"token": token}, headers=basic(client_id, SECRET)).json
        assert answer["active"] is opens
        return opens

    return ask


def revoke(app, token, headers=TESTER, **form):
    return app.post(PATH, {"token": token, **form}, headers=headers, expect_errors=True)


@pytest.mark.parametrize("used", [True, False], ids=["cached", "never used"])
def test_an_own_token_is_dead_at_once(app, token, alive, used):
    assert not used or alive(token)

    answer = revoke(app, token)

    assert (answer.status_int, answer.body) == (200, b"")
    assert not alive(token)


def test_only_that_token_is_dead(app, token, alive):
    others = [issue(app), issue(app, scope="read")]

    revoke(app, token)

    assert [alive(each) for each in others] == [True, True]


def test_every_middleware_on_the_store_knows(wrap, app, token):
    other = wrap()
    other.get("/any", headers=bearer(token), status=200)

    revoke(app, token)

    other.get("/any", headers=bearer(token), status=401)


def test_a_token_that_is_dead_already_is_200(app, token, clock):
    answers = [revoke(app, token), revoke(app, token)]
    clock.move(3600)
    answers.append(revoke(app, token))

    assert [answer.status_int for answer in answers] == [200, 200, 200]


def test_an_end_that_the_store_has_not_kept_safely_is_asked_for_again(app, store, token, monkeypatch):  # R-09, L-03
    def unkept(key):
        raise StoreUnavailable("no replica has confirmed")

    revoke(app, token)
    monkeypatch.setattr(store, "revoke_token", unkept)

    assert revoke(app, token).status_int == 503


def test_an_expired_token_is_200(app, token, clock):
    clock.move(3600)

    assert revoke(app, token).status_int == 200


@pytest.mark.parametrize("ahead", [60, 3600, 24 * 3600])
def test_a_token_is_ended_although_this_machines_clock_is_ahead_of_the_others(app, token, clock, ahead):
    clock.move(3599 + ahead)
    revoke(app, token)
    clock.move(-ahead)

    assert app.get("/", headers=bearer(token), status="*").status_int == 401


def test_the_answer_does_not_tell_unknown_from_known(app, token):
    answers = [revoke(app, each) for each in (token, token, token[::-1], "A" * 48, "x")]

    assert len({(answer.status, str(answer.headers), answer.body) for answer in answers}) == 1


@pytest.mark.parametrize(
    "form", [{}, {"token": ""}, {"token_type_hint": "access_token"}], ids=["none", "empty", "hint"]
)
def test_without_a_token_the_request_is_invalid(app, form):
    answer = app.post(PATH, {"x": "y", **form}, headers=TESTER, status=400)

    assert answer.json["error"] == "invalid_request"


@pytest.mark.parametrize(
    "headers",
    [{}, basic("tester", "no" + SECRET), basic("nobody", SECRET), bearer("x")],
    ids=["none", "wrong secret", "unknown", "bearer"],
)
def test_without_authentication_the_token_stays_alive(app, token, alive, headers):
    answer = revoke(app, token, headers)

    assert (answer.status_int, answer.json["error"]) == (401, "invalid_client")
    assert challenge_of(answer).scheme == "Basic"
    assert alive(token)


def test_the_token_itself_does_not_authenticate(app, token, alive):
    assert revoke(app, token, bearer(token)).status_int == 401
    assert alive(token)


def test_another_clients_token_is_never_revoked(app, store, token, alive, caplog):
    admin.add_client(store, "two", client_id="two", secret=SECRET)
    caplog.set_level("WARNING", "oauth_mw")

    answer = revoke(app, token, basic("two", SECRET))

    assert (answer.status_int, answer.body) == (200, b"")
    assert alive(token)
    assert "ForeignRevocation(client_id='two'" in caplog.text and "owner='tester'" in caplog.text


def test_a_resource_server_revokes_no_token_of_others(app, store, token, alive):
    admin.add_client(store, "rs", client_id="rs", secret=SECRET, resource_server=True)
    revoke(app, token, basic("rs", SECRET))

    assert alive(token)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "foo", "", "urn:x", "é", "x" * 5000])
def test_a_hint_changes_nothing(app, token, alive, hint):
    assert revoke(app, token, token_type_hint=hint).status_int == 200
    assert not alive(token)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post_revokes(app, token, alive, method):
    answer = app.request(f"{PATH}?token={token}", method=method, headers=TESTER, status=405)

    assert answer.headers["Allow"] == "POST"
    assert alive(token)


REFUSED = {
    "twice": (b"token={0}&token={0}", {}),
    "twice, the second empty": (b"token={0}&token=", {}),
    "hint twice": (b"token={0}&token_type_hint=a&token_type_hint=a", {}),
    "only in the query": (b"x=y", {"QUERY_STRING": "token={0}"}),
    "JSON": (b'{{"token": "{0}"}}', {"CONTENT_TYPE": "application/json"}),
    "labelled as text": (b"token={0}", {"CONTENT_TYPE": "text/plain"}),
    "two ways": (b"token={0}&client_id=tester&client_secret=" + SECRET.encode(), {}),
    "another id": (b"token={0}&client_id=other", {}),
    "assertion": (b"token={0}&client_assertion=x&client_assertion_type=y", {}),
    "broken": (b"token={0}&x=%zz", {}),
    "short": (b"token={0}", {"CONTENT_LENGTH": "999"}),
}


@pytest.mark.parametrize(("body", "keys"), REFUSED.values(), ids=REFUSED)
def test_what_is_invalid_revokes_nothing(app, token, alive, body, keys):
    keys = {key: value.format(token) for key, value in keys.items()}
    form = body.decode().format(token).encode()
    answer = post_form(app.app, form, PATH, HTTP_AUTHORIZATION=TESTER["Authorization"], **keys)

    assert (answer.status, b"invalid_request" in answer.body) == (400, True)
    assert alive(token)


ODD = {
    "60 kB": "x" * 60_000,
    "100 kB": "x" * 100_000,
    "NUL": "a\0b",
    "umlaut": "tökén",
    "emoji": "\N{KEY}",
    "SQL": "' OR '1'='1",
    "LIKE": "%",
    "star": "*",
    "JWT": "eyJhbGciOiJub25lIn0.eyJqdGkiOiIxIn0.",
    "spaces": "   ",
    "line feed": "a\nb",
    "the end of time": "_" * 48,
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_tokens_revoke_nothing(app, token, alive, odd):
    assert revoke(app, odd).status_int in (200, 400, 413)
    assert alive(token)


def test_a_near_miss_revokes_nothing(app, token, alive):  # R-12, B-05
    for near in (token[:-1], token + "=", token + " ", " " + token, token.swapcase(), token * 2, f"Bearer {token}"):
        revoke(app, near)

    assert alive(token)


def test_the_answer_is_kept_by_nobody(app, token):  # T-03
    assert revoke(app, token).headers["Cache-Control"] == "no-store"


def test_revocation_can_be_off(wrap, client):
    app = wrap(revocation_path="off")

    assert challenge_of(app.post(PATH, {"token": "x"}, headers=TESTER, status=401)).scheme == "Bearer"


@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_a_revocation_outlives_the_process(wrap, store, app, token, clock):
    other = issue(app)
    revoke(app, token)
    store.close()

    later = open_store(store.url, clock=clock)
    again = CheckedApp(OAuthMiddleware(echo, store=later))
    again.get("/any", headers=bearer(token), status=401)
    again.get("/any", headers=bearer(other), status=200)
    later.close()
