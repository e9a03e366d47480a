"""Threads in parallel on one store (B-21)."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Barrier

import pytest

from helpers.builders import NOW, is_dead, issued, key_of, log_of, multi_process, registered, sweeping, token_of
from helpers.changes import end_client
from helpers.processes import Processes
from oauth_mw import AdminError, admin
from oauth_mw.credentials import MAX_SECRETS

pytestmark = pytest.mark.usefixtures("tester")

THREADS = 8

# A process that says how many of five more secrets the client gets.
ADDING = f"""
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_store_threads import tries_to_add_secrets
print("ready", flush=True)
sys.stdin.readline()
print(tries_to_add_secrets(store), flush=True)
"""


@pytest.fixture
def at_once():
    """Call a function from several threads at the same moment; what each call gave, by thread."""
    start = Barrier(THREADS, timeout=10)

    def call(work):
        def wait_and_work(thread):
            start.wait()
            return work(thread)

        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(wait_and_work, range(THREADS)))

    return call


def test_tokens_issued_at_once_are_all_there(store, at_once):
    keys = at_once(lambda thread: [issued(store, number=20 * thread + each) for each in range(20)])

    assert not any(is_dead(store, key) for some in keys for key in some)
    assert store.count_tokens() == 20 * THREADS


def test_one_of_many_revocations_of_a_token_wins(store, at_once):
    key, before = issued(store), log_of(store)

    won = at_once(lambda thread: store.revoke_token(key))

    assert sorted(won) == [False] * (THREADS - 1) + [True]
    assert len(store.read_log(before.store_id, before.position).events) == 1


def test_one_of_many_registrations_of_an_id_wins(store, at_once):
    won = at_once(lambda thread: store.add_client(registered("new", scopes=(str(thread),))))

    assert sorted(won) == [False] * (THREADS - 1) + [True]
    assert store.find_client("new").scopes == (str(won.index(True)),)


def test_changes_of_a_client_at_once_are_all_kept(store, at_once):
    at_once(
        lambda thread: store.update_client("tester", lambda each: replace(each, scopes=(*each.scopes, str(thread))))
    )

    assert sorted(store.find_client("tester").scopes) == sorted(map(str, range(THREADS)))


def tries_to_add_secrets(store):
    """How many of five more secrets the client gets."""
    added = 0
    for _ in range(MAX_SECRETS):
        with suppress(AdminError):
            admin.add_secret(store, "tester")
            added += 1
    return added


def test_a_client_has_at_most_so_many_secrets_however_many_callers_add_some(store, at_once):
    added = at_once(lambda thread: tries_to_add_secrets(store))

    assert sum(added) == MAX_SECRETS - 1
    assert len(store.find_client("tester").secrets) == MAX_SECRETS


@multi_process
def test_a_client_has_at_most_so_many_secrets_however_many_processes_add_some(store, store_url):
    with Processes(store_url) as processes:
        both = [processes.fork(ADDING) for _ in range(2)]
        assert [process.says() for process in both] == ["ready"] * 2
        for process in both:
            process.hears()
        added = [int(process.says()) for process in both]

    assert sum(added) == MAX_SECRETS - 1
    assert len(store.find_client("tester").secrets) == MAX_SECRETS


def test_events_at_once_have_positions_of_their_own(store, at_once):
    before = log_of(store)

    at_once(lambda thread: [end_client(store, "tester") for _ in range(5)])

    page = store.read_log(before.store_id, before.position)
    assert len({event.position for event in page.events}) == 5 * THREADS


def test_a_token_is_dead_whenever_an_end_came_after_its_client_was_read(store, at_once):
    def work(thread):
        client = store.find_client("tester")
        end_client(store, "tester")
        store.add_token(key_of(thread), token_of(client))
        return is_dead(store, key_of(thread))

    assert at_once(work) == [True] * THREADS


@sweeping
def test_sweeps_at_once_take_every_row_once(store, at_once):
    for number in range(40):
        issued(store, number=number, expires_at=NOW - 1)

    swept = at_once(lambda thread: store.sweep(NOW, 3) + store.sweep(NOW, 3))

    assert sum(swept) == 40
