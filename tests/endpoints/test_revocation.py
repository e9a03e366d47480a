"""Revocation (RFC 7009)."""

from __future__ import annotations

import pytest

from helpers.support import SECRET, TESTER, basic, bearer, echo, issue
from helpers.wsgi_client import CheckedApp, challenge_of, post_form
from oauth_mw import OAuthMiddleware, StoreUnavailable, admin, open_store

PATH = "/oauth/revoke"


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
def test_an_own_token_is_dead_at_once_and_no_other(app, token, alive, used):
    others = [issue(app), issue(app, scope="read")]
    assert not used or alive(token)

    answer = revoke(app, token)

    assert (answer.status_int, answer.body, answer.headers["Cache-Control"]) == (200, b"", "no-store")  # T-03
    assert not alive(token)
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


@pytest.mark.parametrize("who", ["nobody", "wrong secret", "unknown", "the token"])
def test_without_authentication_the_token_stays_alive(app, token, alive, who):
    wrong, unknown = basic("tester", "no" + SECRET), basic("nobody", SECRET)
    answer = revoke(app, token, {"nobody": {}, "wrong secret": wrong, "unknown": unknown}.get(who, bearer(token)))

    assert (answer.status_int, answer.json["error"]) == (401, "invalid_client")
    assert challenge_of(answer).scheme == "Basic"
    assert alive(token)


@pytest.mark.parametrize("resource_server", [False, True], ids=["client", "resource server"])
def test_another_clients_token_is_never_revoked(app, store, token, alive, caplog, resource_server):
    admin.add_client(store, "two", client_id="two", secret=SECRET, resource_server=resource_server)
    caplog.set_level("WARNING", "oauth_mw")

    answer = revoke(app, token, basic("two", SECRET))

    assert (answer.status_int, answer.body) == (200, b"")
    assert alive(token)
    assert "ForeignRevocation(client_id='two'" in caplog.text and "owner='tester'" in caplog.text


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "foo", "", "urn:x", "é", "x" * 5000])
def test_a_hint_changes_nothing(app, token, alive, hint):
    assert revoke(app, token, token_type_hint=hint).status_int == 200
    assert not alive(token)


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
    "long": ["x" * 60_000, "x" * 100_000],
    "odd characters": ["a\0b", "tökén", "\N{KEY}", "   ", "a\nb"],
    "queries": ["' OR '1'='1", "%", "*"],
    "a JWT": ["eyJhbGciOiJub25lIn0.eyJqdGkiOiIxIn0."],
    "the end of time": ["_" * 48],
}


@pytest.mark.parametrize("texts", ODD.values(), ids=ODD)
def test_odd_tokens_revoke_nothing(app, token, alive, texts):
    assert {revoke(app, text).status_int for text in texts} <= {200, 400, 413}
    assert alive(token)


def test_a_near_miss_revokes_nothing(app, token, alive):  # R-12, B-05
    for near in (token[:-1], token + "=", token + " ", " " + token, token.swapcase(), token * 2, f"Bearer {token}"):
        revoke(app, near)

    assert alive(token)


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
