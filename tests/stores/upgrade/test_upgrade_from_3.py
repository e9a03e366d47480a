"""A store of schema 3 works after its upgrade as it did before, and its workers go on meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from test_upgrade_schema import COLUMNS, INDEXES, in_sqlite

from helpers import upgrading
from helpers.builders import HOUR, NOW
from helpers.postgres_raw import Raw
from helpers.processes import Processes
from helpers.support import bearer
from oauth_mw import open_store
from oauth_mw.errors import StoreOutdated
from oauth_mw.model import Count
from oauth_mw.stores import upgrade_store
from oauth_mw.tokens.opaque import storage_key

slow = pytest.mark.slow
STORE_KINDS = ["sqlite", pytest.param("postgresql", marks=slow)]


@pytest.fixture
def facts(store_kind):
    return upgrading.facts_of_3()[store_kind]


@pytest.fixture
def old_url(store_url):
    """The URL of a store of schema 3."""
    upgrading.fill_3(store_url)
    return store_url


@pytest.fixture
def store(old_url, clock):
    upgrade_store(old_url)
    with closing(open_store(old_url, clock=clock)) as store:
        yield store


def test_it_is_refused_before(old_url):
    with pytest.raises(StoreOutdated, match="has schema version 3, this oauth_mw knows 4: .* store upgrade`$"):
        open_store(old_url, create=True)


def test_clients_tokens_and_keys_are_as_they_were(store, facts, wrap):
    app = wrap()

    assert {client.client_id: client.secrets[0].secret_id for client in store.clients()} == facts["secrets"]
    assert [key.kid for key in store.read_keys().keys] == facts["keys"]
    assert {token: app.get("/any", headers=bearer(token), status="*").status_int for token in facts["live"]} == (
        dict.fromkeys(facts["live"], 200)
    )
    assert store.find_token(storage_key(next(iter(facts["revoked"])))).revoked
    state = store.copyable().log_state()
    assert (state.position, state.store_id) == (facts["position"], facts["store_id"])
    assert not store.remember_once(b"\x01", NOW + HOUR)


def test_it_counts(store):
    assert [store.count([Count(b"hour", 1, NOW + HOUR)]).full for _ in range(2)] == [(), (0,)]


def test_its_tables_are_as_new_ones(old_url, store_kind, tmp_path, request):
    upgrade_store(old_url)

    if store_kind == "sqlite":
        open_store(f"sqlite:///{tmp_path}/new.db", create=True).close()
        assert in_sqlite(old_url.removeprefix("sqlite:///")) == in_sqlite(tmp_path / "new.db")
        return
    with request.getfixturevalue("postgres").fresh() as url, Raw(old_url) as upgraded, Raw(url) as new:
        open_store(url, create=True).close()
        for question in (COLUMNS, INDEXES):
            assert {*upgraded(question)} == {*new(question)}


@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_a_copy_is_kept(old_url):
    copy = upgrade_store(old_url)

    with closing(sqlite3.connect(copy)) as found:
        assert found.execute("SELECT version FROM oauth_mw_store").fetchone() == (3,)


# A warm worker of the code of schema 3.
WORKER = """
import signal, sys
signal.alarm(60)
from oauth_mw import open_store
from oauth_mw.model import TokenRecord
store = open_store(sys.argv[1])
client = store.find_client("plain")
print("ready", flush=True)
for line in sys.stdin:
    key = bytes.fromhex(line)
    store.add_token(key, TokenRecord("plain", "", 1, client.revoked_before))
    print(store.find_token(key) is not None, flush=True)
"""


@slow
def test_a_warm_worker_of_before_goes_on(old_url, clock):
    with Processes(old_url) as processes:
        worker = processes.start(WORKER, environ=upgrading.environ_of_3())
        keys = [bytes([200, number]) + bytes(30) for number in range(2)]
        assert [worker.says(), worker.answers(keys[0].hex())] == ["ready", "True"]

        upgrade_store(old_url)

        assert worker.answers(keys[1].hex()) == "True"
    with closing(open_store(old_url, clock=clock)) as store:
        assert all(store.find_token(key) for key in keys)
