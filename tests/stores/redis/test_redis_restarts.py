"""A Redis with the settings that ``warnings`` asks for restarts: nothing that was acknowledged is lost."""

from __future__ import annotations

import pytest

from helpers.builders import given_secret, is_dead, issued, log_of, opened, registered
from helpers.changes import end_client
from helpers.engines import Redis
from oauth_mw.credentials import hash_secret


@pytest.fixture
def server():
    with Redis(appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.fixture
def store(server):
    with opened(server.url) as store:
        yield store


def test_what_was_acknowledged_survives_kill_9(store, server):
    assert store.warnings() == []
    store.add_client(registered("deleted"))
    assert given_secret(store, "tester", hash_secret("t" * 16)) and end_client(store, "deleted", delete=True)
    revoked, kept = issued(store), issued(store, number=1)
    assert store.revoke_token(revoked)
    before = log_of(store)

    server.kill()
    server.start()

    assert [len(client.secrets) for client in store.clients()] == [2]
    assert (is_dead(store, revoked), is_dead(store, kept)) == (True, False)
    # Another server might have lost tokens that workers have cached, and that could no longer be revoked.
    page = store.read_log(before.store_id, before.position)
    assert (page.position, page.complete) == (before.position, False)


def test_a_change_is_the_first_call_after_a_restart(store, server):
    key = issued(store)
    server.kill()
    server.start()

    assert store.revoke_token(key) and is_dead(store, key)
