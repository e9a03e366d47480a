"""What PostgreSQL acknowledges is durable, and all followers of the log see it in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from helpers.builders import issued, log_of, registered
from helpers.changes import end_client
from oauth_mw import open_store
from oauth_mw.model import Revocation

pytestmark = pytest.mark.slow

WRITERS, EACH = 3, 15


def test_a_follower_misses_no_event_however_many_append(postgres_url, elsewhere, raw):
    elsewhere.add_client(registered("other"))
    keys = [issued(elsewhere, number=number) for number in range(WRITERS * EACH)]
    page, seen = log_of(elsewhere), []
    before = page.position

    def append(number):
        with closing(open_store(postgres_url)) as store:
            for key in keys[number::WRITERS]:
                assert store.revoke_token(key) and end_client(store, "other")

    with ThreadPoolExecutor(WRITERS) as threads:
        writing = threads.map(append, range(WRITERS))
        while len(seen) < 2 * WRITERS * EACH:
            page = elsewhere.read_log(page.store_id, page.position)
            assert page.complete
            seen += page.events
        assert list(writing) == [None] * WRITERS

    rows = raw("SELECT position, client_id, key FROM oauth_mw_revocations WHERE position > %s ORDER BY 1", before)
    assert seen == [Revocation(*row) for row in rows]


SETTINGS = {"on": "on", "remote_apply": "remote_apply", "local": "local", "off": "on"}


@pytest.mark.parametrize("configured", SETTINGS)
def test_only_what_must_last_waits_as_the_server_is_configured(postgres_url, configured):
    url = f"{postgres_url}%20-csynchronous_commit%3D{configured}"
    with closing(open_store(url, create=True)) as store:
        with store.engine.transaction() as connection:
            within = connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
        with store.engine.writing() as link:
            (beside,) = link.driver.execute("SHOW synchronous_commit").fetchone()

    assert (within, beside) == (SETTINGS[configured], "off")
