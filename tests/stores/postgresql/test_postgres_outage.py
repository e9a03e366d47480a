"""PostgreSQL gone, hung, full or read-only: a refusal in time, no request lost afterwards, and recovery by itself."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from helpers.builders import given_secret, issued, key_of, registered, token_of
from helpers.changes import end_client, remove_secret
from helpers.engines import Postgres, wait_until
from helpers.postgres_raw import Raw
from helpers.store_urls import why_no_wheel
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.credentials import hash_secret
from oauth_mw.stores.sql.postgresql.engine import CONNECTIONS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql")),
]

TIMEOUT = 0.8
SLACK = 0.6  # for a machine that is busy
SLOTS = 30


@pytest.fixture(scope="module")
def engine():
    with Postgres(max_connections=SLOTS, superuser_reserved_connections=5) as engine:
        admin = Raw(engine.url)
        admin("CREATE ROLE ordinary LOGIN")
        admin("GRANT CREATE ON SCHEMA public TO ordinary")
        admin.close()
        yield engine


@pytest.fixture
def raw(engine):
    with Raw(engine.url) as raw:
        yield raw
        raw.close()


@pytest.fixture
def store(engine, raw):
    raw("DROP SCHEMA public CASCADE")
    raw("CREATE SCHEMA public AUTHORIZATION ordinary")
    url = engine.url.replace("//tests@", "//ordinary@")
    with closing(open_store(url, create=True, timeout=TIMEOUT, unavailable=lambda error: None)) as store:
        wait_until(lambda: filled(store), "a store", 10)
        yield store


def filled(store):
    try:
        store.add_client(registered())
        if store.find_token(key_of()) is None:
            issued(store)
    except StoreUnavailable:
        return False
    return True


def operations(store):
    """Every operation of a store, by name."""
    key, token = key_of(1), token_of(registered())
    reads = {
        "find_client": lambda: store.find_client("tester"),
        "clients": lambda: list(store.clients()),
        "find_token": lambda: store.find_token(key),
        "count_tokens": lambda: store.count_tokens(),
        "read_log": lambda: store.read_log("", -1),
    }
    return reads, {
        "add_client": lambda: store.add_client(registered("other")),
        "update_client": lambda: store.update_client("tester", lambda client: replace(client, name="x")),
        "end_client": lambda: end_client(store, "tester"),
        "add_secret": lambda: given_secret(store, "tester", hash_secret("t" * 16)),
        "remove_secret": lambda: remove_secret(store, "tester", "0", and_tokens=True),
        "add_token": lambda: store.add_token(key, token),
        "revoke_token": lambda: store.revoke_token(key_of()),
        "sweep": lambda: store.sweep(0, 10),
    }


def outcomes(operations):
    """How each one ends: in time, and by StoreUnavailable if it fails."""

    def outcome(do):
        started = time.monotonic()
        try:
            do()
        except StoreUnavailable:
            return "unavailable" if time.monotonic() - started < TIMEOUT + SLACK else "late"
        return "done"

    return {name: outcome(do) for name, do in operations.items()}


def all_are(outcome, operations):
    return dict.fromkeys(operations, outcome)


@contextmanager
def resting(store, count):
    """So many connections at rest."""
    used = [store._engine.reading() for _ in range(count)]
    for each in used:
        each.__enter__()
    for each in used:
        each.__exit__(None, None, None)
    yield


def works(store):
    try:
        return store.find_client("tester") is not None
    except StoreUnavailable:
        return False


# Down


@pytest.mark.parametrize("poll", [True, False], ids=["", "without poll"])
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_after_a_restart_no_request_fails_although_all_connections_are_gone(engine, store, end, poll, monkeypatch):
    if not poll:
        monkeypatch.delattr("select.poll")
    with resting(store, 5):
        getattr(engine, end)()
        engine.start()

    with ThreadPoolExecutor(5) as threads:
        assert None not in list(threads.map(lambda _: store.find_client("tester"), range(20)))


def test_while_the_server_is_down_everything_is_refused_and_then_goes_on(engine, store):
    reads, writes = operations(store)
    everything = reads | writes
    engine.stop()
    while_down = outcomes(everything)
    engine.start()

    assert while_down == all_are("unavailable", everything)
    assert outcomes(everything) == all_are("done", everything)


# Hung


@pytest.fixture
def hung(engine):
    @contextmanager
    def hung():
        engine.pause()
        try:
            yield
        finally:
            engine.resume()

    return hung


@pytest.mark.parametrize(
    ("name", "connections"), [("find_client", 0), *((name, 5) for name in ("clients", "add_token", "end_client"))]
)
def test_while_the_server_hangs_an_operation_ends_in_time(store, hung, name, connections):
    reads, writes = operations(store)
    store.close()
    with resting(store, connections), hung():
        assert outcomes({name: (reads | writes)[name]}) == {name: "unavailable"}

    wait_until(lambda: works(store), "a server that goes on", 5)


def test_many_threads_end_in_time_too(store, hung):
    reads, writes = operations(store)
    tried = {number: (reads["find_client"], writes["end_client"])[number % 2] for number in range(24)}

    with hung(), ThreadPoolExecutor(24) as threads:
        found = list(threads.map(lambda number: outcomes({number: tried[number]})[number], tried))

    assert found == ["unavailable"] * 24
    wait_until(lambda: works(store), "a server that goes on", 5)


def test_where_one_was_not_answered_the_others_are_not_asked(store, raw, hung):
    with resting(store, 5):
        before = raw.backends()
    with hung(), pytest.raises(StoreUnavailable):
        store.find_client("tester")
    wait_until(lambda: works(store), "a server that goes on", 5)

    assert len(before) == 5
    wait_until(lambda: not raw.backends() & before, "the end of the old connections", 5)


def test_a_start_while_the_server_hangs_ends_in_time_and_recovers(store, hung):
    told = []
    with hung():
        started = time.monotonic()
        late = open_store(store.url, create=True, timeout=TIMEOUT, unavailable=told.append)
        took = time.monotonic() - started

    with closing(late):
        wait_until(lambda: works(late), "a server that goes on", 5)
    assert (len(told), took < TIMEOUT + SLACK) == (1, True)


# Out of connections


@contextmanager
def no_slot_left(engine):
    """Every connection that an ordinary user may have is in use."""
    import psycopg

    others = []
    try:
        while True:
            others.append(psycopg.connect(engine.url.replace("+psycopg", "").replace("//tests@", "//ordinary@")))
    except psycopg.OperationalError as error:
        assert "slots" in str(error)
    try:
        yield
    finally:
        for each in others:
            each.close()


def test_without_a_slot_for_a_connection_everything_is_refused_and_then_goes_on(engine, store):
    reads, writes = operations(store)
    everything = reads | writes
    store.close()
    with no_slot_left(engine):
        while_full = outcomes(everything)

    wait_until(lambda: works(store), "a slot", 5)
    assert while_full == all_are("unavailable", everything)
    assert outcomes(everything) == all_are("done", everything)


def test_without_a_slot_for_another_the_connections_that_there_are_do_it_all(engine, store):
    with resting(store, 2), no_slot_left(engine), ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda _: store.find_client("tester"), range(100)))

    assert None not in found


def test_a_process_has_no_more_connections_than_its_limit(store, raw):
    most = []

    def read(number):
        assert store.find_client("tester")
        if number % 50 == 0:
            most.append(len(raw.backends()))

    with ThreadPoolExecutor(2 * CONNECTIONS) as threads:
        list(threads.map(read, range(400)))

    assert max(most) <= CONNECTIONS


# Read-only


def test_in_read_only_mode_reads_go_on_and_writes_are_refused(store, raw):
    reads, writes = operations(store)
    raw.set("default_transaction_read_only", "on")
    try:
        # Sessions of before learn of it with their next statement.
        wait_until(lambda: "done" not in outcomes(writes).values(), "read-only mode", 5)
        while_read_only = outcomes(reads), outcomes(writes)
    finally:
        raw.set("default_transaction_read_only", "")

    assert while_read_only == (all_are("done", reads), all_are("unavailable", writes))
    wait_until(lambda: "done" in outcomes({"sweep": writes["sweep"]}).values(), "the end of read-only mode", 5)
    assert outcomes(writes) == all_are("done", writes)


def test_a_start_in_read_only_mode_finds_the_store_that_is_there(store, raw):
    raw.set("default_transaction_read_only", "on")
    try:
        with closing(open_store(store.url, create=True, timeout=TIMEOUT)) as late:
            assert late.find_client("tester")
    finally:
        raw.set("default_transaction_read_only", "")
