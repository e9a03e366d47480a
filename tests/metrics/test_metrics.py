"""What is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.scraping import scraped
from helpers.support import CC, SECRET, TESTER, basic, bearer, checked, issue, revoked
from oauth_mw import admin
from oauth_mw.hooks import RefuseToken
from oauth_mw.metrics import counts
from oauth_mw.metrics.counts import OPERATIONS
from oauth_mw.protocols import Store

STORE_KINDS = ["memory"]

JWT = {"issuer": "https://auth.example.com", "token_format": "jwt"}
RULES = {"required_scopes": ["GET /reports read", "GET /admin admin"]}


def test_checks_are_counted_by_their_outcome(metered):
    app = metered(**RULES)
    token = issue(app, scope="read")

    app.get("/reports", headers=bearer(token))
    app.get("/admin", headers=bearer(token), status=403)
    app.get("/reports", status=401)
    app.get("/open")

    found = scraped(app)
    outcomes = {each: found["oauth_mw_checks_total", each] for each in ("accepted", "refused", "public", "unavailable")}
    assert outcomes == {"accepted": 1, "refused": 2, "public": 2, "unavailable": 0}  # the scrape is public, too


@pytest.mark.parametrize(("options", "used"), [({}, "opaque"), (JWT, "jwt")], ids=["opaque", "JWT"])
def test_tokens_are_counted_by_their_format(metered, options, used):
    app = metered(**options)
    before = scraped(app)

    issue(app)

    assert {name: after - before[name] for name, after in scraped(app).items() if "tokens_issued" in name[0]} == {
        ("oauth_mw_tokens_issued_total", each): float(each == used)
        for each in ("opaque", "jwt")
        if options or each == used
    }


def test_a_token_that_a_client_revokes_is_counted(metered):
    app = metered()

    assert revoked(app, issue(app)) == 200

    assert scraped(app)["oauth_mw_tokens_revoked_total",] == 1


@pytest.mark.parametrize("options", [{}, JWT], ids=["opaque", "JWT"])
def test_a_request_whose_token_is_cached_is_a_hit_whether_its_scope_is_enough_or_not(metered, options):
    app = metered(**RULES, **options)
    token = issue(app, scope="read")

    app.get("/reports", headers=bearer(token))
    app.get("/reports", headers=bearer(token))
    app.get("/admin", headers=bearer(token), status=403)
    app.get("/reports", headers=bearer(issue(app, scope="read")))
    app.get("/reports", headers=bearer("made-up"), status=401)

    found = scraped(app)
    assert (found["oauth_mw_cache_hits_total",], found["oauth_mw_cache_misses_total",]) == (2, 3)
    assert (found["oauth_mw_cache_tokens",], found["oauth_mw_cache_size",]) == (2, 10_000)


def refusals(app):
    return {name[1:]: value for name, value in scraped(app).items() if name[0] == "oauth_mw_refusals_total"}


GUARD = {
    "missing_token": ({}, 401),
    "invalid_token": ({"Authorization": "Bearer a b"}, 401),
    "unknown_token": (None, 401),
    "moved_root": ({"X-Vhm-Root": "/x"}, 400),
}


@pytest.mark.parametrize(("reason", "headers", "status"), [(each, *given) for each, given in GUARD.items()], ids=GUARD)
def test_a_refusal_of_the_guard_is_counted_by_its_reason(metered, reason, headers, status):
    app = metered()
    unknown = issue(app)[:-1] + "_"

    app.get("/x", headers=bearer(unknown) if headers is None else headers, status=status)

    assert refusals(app) == {("guard", reason): 1}


def test_why_a_token_is_refused_is_counted(metered, clock, store, client):
    app = metered(**RULES)
    expired, ended = issue(app, scope="read"), issue(app)
    revoked(app, ended)
    checked(app, ended)
    app.post("/reports", headers=bearer(expired), status=403)
    app.get("/reports/", headers=bearer(expired))
    app.get("//reports", headers=bearer(expired), status=400)
    clock.move(4000)
    checked(app, expired)

    assert refusals(app) == {
        ("guard", "revoked_token"): 1,
        ("guard", "no_rule"): 1,
        ("guard", "ambiguous_path"): 1,
        ("guard", "expired_token"): 1,
    }


def test_a_refusal_of_an_endpoint_is_counted_by_its_name(metered, store):
    app = metered(token_path=["/oauth/token", "/v1/token"], **JWT)
    admin.add_client(store, "off", client_id="off", secret=SECRET)
    admin.disable_client(store, "off")

    app.post("/oauth/token", CC, headers=basic("tester", "wrong secret here"), status=401)
    app.post("/v1/token", CC, headers=basic("nobody", SECRET), status=401)
    app.post("/oauth/token", CC, headers=basic("off", SECRET), status=401)
    app.post("/oauth/token", {**CC, "scope": "admin"}, headers=TESTER, status=400)
    app.post("/oauth/revoke", {}, headers=TESTER, status=400)
    app.post("/oauth/introspect", {"token": "x"}, headers=basic("tester", "wrong"), status=401)
    app.get("/oauth/token", status=405)
    app.get("/oauth/token/", status=404)
    app.post("/oauth/jwks", status=405)

    assert refusals(app) == {
        ("token", "wrong_secret"): 1,
        ("token", "unknown_client"): 1,
        ("token", "disabled_client"): 1,
        ("token", "invalid_scope"): 1,
        ("revocation", "invalid_request"): 1,
        ("introspection", "wrong_secret"): 1,
        ("token", "method_not_allowed"): 1,
        ("guard", "slash_at_end"): 1,
        ("documents", "method_not_allowed"): 1,
    }


@pytest.mark.parametrize("quota", ["tokens_per_hour", "tokens_per_day"])
def test_a_quota_that_is_used_up_and_guesses_are_told_apart(metered, store, quota):
    app = metered()
    admin.update_client(store, "tester", **{quota: 1})

    for status in (200, 429):
        app.post("/oauth/token", CC, headers=TESTER, status=status)
    for _ in range(21):
        app.post("/oauth/token", CC, headers=basic("tester", "wrong secret here"), status="*")

    assert refusals(app) == {
        ("token", "over_quota"): 1,
        ("token", "wrong_secret"): 20,
        ("token", "too_many_requests"): 1,
    }


def test_a_refusal_by_a_function_of_the_user_is_told_apart_from_a_failure_of_it(metered):
    def denying(client, scope, form):
        raise RefuseToken("for a reason of its own")

    app, failing = metered(on_issue=denying), metered(on_issue=lambda *given: None)

    app.post("/oauth/token", CC, headers=TESTER, status=400)
    failing.post("/oauth/token", CC, headers=TESTER, status=503)

    assert [refusals(app), refusals(failing)] == [{("token", "denied_by_hook"): 1}, {("token", "failed_hook"): 1}]


def test_a_client_that_has_expired_is_counted_so(metered, store, clock):
    app = metered()
    admin.update_client(store, "tester", not_after=int(clock()) + 10)
    clock.move(11)

    app.post("/oauth/token", CC, headers=TESTER, status=401)

    assert refusals(app) == {("token", "expired_client"): 1}


LIMITS = {
    "other_address": {"allowed_addresses": ("10.0.0.0/8",)},
    "other_request": {"allowed_requests": ("GET /other",)},
    "too_many_requests": {"rate_limit": "1/hour"},
}


@pytest.mark.parametrize(("reason", "limit"), LIMITS.items(), ids=LIMITS)
def test_a_request_beyond_the_limits_of_its_client_is_refused_and_not_accepted(metered, store, reason, limit):
    app = metered()
    token = issue(app)
    store.update_client("tester", lambda client: replace(client, **limit))
    statuses = [
        app.get("/x", headers=bearer(token), status="*", extra_environ={"REMOTE_ADDR": "::1"}).status_int
        for _ in range(2)
    ]

    found = scraped(app)
    accepted = statuses.count(200)
    assert accepted == (reason == "too_many_requests")
    assert (found["oauth_mw_checks_total", "accepted"], found["oauth_mw_checks_total", "refused"]) == (
        accepted,
        2 - accepted,
    )
    assert found["oauth_mw_refusals_total", "guard", reason] == 2 - accepted


def test_a_quota_that_is_used_up_is_counted(metered, store):
    app = metered()
    store.update_client("tester", lambda client: replace(client, tokens_per_hour=1))
    issue(app)

    app.post("/oauth/token", CC, headers=TESTER, status=429)

    assert refusals(app) == {("token", "over_quota"): 1}


def test_a_client_id_is_a_label_only_if_asked_for(metered):
    app = metered(metrics_client_ids=True, **RULES)

    for _ in range(3):
        app.get("/x", headers=bearer(issue(app)))
    app.get("/admin", headers=bearer(issue(app, scope="read")), status=403)
    app.post("/oauth/token", CC, headers=basic("made-up", SECRET), status=401)

    found = scraped(app)
    assert found["oauth_mw_tokens_issued_total", "tester", "opaque"] == 4
    assert found["oauth_mw_accepted_total", "tester"] == found["oauth_mw_checks_total", "accepted"] == 3
    assert found["oauth_mw_refusals_total", "tester", "guard", "insufficient_scope"] == 1
    assert found["oauth_mw_refusals_total", "", "token", "unknown_client"] == 1


def test_clients_beyond_a_number_share_a_label(metered, store, clock, monkeypatch):
    monkeypatch.setattr(counts, "MAX_CLIENTS", 2)
    app = metered(metrics_client_ids=True)
    for client_id in ("a", "b", "c", "d", "a"):
        if not store.find_client(client_id):
            admin.add_client(store, client_id, client_id=client_id, secret=SECRET, clock=clock)
        issue(app, client_id)

    found = {name[1]: value for name, value in scraped(app).items() if name[0] == "oauth_mw_tokens_issued_total"}
    assert found == {"a": 2, "b": 1, "other": 2}


def test_calls_of_the_store_are_timed(metered):
    app = metered()
    issue(app)

    found = scraped(app)
    assert found["oauth_mw_store_seconds_count", "add_token"] == 1
    assert 0 < found["oauth_mw_store_seconds_sum", "add_token"] < 10
    assert found["oauth_mw_store_seconds_bucket", "+Inf", "add_token"] == 1
    assert {value for name, value in found.items() if name[0] == "oauth_mw_store_errors_total"} == set()


UNTIMED = set(
    """
    clients add_client last_uses tokens_of count_tokens stats
    rows_show_all generation generation_shows_all sizes on_revocation waiter count_events
    url single_process open copyable warnings close
""".split()
)


def test_each_call_of_a_store_that_serves_requests_is_timed():
    calls = {name for each in Store.__mro__ for name in vars(each) if not name.startswith("_")}

    assert calls - UNTIMED == set(OPERATIONS)


def test_the_age_of_each_key_in_the_store_is_served(metered, clock):
    app = metered(**JWT)
    issue(app)
    (kid,) = [key["kid"] for key in app.get("/oauth/jwks").json["keys"]]
    clock.move(90)

    assert scraped(app)["oauth_mw_signing_key_age_seconds", kid] == 90
