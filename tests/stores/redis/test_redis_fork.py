"""Forks, threads and greenlets: every answer goes to who asked."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from helpers.builders import HOUR, NOW, issued, key_of, registered
from helpers.engines import Redis
from helpers.processes import exit_code_of, forked
from helpers.redis_raw import Raw
from oauth_mw import open_store

ROUNDS = 100


@pytest.fixture
def store(redis_url):
    with contextlib.closing(open_store(redis_url, create=True, timeout=10)) as store:
        for number in range(8):
            store.add_client(registered(f"client-{number}", lifetime=number + 1))
        yield store


def asks(store, number):
    """Whether every answer is the one to the question."""
    client_id = f"client-{number}"
    found = [store.find_client(client_id) for _ in range(ROUNDS)]
    return {(client.client_id, client.lifetime) for client in found} == {(client_id, number + 1)}


def test_a_start_holds_no_connection_for_a_fork_to_take_along():
    with Redis() as server, contextlib.closing(Raw(server.url)) as raw:
        with contextlib.closing(open_store(server.url, create=True)):
            assert raw.client.info("clients")["connected_clients"] == 1


def test_parent_and_children_never_get_each_others_answers(store):
    assert asks(store, 0)

    children = [forked(lambda number=number: asks(store, number)) for number in range(1, 4)]

    assert asks(store, 4)
    assert [exit_code_of(child) for child in children] == [0, 0, 0]


def test_a_child_that_closes_the_store_closes_it_for_itself(store):
    asks(store, 0)

    assert exit_code_of(forked(lambda: store.close() or asks(store, 1))) == 0

    assert asks(store, 2)


def test_a_fork_amid_busy_threads_harms_neither_side(store):
    done, wrong = Event(), []

    def work(number):
        while not done.is_set():
            if not asks(store, number):
                wrong.append(number)

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    children = [forked(lambda: asks(store, 7)) for _ in range(5)]
    codes = [exit_code_of(child) for child in children]
    done.set()
    for thread in threads:
        thread.join()

    assert (codes, wrong) == ([0] * 5, [])


def test_threads_share_few_connections_without_mixing_answers(redis_url, store):
    url = redis_url + "&max_connections=2"
    with contextlib.closing(open_store(url, timeout=10)) as few, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda number: asks(few, number), range(8)))


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import sys, gevent
from oauth_mw import open_store
store = open_store(sys.argv[1], timeout=10)
def ask(number):
    client_id = f"client-{number % 8}"
    return store.find_client(client_id).client_id == client_id
jobs = [gevent.spawn(ask, number) for number in range(1000)]
gevent.joinall(jobs)
print(sum(bool(job.value) for job in jobs))
"""


def test_a_thousand_greenlets_share_the_connections(redis_url, store):
    done = subprocess.run([sys.executable, "-c", GREENLETS, redis_url], capture_output=True, text=True, timeout=50)

    assert (done.stdout, done.stderr) == ("1000\n", "")


def test_what_was_issued_before_a_fork_is_found_after_it(store):
    key = issued(store, "client-0")

    assert exit_code_of(forked(lambda: store.find_token(key).client_id == "client-0")) == 0


def test_of_many_processes_one_revokes_a_token(store):
    key = issued(store, "client-0", expires_at=NOW + HOUR)

    codes = [exit_code_of(child) for child in [forked(lambda: store.revoke_token(key)) for _ in range(4)]]

    assert sorted(codes) == [0, 2, 2, 2]
    assert not store.revoke_token(key_of(99))
