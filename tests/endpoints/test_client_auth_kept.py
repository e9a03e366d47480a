"""A worker keeps the clients that it has read. Every change by any process shows at its next request."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from helpers.builders import STORE_SUITE, registered
from helpers.changes import remove_first_secret
from helpers.support import CC, SECRET, TESTER, basic, echo, issue, one_store
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.client_auth import MAX_KNOWN
from oauth_mw.credentials import hash_secret

STORE_KINDS = list(STORE_SUITE)
ANOTHER = "Zq7Wm2Xc9Vb4Nn6Ll1Kk"


@pytest.fixture
def other(store):
    """The store, as another worker has it."""
    if store.single_process:
        yield store
        return
    with closing(open_store(store.url)) as found:
        yield found


def status(app, headers=TESTER):
    return app.post("/oauth/token", CC, headers=headers, status="*").status_int


def scope_of(app):
    return app.post("/oauth/token", CC, headers=TESTER).json["scope"]


ENDS = {
    "it is disabled": lambda store: admin.disable_client(store, "tester"),
    "it alone": lambda store: store.update_client("tester", lambda client: replace(client, enabled=False)),
    "its secret is revoked": remove_first_secret,
    "its secret gets another end": lambda store: store.update_client("tester", with_end_of_secret),
    "it is deleted": lambda store: admin.delete_client(store, "tester"),
}


def with_end_of_secret(client):
    return replace(client, secrets=tuple(secret._replace(not_after=1) for secret in client.secrets))


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_client_that_is_kept_gets_no_token_after_it_is_ended_elsewhere(app, other, end):
    assert [status(app), status(app)] == [200, 200]

    end(other)

    assert status(app) == 401


def test_what_was_changed_back_is_as_before(app, other):
    seen = [status(app)]

    for change in (admin.disable_client, admin.enable_client) * 2:
        change(other, "tester")
        seen.append(status(app))

    assert seen == [200, 401, 200, 401, 200]


def test_another_scope_is_granted_at_once_and_the_one_before_again(app, other):
    scopes = [scope_of(app)]

    for scope in ("read", "read write"):
        admin.update_client(other, "tester", scope=scope)
        scopes.append(scope_of(app))

    assert scopes == ["read write", "read", "read write"]


def test_a_token_of_a_kept_client_is_live_although_all_before_it_were_revoked(app, other):
    before = issue(app)

    admin.revoke_all_tokens(other, "tester")
    after = issue(app)

    assert [other.find_token(admin.token_key(text)).revoked for text in (before, after)] == [True, False]


def test_a_secret_of_a_kept_client_expires_by_the_clock(app, store, clock):
    admin.add_secret(store, "tester", secret=ANOTHER, not_after=int(clock()) + 10, clock=clock)
    form = {**CC, "client_id": "tester", "client_secret": ANOTHER}
    app.post("/oauth/token", form, status=200)

    clock.move(10)

    app.post("/oauth/token", form, status=401)


class Counting:
    """The store, with the ids of the clients whose records were read; ``meanwhile`` is done before each."""

    def __init__(self, store):
        self._store, self.read, self.meanwhile = store, [], lambda: None

    def __getattr__(self, name):
        return getattr(self._store, name)

    def find_client(self, client_id):
        self.read.append(client_id)
        self.meanwhile()
        return self._store.find_client(client_id)


@pytest.fixture
def counting(store, client):
    return Counting(store)


@pytest.fixture
def worker(counting):
    return CheckedApp(OAuthMiddleware(echo, store=counting))


def test_the_record_of_a_client_is_read_once_and_again_after_a_change(worker, counting, other):
    issue(worker)
    issue(worker)
    assert counting.read == ["tester"]

    admin.update_client(other, "tester", name="another")
    issue(worker)
    issue(worker)

    assert counting.read == ["tester"] * 2


@one_store
def test_what_was_read_after_another_change_is_not_kept_for_the_verifiers_before(worker, counting, store):
    kept = store.find_client("tester")
    counting.meanwhile = lambda: admin.update_client(store, "tester", scope="read")
    assert scope_of(worker) == "read"
    counting.meanwhile = lambda: None

    store.update_client("tester", lambda client: kept)

    assert scope_of(worker) == "read write"


@one_store
def test_no_more_clients_are_kept_than_so_many(worker, counting, store):
    ids = [f"c{number}" for number in range(MAX_KNOWN)]
    secret = hash_secret(SECRET)
    for client_id in ids:
        store.add_client(registered(client_id, scopes=("read",), secrets=(secret,)))

    for client_id in ("tester", *ids, "tester"):
        assert status(worker, basic(client_id, SECRET)) == 200

    assert counting.read == ["tester", *ids, "tester"]
