"""A start on a store that cannot be used any more: an outage, where its counter file shows that it was used."""

from __future__ import annotations

import os

import pytest

from helpers.mounts import read_only, why_no_mounts
from oauth_mw import ConfigError, StoreUnavailable, open_store

pytest.importorskip("fcntl")


@pytest.fixture
def spoiled(path, store):
    """What was in the file of a store before it became no database; the counter is still there."""
    store.close()
    whole = path.read_bytes()
    path.write_bytes(b"no database" * 99)
    return whole


def test_a_start_on_a_store_that_was_damaged_is_an_outage_until_it_is_mended(path, store, spoiled):
    errors = []
    again = open_store(store.url, create=True, unavailable=errors.append)

    with pytest.raises(StoreUnavailable):
        again.find_client("tester")
    path.write_bytes(spoiled)
    assert again.find_client("tester")
    again.close()
    assert [error.reason for error in errors] == [f"store: {path} is not an SQLite database"]


def test_after_such_a_start_no_new_store_is_created(path, store, spoiled):
    again = open_store(store.url, create=True, unavailable=lambda error: None)
    path.write_bytes(b"")

    with pytest.raises(StoreUnavailable, match="holds no oauth_mw store"):
        again.find_client("tester")


@pytest.mark.parametrize(("without_counter", "error"), [(True, ConfigError), (False, StoreUnavailable)])
def test_a_damaged_store_is_a_fault_of_configuration_without_its_counter(
    store, counter, spoiled, without_counter, error
):
    if without_counter:
        counter.unlink()

    with pytest.raises(error, match="is not an SQLite database"):
        open_store(store.url, create=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_store_of_another_user_that_this_one_may_not_write_is_refused(public_folder, as_nobody):
    url = f"sqlite:///{public_folder}/oauth.db"
    open_store(url, create=True).close()

    def refused():
        with pytest.raises(ConfigError, match="is not writable"):
            open_store(url, create=True)
        return True

    assert as_nobody(refused) == 0


START = """
import sys
from oauth_mw import StoreUnavailable, open_store
errors = []
store = open_store(sys.argv[1], create=True, unavailable=errors.append)
print(errors[0].reason)
"""


@pytest.mark.skipif(bool(why_no_mounts()), reason=why_no_mounts())
def test_a_start_on_a_file_system_that_became_read_only_is_an_outage(path, store):
    store.close()

    assert "is not writable" in read_only(path.parent, START, store.url)


def test_a_refused_contact_leaves_nothing_open(store, sql, open_files):
    sql("UPDATE oauth_mw_nonce SET nonce = 'x'")
    before = len(open_files())

    for _ in range(10):
        with pytest.raises(StoreUnavailable):
            store.verify()

    assert len(open_files()) <= before + 3
