"""Files that are removed or exchanged under a running store: no write into a lost file is acknowledged."""

from __future__ import annotations

import gc
import os
import shutil
from contextlib import closing

import pytest

from helpers.builders import given_secret, is_dead, key_of, log_of, registered, token_of
from helpers.changes import ENDS, end_client
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.credentials import hash_secret
from oauth_mw.model import Count

pytest.importorskip("fcntl")
pytestmark = pytest.mark.usefixtures("key")

TIMEOUT = 9.0  # a busy machine may be late
MINE = registered()


def remove(path):
    """The database with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(f"{path}{suffix}"):
            os.unlink(f"{path}{suffix}")


def restore(path, backup):
    remove(path)
    os.rename(backup, path)


@pytest.fixture
def back_up(path, store):
    """Call it for the path of a copy of the database, as a backup would make it."""

    def copy():
        store.close()
        return shutil.copy(path, path.with_name("backup"))

    return copy


@pytest.fixture(autouse=True)
def another(path):
    """Another store, made before ours is used: a second later a store that was exchanged is opened anew."""
    open_store(f"sqlite:///{path.with_name('other.db')}", create=True).close()


def replaced_by_another_store(path, counter):
    restore(path, path.with_name("other.db"))


LOSSES = {
    "database removed": lambda path, counter: remove(path),
    "database replaced": replaced_by_another_store,
    "database moved away": lambda path, counter: path.rename(path.with_name("aside")),
    "folder moved away": lambda path, counter: path.parent.rename(path.parent.with_name("aside")),
    "all removed": lambda path, counter: (remove(path), counter.unlink()),
}
COUNTER_LOSSES = {
    "counter removed": lambda path, counter: counter.unlink(),
    "counter replaced": lambda path, counter: (
        shutil.copy(counter, f"{counter}.x"),
        os.replace(f"{counter}.x", counter),
    ),
}
WRITES = {
    "issue": lambda store: store.add_token(key_of(1), token_of(MINE)),
    "issue and count": lambda store: store.add_token(key_of(1), token_of(MINE), [Count(b"count", 9, 2**32)]),
    "register": lambda store: store.add_client(registered("other")),
    "update": lambda store: store.update_client("tester", lambda client: client),
    "add secret": lambda store: given_secret(store, "tester", hash_secret("t" * 16)),
    "sweep": lambda store: store.sweep(2**32 - 1, 10),
}
REVOCATIONS = {"revoke": lambda store: store.revoke_token(key_of()), **ENDS}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("write", [WRITES["issue"], REVOCATIONS["revoke"]], ids=["issue", "revoke"])
def test_nothing_is_acknowledged_into_a_lost_database(store, path, counter, lose, write):
    lose(path, counter)

    with pytest.raises(StoreUnavailable):
        write(store)


@pytest.mark.parametrize("write", [*WRITES.values(), *REVOCATIONS.values()], ids=[*WRITES, *REVOCATIONS])
def test_no_write_at_all_goes_into_an_exchanged_database(store, path, counter, write):
    replaced_by_another_store(path, counter)
    before = path.read_bytes()

    with pytest.raises(StoreUnavailable):
        write(store)

    assert path.read_bytes() == before


@pytest.mark.parametrize("lose", COUNTER_LOSSES.values(), ids=COUNTER_LOSSES)
@pytest.mark.parametrize("end", REVOCATIONS.values(), ids=REVOCATIONS)
def test_no_revocation_is_acknowledged_into_a_lost_counter(store, path, counter, lose, end):
    lose(path, counter)

    with pytest.raises(StoreUnavailable):
        end(store)

    assert not is_dead(store, key_of())


@pytest.mark.parametrize("lose", COUNTER_LOSSES.values(), ids=COUNTER_LOSSES)
def test_a_worker_that_has_the_lost_counter_looks_when_another_revokes_with_a_new_one(store, path, counter, lose):
    with closing(open_store(store.url)) as other:
        other.find_client("tester")
        seen = other.generation
        before = seen()
        lose(path, counter)
        with pytest.raises(StoreUnavailable):
            store.revoke_token(key_of())

        assert (store.revoke_token(key_of()), seen() != before) == (True, True)


@pytest.mark.parametrize("lose", ["database removed", "database moved away", "folder moved away", "all removed"])
def test_a_check_notices_a_lost_database_and_creates_none(store, path, counter, lose):
    LOSSES[lose](path, counter)

    for call in (store.verify, store.verify, lambda: store.find_token(key_of())):
        with pytest.raises(StoreUnavailable):
            call()

    assert not path.exists()


def test_a_check_opens_the_store_that_took_the_place(store, path, counter):
    before = log_of(store)
    replaced_by_another_store(path, counter)

    store.verify()

    assert store.find_client("tester") is None
    assert not store.read_log(before.store_id, before.position).complete


def test_a_write_that_was_refused_is_followed_by_one_into_the_new_store(store, path, counter):
    replaced_by_another_store(path, counter)
    with pytest.raises(StoreUnavailable):
        store.add_client(registered("new"))

    assert store.add_client(registered("new"))

    with closing(open_store(f"sqlite:///{path}")) as seen:
        assert seen.find_client("new") is not None


def test_a_database_that_is_put_back_serves_again(store, path, counter):
    path.rename(path.with_name("aside"))
    with pytest.raises(StoreUnavailable):
        store.verify()
    path.with_name("aside").rename(path)

    store.verify()

    assert not is_dead(store, key_of())


def test_a_store_that_a_start_creates_anew_serves_again(store, path, counter):
    remove(path)
    with pytest.raises(StoreUnavailable):
        store.verify()

    open_store(f"sqlite:///{path}", create=True).close()

    store.verify()
    assert store.add_client(registered("new"))


@pytest.mark.parametrize("lose", COUNTER_LOSSES.values(), ids=COUNTER_LOSSES)
def test_a_check_opens_the_counter_that_took_the_place(store, path, counter, lose):
    lose(path, counter)

    store.verify()

    with closing(open_store(f"sqlite:///{path}")) as other:
        before = store.generation()
        assert other.revoke_token(key_of())
    assert store.generation() != before


def test_a_restored_backup_is_another_store(store, path, back_up):
    backup = back_up()
    end_client(store, "tester")
    seen = log_of(store)
    store.close()
    restore(path, backup)

    store.verify()

    assert not store.read_log(seen.store_id, seen.position).complete
    assert not is_dead(store, key_of())


def test_a_restored_backup_with_later_events_is_another_store(store, path, back_up, clock):
    end_client(store, "tester")
    backup = back_up()
    clock.move(1)
    end_client(store, "tester")
    seen = log_of(store)
    store.close()
    restore(path, backup)
    clock.move(1)

    end_client(store, "tester")

    assert not store.read_log(seen.store_id, seen.position).complete


def test_positions_that_a_backup_lost_are_never_given_twice(store, path, back_up, clock):
    backup = back_up()
    end_client(store, "tester")
    lost = log_of(store).position
    store.close()
    restore(path, backup)
    clock.move(0.001)

    store.verify()
    end_client(store, "tester")

    assert log_of(store).position > lost


def test_a_store_that_is_not_closed_leaves_nothing_open(tmp_path, open_files):
    store = open_store(f"sqlite:///{tmp_path}/forgotten.db", create=True)
    store.add_client(registered())
    opened = [file for file in open_files() if "forgotten" in file]

    del store
    gc.collect()

    assert opened and not [file for file in open_files() if "forgotten" in file]
