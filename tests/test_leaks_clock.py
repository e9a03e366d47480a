"""Clocks that leap do no harm."""

from __future__ import annotations

import pytest

from helpers.support import SECRET, basic, bearer, issue
from helpers.wsgi_client import call, make_environ, post_form
from oauth_mw import admin

CC = b"grant_type=client_credentials"
STORE_KINDS = ["memory"]


@pytest.mark.parametrize(
    "now", [2**31, 2**32 - 10, 2**32 + 5, 253_402_300_800, 1e15, 1e18, 2**63, 0, -5, -1e12], ids=str
)
def test_a_clock_that_is_far_off_does_no_harm(wrap, client, clock, now):  # L-05
    app, right = wrap(), clock.now
    token = issue(app)
    app.get("/any", headers=bearer(token), status=200)

    clock.now = float(now)
    header = basic("tester", SECRET)["Authorization"]
    assert call(app.app, make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {token}")).status in (200, 401)
    assert post_form(app.app, CC, HTTP_AUTHORIZATION=header).status in (200, 503)
    for path in ("/oauth/introspect", "/oauth/revoke"):
        assert post_form(app.app, b"token=" + token.encode(), path, HTTP_AUTHORIZATION=header).status == 200

    clock.now = right
    assert app.get("/any", headers=bearer(issue(app))).text == "MARKER tester read write"  # L-06


def test_a_leap_forward_ends_tokens_and_back_revives_none_that_was_revoked(wrap, client, clock):  # L-05
    app = wrap()
    token, other = issue(app), issue(app)
    clock.move(7200)
    app.get("/any", headers=bearer(token), status=401)
    later = issue(app)
    app.post("/oauth/revoke", {"token": later}, headers=basic("tester", SECRET))

    clock.move(-7200)
    app.get("/any", headers=bearer(later), status=401)
    app.post("/oauth/revoke", {"token": token}, headers=basic("tester", SECRET))
    app.get("/any", headers=bearer(token), status=401)
    app.get("/any", headers=bearer(other), status=200)


@pytest.mark.parametrize("leap", [-3600, -1, 3600, -86400])
def test_ending_all_tokens_holds_across_a_leap(wrap, store, client, clock, leap):  # L-05
    app = wrap()
    before = issue(app)
    admin.revoke_all_tokens(store, "tester")
    clock.move(leap)
    after = issue(app)

    app.get("/any", headers=bearer(before), status=401)
    app.get("/any", headers=bearer(after), status=200)
