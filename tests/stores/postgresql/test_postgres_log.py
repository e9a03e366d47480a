"""What PostgreSQL acknowledges is kept, and seen in its order by whoever follows the log."""

from __future__ import annotations

from contextlib import closing

import pytest

from helpers.builders import HOUR, NOW, is_dead, issued, log_of, registered
from helpers.engines import Postgres
from helpers.postgres_raw import Raw
from helpers.processes import Processes
from helpers.store_urls import why_no_wheel
from oauth_mw import open_store
from oauth_mw.model import Revocation

pytestmark = pytest.mark.slow

# In order


APPEND = """
keys = [bytes.fromhex(each) for each in sys.stdin.readline().split()]
for key in keys:
    store.revoke_token(key)
    end_client(store, "other")
print("done", flush=True)
"""
WRITERS, EACH = 3, 15


def test_a_follower_misses_no_event_however_many_append(postgres_url):
    with closing(open_store(postgres_url, create=True)) as store, Processes(postgres_url) as start:
        store.add_client(registered())
        store.add_client(registered("other"))
        keys = [issued(store, number=number).hex() for number in range(WRITERS * EACH)]
        page, seen = log_of(store), []
        before = page.position
        writers = [start(APPEND) for _ in range(WRITERS)]
        for number, writer in enumerate(writers):
            writer.hears(" ".join(keys[number::WRITERS]))
        while len(seen) < 2 * WRITERS * EACH:
            page = store.read_log(page.store_id, page.position)
            assert page.complete
            seen += page.events
        assert [writer.says() for writer in writers] == ["done"] * WRITERS

        with Raw(postgres_url) as raw:
            rows = raw(
                "SELECT position, client_id, key FROM oauth_mw_revocations WHERE position > %s ORDER BY 1", before
            )
    assert seen == [Revocation(*row) for row in rows]


# Kept


SETTINGS = {"on": "on", "remote_apply": "remote_apply", "local": "local", "off": "on"}


@pytest.mark.parametrize("configured", SETTINGS)
def test_only_what_must_last_waits_as_the_server_is_configured(postgres_url, configured):
    url = f"{postgres_url}%20-csynchronous_commit%3D{configured}"
    with closing(open_store(url, create=True)) as store:
        with store._engine.transaction() as connection:
            within = connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
        with store._engine.writing() as link:
            (beside,) = link.driver.execute("SHOW synchronous_commit").fetchone()

    assert (within, beside) == (SETTINGS[configured], "off")


WORK = """
import secrets
keys = [bytes.fromhex(each) for each in sys.stdin.readline().split()]
for number, key in enumerate(keys):
    store.revoke_token(key)
    print("revoked", key.hex(), flush=True)
    store.add_client(Client(f"client {number}", "", created_at=0))
    print("added", f"client {number}", flush=True)
    end_client(store, f"client {number}", delete=number % 2 == 0)
    print("deleted" if number % 2 == 0 else "ended", f"client {number}", flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql"))
@pytest.mark.parametrize("killed", ["server", "worker"])
def test_what_was_acknowledged_survives_a_kill(killed, clock):
    with Postgres(fsync="on", full_page_writes="on") as engine, Processes(engine.url) as start:
        with closing(open_store(engine.url, create=True, clock=clock)) as store:
            store.add_client(registered())
            keys = [issued(store, number=number, expires_at=NOW + HOUR) for number in range(100)]
            worker = start("from oauth_mw.model import Client\n" + WORK)
            worker.hears(" ".join(key.hex() for key in keys))
            said = [worker.says() for _ in range(30)]
            if killed == "server":
                engine.kill()
                said += iter(worker.says, "")
                engine.start()
            else:
                worker.kill()
            with Raw(engine.url) as raw:
                events = raw("SELECT client_id FROM oauth_mw_revocations")
            found = {line: is_kept(store, events, *line.split(" ", 1)) for line in said}
    assert len(found) >= 30 and set(found.values()) == {True}


def is_kept(store, events, what, which):
    if what == "revoked":
        return is_dead(store, bytes.fromhex(which))
    if what == "deleted":
        return store.find_client(which) is None and not store.add_client(registered(which))
    if what == "ended":
        return which in events
    return store.find_client(which) is not None or not store.add_client(registered(which))
