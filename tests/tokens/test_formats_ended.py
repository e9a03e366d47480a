"""JWTs that end early."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from helpers.builders import events_of, log_of
from helpers.changes import remove_key
from helpers.jwts import JWT, introspected, opens, signed_elsewhere
from helpers.support import SECRET, TESTER, basic, bearer, issue
from oauth_mw import admin
from oauth_mw.keys.keypair import make
from oauth_mw.model import LOG_KEEP_SECONDS
from oauth_mw.tokens.jws import header_of, sign


@pytest.fixture
def app(wrap, client):
    return wrap(**JWT)


@pytest.fixture
def token(app):
    return issue(app)


def revoke(app, token, headers=TESTER):
    return app.post("/oauth/revoke", {"token": token}, headers=headers)


def load_denylist(store):
    return len(events_of(store))


@pytest.mark.parametrize("used", [True, False], ids=["cached", "never used"])
def test_one_that_was_revoked_is_dead_at_once(app, token, used):
    assert not used or opens(app, token)

    assert revoke(app, token).status_int == 200
    assert not opens(app, token)
    assert introspected(app, token) == {"active": False}


def test_only_that_one_is_dead(app, token):
    other = issue(app)

    revoke(app, token)

    assert opens(app, other)


def test_every_middleware_on_the_store_knows(wrap, app, token):
    other = wrap(**JWT)
    assert opens(other, token)

    revoke(app, token)

    assert not opens(other, token)


def test_a_middleware_that_starts_afterwards_knows(wrap, app, token):
    revoke(app, token)

    assert not opens(wrap(**JWT), token)


def test_it_reaches_the_log_once(app, token, store):
    for _ in range(3):
        revoke(app, token)

    assert load_denylist(store) == 1


def position_in(token):
    payload = token.split(".")[1]
    return json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["oauth_mw_position"]


def test_it_says_nothing_about_other_clients_and_other_tokens(app, token, store):
    admin.add_client(store, "other", client_id="other", secret=SECRET)
    admin.revoke_all_tokens(store, "other")
    revoke(app, token)

    assert [position_in(issue(app)), position_in(issue(app, "other"))] == [0, store.find_client("other").revoked_before]


def test_it_says_when_all_tokens_of_its_client_were_last_revoked(app, store):
    admin.revoke_all_tokens(store, "tester")

    assert position_in(issue(app)) == log_of(store).position


def test_one_that_has_expired_never_reaches_it(app, token, store, clock):
    clock.move(3600 + LOG_KEEP_SECONDS)

    assert revoke(app, token).status_int == 200
    assert load_denylist(store) == 0


def test_one_that_is_not_ours_never_reaches_it(app, token, store):
    header, payload, signature = token.split(".")

    assert revoke(app, f"{header}.{payload}.{signature[::-1]}").status_int == 200
    assert load_denylist(store) == 0


def test_one_of_another_client_never_reaches_it(app, token, store):
    admin.add_client(store, "other", client_id="other", secret=SECRET[::-1])

    assert revoke(app, token, basic("other", SECRET[::-1])).status_int == 200
    assert (opens(app, token), load_denylist(store)) == (True, 0)


@pytest.mark.parametrize("ahead", [-60, -59, -1, 0, 1, 3000], ids="nbf {:+}".format)
def test_one_that_was_signed_elsewhere_is_dead_at_its_time(app, token, store, clock, ahead):
    other = signed_elsewhere(store, token, nbf=int(clock()) + ahead)
    assert opens(app, other) is (ahead <= 0)

    assert revoke(app, other).status_int == 200

    clock.move(max(ahead, 0))
    assert (opens(app, other), opens(app, token)) == (False, True)


@pytest.mark.parametrize("late", [0, 59, 60, 89, 119])
def test_one_that_other_clocks_accept_with_the_leeway_can_be_revoked(wrap, app, token, clock, late):
    behind = wrap(leeway_seconds=60, **JWT)
    clock.move(3600 + late)
    revoke(behind, token)

    clock.move(-60)
    assert not opens(behind, token)


@pytest.mark.parametrize("hours", [0, 1, 2, 23.9])
def test_one_is_revoked_by_a_worker_whose_clock_is_ahead(wrap, app, token, clock, hours):
    late = wrap(**JWT)
    clock.move(3600 * (1 + hours))
    assert revoke(app, token).status_int == 200

    clock.move(-3600 * (1 + hours))

    assert [opens(each, token) for each in (app, late, wrap(**JWT))] == [False] * 3


@pytest.mark.parametrize("hours", [0, 1, 23.9])
def test_one_is_revoked_by_a_command_on_a_machine_whose_clock_is_ahead(app, token, store, clock, hours):
    clock.move(3600 * (1 + hours))
    _, revoked = admin.revoke_jwt(store, token, clock=clock)

    clock.move(-3600 * (1 + hours))

    assert (revoked, opens(app, token)) == (True, False)


WAYS = {
    "all tokens": lambda store: admin.revoke_all_tokens(store, "tester"),
    "disabled": lambda store: admin.disable_client(store, "tester"),
    "deleted": lambda store: admin.delete_client(store, "tester"),
}


@pytest.mark.parametrize("used", [True, False], ids=["cached", "never used"])
@pytest.mark.parametrize("end", WAYS.values(), ids=WAYS)
def test_all_end_with_their_client(app, token, store, end, used):
    assert not used or opens(app, token)

    end(store)

    assert not opens(app, token)


def test_within_one_second_those_issued_before_are_dead_and_those_issued_after_live(app, token, store):
    admin.revoke_all_tokens(store, "tester")

    assert [opens(app, token), opens(app, issue(app))] == [False, True]


def test_enabling_a_client_again_revives_none(app, token, store):
    admin.disable_client(store, "tester")
    admin.enable_client(store, "tester")

    assert [opens(app, token), opens(app, issue(app))] == [False, True]


def test_an_end_is_remembered_as_long_as_a_token_can_live(wrap, client, store, clock):
    app = wrap(access_token_lifetime=30 * 24 * 3600, **JWT)
    token = issue(app)
    admin.revoke_all_tokens(store, "tester")
    clock.move(20 * 24 * 3600)
    admin.revoke_all_tokens(store, "tester")

    assert not opens(wrap(**JWT), token)


@pytest.mark.parametrize("hours", [26, 10_000])
def test_a_clock_that_was_ahead_makes_none_good_again(wrap, client, store, clock, hours):
    admin.add_client(store, "other", client_id="other", secret=SECRET)
    app, late = wrap(**JWT), wrap(**JWT)
    token, live = issue(app), issue(app)
    revoke(app, token)

    clock.move(3600 * hours)
    for _ in range(3):
        admin.revoke_all_tokens(store, "other")
        revoke(app, issue(app))
    clock.move(-3600 * hours)

    assert [opens(each, token) for each in (app, late, wrap(**JWT))] == [False] * 3
    assert [opens(each, live) for each in (app, late, wrap(**JWT))] == [True] * 3


def test_too_many_of_a_client_end_with_all_of_its_tokens(app, token, store, monkeypatch):
    monkeypatch.setattr("oauth_mw.tokens.revocation.MAX_LOG_ONLY_PER_CLIENT", 2)
    for _ in range(3):
        revoke(app, issue(app))

    assert [opens(app, token), opens(app, issue(app))] == [False, True]


def test_a_key_that_was_removed_takes_its_tokens_with_it(wrap, app, token, store):
    other = wrap(**JWT)
    assert opens(other, token)

    remove_key(store, store.read_keys().keys[0].kid)

    assert [opens(each, token) for each in (app, other)] == [False, False]


def test_a_token_whose_signature_was_rewritten_is_cached_once(app, token):
    """ECDSA: with (r, s), (r, n - s) is as good."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    head, _, signature = token.rpartition(".")
    raw = urlsafe_b64decode(signature + "==")
    twin = raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32)
    other = f"{head}.{urlsafe_b64encode(twin).decode().rstrip('=')}"
    assert opens(app, token) and opens(app, other)

    revoke(app, other)

    assert [opens(app, each) for each in (token, other)] == [False, False]


def test_a_token_of_a_key_that_is_unknown_is_refused(app, token):
    key = make("ES256")
    forged = sign(header_of(key, "at+jwt"), {"iss": JWT["issuer"]}, key)

    app.get("/any", headers=bearer(forged + "A" * 60), status=401)
