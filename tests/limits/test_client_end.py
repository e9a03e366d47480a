"""The end of a client, for the tokens that it has."""

from __future__ import annotations

from contextlib import closing

import pytest

from helpers.builders import multi_process
from helpers.raw_records import CLIENT, write_record
from helpers.support import SECRET, TESTER, basic, bearer, issue
from oauth_mw import admin, open_store

STORE_KINDS = ["memory"]


@pytest.fixture
def shown(app, token):
    """What the app and the introspection say of the token's end; ``None`` if they do not accept it."""

    def shown():
        answer = app.get("/any", headers=bearer(token), status="*")
        introspection = app.post("/oauth/introspect", {"token": token}, headers=TESTER, status="*")
        return answer.status_int, introspection.json.get("exp") if introspection.status_int == 200 else None

    return shown


def test_a_token_ends_with_its_client_in_guard_and_introspection(app, limit, shown, clock):
    own = int(clock()) + 3600
    assert shown() == (200, own)

    limit(not_after=int(clock()) + 60, clock=clock)
    assert shown() == (200, int(clock()) + 60)
    clock.move(60)
    assert shown()[0] == 401
    limit(clear=["not_after"])

    assert shown() == (200, own)


@multi_process
def test_an_end_that_another_process_sets_reaches_a_cached_token(wrap, store_url, client, clock):
    app = wrap(revocation_lag_seconds=0)
    headers = bearer(issue(app))
    app.get("/any", headers=headers)
    with closing(open_store(store_url, clock=clock)) as elsewhere:
        admin.update_client(elsewhere, client, not_after=int(clock()) + 60, clock=clock)
    app.get("/any", headers=headers, status=200)
    clock.move(60)

    app.get("/any", headers=headers, status=401)


def test_a_resource_server_is_told_of_the_end(store, app, limit, token, clock):
    admin.add_client(store, "api", client_id="api", secret=SECRET[::-1], resource_server=True, clock=clock)
    api = basic("api", SECRET[::-1])
    limit(not_after=int(clock()) + 60, clock=clock)
    before = app.post("/oauth/introspect", {"token": token}, headers=api).json
    clock.move(60)

    after = app.post("/oauth/introspect", {"token": token}, headers=api).json

    assert (before["active"], before["exp"]) == (True, int(clock()))
    assert after == {"active": False}


@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_a_resource_server_gets_503_if_the_end_of_a_client_cannot_be_read(store, store_url, app, token, clock):
    admin.add_client(store, "api", client_id="api", secret=SECRET[::-1], resource_server=True, clock=clock)
    write_record(store_url, CLIENT, "garbled")

    answer = app.post("/oauth/introspect", {"token": token}, headers=basic("api", SECRET[::-1]), status=503)

    assert answer.json["error"] == "temporarily_unavailable"
