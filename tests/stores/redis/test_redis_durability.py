"""What was acknowledged is there after ``kill -9``, with the settings that ``persistence`` asks for."""

from __future__ import annotations

import contextlib

from helpers.builders import given_secret, is_dead, issued, log_of, registered
from helpers.changes import end_client
from helpers.engines import Redis
from oauth_mw import open_store
from oauth_mw.credentials import hash_secret


def test_what_was_acknowledged_survives_kill_9():
    with Redis(appendonly="yes", appendfsync="always") as server:
        with contextlib.closing(open_store(server.url, create=True)) as store:
            assert store.warnings() == []
            for number in range(3):
                client_id = f"client-{number}"
                assert store.add_client(registered(client_id))
                assert given_secret(store, client_id, hash_secret("t" * 16))
                revoked, kept = issued(store, client_id, 2 * number), issued(store, client_id, 2 * number + 1)
                assert store.revoke_token(revoked)
                assert end_client(store, f"client-{number - 1}", delete=True) or number == 0
                before = log_of(store).position, [client.client_id for client in store.clients()]

                server.kill()
                server.start()

                assert (log_of(store).position, [client.client_id for client in store.clients()]) == before
                assert (is_dead(store, revoked), is_dead(store, kept)) == (True, False)
                assert len(store.find_client(client_id).secrets) == 2
