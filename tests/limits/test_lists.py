"""Clients that may call from some addresses only, or for some requests only."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from helpers.support import CC, TESTER, bearer, issue
from helpers.wsgi_client import call, make_environ, parse_challenges
from oauth_mw import AdminError, admin
from oauth_mw.limits import parse_request
from oauth_mw.model import EVICTION

STORE_KINDS = ["memory"]

HERE, THERE = "192.0.2.7", "198.51.100.7"

ADDRESSES = {
    "the address itself": (["192.0.2.7"], HERE, True),
    "its network": (["192.0.2.0/24"], HERE, True),
    "one of several": (["198.51.100.0/24", "192.0.2.0/24"], HERE, True),
    "another": (["192.0.2.0/29"], "192.0.2.8", False),
    "IPv6": (["2001:db8::/32"], "2001:db8::1", True),
    "IPv6 elsewhere": (["2001:db8::/32"], "2001:db9::1", False),
    "IPv4 in IPv6": (["192.0.2.0/24"], "::ffff:192.0.2.7", True),
    "a list in IPv6": (["::ffff:192.0.2.0/120"], HERE, True),
    "unknown": (["0.0.0.0/0", "::/0"], "", False),
    "a socket": (["0.0.0.0/0", "::/0"], "localhost", False),
    "none at all": (["0.0.0.0/0"], None, False),
}


@pytest.mark.parametrize(("listed", "address", "passes"), ADDRESSES.values(), ids=ADDRESSES)
def test_a_client_with_addresses_is_accepted_from_them_alone(app, limit, token, listed, address, passes):
    limit(allowed_addresses=listed)

    answer = call(app.app, make_environ("GET", "/any", REMOTE_ADDR=address, HTTP_AUTHORIZATION=f"Bearer {token}"))

    assert answer.status == (200 if passes else 403)


def test_a_refused_address_is_told_so_and_the_log_says_why(limit, send, token, caplog):
    limit(allowed_addresses=[HERE])
    caplog.set_level(logging.INFO, "oauth_mw")

    answers = [send(address=THERE), send(address="")]

    for answer in answers:
        assert (answer.status_int, answer.json["error"]) == (403, "insufficient_scope")
        ((_, challenge),) = parse_challenges(answer.headers["WWW-Authenticate"])
        assert challenge["error_description"] == answer.json["error_description"]
    assert answers[0].json == answers[1].json
    assert [record.oauth_mw_reason for record in caplog.records] == [
        f"the client may not send from {THERE}",
        "the address of the client is unknown",
    ]
    assert {record.oauth_mw_client_id for record in caplog.records} == {"tester"}


def test_an_address_is_that_behind_trusted_proxies(wrap, limit, send):
    limit(allowed_addresses=[THERE])
    behind = wrap(trusted_proxies=[HERE])

    assert send(app=behind, HTTP_X_FORWARDED_FOR=THERE).status_int == 200
    assert send(app=behind, HTTP_X_FORWARDED_FOR=f"{THERE}, {HERE}, 203.0.113.1").status_int == 403
    assert send(app=behind, HTTP_X_FORWARDED_FOR="no address").status_int == 403
    assert send(HTTP_X_FORWARDED_FOR=THERE).status_int == 403


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_a_client_is_authenticated_from_its_addresses_alone(app, limit, path, caplog):
    limit(allowed_addresses=[HERE])
    caplog.set_level(logging.INFO, "oauth_mw")
    form = {**CC, "token": "any"}

    app.post(path, form, headers=TESTER, extra_environ={"REMOTE_ADDR": HERE}, status=200)
    refused = [
        app.post(path, form, headers=TESTER, extra_environ={"REMOTE_ADDR": address}, status=400).json
        for address in (THERE, "")
    ]

    assert refused == [{
        "error": "unauthorized_client",
        "error_description": "This client may not authenticate from this address",
    }] * 2  # fmt: skip
    assert [record.oauth_mw_reason for record in caplog.records if " 400 " in record.getMessage()] == [
        f"the client may not send from {THERE}",
        "the address of the client is unknown",
    ]


def test_from_another_address_a_wrong_secret_is_answered_as_ever(app, limit):
    limit(allowed_addresses=[HERE])
    wrong = TESTER | {"Authorization": TESTER["Authorization"][:-6] + "AAAAAA"}

    answer = app.post("/oauth/token", CC, headers=wrong, extra_environ={"REMOTE_ADDR": THERE}, status=401)

    assert answer.json["error"] == "invalid_client"


REQUESTS = {
    "GET /weather": (["GET /weather"], "GET", "/weather", True),
    "HEAD is a GET": (["GET /weather"], "HEAD", "/weather", True),
    "another method": (["GET /weather"], "POST", "/weather", False),
    "several methods": (["GET,POST /weather"], "POST", "/weather", True),
    "any method": (["* /weather"], "BREW", "/weather", True),
    "a method in lower case": (["GET,POST /weather"], "post", "/weather", False),
    "a slash more": (["GET /weather"], "GET", "/weather/", False),
    "a slash less": (["GET /weather/"], "GET", "/weather", False),
    "below": (["GET /weather/*"], "GET", "/weather/paris/today", True),
    "the folder itself": (["GET /weather/*"], "GET", "/weather", True),
    "a longer name": (["GET /weather/*"], "GET", "/weathers", False),
    "a name": (["GET /weather/{city}"], "GET", "/weather/paris", True),
    "an empty name": (["GET /weather/{city}"], "GET", "/weather/", False),
    "two names": (["GET /weather/{city}"], "GET", "/weather/paris/today", False),
    "the second": (["GET /x", "GET /weather"], "GET", "/weather", True),
    "the method of another": (["GET /weather", "POST /x"], "POST", "/weather", False),
    "bytes": (["GET /é"], "GET", "/é".encode().decode("latin-1"), True),
    "everything": (["* /*"], "GET", "/any", True),
    "nothing": (["- /*"], "GET", "/any", False),
    "nothing, and something": (["- /*", "GET /any"], "GET", "/any", True),
    "the root": (["GET /"], "GET", "", True),
    "two slashes": (["* /*"], "GET", "//any", False),
    "dots": (["* /weather/*"], "GET", "/weather/../admin", False),
    "encoded": (["* /weather/*"], "GET", "/weather/%2e%2e/admin", False),
    "no UTF-8": (["* /*"], "GET", "/weather\xff", False),
}


@pytest.mark.parametrize(("listed", "method", "path", "passes"), REQUESTS.values(), ids=REQUESTS)
def test_a_client_with_requests_may_send_them_alone(app, limit, token, listed, method, path, passes):
    limit(allowed_requests=listed)

    answer = call(app.app, make_environ(method, path, HTTP_AUTHORIZATION=f"Bearer {token}"))

    assert answer.status == (200 if passes else 403)


COVERED = {
    ("* /*", "GET /a/{}/*"): True,
    ("* /*", "- /*"): True,
    ("GET /a/*", "* /a/b"): False,
    ("GET /a/*", "HEAD,GET /a/"): True,
    ("GET /a/*", "GET /a"): True,
    ("GET /a/*", "GET /ab"): False,
    ("GET /a/{}/*", "GET /a/*"): False,
    ("GET /a/{}", "GET /a/b"): True,
    ("GET /a/{}", "GET /a/b/"): False,
    ("GET /a/{}", "GET /a/b/*"): False,
    ("GET /a/b", "GET /a/{}"): False,
    ("GET /a/b/c", "GET /a/b"): False,
    ("GET,POST /a", "POST /a"): True,
    ("GET /a", "POST /a"): False,
}


@pytest.mark.parametrize(("wide", "narrow"), COVERED, ids=" over ".join)
def test_one_request_covers_another_if_it_allows_all_of_it(wide, narrow):
    assert parse_request(wide).covers(parse_request(narrow)) is COVERED[wide, narrow]


def test_a_refused_request_is_told_so_whatever_its_scope(limit, send):
    limit(allowed_requests=["GET /weather"])

    answer = send(path="/reports")

    assert (answer.status_int, answer.json["error"]) == (403, "insufficient_scope")
    assert "may not send this request" in answer.json["error_description"]
    assert "scope=" not in answer.headers["WWW-Authenticate"]


def test_rules_hold_beside_the_requests_of_a_client(wrap, limit, token):
    app = wrap(required_scopes=[("GET", "/weather", "admin")], public_paths=["/open"])
    limit(allowed_requests=["GET /weather"])

    app.get("/weather", headers=bearer(token), status=403)
    app.get("/open", headers=bearer(token), status=200)


DETOURS = {
    "a detour": ({"PATH_INFO": "/weather/__self__/admin"}, 403),
    "a cut mount": ({"PATH_INFO": "/weather", "SCRIPT_NAME": "//x"}, 403),
    "neither": ({"PATH_INFO": "/weather/paris"}, 200),
}


@pytest.mark.parametrize(("keys", "status"), DETOURS.values(), ids=DETOURS)
def test_in_front_of_cherrypy_a_path_that_leads_elsewhere_is_not_allowed(wrap, limit, token, keys, status):
    app = wrap(ambiguous_paths="refuse cherrypy")
    limit(allowed_requests=["* /weather/*"])

    answer = call(app.app, make_environ("GET", "/", HTTP_AUTHORIZATION=f"Bearer {token}", **keys))

    assert answer.status == status


def test_what_is_left_to_the_app_is_a_missing_token_and_no_refused_one(wrap, limit, token):
    app = wrap(delay_auth_decision=True)
    limit(allowed_requests=["GET /weather"])

    assert app.get("/any", headers=bearer(token), status=403).json["error"] == "insufficient_scope"
    app.get("/any", status=200)


def test_only_an_accepted_request_is_adapted(wrap, limit, token):
    seen = []

    def app(environ, start_response):
        seen.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    wrapped = wrap(app, remote_user=True, strip_authorization=True).app
    limit(allowed_requests=["GET /weather"])
    accepted, refused = (make_environ("GET", path, HTTP_AUTHORIZATION=f"Bearer {token}") for path in ("/weather", "/x"))

    statuses = [call(wrapped, environ).status for environ in (accepted, refused)]

    assert statuses == [200, 403] and len(seen) == 1
    assert (seen[0]["REMOTE_USER"], seen[0]["AUTH_TYPE"]) == ("tester", "Bearer")
    assert "HTTP_AUTHORIZATION" not in seen[0]
    assert "HTTP_AUTHORIZATION" in refused and "REMOTE_USER" not in refused


BAD = {
    "no network": {"allowed_addresses": ["somewhere"]},
    "bits beyond the prefix": {"allowed_addresses": ["192.0.2.1/24"]},
    "a zone": {"allowed_addresses": ["fe80::1%eth0"]},
    "one text": {"allowed_addresses": "192.0.2.1"},
    "numbers": {"allowed_requests": [1, 2]},
    "too many": {"allowed_addresses": [f"10.0.0.{number}" for number in range(101)]},
    "no path": {"allowed_requests": ["GET"]},
    "lower case": {"allowed_requests": ["get /x"]},
    "a space after the comma": {"allowed_requests": ["GET, POST /x"]},
    "no slash": {"allowed_requests": ["GET x"]},
    "ambiguous": {"allowed_requests": ["GET /x/../y"]},
    "encoded": {"allowed_requests": ["GET /%41"]},
    "a star in between": {"allowed_requests": ["GET /*/x"]},
    "no rate": {"rate_limit": "100"},
    "another unit": {"rate_limit": "100/fortnight"},
    "zero": {"rate_limit": "0/minute"},
    "a number": {"rate_limit": 100},
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_what_cannot_be_is_refused_with_what_was_expected(store, client, fields):
    before = store.find_client(client)

    for change in (admin.update_client, admin.add_client):
        with pytest.raises(AdminError, match="expected"):
            change(store, client, **fields)

    assert store.find_client(client) == before


def test_lists_are_kept_in_one_notation(store, limit):
    limit(
        allowed_addresses=["192.0.2.1", "192.0.2.1/32", "::FFFF:192.0.2.1", "2001:DB8:0::/32"],
        allowed_requests=[" GET,POST \t /a b ", "GET,POST /a b"],
    )

    client = store.find_client("tester")
    assert client.allowed_addresses == ("192.0.2.1/32", "2001:db8::/32")
    assert client.allowed_requests == ("GET,POST /a b",)


CHANGES = {
    "addresses": ({"allowed_addresses": [THERE]}, "allowed_addresses"),
    "requests": ({"allowed_requests": ["POST /x"]}, "allowed_requests"),
}


@pytest.mark.parametrize("store_kind", ["sqlite", "postgresql", "redis"])
@pytest.mark.parametrize(("fields", "field"), CHANGES.values(), ids=CHANGES)
def test_a_change_reaches_cached_tokens_of_every_worker(store, wrap, send, limit, fields, field):
    workers = [wrap(revocation_lag_seconds=0) for _ in range(2)]
    statuses = []

    for change in ({}, fields, {"clear": [field]}):
        limit(**change)
        statuses.append([send(app=worker).status_int for worker in workers for _ in range(2)])

    assert statuses == [[200] * 4, [403] * 4, [200] * 4]


def test_only_a_change_of_limits_evicts_tokens(store, client, limit):
    before = store.read_log("", -1)

    limit(name="new", scope="read", lifetime=5)
    limit(clear=["lifetime"])
    assert store.read_log(before.store_id, before.position).events == []
    limit(rate_limit="5/day")
    limit(clear=["rate_limit"])

    events = store.read_log(before.store_id, before.position).events
    assert [event[1:3] for event in events] == [(client, EVICTION)] * 2


def test_garbled_limits_are_an_outage(store, app, send):
    admin.add_client(store, "other", client_id="other", secret="s" * 20, scope="read", allow_weak_secret=True)
    other = issue(app, "other", "s" * 20)
    store.update_client("tester", lambda client: replace(client, allowed_addresses=("nowhere",)), evict_tokens=True)

    assert send().status_int == 503
    assert app.post("/oauth/token", CC, headers=TESTER, status=503).json["error"] == "temporarily_unavailable"
    app.get("/any", headers=bearer(other), status=200)
