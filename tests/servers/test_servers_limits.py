"""Limits of a client, in every worker process."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
from load import cached_everywhere, new_client, using
from wire import ask, bearer, issue

from helpers.engines_base import wait_until
from oauth_mw import admin, open_store


@pytest.mark.parametrize("server", ["gunicorn-preload"], indirect=True, scope="session")
def test_a_change_of_limits_is_seen_by_every_worker_at_once(server):
    client_id, secret = new_client(server)
    token = issue(server, client_id, secret)
    with using(server, token) as load, closing(open_store(server.store_url)) as store:
        workers = cached_everywhere(server, load)
        admin.update_client(store, client_id, allowed_requests=["GET /other"])
        changed = time.monotonic()
        wait_until(lambda: load.processes(403, changed) >= workers, "refusals")
        assert load.statuses(changed) == {403}
        admin.update_client(store, client_id, clear=["allowed_requests"])
        changed = time.monotonic()
        wait_until(lambda: load.processes(200, changed) >= workers, "answers")

    assert len(workers) > 1 and load.statuses(changed) == {200}
    assert ask(server, "GET", "/whoami", bearer(token)).status == 200
