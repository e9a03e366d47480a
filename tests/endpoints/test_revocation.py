"""Revocation (RFC 7009)."""

from __future__ import annotations

import pytest

from helpers.support import SECRET, TESTER, HandClock, basic, bearer, echo, issue, middleware, one_store
from helpers.wsgi_client import CheckedApp, post_form
from oauth_mw import StoreUnavailable, admin
from oauth_mw.tokens.opaque import SWEEP_EVERY, storage_key

PATH = "/oauth/revoke"

pytestmark = one_store


@pytest.fixture
def alive(app):
    """Whether a token opens the app, and introspection agrees."""

    def ask(token, client_id="tester"):
        opens = app.get("/any", headers=bearer(token), expect_errors=True).status_int == 200
        answer = app.post("/oauth/introspect", {"token": token}, headers=basic(client_id, SECRET)).json
        assert answer["active"] is opens
        return opens

    return ask


@pytest.fixture
def at(store):
    """The middleware on a machine whose clock is ahead of the others by so many seconds."""

    def wrap(seconds):
        clock = HandClock()
        clock.move(seconds)
        return CheckedApp(middleware(echo, clock, store=store))

    return wrap


def revoke(app, token, headers=TESTER, **form):
    return app.post(PATH, {"token": token, **form}, headers=headers, expect_errors=True)


@pytest.mark.parametrize("used", [True, False], ids=["cached", "never used"])
def test_an_own_token_is_dead_at_once_everywhere_and_no_other(wrap, app, token, alive, used):
    others, beside = [issue(app), issue(app, scope="read")], wrap()
    if used:
        assert alive(token)
        beside.get("/any", headers=bearer(token), status=200)

    answer = revoke(app, token)

    assert (answer.status_int, answer.body, answer.headers["Cache-Control"]) == (200, b"", "no-store")  # T-03
    assert not alive(token)
    beside.get("/any", headers=bearer(token), status=401)
    assert [alive(each) for each in others] == [True, True]


def test_the_answer_for_an_unknown_or_dead_token_is_the_same(app, token, clock):
    answers = [revoke(app, each) for each in (token, token, token[::-1], "A" * 48, "x")]
    clock.move(3600)
    answers.append(revoke(app, token))

    assert {answer.status_int for answer in answers} == {200}
    assert len({(answer.status, str(answer.headers), answer.body) for answer in answers}) == 1


def test_a_revocation_that_the_store_has_not_kept_safely_is_repeated(app, store, token, monkeypatch):  # R-09, L-03
    def unkept(key, caller):
        raise StoreUnavailable("no replica has confirmed")

    revoke(app, token)
    monkeypatch.setattr(store, "revoke_token", unkept)

    assert revoke(app, token).status_int == 503


@pytest.mark.parametrize("years", [-57, -11, -1, 1, 57])
def test_a_machine_whose_clock_is_years_ahead_or_behind_revokes(app, at, token, alive, years):
    assert alive(token)

    revoke(at(years * 365 * 24 * 3600), token)

    assert not alive(token)


@pytest.mark.parametrize("behind", [0, 3599, 24 * 3600], ids="revoked {} s behind".format)
@pytest.mark.parametrize("ahead", [3700, 7200], ids="swept {} s ahead".format)
def test_a_token_is_revoked_although_a_machine_whose_clock_is_ahead_has_swept_it(
    app, at, store, token, alive, ahead, behind
):
    assert alive(token)
    sweeper = at(ahead)
    for _ in range(SWEEP_EVERY):
        issue(sweeper)
    assert store.find_token(storage_key(token)) is None

    revoke(at(ahead - behind), token)

    assert not alive(token)


@pytest.mark.parametrize("resource_server", [False, True], ids=["client", "resource server"])
def test_another_clients_token_is_never_revoked(app, store, token, alive, caplog, resource_server):
    admin.add_client(store, "two", client_id="two", secret=SECRET, resource_server=resource_server)
    caplog.set_level("WARNING", "oauth_mw")

    answer = revoke(app, token, basic("two", SECRET))

    assert (answer.status_int, answer.body) == (200, b"")
    assert alive(token)
    assert "two (two) tried to revoke a token of tester, which stays valid" in caplog.text


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "foo", "", "urn:x", "é", "x" * 5000])
def test_a_hint_changes_nothing(app, token, alive, hint):
    assert revoke(app, token, token_type_hint=hint).status_int == 200
    assert not alive(token)


REFUSED = {
    "twice": b"token={0}&token={0}",
    "twice, the second empty": b"token={0}&token=",
    "hint twice": b"token={0}&token_type_hint=a&token_type_hint=a",
    "two ways": b"token={0}&client_id=tester&client_secret=" + SECRET.encode(),
    "another id": b"token={0}&client_id=other",
    "assertion": b"token={0}&client_assertion=x&client_assertion_type=y",
    "broken": b"token={0}&x=%zz",
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_what_is_invalid_revokes_nothing(app, token, alive, body):
    form = body.replace(b"{0}", token.encode())
    answer = post_form(app.app, form, PATH, HTTP_AUTHORIZATION=TESTER["Authorization"])

    assert (answer.status, b"invalid_request" in answer.body) == (400, True)
    assert alive(token)


ODD = ["x" * 60_000, "tökén", "\N{KEY}", "   ", "a\nb", "' OR '1'='1", "%", "*", "eyJhbGciOiJub25lIn0.eyJqdGkiOiIxIn0."]


def test_odd_tokens_and_near_misses_revoke_nothing(app, token, alive):  # R-12, B-05
    near = [token[:-1], token + "=", token + " ", " " + token, token.swapcase(), token * 2, f"Bearer {token}", "_" * 48]

    assert {revoke(app, text).status_int for text in [*ODD, *near]} == {200}
    assert [revoke(app, text).status_int for text in ("a\0b", "x" * 100_000)] == [400, 413]
    assert alive(token)
