"""JWTs that are revoked."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import jwt
import pytest

from helpers.builders import events_of, log_of
from helpers.changes import remove_key
from helpers.jwts import JWT, encoded, introspected, opens, signed_elsewhere
from helpers.support import SECRET, TESTER, basic, issue
from oauth_mw import admin
from oauth_mw.model import LOG_KEEP_SECONDS
from oauth_mw.tokens.jwt import POSITION


@pytest.fixture
def app(wrap, client):
    return wrap(**JWT)


@pytest.fixture
def token(app):
    return issue(app)


def revoke(app, token, headers=TESTER):
    return app.post("/oauth/revoke", {"token": token}, headers=headers)


def logged(store):
    return len(events_of(store))


@pytest.fixture
def other(store):
    admin.add_client(store, "other", client_id="other", secret=SECRET)
    return "other"


@pytest.mark.parametrize("used", [True, False], ids=["cached", "never used"])
def test_a_revoked_token_is_refused_at_once_on_every_middleware_and_no_other_is(wrap, app, token, store, used):
    #
    second, another = wrap(**JWT), issue(app)
    assert not used or (opens(app, token) and opens(second, token))

    assert [revoke(app, token).status_int for _ in range(3)] == [200] * 3

    assert [opens(each, token) for each in (app, second, wrap(**JWT))] == [False] * 3
    assert introspected(app, token) == {"active": False}
    assert opens(app, another)
    assert logged(store) == 1


def test_its_position_is_that_of_the_last_revocation_of_all_tokens_of_its_client(app, token, store, other):
    admin.revoke_all_tokens(store, other)
    position = log_of(store).position
    revoke(app, token)

    claims = [jwt.decode(each, options={"verify_signature": False}) for each in (issue(app), issue(app, other))]
    assert [each[POSITION] for each in claims] == [0, position]


def test_a_token_of_another_key_or_client_or_an_expired_one_is_not_logged(app, token, store, clock, other):
    header, payload, signature = token.split(".")

    assert revoke(app, token, basic(other, SECRET)).status_int == 200
    assert revoke(app, f"{header}.{payload}.{signature[::-1]}").status_int == 200
    assert opens(app, token)
    clock.move(3600 + LOG_KEEP_SECONDS)
    assert revoke(app, token).status_int == 200
    assert logged(store) == 0


@pytest.mark.parametrize("ahead", [-60, 0, 1, 3000], ids="nbf {:+}".format)
def test_a_token_signed_elsewhere_can_be_revoked_before_it_is_valid(app, token, store, clock, ahead):
    other = signed_elsewhere(store, token, nbf=int(clock()) + ahead)
    assert opens(app, other) is (ahead <= 0)

    assert revoke(app, other).status_int == 200

    clock.move(max(ahead, 0))
    assert (opens(app, other), opens(app, token)) == (False, True)


@pytest.mark.parametrize("late", [0, 60, 119])
def test_a_token_that_other_clocks_accept_with_the_leeway_can_be_revoked(wrap, app, token, clock, late):
    behind = wrap(leeway_seconds=60, **JWT)
    clock.move(3600 + late)
    revoke(behind, token)

    clock.move(-60)
    assert not opens(behind, token)


@pytest.fixture
def worker(wrap, client):
    """It has just found that the store has no signing key."""
    worker = wrap(**JWT)
    header = {"typ": "at+jwt", "alg": "ES256", "kid": "unknown"}
    assert not opens(worker, ".".join([encoded(header), encoded({}), encoded(bytes(64))]))
    return worker


def test_a_token_of_a_key_that_a_worker_has_just_missed_can_be_revoked(worker, app):
    token = issue(app)

    revoke(worker, token)

    assert [opens(each, token) for each in (app, worker)] == [False, False]


def test_a_token_of_a_key_that_a_worker_has_just_missed_is_introspected(worker, app):
    assert introspected(worker, issue(app))["active"]


REVOKERS = {
    "a worker": lambda app, store, token, clock: revoke(app, token).status_int == 200,
    "a command": lambda app, store, token, clock: admin.revoke_jwt(store, token, clock=clock)[1],
}


@pytest.mark.parametrize("hours", [0, 23.9])
@pytest.mark.parametrize("by", REVOKERS.values(), ids=REVOKERS)
def test_a_token_can_be_revoked_on_a_machine_whose_clock_is_ahead(wrap, app, token, store, clock, by, hours):
    late = wrap(**JWT)
    clock.move(3600 * (1 + hours))
    assert by(app, store, token, clock)

    clock.move(-3600 * (1 + hours))

    assert [opens(each, token) for each in (app, late, wrap(**JWT))] == [False] * 3


def disabled_and_enabled_again(store, client_id):
    admin.disable_client(store, client_id)
    admin.enable_client(store, client_id)


@pytest.mark.parametrize("used", [True, False], ids=["cached", "never used"])
@pytest.mark.parametrize(
    "end", [admin.revoke_all_tokens, admin.disable_client, admin.delete_client, disabled_and_enabled_again]
)
def test_all_tokens_of_a_client_are_refused_and_those_issued_later_are_valid(app, token, store, end, used):
    assert not used or opens(app, token)

    end(store, "tester")

    assert not opens(app, token)
    if end in (admin.revoke_all_tokens, disabled_and_enabled_again):  # within the same second
        assert opens(app, issue(app))


@pytest.mark.parametrize("hours", [26, 10_000])
def test_a_clock_that_was_ahead_makes_no_token_valid_again(wrap, client, store, clock, other, hours):
    app, late = wrap(**JWT), wrap(**JWT)
    token, live = issue(app), issue(app)
    revoke(app, token)

    clock.move(3600 * hours)
    for _ in range(3):
        admin.revoke_all_tokens(store, other)
        revoke(app, issue(app))
    clock.move(-3600 * hours)

    assert [opens(each, token) for each in (app, late, wrap(**JWT))] == [False] * 3
    assert [opens(each, live) for each in (app, late, wrap(**JWT))] == [True] * 3


def test_the_tokens_of_a_removed_key_are_refused(wrap, app, token, store):
    other = wrap(**JWT)
    assert opens(other, token)

    remove_key(store, store.read_keys().keys[0].kid)

    assert [opens(each, token) for each in (app, other)] == [False, False]


def test_a_token_whose_signature_was_rewritten_is_cached_once(app, token):
    """ECDSA: if (r, s) is valid, so is (r, n - s)."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    head, _, signature = token.rpartition(".")
    raw = urlsafe_b64decode(signature + "==")
    twin = raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32)
    other = f"{head}.{urlsafe_b64encode(twin).decode().rstrip('=')}"
    assert opens(app, token) and opens(app, other)

    revoke(app, other)

    assert [opens(app, each) for each in (token, other)] == [False, False]
